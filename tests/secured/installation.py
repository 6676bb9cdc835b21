"""An installation whose components have a user each, and each user only what its component was granted."""

from __future__ import annotations

import pickle
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from pydantic import SecretStr

from pipeline.catalog import load_config
from pipeline.core.alerts.own_alerts import OWN_FEED
from pipeline.flow import STAGE_BY_NAME
from pipeline.kafka.grants import COMPONENTS, FURTHER_COMPONENTS, Grant, grants_of, user_of
from pipeline.settings import Settings
from tests.live.site import Site
from tests.live.worker import Worker
from tests.secured.guarded_kafka import GuardedKafka

APP: Final = "one"
EVERYBODY: Final = (*COMPONENTS, *FURTHER_COMPONENTS)
BY_CERTIFICATE: Final = "dedupe"
"""The component that logs in by certificate; the others by password."""

GATEWAY_TOKEN: Final = "a-token-of-the-gateway"
GATEWAY_VARIABLE: Final = "GATEWAY_TOKEN"
GATEWAY_FEED: Final = "cloudwatch"


class Installation:
    """Users, grants and settings of each component, on a guarded Kafka.

    Attributes:
        kafka: the broker.
        site: topics, configuration and processes; its own clients use the open listener.
    """

    def __init__(self, kafka: GuardedKafka, place: Path, records_url: str) -> None:
        self.kafka = kafka
        self.site = Site(kafka.bootstrap, f"{APP}.", place, records_url=records_url, partitions=1, clock="recording")
        feeds = self.site.directory / "feeds.yaml"
        auth = f"{{auth: {{scheme: bearer, secrets_env: [{GATEWAY_VARIABLE}]}}}}"
        ours = f"{OWN_FEED}:\n  adapter: alertmanager\n"
        text = feeds.read_text().replace(f"\n{GATEWAY_FEED}:\n", f"\n{GATEWAY_FEED}:\n  gateway: {auth}\n")
        feeds.write_text(text + ("" if f"\n{OWN_FEED}:" in text else ours))
        assert load_config(self.site.directory).feeds[GATEWAY_FEED].gateway
        self.site.secrets[GATEWAY_VARIABLE] = GATEWAY_TOKEN
        self._place = place

    def settings_of(self, component: str, **more: Any) -> Settings:
        """As the process of a component has them."""
        return self.site.settings.model_copy(update=self.login(component) | more)

    def login(self, component: str) -> dict[str, Any]:
        """What the settings of a component say of the way to the brokers."""
        common = {"kafka_ca_file": self.kafka.certificate}
        if component == BY_CERTIFICATE:
            files = {"kafka_certificate_file": self.kafka.client_certificate, "kafka_key_file": self.kafka.client_key}
            return {"bootstrap": self.kafka.mutual, "kafka_security": "tls", **common, **files}
        user = user_of(self.site.settings, component)
        login = {"bootstrap": self.kafka.secured, "kafka_security": "sasl_tls", "kafka_username": user, **common}
        if component == "bridge":  # one with the other mechanism, and its password in a file
            file = self._place / "password"
            file.write_text(f"{password_of(user)}\n")
            return {**login, "kafka_sasl_mechanism": "scram-sha-256", "kafka_password_file": file}
        return {**login, "kafka_password": SecretStr(password_of(user))}

    def grants_of(self, component: str) -> tuple[Grant, ...]:
        """What a component gets here: with what production and a shadow need."""
        settings = self.site.settings.model_copy(update={"production": True, "shadow_config": self._place})
        return grants_of(settings, component)

    def user_of(self, component: str) -> str:
        return user_of(self.site.settings, component)

    def admit(self, components: Iterable[str] = EVERYBODY) -> None:
        """Make the users, and grant each what its component needs."""
        for component in components:
            user = self.user_of(component)
            if component != BY_CERTIFICATE:
                self.kafka.add_user(user, password_of(user))
            self.kafka.grant(user, self.grants_of(component))

    def start_stages(self) -> Worker:
        """Start all stages, each as its user, in one process."""
        place = self._place / "settings"
        place.write_bytes(pickle.dumps({stage: self.settings_of(stage) for stage in STAGE_BY_NAME}))
        return self.site.worker((sys.executable, "-m", "tests.secured.host", str(place)))

    def start(self, component: str, *arguments: str, **more: Any) -> Worker:
        """Start a component's process, as its user: a stage, or a command such as the gateway's."""
        stage = component if not arguments else None
        command = (sys.executable, "-m", "pipeline", *(arguments or ("run",)))
        stages = {"stages": (stage,)} if stage else {}
        return self.site.worker(command, **self.login(component), **stages, **more)


def password_of(user: str) -> str:
    """Of the tests' own user."""
    return f"the password of {user}"
