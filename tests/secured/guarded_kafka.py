"""A Kafka that lets in who logs in, over TLS, and does only what was granted; beside the tests' own open listener."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from pipeline.kafka.embedded import SINGLE_NODE, EmbeddedKafka
from pipeline.kafka.grants import Grant
from pipeline.kafka.ports import free_ports
from tests.gateway.signing import make_certificate, make_key
from tests.support import wait_until

HOST = "localhost"
SECONDS_MAX = 30
ROUNDS = 4_096  # of SCRAM; the least that brokers take
PLAIN_USER, PLAIN_PASSWORD = "an-api-key", "its-secret"

_MODULES = "org.apache.kafka.common.security"
_RESOURCES = {
    "topic": ResourceType.TOPIC,
    "group": ResourceType.GROUP,
    "transactionalId": ResourceType.TRANSACTIONAL_ID,
}
_WORDS = {
    "Read": AclOperation.READ,
    "Write": AclOperation.WRITE,
    "Create": AclOperation.CREATE,
    "Describe": AclOperation.DESCRIBE,
    "AlterConfigs": AclOperation.ALTER_CONFIGS,
    "DescribeConfigs": AclOperation.DESCRIBE_CONFIGS,
}


_ALLOWED = re.compile(
    r"is Allowed operation = (\w+) .*resourceType=(\w+), resourceName=(\S+), patternType=(\w+), .*operation=(\w+), "
)
_DENIED = re.compile(r"is Denied operation = \w+ .* on resource = \S+ for request = \w+")
_KINDS = {"TOPIC": "topic", "GROUP": "group", "TRANSACTIONAL_ID": "transactionalId", "CLUSTER": "cluster"}

Used = tuple[str, str, bool, str]
"""Kind of resource, name, whether it is a beginning of names, operation in the broker's words."""


class GuardedKafka(EmbeddedKafka):
    """One broker with the standard authorizer: what nobody was granted is denied.

    Attributes:
        secured: address of the listener that asks for a login over TLS.
        mutual: address of the listener that asks for a certificate.
        certificate: what a client has to trust.
        admin: client of the open listener, whose users may do everything.
    """

    def __init__(self, place: Path, certified_user: str) -> None:
        """Describe the broker; nothing starts yet.

        Args:
            place: an empty directory.
            certified_user: who logs in by certificate, on the listener that asks for one.
        """
        super().__init__(place / "broker")
        first, second = free_ports(2)
        self.secured, self.mutual = f"{HOST}:{first}", f"{HOST}:{second}"
        self._key = make_key(place, "kafka")
        self.certificate = make_certificate(place, "kafka", self._key, HOST)
        self._store = place / "store.pem"
        self._store.write_text(self._key.read_text() + self.certificate.read_text())
        self.client_key = make_key(place, "client")
        self.client_certificate = make_certificate(place, "client", self.client_key, certified_user)

    def __enter__(self) -> GuardedKafka:
        super().__enter__()
        self.admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        return self

    def add_user(self, name: str, password: str) -> None:
        """A user who logs in by SCRAM, and may do nothing yet. Once more: another password."""
        both = (ScramMechanism.SCRAM_SHA_512, ScramMechanism.SCRAM_SHA_256)
        asked: list[Any] = [
            UserScramCredentialUpsertion(name, ScramCredentialInfo(each, ROUNDS), password.encode()) for each in both
        ]
        for each in asked:
            self.admin.alter_user_scram_credentials([each])[name].result(SECONDS_MAX)

    def grant(self, user: str, grants: Iterable[Grant]) -> None:
        """Allow a user what the grants say; returns when the broker knows."""
        acls = [acl for grant in grants for acl in acls_of(user, grant)]
        if acls:
            for future in self.admin.create_acls(acls).values():
                future.result(SECONDS_MAX)
            wait_until(lambda: set(acls) <= set(self._acls(user)), SECONDS_MAX, "the broker knows the grants")

    def revoke(self, user: str, grants: Iterable[Grant]) -> None:
        """Take from a user what the grants say; returns when the broker knows."""
        acls = [acl for grant in grants for acl in acls_of(user, grant)]
        filters = [
            AclBindingFilter(
                acl.restype,
                acl.name,
                acl.resource_pattern_type,
                acl.principal,
                acl.host,
                acl.operation,
                acl.permission_type,
            )
            for acl in acls
        ]
        for future in self.admin.delete_acls(filters).values():
            future.result(SECONDS_MAX)
        wait_until(lambda: not set(acls) & set(self._acls(user)), SECONDS_MAX, "the broker has forgotten the grants")

    def used(self, user: str) -> set[Used]:
        """The grants by which requests of a user were let through so far, as the broker's own log has them.

        Those alone that were asked for as such: a Write that only lets somebody describe a topic is more than he needs.
        """
        found = (_ALLOWED.search(line) for line in self._audit(user))
        return {(_KINDS[hit[2]], hit[3], hit[4] == "PREFIXED", hit[5]) for hit in found if hit and hit[1] == hit[5]}

    def denied(self, user: str) -> list[str]:
        """What a user was refused, in the broker's words."""
        return [hit[0] for line in self._audit(user) if (hit := _DENIED.search(line))]

    def _audit(self, user: str) -> list[str]:
        return [line for line in self._log().splitlines() if f"Principal = User:{user} is " in line]

    def _command(self, *program: str) -> list[str]:
        java, *more = super()._command(*program)
        return [java, "-Dorg.slf4j.simpleLogger.log.kafka.authorizer.logger=debug", *more]

    def _acls(self, user: str) -> list[AclBinding]:
        everything: tuple[Any, ...] = (
            ResourceType.ANY,
            None,
            ResourcePatternType.ANY,
            f"User:{user}",
            None,
            AclOperation.ANY,
            AclPermissionType.ANY,
        )
        found: list[AclBinding] = self.admin.describe_acls(AclBindingFilter(*everything)).result(SECONDS_MAX)
        return found

    def _write_properties(self, port: int, controller_port: int) -> None:
        protocols = "BROKER:PLAINTEXT,SECURED:SASL_SSL,MUTUAL:SSL,CONTROLLER:PLAINTEXT"
        clients = f"BROKER://127.0.0.1:{port},SECURED://{self.secured},MUTUAL://{self.mutual}"
        properties = {
            **SINGLE_NODE,
            "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
            "listeners": f"{clients},CONTROLLER://127.0.0.1:{controller_port}",
            "advertised.listeners": clients,
            "listener.security.protocol.map": protocols,
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "allow.everyone.if.no.acl.found": "false",
            "super.users": "User:ANONYMOUS",  # of the open listener: the tests, and the broker itself
            "log.dirs": str(self.directory / "data"),
            **self._secured("listener.name.secured."),
            **self._mutual("listener.name.mutual."),
        }
        lines = [f"{name}={value}" for name, value in properties.items()]
        (self.directory / "server.properties").write_text("\n".join(lines) + "\n")

    def _keystore(self, listener: str) -> dict[str, str]:
        return {f"{listener}ssl.keystore.type": "PEM", f"{listener}ssl.keystore.location": str(self._store)}

    def _secured(self, listener: str) -> dict[str, str]:
        scram = f"{_MODULES}.scram.ScramLoginModule required;"
        return {
            **self._keystore(listener),
            f"{listener}sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-512,SCRAM-SHA-256,OAUTHBEARER",
            f"{listener}scram-sha-512.sasl.jaas.config": scram,
            f"{listener}scram-sha-256.sasl.jaas.config": scram,
            f"{listener}plain.sasl.jaas.config": (
                f'{_MODULES}.plain.PlainLoginModule required user_{PLAIN_USER}="{PLAIN_PASSWORD}";'
            ),
            # Takes tokens that nobody has signed; Amazon's broker looks into them, ours only reads who it is.
            f"{listener}oauthbearer.sasl.jaas.config": (
                f'{_MODULES}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
            ),
        }

    def _mutual(self, listener: str) -> dict[str, str]:
        return {
            **self._keystore(listener),
            f"{listener}ssl.client.auth": "required",
            f"{listener}ssl.truststore.type": "PEM",
            f"{listener}ssl.truststore.location": str(self.client_certificate),
            f"{listener}ssl.principal.mapping.rules": r"RULE:^CN=([^,]+).*$/$1/",
        }


def acls_of(user: str, grant: Grant) -> list[AclBinding]:
    """A grant in the words of the admin client: one entry for each operation."""
    pattern = ResourcePatternType.PREFIXED if grant.prefixed else ResourcePatternType.LITERAL
    return [
        AclBinding(
            _RESOURCES[grant.resource], grant.name, pattern, f"User:{user}", "*", _WORDS[each], AclPermissionType.ALLOW
        )
        for each in grant.operations
    ]


def entries_of(grant: Grant) -> set[Used]:
    """A grant as the broker writes it: one entry for each operation, in its own spelling."""
    words = [re.sub(r"(?<=.)([A-Z])", r"_\1", operation).upper() for operation in grant.operations]
    return {(grant.resource, grant.name, grant.prefixed, word) for word in words}
