"""What must never be asked on behalf of a message, whatever it says, and what SNS's host may answer."""

from __future__ import annotations

import asyncio

import orjson
import pytest

from pipeline.gateway import fetch
from pipeline.gateway.fetch import FetchError, ForbiddenUrlError, PublicResolver, SnsFetcher, checked_sns_url, is_public
from tests.gateway.aws import AWS, CONFIRM, PEM, Aws, To, confirmation, message
from tests.gateway.house import HOST, House

PEM_PATH = PEM.removeprefix(f"https://{AWS}")
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
def test_no_other_address_is_ever_asked_for_a_certificate(sns_house: House, aws: Aws, url: object) -> None:
    with pytest.raises(ForbiddenUrlError):
        checked_sns_url(url)
    before = len(aws.asked)
    assert sns_house.feed("cloudwatch", message(aws, unsigned={"SigningCertURL": url})).status == 401
    assert len(aws.asked) == before


@pytest.mark.parametrize(
    "path",
    [
        "/a.txt", "/", "/a.pem", "/a.pem?x=1", "/a.pem#x", "/a.pem/", "/?a.pem",
        *(PEM_PATH.replace("Simple", each, 1) for each in ("%53imple", "./Simple", "x/../Simple", "/Simple")),
    ],
)  # fmt: skip
def test_only_certificates_of_sns_are_asked_for_in_one_spelling(sns_house: House, aws: Aws, path: str) -> None:
    before = len(aws.asked)
    assert sns_house.feed("cloudwatch", message(aws, unsigned={"SigningCertURL": f"https://{AWS}{path}"})).status == 401
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
    sns_house: House, aws: Aws, answer: tuple[int, dict[str, str], bytes], status: int
) -> None:
    path = f"/SimpleNotificationService-{status:08x}{answer[0]:08x}{len(answer[2]):08x}.pem"
    aws.answers[path] = answer
    before = len(aws.asked)
    got = sns_house.feed("cloudwatch", message(aws, SigningCertURL=f"https://{AWS}{path}"))
    assert got.status == status
    assert (got.headers["Retry-After"] is not None) == (status == 503)
    assert aws.asked[before:] == [path]


@pytest.mark.parametrize("url", [each for each in FORBIDDEN if isinstance(each, str) and each.isprintable()], ids=repr)
def test_no_other_address_is_ever_asked_for_a_confirmation(sns_house: House, aws: Aws, url: str) -> None:
    aws.asked.clear()
    assert sns_house.feed("cloudwatch", confirmation(aws, url)).status == 401
    assert set(aws.asked) <= {PEM_PATH}


def test_only_a_confirmation_is_asked_for(sns_house: House, aws: Aws) -> None:
    aws.asked.clear()
    assert sns_house.feed("cloudwatch", confirmation(aws, CONFIRM.replace("Confirm", "Delete"))).status == 401
    assert set(aws.asked) <= {PEM_PATH}


def test_an_unsigned_confirmation_asks_nothing(sns_house: House, aws: Aws) -> None:
    aws.asked.clear()
    document = orjson.loads(confirmation(aws))
    assert sns_house.feed("cloudwatch", orjson.dumps({**document, "Token": "x"})).status == 401
    assert set(aws.asked) <= {PEM_PATH}
