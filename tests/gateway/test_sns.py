"""Amazon SNS: its signatures, its certificates, and the confirmation of its subscriptions."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from pipeline.gateway.certificates import (
    KEPT_SECONDS,
    WAITING_MAX,
    CertificateError,
    Certificates,
    RateError,
    checked_certificate,
)
from pipeline.gateway.fetch import FetchError, SnsFetcher
from pipeline.gateway.sns import signed_text
from tests.gateway.aws import AWS, CONFIRM, PEM, TOPIC, Aws, confirmation, message, stamp
from tests.gateway.house import House
from tests.gateway.signing import make_certificate, make_key

PEM_PATH = PEM.removeprefix(f"https://{AWS}")
HOUR_SECONDS = 3_600


def test_the_published_layout_of_the_signed_text_is_ours() -> None:
    document = {"Type": "Notification", "Message": "My Test Message", "MessageId": "4d4dc071", "Subject": "My subject"}
    document |= {"Timestamp": "2019-01-31T04:37:04.321Z", "TopicArn": "arn:aws:sns:us-east-2:123456789012:My-Topic"}
    assert signed_text(document) == (
        b"Message\nMy Test Message\nMessageId\n4d4dc071\nSubject\nMy subject\nTimestamp\n2019-01-31T04:37:04.321Z\n"
        b"TopicArn\narn:aws:sns:us-east-2:123456789012:My-Topic\nType\nNotification\n"
    )


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("subject", [None, "ALARM"])
def test_a_signed_message_of_a_listed_topic_is_taken(
    sns_house: House, aws: Aws, version: str, subject: str | None
) -> None:
    before = len(sns_house.values("cloudwatch", 0))
    body = message(aws, version, Subject=subject)
    assert sns_house.send("/v1/feeds/cloudwatch", body, {"Content-Type": "text/plain; charset=UTF-8"}).status == 202
    assert sns_house.values("cloudwatch", before + 1)[-1] == body


def test_the_certificate_is_fetched_once(sns_house: House, aws: Aws) -> None:
    assert {sns_house.feed("cloudwatch", message(aws)).status for _ in range(3)} == {202}
    assert aws.asked.count("/SimpleNotificationService-0123456789abcdef.pem") == 1


def test_a_known_key_goes_on_while_its_certificate_cannot_be_fetched_again_as_long_as_it_is_good(aws: Aws) -> None:
    async def asked() -> None:
        fetcher = aws.fetcher()
        certificates, now = Certificates(fetcher), time.time()
        try:
            key = await certificates.key_of(PEM, now)
            answer = aws.answers.pop(PEM_PATH)
            aws.answers[PEM_PATH] = (500, {}, b"")
            try:
                assert await certificates.key_of(PEM, now + KEPT_SECONDS + 1) is key
                with pytest.raises((FetchError, RateError)):
                    await certificates.key_of(PEM, now + 31 * 24 * HOUR_SECONDS)
            finally:
                aws.answers[PEM_PATH] = answer
        finally:
            await fetcher.close()

    asyncio.run(asked())


def test_who_comes_while_many_wait_for_certificates_is_told_to_come_again() -> None:
    class Stuck(SnsFetcher):
        async def get(self, _: Any) -> bytes:
            await asyncio.Event().wait()
            raise AssertionError

    async def asked() -> None:
        certificates, now = Certificates(Stuck()), time.time()
        waiting = [asyncio.create_task(certificates.key_of(PEM, now)) for _ in range(WAITING_MAX)]
        await asyncio.sleep(0)
        with pytest.raises(RateError):
            await certificates.key_of(PEM, now)
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(asked())


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
    ids=" ".join,  # the names alone: a time in a test's name would be another in each process that collects it
)
def test_a_changed_message_is_refused(sns_house: House, aws: Aws, unsigned: dict[str, Any]) -> None:
    assert sns_house.feed("cloudwatch", message(aws, unsigned=unsigned)).status == 401


def test_a_well_signed_message_of_another_topic_is_refused(sns_house: House, aws: Aws) -> None:
    assert sns_house.feed("cloudwatch", message(aws, TopicArn=TOPIC.replace("ops", "evil"))).status == 401


def test_an_old_message_is_refused(sns_house: House, aws: Aws) -> None:
    assert sns_house.feed("cloudwatch", message(aws, Timestamp=stamp(7_200))).status == 401
    assert sns_house.feed("cloudwatch", message(aws, Timestamp=stamp(1_800))).status == 202


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"not json", b'{"Type": "Notification"}'])
def test_what_is_no_message_of_sns_is_refused(sns_house: House, body: bytes) -> None:
    assert sns_house.feed("cloudwatch", body).status == 401


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


def test_a_subscription_is_confirmed_and_recorded(sns_house: House, aws: Aws) -> None:
    aws.asked.clear()
    before = len(sns_house.values("cloudwatch", 0))
    body = confirmation(aws)
    assert sns_house.feed("cloudwatch", body).status == 202
    assert aws.asked == [CONFIRM.removeprefix(f"https://{AWS}")]
    assert sns_house.values("cloudwatch", before + 1)[-1] == body


def test_a_subscription_waits_where_the_feed_does_not_confirm(sns_house: House, aws: Aws) -> None:
    sns_house.feed("by-hand", message(aws))
    aws.asked.clear()
    assert sns_house.feed("by-hand", confirmation(aws)).status == 202
    assert aws.asked == []


def test_a_confirmation_that_fails_is_asked_again_by_sns(sns_house: House, aws: Aws) -> None:
    aws.answers["/"] = (500, {}, b"")
    try:
        answer = sns_house.feed("cloudwatch", confirmation(aws))
    finally:
        aws.answers["/"] = (200, {}, b"<ConfirmSubscriptionResponse/>")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
