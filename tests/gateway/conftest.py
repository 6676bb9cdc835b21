"""SNS and a gateway that takes its messages, for the tests of both."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.gateway.aws import TOPIC, Aws
from tests.gateway.house import House
from tests.gateway.signing import make_certificate


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
def sns_house(kafka: str, tmp_path_factory: pytest.TempPathFactory, aws: Aws) -> Iterator[House]:
    place = tmp_path_factory.mktemp("sns")
    with House(kafka, f"sns-{os.getpid()}-{id(aws)}.", place, FEEDS, {}, make_fetcher=aws.fetcher) as made:
        yield made
