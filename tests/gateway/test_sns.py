"""Amazon SNS: its signatures, its certificates, its confirmations, and what must never be asked on its behalf.

Messages are signed with ``openssl``. The host of SNS is a real HTTPS server on this machine; only the way from its
name to its address is ours, and that way has tests of its own.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult

from pipeline.gateway import fetch
from pipeline.gateway.certificates import CertificateError, checked_certificate
from pipeline.gateway.fetch import FetchError, ForbiddenUrlError, PublicResolver, SnsFetcher, checked_sns_url, is_public
from pipeline.gateway.sns import signed_text
from tests.gateway.house import HOST, House
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


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    made = Aws(tmp_path_factory.mktemp("aws"))
    certificate = make_certificate(made.place, "sns", made.key, "sns.amazonaws.com").read_bytes()
    made.answers["/SimpleNotificationService-0123456789abcdef.pem"] = (200, {}, certificate)
    made.answers["/"] = (200, {}, b"<ConfirmSubscriptionResponse/>")
    yield made
    made.server.shutdown()
    made.server.server_close()


FEEDS: dict[str, Any] = {
    "cloudwatch": {"gateway": {"auth": {"scheme": "sns", "topics": [TOPIC], "confirm_subscriptions": True}}},
    "by-hand": {"adapter": "cloudwatch", "gateway": {"auth": {"scheme": "sns", "topics": [TOPIC]}}},
}


@pytest.fixture(scope="module")
def house(kafka: str, tmp_path_factory: pytest.TempPathFactory, aws: Aws) -> Iterator[House]:
    place = tmp_path_factory.mktemp("sns")
    with House(kafka, f"sns-{os.getpid()}.", place, FEEDS, {}, make_fetcher=aws.fetcher) as made:
        yield made


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


def test_the_published_layout_of_the_signed_text_is_ours() -> None:
    document = {"Type": "Notification", "Message": "My Test Message", "MessageId": "4d4dc071", "Subject": "My subject"}
    document |= {"Timestamp": "2019-01-31T04:37:04.321Z", "TopicArn": "arn:aws:sns:us-east-2:123456789012:My-Topic"}
    assert signed_text(document) == (
        b"Message\nMy Test Message\nMessageId\n4d4dc071\nSubject\nMy subject\nTimestamp\n2019-01-31T04:37:04.321Z\n"
        b"TopicArn\narn:aws:sns:us-east-2:123456789012:My-Topic\nType\nNotification\n"
    )


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", [None, "ALARM"])
def test_a_signed_message_of_a_listed_topic_is_taken(house: House, aws: Aws, version: str, subject: str | None) -> None:
    before = len(house.values("cloudwatch", 0))
    body = message(aws, version, Subject=subject)
    assert house.send("/v1/feeds/cloudwatch", body, {"Content-Type": "text/plain; charset=UTF-8"}).status == 202
    assert house.values("cloudwatch", before + 1)[-1] == body


def test_the_certificate_is_fetched_once(house: House, aws: Aws) -> None:
    assert {house.feed("cloudwatch", message(aws)).status for _ in range(3)} == {202}
    assert aws.asked.count("/SimpleNotificationService-0123456789abcdef.pem") == 1


@pytest.mark.parametrize(
    "unsigned",
    [
        {"Message": '{"AlarmName": "CPU", "NewStateValue": "OK"}'},
        {"MessageId": "another"},
        {"Subject": "another"},
        {"Timestamp": stamp(-1)},
        {"Signature": "RVhBTVBMRQ=="},
        {"Signature": "%%%"},
        {"Signature": None},
        {"Signature": 5},
        {"SignatureVersion": "3"},
        {"SignatureVersion": None},
        {"Message": None},
        {"Type": "UnsubscribeConfirmation"},
        {"Type": "Else"},
        {"Type": ["Notification"]},
        {"TopicArn": "arn:aws:sns:eu-central-1:666666666666:ops-alarms"},
    ],
    ids=str,
)
def test_a_changed_message_is_refused(house: House, aws: Aws, unsigned: dict[str, Any]) -> None:
    assert house.feed("cloudwatch", message(aws, unsigned=unsigned)).status == 401


def test_a_well_signed_message_of_another_topic_is_refused(house: House, aws: Aws) -> None:
    assert house.feed("cloudwatch", message(aws, TopicArn=TOPIC.replace("ops", "evil"))).status == 401


def test_an_old_message_is_refused(house: House, aws: Aws) -> None:
    assert house.feed("cloudwatch", message(aws, Timestamp=stamp(7_200))).status == 401
    assert house.feed("cloudwatch", message(aws, Timestamp=stamp(1_800))).status == 202


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"not json", b'{"Type": "Notification"}'])
def test_what_is_no_message_of_sns_is_refused(house: House, body: bytes) -> None:
    assert house.feed("cloudwatch", body).status == 401


FORBIDDEN = [
    "http://sns.eu-central-1.amazonaws.com/a.pem",
    "https://sns.eu-central-1.amazonaws.com.evil.example/a.pem",
    "https://evil.example/sns.eu-central-1.amazonaws.com/a.pem",
    "https://evil.example#.sns.eu-central-1.amazonaws.com/a.pem",
    "https://sns.eu-central-1.amazonaws.com@evil.example/a.pem",
    "https://user@sns.eu-central-1.amazonaws.com/a.pem",
    "https://evil.example\\@sns.eu-central-1.amazonaws.com/a.pem",
    "https://evil.example\\.sns.eu-central-1.amazonaws.com/a.pem",
    "https://sns.eu-central-1.amazonaws.com\\.evil.example/a.pem",
    "https://sns.eu-central-1.amazonaws.com:8443/a.pem",
    "https://sns.eu-central-1.amazonaws.com:99999/a.pem",
    "https://sns.eu-central-1.amazonaws.com./a.pem",
    "https://sqs.eu-central-1.amazonaws.com/a.pem",
    "https://s3.eu-central-1.amazonaws.com/a.pem",
    "https://sns.evil.s3.amazonaws.com/a.pem",
    "https://sns.s3.amazonaws.com/a.pem",
    "https://evil-sns.eu-central-1.amazonaws.com/a.pem",
    "https://sns.eu-central-1.amazonaws.com.cn.evil/a.pem",
    "https://sns.eu-central-1.amazonaws.com\n.evil.example/a.pem",
    "https://sns.eu-central-1.amazonaws.com\t/a.pem",
    "https://sns.eu-central-1.ama\u017fonaws.com/a.pem",
    "https://sns%2eeu-central-1.amazonaws.com/a.pem",
    "https://SNS.EU-CENTRAL-1.AMAZONAWS.COM/a.pem",
    "https://127.0.0.1/a.pem",
    "https://169.254.169.254/latest/meta-data/a.pem",
    "https://[::1]/a.pem",
    "https://[::1/a.pem",
    "https://localhost/a.pem",
    "https:///a.pem",
    "//sns.eu-central-1.amazonaws.com/a.pem",
    "file:///etc/passwd.pem",
    "gopher://sns.eu-central-1.amazonaws.com/a.pem",
    "https://sns.eu-central-1.amazonaws.com/" + "a" * 3_000 + ".pem",
    "",
    None,
    7,
    ["https://sns.eu-central-1.amazonaws.com/a.pem"],
]


@pytest.mark.parametrize("url", FORBIDDEN, ids=repr)
def test_no_other_address_is_ever_asked_for_a_certificate(house: House, aws: Aws, url: object) -> None:
    with pytest.raises(ForbiddenUrlError):
        checked_sns_url(url)
    before = len(aws.asked)
    assert house.feed("cloudwatch", message(aws, unsigned={"SigningCertURL": url})).status == 401
    assert len(aws.asked) == before


@pytest.mark.parametrize("path", ["/a.txt", "/", "/a.pem?x=1", "/a.pem#x", "/a.pem/", "/?a.pem"])
def test_only_pem_files_are_asked_for(house: House, aws: Aws, path: str) -> None:
    before = len(aws.asked)
    assert house.feed("cloudwatch", message(aws, unsigned={"SigningCertURL": f"https://{AWS}{path}"})).status == 401
    assert len(aws.asked) == before


@pytest.mark.parametrize(
    "url",
    [
        PEM,
        "https://sns.us-east-1.amazonaws.com:443/a.pem",
        "https://sns.cn-north-1.amazonaws.com.cn/a.pem",
        "https://sns.us-gov-west-1.amazonaws.com/a.pem",
        "https://sns.ap-southeast-2.amazonaws.com/a.pem",
    ],
)
def test_the_hosts_of_sns_may_be_asked(url: str) -> None:
    assert checked_sns_url(url).geturl() == url


@pytest.mark.parametrize(
    "address",
    "127.0.0.1 10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 255.255.255.255 ::1 "
    "fe80::1%eth0 fd00::1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 64:ff9b::a00:1 64:ff9b:1::1 2002:a00:1:: ::a00:1 :: "
    "ff02::1 nonsense".split(),
)
def test_a_name_that_leads_inside_the_network_is_not_followed(address: str) -> None:
    assert not is_public(address)
    resolver = PublicResolver(To(address))
    with pytest.raises(OSError, match="not public"):
        asyncio.run(resolver.resolve(AWS, 443))


@pytest.mark.parametrize("address", ["52.94.0.1", "2600:1f00::1", "64:ff9b::345e:1"])
def test_a_name_that_leads_outside_is_followed(address: str) -> None:
    assert is_public(address)
    assert asyncio.run(PublicResolver(To(address)).resolve(AWS, 443))[0]["host"] == address


def test_the_check_is_on_the_address_that_is_connected_to(aws: Aws) -> None:
    async def ask() -> None:
        fetcher = SnsFetcher(PublicResolver(To(HOST, aws.port)), aws.trust())
        try:
            await fetcher.get(checked_sns_url(PEM))
        finally:
            await fetcher.close()

    before = len(aws.asked)
    with pytest.raises(FetchError):
        asyncio.run(ask())
    assert len(aws.asked) == before


def test_a_host_that_cannot_show_its_certificate_is_not_believed(aws: Aws) -> None:
    async def ask() -> None:
        fetcher = SnsFetcher(To(HOST, aws.port))  # with the system's roots, which do not know ours
        try:
            await fetcher.get(checked_sns_url(PEM))
        finally:
            await fetcher.close()

    with pytest.raises(FetchError, match="Certificate"):
        asyncio.run(ask())


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ((302, {"Location": "https://127.0.0.1/x.pem"}, b""), 503),
        ((403, {}, b""), 401),
        ((500, {}, b""), 503),
        ((200, {}, b"x" * (fetch.FETCHED_BYTES_MAX + 1)), 503),
        ((200, {}, b"no certificate"), 401),
    ],
    ids=["redirect", "forbidden", "broken", "large", "nonsense"],
)
def test_what_the_host_answers_instead_of_a_certificate(
    house: House, aws: Aws, answer: tuple[int, dict[str, str], bytes], status: int
) -> None:
    path = f"/{status}-{answer[0]}-{len(answer[2])}.pem"
    aws.answers[path] = answer
    before = len(aws.asked)
    got = house.feed("cloudwatch", message(aws, SigningCertURL=f"https://{AWS}{path}"))
    assert got.status == status
    assert (got.headers["Retry-After"] is not None) == (status == 503)
    assert aws.asked[before:] == [path]


def test_certificates_must_be_good(tmp_path: Path) -> None:
    key, small = make_key(tmp_path, "key"), make_key(tmp_path, "small", 1_024)
    good = make_certificate(tmp_path, "good", key, "sns.eu-central-1.amazonaws.com").read_bytes()
    assert checked_certificate(good, time.time())
    for now, words in ((time.time() - 86_400, "not valid now"), (time.time() + 31 * 86_400, "not valid now")):
        with pytest.raises(CertificateError, match=words):
            checked_certificate(good, now)
    for name in ("evil.example", "sns.amazonaws.com.evil.example", "amazonaws.com", "evilsns.amazonaws.com"):
        with pytest.raises(CertificateError, match="does not name SNS"):
            checked_certificate(make_certificate(tmp_path, "other", key, name).read_bytes(), time.time())
    with pytest.raises(CertificateError, match="2048 bits"):
        checked_certificate(make_certificate(tmp_path, "weak", small, "sns.amazonaws.com").read_bytes(), time.time())


def test_a_subscription_is_confirmed_and_recorded(house: House, aws: Aws) -> None:
    aws.asked.clear()
    before = len(house.values("cloudwatch", 0))
    body = confirmation(aws)
    assert house.feed("cloudwatch", body).status == 202
    assert aws.asked == [CONFIRM.removeprefix(f"https://{AWS}")]
    assert house.values("cloudwatch", before + 1)[-1] == body


def test_a_subscription_waits_where_the_feed_does_not_confirm(house: House, aws: Aws) -> None:
    house.feed("by-hand", message(aws))
    aws.asked.clear()
    assert house.feed("by-hand", confirmation(aws)).status == 202
    assert aws.asked == []


@pytest.mark.parametrize("url", [each for each in FORBIDDEN if isinstance(each, str) and each.isprintable()], ids=repr)
def test_no_other_address_is_ever_asked_for_a_confirmation(house: House, aws: Aws, url: str) -> None:
    aws.asked.clear()
    assert house.feed("cloudwatch", confirmation(aws, url)).status == 401
    assert aws.asked == []


def test_only_a_confirmation_is_asked_for(house: House, aws: Aws) -> None:
    aws.asked.clear()
    assert house.feed("cloudwatch", confirmation(aws, CONFIRM.replace("Confirm", "Delete"))).status == 401
    assert aws.asked == []


def test_an_unsigned_confirmation_asks_nothing(house: House, aws: Aws) -> None:
    aws.asked.clear()
    document = orjson.loads(confirmation(aws))
    assert house.feed("cloudwatch", orjson.dumps({**document, "Token": "x"})).status == 401
    assert aws.asked == []


def test_a_confirmation_that_fails_is_asked_again_by_sns(house: House, aws: Aws) -> None:
    aws.answers["/"] = (500, {}, b"")
    try:
        answer = house.feed("cloudwatch", confirmation(aws))
    finally:
        aws.answers["/"] = (200, {}, b"<ConfirmSubscriptionResponse/>")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
