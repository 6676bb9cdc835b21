"""``spillway explain --recording``: every alert of a recording is explained, what is in no incident too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from pipeline.catalog import load_config
from pipeline.cli.explain import explain
from pipeline.cli.explain_because import Known, because
from pipeline.cli.explain_words import ENDED_WORDS, HIDDEN_WORDS, WHY_NOT_WORDS
from pipeline.examples import config_directory, story
from pipeline.models.decision import Decision, Disposition, Origin, Reason, WhyNot
from pipeline.models.policy import Config
from pipeline.models.suppression import Ended, What
from pipeline.recording import read_recording
from pipeline.replay import Replay
from pipeline.runtime.metric_words import ALERTS_DECIDED

CHECKOUT = story("checkout")


def run(asked: str, recording: Path = CHECKOUT, *more: str) -> Result:
    arguments = [asked, "--recording", str(recording), "--config", str(config_directory()), *more]
    return CliRunner().invoke(explain, arguments, env={"SPILLWAY_RECORDS_URL": ""})


def ask(asked: str, recording: Path = CHECKOUT, *more: str) -> dict[str, Any]:
    result = run(asked, recording, "--json", *more)
    assert result.exit_code == 0, result.output
    document: dict[str, Any] = orjson.loads(result.output)
    return document


def words(asked: str, recording: Path = CHECKOUT, *more: str) -> str:
    result = run(asked, recording, *more)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def decisions() -> list[Decision]:
    with CHECKOUT.open("rb") as lines:
        return Replay(load_config(config_directory())).run(read_recording(lines, "checkout")).decisions


def of(decisions: list[Decision], disposition: Disposition, reason: Reason) -> Decision:
    return next(each for each in decisions if (each.disposition, each.reason) == (disposition, reason))


def test_one_alert_of_every_decision_in_the_recording_is_explained_as_it_was_decided(decisions: list[Decision]) -> None:
    kinds = {(each.disposition, each.reason): each for each in decisions}
    assert len(kinds) > 6
    for decision in kinds.values():
        document = ask(":".join(map(str, decision.origin)))
        (alert,) = document["alerts"]
        assert (alert["disposition"], alert["reason"]) == (decision.disposition, decision.reason)
        assert (alert["alert_key"], alert["episode_id"]) == (decision.alert_key, decision.episode_id)
        assert alert["because"]
        assert [each["episode_id"] for each in document["episodes"]] == (
            [decision.episode_id] if decision.incident_id or decision.disposition == Disposition.REPEATED else []
        )


def test_maintenance_names_its_window_and_its_end(decisions: list[Decision]) -> None:
    decision = of(decisions, Disposition.SUPPRESSED, Reason.MAINTENANCE)
    (alert,) = ask(":".join(map(str, decision.origin)))["alerts"]
    assert alert["by"]["windows"] == ["backup-store-disks"]
    assert alert["because"].startswith("maintenance backup-store-disks covers it until 2026-03-10 12:00:00Z")


def test_a_condition_is_told_from_its_first_alert_to_its_last(decisions: list[Decision]) -> None:
    decision = of(decisions, Disposition.SUPPRESSED, Reason.FLAPPING)
    of_condition = [each for each in decisions if each.alert_key == decision.alert_key]
    document = ask(decision.alert_key or "")
    assert sum(each["times"] for each in document["alerts"]) == len(of_condition)
    assert sum(each["alerts"] for each in document["counts"]) == len(of_condition)
    said = words(decision.alert_key or "")
    for part in (
        "held (transient)",
        "it may pass by itself, so it waits until 2026-03-10 11:31:30Z, or until something else speaks for it: ",
        "it was over while it waited, and nothing else had spoken for it: nobody was called",
        "the condition flaps: more than 4 turns between firing and resolved within 30 min",
        "and 11 more that came to the same",
        "12 suppressed (flapping)",
        "Hidden\n  2026-03-10 11:30:30Z to 2026-03-10 11:30:55Z  1 alert: write latency of sdb",
        "No incident has it.",
    ):
        assert part in said


def test_a_repeat_says_since_when_its_condition_fires_and_leads_to_its_incident(decisions: list[Decision]) -> None:
    said = words(":".join(map(str, of(decisions, Disposition.REPEATED, Reason.STILL_FIRING).origin)))
    assert "the condition fires already, since 2026-03-10 11:30:00Z, and with this severity" in said
    assert "first symptom: 12 % of checkout requests fail" in said


def test_a_fingerprint_finds_the_alerts_of_its_source() -> None:
    with CHECKOUT.open("rb") as lines:
        first = orjson.loads(next(lines))
    fingerprint = first["value"]["alerts"][0]["fingerprint"]
    document = ask(fingerprint)
    assert {each["disposition"] for each in document["alerts"]} == {"opened", "repeated", "joined"}
    assert len(document["episodes"]) == 1


def test_incidents_and_episodes_are_explained_without_a_records_store(decisions: list[Decision]) -> None:
    decision = of(decisions, Disposition.OPENED, Reason.FIRST_SYMPTOM)
    assert ask(decision.incident_id or "")["priority"] == "P1"
    episode = ask(decision.episode_id or "")
    assert episode["incident"]["id"] == decision.incident_id
    assert episode["because"][0]["others"] == []
    assert "nothing open spoke for it" in words(decision.episode_id or "")


SPACE = "production"


def line(topic: str, offset: int, at: str, value: Any, key: str | None = None) -> bytes:
    document = {"topic": topic, "partition": 0, "offset": offset, "timestamp": at, "key": key, "headers": {}}
    return orjson.dumps(document | {"value": value})


def firing(service: str, at: str, fingerprint: str, ended: str = "0001-01-01T00:00:00Z") -> dict[str, Any]:
    status = "firing" if ended.startswith("0001") else "resolved"
    alert = {
        "status": status,
        "labels": {"alertname": "Down", "service": service, "severity": "critical"},
        "annotations": {"summary": f"{service} does not answer"},
        "startsAt": at,
        "endsAt": ended,
        "fingerprint": fingerprint,
    }
    return {"version": "4", "status": status, "alerts": [alert]}


@pytest.fixture
def with_a_change(tmp_path: Path) -> Path:
    """A recording in which a change expects alerts, a message cannot be read, and another is delivered twice."""
    change = {
        "change_id": "CHG-7",
        "kind": "maintenance",
        "summary": "new disks",
        "targets": ["payments-api"],
        "started_at": "2026-03-11T08:00:00Z",
        "ended_at": "2026-03-11T09:00:00Z",
        "suppress": True,
    }
    began, over = "2026-03-11T08:10:00Z", "2026-03-11T08:20:00Z"
    lines = [
        line("changes", 0, "2026-03-11T08:00:00Z", change, SPACE),
        line("alerts.raw.alertmanager", 0, began, firing("payments-api", began, "aa01")),
        line("alerts.raw.alertmanager", 1, began, {"version": "4", "alerts": "none"}),
        line("alerts.raw.alertmanager", 2, over, firing("payments-api", began, "aa01", over)),
        line("alerts.raw.alertmanager", 3, over, firing("payments-api", over, "aa02")),
        line("alerts.raw.alertmanager", 4, "2026-03-11T08:30:00Z", firing("checkout", over, "aa03", over)),
        line("changes", 1, "2026-03-11T09:00:01Z", change | {"change_id": "CHG-8", "suppress": False}, SPACE),
    ]
    path = tmp_path / "change.ndjson"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def test_what_a_change_expects_names_the_change_from_beginning_to_end(with_a_change: Path) -> None:
    for offset in (0, 2):
        (alert,) = ask(f"alerts.raw.alertmanager:0:{offset}", with_a_change)["alerts"]
        assert (alert["disposition"], alert["reason"]) == ("suppressed", "maintenance")
        assert alert["by"] == {"change_id": "CHG-7"}
        assert alert["because"].startswith("change CHG-7 is under way, and expects alerts on this")


def test_what_still_fires_at_the_end_of_a_change_is_told_with_its_incident(with_a_change: Path) -> None:
    document = ask("aa02", with_a_change)
    (alert,) = document["alerts"]
    assert alert["by"] == {"change_id": "CHG-7"}
    (episode,) = document["episodes"]
    assert episode["because"][0]["began"] == "released"
    assert "it had been held or suppressed until then" in words("aa02", with_a_change)


@pytest.fixture
def with_a_silence(tmp_path: Path) -> Path:
    """A recording in which payments are silenced, and a rack is down that something runs in."""
    asked = {"until": "2026-03-11T12:00:00Z", "owner": "payments", "reason": "drill", "targets": ["payments-api"]}
    silence = {"command_id": "s1", "type": "silence", "actor": "ann", "silence": asked}
    began, over = "2026-03-11T08:10:00Z", "2026-03-11T08:20:00Z"
    warning = firing("backup-store-1", began, "bb03")
    warning["alerts"][0]["labels"]["severity"] = "warning"
    lines = [
        line("commands", 0, "2026-03-11T08:00:00Z", silence, SPACE),
        line("alerts.raw.alertmanager", 0, began, firing("payments-api", began, "bb01")),
        line("alerts.raw.alertmanager", 1, began, firing("leipzig-rack-7", began, "bb02")),
        line("alerts.raw.alertmanager", 2, began, warning),
        line("alerts.raw.alertmanager", 3, over, firing("payments-api", began, "bb01", over)),
    ]
    path = tmp_path / "silence.ndjson"
    path.write_bytes(b"\n".join(lines) + b"\n")
    return path


def test_what_is_silenced_names_the_silence_from_beginning_to_end(with_a_silence: Path) -> None:
    for offset in (0, 3):
        (alert,) = ask(f"alerts.raw.alertmanager:0:{offset}", with_a_silence)["alerts"]
        assert alert["because"].startswith("somebody has silenced it (silence SIL-")
        assert "of payments: drill" in alert["because"]
    said = words("bb01", with_a_silence)
    assert "somebody silenced it; it was over before anybody was told\n      silence SIL-" in said


def test_what_is_inhibited_names_the_rule_and_what_fires(with_a_silence: Path) -> None:
    (alert,) = ask("alerts.raw.alertmanager:0:2", with_a_silence)["alerts"]
    assert (alert["reason"], alert["by"]["rule"]) == ("inhibited", "rack-down")
    assert (
        f"inhibition rule rack-down, as {alert['by']['source']} in {alert['by']['incident_id']} fires"
        in (alert["because"])
    )


def test_a_window_is_named_by_what_it_hid(decisions: list[Decision]) -> None:
    decision = of(decisions, Disposition.SUPPRESSED, Reason.MAINTENANCE)
    said = words(decision.alert_key or "")
    assert "maintenance expected it; it was over before anybody was told\n      maintenance backup-store-disks" in said


def test_a_message_that_cannot_be_read_says_what_is_wrong_with_it(with_a_change: Path) -> None:
    (alert,) = ask("alerts.raw.alertmanager:0:1", with_a_change)["alerts"]
    assert alert["disposition"] == "dead_lettered"
    assert "alerts" in alert["because"]
    assert "dead lettered (wrong type)" in words("alerts.raw.alertmanager:0:1", with_a_change)


def test_a_recovery_of_what_does_not_fire_says_so(with_a_change: Path) -> None:
    assert "a recovery of what does not fire" in words("alerts.raw.alertmanager:0:4", with_a_change)


@pytest.mark.parametrize("asked", ["INC-NOBODY", "alerts.raw.alertmanager:0:999", "alerts.raw.x:0:0:1", "", "[red]x"])
def test_an_unknown_id_is_one_line_that_says_what_to_do(asked: str) -> None:
    result = run(asked)
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: nothing in {CHECKOUT} is {asked}: give an id of `spillway replay")
    assert len(result.output.splitlines()) == 1


def test_a_file_that_is_no_recording_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "x.ndjson").write_text("{}\n")
    result = run("INC-1", tmp_path / "x.ndjson")
    assert result.exit_code == 1
    assert result.output.startswith("Error: x.ndjson:1:")


@pytest.mark.parametrize(
    ("disposition", "reason"),
    sorted({(kind, reason) for stage in ALERTS_DECIDED.values() for kind in stage for reason in stage[kind]}),
)
def test_every_decision_that_there_is_has_words(disposition: Disposition, reason: Reason) -> None:
    decision = Decision(Origin("alerts.raw.x", 0, 0, 0), disposition, reason, 0)
    if disposition == Disposition.DEAD_LETTERED:
        return  # its words are the dead letter's own
    _, said = because(decision, Known(Config()))
    assert said != reason.replace("_", " ") or reason == Reason.STILL_FIRING


def test_every_obstacle_and_everything_that_hides_has_words() -> None:
    assert set(WHY_NOT_WORDS) == set(WhyNot)
    assert (set(HIDDEN_WORDS), set(ENDED_WORDS)) == (set(What), set(Ended))
