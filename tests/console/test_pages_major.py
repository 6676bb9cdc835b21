"""The pages of Major Incidents: what an executive and a commander must read there, and who may do what."""

from __future__ import annotations

import pytest

from pipeline.console.pages.bridge import held_words, summed
from pipeline.models.command import Role
from tests.console.conftest import Client, somebody
from tests.console.reading import page, words

HOSPITAL, MAIL = "MI-HYERUXJ5CCGK", "MI-DDQTKUZPNMBZ"


def test_an_executive_reads_in_one_box_what_it_is_who_is_affected_who_leads_and_when_he_hears_next(
    in_the_outage: Client,
) -> None:
    html = page(in_the_outage(somebody(Role.COMMANDER)), f"/incidents/{HOSPITAL}")
    box = words(html[html.index('id="brief"') : html.index("Coordinated status")])
    for said in (
        "What Electronic health records: Cannot open the patient chart, sign in fails",
        "Since 2026-03-10 13:00:00 UTC; for 5 min",
        "Who is affected about 75 users of Electronic health records, Clinical sign-in; 3 tickets",
        "Cause Clinical sign-in",
        "Who leads nobody",
        "How it stands identified ; 1 of 1 escalated",
        "Next update 5:00",
    ):
        assert said in box


def test_members_records_messages_and_notices_stand_side_by_side(in_the_outage: Client) -> None:
    read = words(page(in_the_outage(somebody(Role.COMMANDER)), f"/incidents/{HOSPITAL}"))
    assert "Members (1)" in read
    assert "INC-DESKCLFTVHZO" in read
    for ticket in ("DESK-2500", "DESK-2501", "DESK-2502"):
        assert f"{ticket} ticket open INC-DESKCLFTVHZO" in read
    assert "executives at duty-director identified 2 sent" in read
    assert "patient safety notice to the patient safety officer due 1:55:00" in read
    assert "Threshold regulated: patient-safety" in read


def test_a_commander_is_offered_what_a_viewer_is_not(in_the_outage: Client) -> None:
    commander = page(in_the_outage(somebody(Role.COMMANDER)), f"/incidents/{HOSPITAL}")
    viewer = page(in_the_outage(somebody(Role.VIEWER)), f"/incidents/{HOSPITAL}")
    for deed in ("set_status", "assign_commander", "correct_impact", "demote_major", "communicate"):
        assert f"/do/{deed}" in commander
        assert f"/do/{deed}" not in viewer


def test_the_list_has_those_that_go_on_first_and_nothing_of_other_domains(in_the_outage: Client) -> None:
    read = words(page(in_the_outage(somebody()), "/majors"))
    assert read.index("Cannot open the patient chart") < read.index("Outlook is crawling")
    other = words(page(in_the_outage(somebody(Role.VIEWER, "retail")), "/majors"))
    assert "patient chart" not in other
    assert "There has been no Major Incident." in other


def test_one_that_is_over_tells_how_long_it_lasted_and_how_it_ended(in_the_evening: Client) -> None:
    read = words(page(in_the_evening(somebody(Role.VIEWER)), f"/incidents/{MAIL}"))
    assert "it lasted 29 min" in read
    assert "Who leads petra.novak" in read
    assert "How it ended the routing rule of last night's maintenance was reverted, queues drain" in read


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ("users_at_least=500", ("people affected, at least", "500")),
        ("revenue_per_minute_at_least=12000", ("money a minute, at least", "12,000")),
        ("regulatory=('patient-safety',)", ("regulated", "patient-safety")),
        ("something_new=3", ("something new", "3")),
        ("broken", ("broken", "")),
    ],
)
def test_thresholds_that_held_are_told_in_words(held: str, said: tuple[str, str]) -> None:
    assert list(held_words([held])) == [said]


def test_money_so_far_is_the_rate_times_the_minutes_and_a_proposal_says_until_when() -> None:
    major = {"phase": "proposed", "decide_by_ms": 900_000}
    incident = {"revenue_per_minute": 250.0, "detected_at_ms": 60_000, "state": "logged", "major": major}
    told = summed(incident, 660_000, str)
    assert (told["so_far"], told["lasted"], told["decide_by_ms"]) == (2_500, "10 min", 900_000)
    assert told["proposed"]
    assert not told["over"]


def test_a_snapshot_of_another_release_is_no_page_that_fails() -> None:
    told = summed({"id": "MI-1", "major": "?", "streams": None, "members": 3}, 5, str)
    assert (told["id"], told["members_total"], told["began_ms"]) == ("MI-1", 0, 5)
