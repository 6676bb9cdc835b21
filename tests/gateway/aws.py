"""Amazon SNS for tests: a real HTTPS server that answers for its host, and messages signed with ``openssl``.

Only the way from SNS's name to this machine's address is ours; that way has tests of its own.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
from aiohttp.abc import AbstractResolver, ResolveResult

from pipeline.gateway.fetch import SnsFetcher
from tests.gateway.house import HOST
from tests.gateway.signing import make_certificate, make_key, rsa_signature

AWS = "sns.eu-central-1.amazonaws.com"
TOPIC = "arn:aws:sns:eu-central-1:210987654321:ops-alarms"
PEM = f"https://{AWS}/SimpleNotificationService-0123456789abcdef.pem"
CONFIRM = f"https://{AWS}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=2336412f37"


class Aws:
    """An HTTPS server that answers for SNS's host."""

    def __init__(self, place: Path) -> None:
        self.key = make_key(place, "sns")
        self.place = place
        self.asked: list[str] = []
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        aws = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                aws.asked.append(self.path)
                status, headers, body = aws.answers.get(self.path.partition("?")[0], (404, {}, b""))
                self.send_response(status)
                for name, value in {"Content-Length": str(len(body)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        key = make_key(place, "tls")
        self.certificate = make_certificate(place, "tls", key, AWS)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate, key)
        self.server = ThreadingHTTPServer((HOST, 0), Handler)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def trust(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.certificate))

    def fetcher(self) -> SnsFetcher:
        return SnsFetcher(To(HOST, self.port), self.trust())


class To(AbstractResolver):
    """Leads every name to one address."""

    def __init__(self, address: str, port: int = 443) -> None:
        self.address, self.port = address, port

    async def resolve(self, host: str, port: int = 0, family: int = socket.AF_INET) -> list[ResolveResult]:
        family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        return [ResolveResult(hostname=host, host=self.address, port=self.port, family=family, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing to let go of."""


def stamp(age_seconds: float = 0) -> str:
    return datetime.fromtimestamp(time.time() - age_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def message(aws: Aws, version: str = "2", unsigned: dict[str, Any] | None = None, **fields: Any) -> bytes:
    """A signed message; ``unsigned`` fields are changed after the signature."""
    document = {
        "Type": "Notification",
        "MessageId": "165545c9-2a5c-4a2a-9f00-000000000001",
        "TopicArn": TOPIC,
        "Subject": 'ALARM: "CPU" in EU (Frankfurt)',
        "Message": '{"AlarmName": "CPU", "NewStateValue": "ALARM"}\nand ä',
        "Timestamp": stamp(),
        "SignatureVersion": version,
        "SigningCertURL": PEM,
        **fields,
    }
    document = {name: value for name, value in document.items() if value is not None}
    digest = {"1": "sha1", "2": "sha256"}.get(version, "sha256")
    document["Signature"] = rsa_signature(aws.key, digest, signed_by_aws(document))
    return orjson.dumps({**document, **(unsigned or {})})


def signed_by_aws(document: dict[str, Any]) -> bytes:
    """The text to sign, as Amazon's page words it, written down apart from the gateway."""
    if document["Type"] == "Notification":
        names = [
            "Message",
            "MessageId",
            *(["Subject"] if "Subject" in document else []),
            "Timestamp",
            "TopicArn",
            "Type",
        ]
    else:
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    return "".join(f"{name}\n{document[name]}\n" for name in names).encode()


def confirmation(aws: Aws, url: str = CONFIRM) -> bytes:
    kind = "SubscriptionConfirmation"
    return message(aws, Type=kind, Subject=None, Token="2336412f37", SubscribeURL=url)
