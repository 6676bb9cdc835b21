"""The downstreams that the suite is run on: of each type its server, its configuration, and what it is.

A new type of sink is a new line here, and no new test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.models.sinks import SINK_TYPES, SinkRules
from tests.sinks.servers.base import VendorServer
from tests.sinks.servers.webhook import SECRET as WEBHOOK_SECRET
from tests.sinks.servers.webhook import WebhookServer


@dataclass(frozen=True, kw_only=True)
class Downstream:
    """One type of sink, and how it is tried.

    Attributes:
        type: in sinks.yaml.
        server: makes the server, from a seed.
        settings: the entry in sinks.yaml, without the type, from the server, which runs.
        secrets: name of a variable -> what it holds.
        records: it keeps a record of an incident that can be read and written again; False: it is only told.
        calls: it calls people: each key once.
        publishes: it has records only of incidents of which the public was told.
        created_per_reopening: what ended there begins anew when it is reopened.
        notes: words on the timeline become notes there.
        ends_alike: it has one end where we have several.
        other_token: a credential of the same shape that it does not know.
        refused_is_final: a credential that is not taken is told as a request that is wrong.
    """

    type: str
    server: Callable[[int], VendorServer]
    settings: Callable[[VendorServer], Mapping[str, Any]]
    secrets: Mapping[str, str] = field(default_factory=dict)
    records: bool = True
    calls: bool = False
    publishes: bool = False
    created_per_reopening: bool = False
    notes: bool = True
    ends_alike: bool = False
    other_token: str = "another"
    refused_is_final: bool = False

    def rules(self, server: VendorServer) -> SinkRules:
        """Its rules, as the configuration gives them."""
        return SINK_TYPES[self.type].model_validate({"name": self.type, "type": self.type, **self.settings(server)})


DOWNSTREAMS: Final[Mapping[str, Downstream]] = {
    each.type: each
    for each in (
        Downstream(
            type="webhook",
            server=WebhookServer,
            settings=lambda server: {"url": f"{server.url}/hook", "secret_env": "CANARY_WEBHOOK"},
            secrets={"CANARY_WEBHOOK": WEBHOOK_SECRET},
            records=False,
            other_token="whsec_" + "b3RoZXIgYnl0ZXMgb2Ygc2VjcmV0IHNhbHQ=",
        ),
    )
}
"""By type."""
