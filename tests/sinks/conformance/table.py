"""The downstreams that the suite is run on: of each type its server, its configuration, and what it is.

A new type of sink is a new line here, and no new test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipeline.models.sinks import SINK_TYPES, SinkRules
from tests.sinks.servers import (
    incident_io,
    jira,
    kafka,
    mail,
    pagerduty,
    servicenow,
    slack,
    status_receiver,
    statuspage,
    teams,
    webhook,
    xurrent,
)
from tests.sinks.servers.base import VendorServer

Settings = Callable[[str], Mapping[str, Any]]
"""The entry in sinks.yaml without its type, from the address of the server."""


@dataclass(frozen=True, kw_only=True)
class Downstream:
    """One downstream, and how it is tried.

    Attributes:
        name: in sinks.yaml.
        type: in sinks.yaml; "": as the name.
        server: makes the server, from a seed.
        settings: its configuration.
        secrets: name of a variable -> what it holds; ``{url}`` in it is the address of the server.
        credential: attribute of the server that holds what it takes, and another that it does not know; None: it has
            none that could end.
        calls: it calls people: each key once.
        publishes: it has records only of incidents of which the public was told.
        created_per_reopening: what ended there begins anew when it is reopened.
        ends_alike: it has one end where we have several.
    """

    name: str
    type: str = ""
    server: Callable[[int], VendorServer]
    settings: Settings
    secrets: Mapping[str, str]
    credential: tuple[str, str] | None = ("token", "another")
    calls: bool = False
    publishes: bool = False
    created_per_reopening: bool = False
    ends_alike: bool = False

    @property
    def entry_type(self) -> str:
        """What stands under ``type``."""
        return self.type or self.name

    def entry(self, url: str) -> dict[str, Any]:
        """The entry in sinks.yaml: nothing slows it down but what a test asks for."""
        quick = {"timeout_seconds": 5, "requests_per_second": 0}
        return {"type": self.entry_type, **quick, **self.settings(url)}

    def rules(self, url: str) -> SinkRules:
        """Its rules, as the configuration gives them."""
        return SINK_TYPES[self.entry_type].model_validate({"name": self.name, **self.entry(url)})


_ALL: Final = (
    Downstream(
        name="webhook",
        server=webhook.WebhookServer,
        settings=lambda url: {"url": f"{url}/hook", "secret_env": "SECRET_WEBHOOK"},
        secrets={"SECRET_WEBHOOK": webhook.SECRET},
        credential=("token", "whsec_" + "b3RoZXIgYnl0ZXMgb2Ygc2VjcmV0IHNhbHQ="),
        calls=True,
    ),
    Downstream(
        name="pagerduty",
        server=pagerduty.PagerDutyServer,
        settings=lambda url: {
            "url": url,
            "secret_env": "SECRET_PAGERDUTY",
            "api_url": url,
            "api_secret_env": "SECRET_PAGERDUTY_API",
            "api_user": pagerduty.USER,
            "notes": "important",
        },
        secrets={"SECRET_PAGERDUTY": pagerduty.ROUTING_KEY, "SECRET_PAGERDUTY_API": pagerduty.API_KEY},
        credential=("routing_key", "f" * 32),
        calls=True,
        created_per_reopening=True,
    ),
    Downstream(
        name="pagerduty-events",
        type="pagerduty",
        server=pagerduty.PagerDutyServer,
        settings=lambda url: {"url": url, "secret_env": "SECRET_PAGERDUTY", "calls": "alert"},
        secrets={"SECRET_PAGERDUTY": pagerduty.ROUTING_KEY},
        credential=("routing_key", "f" * 32),
        calls=True,
        created_per_reopening=True,
    ),
    Downstream(
        name="servicenow",
        server=servicenow.ServiceNowServer,
        settings=lambda url: {"url": url, "secret_env": "SECRET_SERVICENOW", "user": servicenow.USER},
        secrets={"SECRET_SERVICENOW": servicenow.PASSWORD},
    ),
    Downstream(
        name="jira",
        server=jira.JiraServer,
        settings=lambda url: {
            "url": url,
            "secret_env": "SECRET_JIRA",
            "user": jira.USER,
            "project": "OPS",
            "search_again_seconds": 1,
        },
        secrets={"SECRET_JIRA": jira.TOKEN},
        ends_alike=True,
    ),
    Downstream(
        name="xurrent",
        server=xurrent.XurrentServer,
        settings=lambda url: {
            "url": url,
            "secret_env": "SECRET_XURRENT",
            "account": xurrent.ACCOUNT,
            "member": xurrent.ME,
        },
        secrets={"SECRET_XURRENT": xurrent.TOKEN},
    ),
    Downstream(
        name="xurrent-events",
        type="xurrent",
        server=xurrent.XurrentServer,
        settings=lambda url: {
            "url": url,
            "secret_env": "SECRET_XURRENT",
            "account": xurrent.ACCOUNT,
            "member": xurrent.ME,
            "create_by": "events",
        },
        secrets={"SECRET_XURRENT": xurrent.TOKEN},
    ),
    Downstream(
        name="slack",
        server=slack.SlackServer,
        settings=lambda url: {"url": f"{url}/api", "secret_env": "SECRET_SLACK", "channel": slack.CHANNEL},
        secrets={"SECRET_SLACK": slack.TOKEN},
        calls=True,
    ),
    Downstream(
        name="mail",
        server=mail.MailServer,
        settings=lambda url: {
            "host": mail.HOST,
            "port": int(url.rpartition(":")[2]),
            "security": "none",
            "sender": "spillway@acme.example",
            "to": ["operations@acme.example"],
        },
        secrets={},
        credential=None,
    ),
    Downstream(
        name="kafka",
        server=kafka.KafkaServer,
        settings=lambda url: {"bootstrap": url, "topic": kafka.TOPIC},
        secrets={},
        credential=None,
        calls=True,
    ),
    Downstream(
        name="statuspage",
        server=statuspage.StatuspageServer,
        settings=lambda url: {
            "url": url,
            "secret_env": "SECRET_STATUSPAGE",
            "page_id": statuspage.PAGE_ID,
            "components": {"checkout": "web"},
        },
        secrets={"SECRET_STATUSPAGE": statuspage.API_KEY},
        publishes=True,
    ),
    Downstream(
        name="incident_io",
        server=incident_io.IncidentIoServer,
        settings=lambda url: {
            "url": url,
            "secret_env": "SECRET_INCIDENT_IO",
            "page_id": incident_io.PAGE_ID,
            "components": {"checkout": "01WEB"},
        },
        secrets={"SECRET_INCIDENT_IO": incident_io.API_KEY},
        publishes=True,
        created_per_reopening=True,
    ),
    Downstream(
        name="status_webhook",
        server=status_receiver.StatusReceiver,
        settings=lambda url: {"url": f"{url}/hook", "secret_env": "SECRET_STATUS_WEBHOOK"},
        secrets={"SECRET_STATUS_WEBHOOK": status_receiver.SECRET},
        credential=None,
        publishes=True,
        ends_alike=True,
    ),
    Downstream(
        name="teams",
        server=teams.TeamsServer,
        settings=lambda _: {"url_env": "SECRET_TEAMS"},
        secrets={"SECRET_TEAMS": f"{{url}}{teams.PATH}?{teams.QUERY}"},
        credential=("signature", "another"),
        ends_alike=True,
    ),
)

DOWNSTREAMS: Final[Mapping[str, Downstream]] = {each.name: each for each in _ALL}
"""By name."""
