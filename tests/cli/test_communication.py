"""``spillway communication preview``: what each audience reads of a recording, and would read."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner

from pipeline.cli import main
from tests.catalog.directory import EXAMPLE

STORIES = Path(__file__).parents[1] / "stories"


def preview(*arguments: str) -> str:
    outcome = CliRunner().invoke(main, ["communication", "preview", *arguments])
    assert outcome.exit_code == 0, outcome.output
    return outcome.output


def of(story: str, *arguments: str) -> str:
    return preview("--recording", str(STORIES / f"{story}.ndjson"), "--config", str(EXAMPLE), *arguments)


def test_a_story_is_told_to_each_audience_in_its_words() -> None:
    said = of("checkout")
    for part in (
        "2026-03-10T11:30:00Z  INC-D5KZHUYBCD7C  public on status.northwind-market.example: investigating\n"
        "    Checkout: we are looking into a problem\n\n"
        "    Since 12:30 CET there is a problem with Checkout. We are looking into it.\n\n"
        "    Next update: 12:45 CET.\n",
        "    It lasted 8 minutes, from 12:30 CET to 12:38 CET.\n    We are sorry for the trouble.\n",
        "    Impact: Checkout and Storefront; about 30,000 people; up to EUR 9,500 a minute.\n"
        "    Regulated: pci-dss.\n",
        "    Owed: notice to the card acquirer by 2026-03-11 12:30 CET (acquirer-notice).\n",
        "    Probable cause: Payments database.\n",
        "    Runbook: https://runbooks.northwind-market.example/checkout\n",
    ):
        assert part in said


@pytest.mark.parametrize("story", ["checkout", "email", "hospital"])
def test_no_audience_outside_reads_a_machine_a_person_or_a_reference(story: str) -> None:
    lines = [orjson.loads(line) for line in of(story, "--json").splitlines()]
    outside = "".join(
        f"{each['subject']}\n{each['text']}\n" for each in lines if each["audience"] in {"public", "affected_users"}
    )
    assert outside
    for word in ("component:", "resource:", "runbook", "relay", "pod", "noor", "amara", "CHG-", "p99", "a minute at"):
        assert word not in outside


def test_an_audience_that_is_not_told_is_shown_what_it_would_read() -> None:
    said = of("checkout", "--audience", "affected_users")
    assert "affected_users: investigating, not told\n    Checkout: we are looking into a problem" in said
    assert "affected_users: resolved, not told\n" in said
    assert "public" not in said


def test_nobody_told_of_anything_is_said_so() -> None:
    assert of("checkout", "INC-NONE") == (
        "Nothing is said: no incident has a priority that an audience is told of. See --audience.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "name an INCIDENT, or a --recording"),
        (("--recording", str(STORIES / "checkout.ndjson"), "--config", str(EXAMPLE), "--audience", "press"),
         "has no audience press"),
    ],
)  # fmt: skip
def test_what_cannot_be_previewed_is_told_in_a_sentence(arguments: tuple[str, ...], words: str) -> None:
    outcome = CliRunner().invoke(main, ["communication", "preview", *arguments])
    assert outcome.exit_code != 0
    assert words in outcome.output
