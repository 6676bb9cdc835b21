"""``spillway correlation suggest``: what people merge and split becomes rules to read; too little evidence says so."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner

from pipeline.catalog import load_config
from pipeline.cli.correlation import correlation
from pipeline.core.step import StreamRecord
from pipeline.feeds import ADAPTERS
from pipeline.models.correlation_rules import CorrelationRule, Window
from pipeline.models.policy import Config
from pipeline.recording import write_line
from pipeline.replay import Replay
from pipeline.suggest.figures import groups_of, of_always
from pipeline.suggest.history import Act, History, Seen
from tests.catalog.directory import component, write
from tests.core.builders import MINUTE, SECOND, T0

DAY = 24 * 60 * MINUTE
CATALOG = component("shop")


class Story:
    """A recording in the making: alerts, and what people do with them as they know it by then."""

    def __init__(self, config: Config) -> None:
        self.records: list[StreamRecord] = []
        self._replay = Replay(config)
        self._ids: dict[int, str] = {}

    def alert(self, name: str, at_ms: int, **labels: str) -> None:
        labels = {"alertname": "Failed", "severity": "critical", **labels}
        body = orjson.dumps({"alerts": [{"status": "firing", "labels": labels}]})
        self._ids[len(self.records)] = name
        self._take(StreamRecord("alerts.raw.alertmanager", 0, len(self.records), at_ms, None, body))

    def merge(self, name: str, into: str, at_ms: int, actor: str = "ann") -> None:
        loser, survivor = self._decided(name), self._decided(into)
        self._ask(at_ms, actor, type="merge", target={"incident_id": loser.incident_id}, into=survivor.incident_id)

    def split(self, name: str, at_ms: int, actor: str = "ann") -> None:
        found = self._decided(name)
        self._ask(at_ms, actor, type="split", target={"incident_id": found.incident_id}, episodes=[found.episode_id])

    def _ask(self, at_ms: int, actor: str, **fields: Any) -> None:
        value = orjson.dumps({"command_id": f"c{len(self.records)}", "actor": actor, **fields})
        self._take(StreamRecord("commands", 0, len(self.records), at_ms, b"production", value))

    def _take(self, record: StreamRecord) -> None:
        self.records.append(record)
        self._replay.run([record])

    def _decided(self, name: str) -> Any:
        decisions = self._replay.outcome.decisions
        return next(each for each in reversed(decisions) if self._ids.get(each.origin.offset) == name)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return write(tmp_path / "config", {"catalog/a.yaml": CATALOG})


def suggest(tmp_path: Path, story: Story, directory: Path, *options: str) -> Any:
    recording = tmp_path / "r.ndjson"
    recording.write_bytes(b"".join(map(write_line, story.records)))
    result = CliRunner().invoke(correlation, ["suggest", str(recording), "--config", str(directory), *options])
    assert result.exit_code == 0, result.output
    return orjson.loads(result.output) if "--json" in options else result.output


def nights(config: Config, days: int, *, merged: bool = True) -> Story:
    """Each night three jobs of one run fail on machines that nothing relates, and something else fails, too."""
    story = Story(config)
    for day in range(days):
        now_ms = T0 + day * DAY
        for job in range(3):
            story.alert(f"{day}-{job}", now_ms + job * MINUTE, instance=f"m-{day}-{job}", run=f"r{day}", job=f"j{job}")
        story.alert(f"{day}-other", now_ms + 3 * MINUTE, instance=f"x-{day}")
        for job in (1, 2) if merged else ():
            story.merge(f"{day}-{job}", f"{day}-0", now_ms + (10 + job) * MINUTE, actor=f"person-{day % 2}")
    return story


def test_what_people_merge_again_and_again_becomes_a_rule_that_is_ready_to_paste(
    tmp_path: Path, directory: Path
) -> None:
    config = load_config(directory, ADAPTERS)
    story = nights(config, 4)
    found = suggest(tmp_path, story, directory, "--json")
    (first, *_) = found["suggestions"]
    assert first["rule"] == {"join": "always", "group_by": ["labels.run"], "window": {"seconds": 300}}
    assert (first["acts"], first["people"], first["pairs"], first["precision"], first["recall"]) == (8, 2, 12, 1.0, 1.0)
    assert (first["backtest"]["recall_before"], first["backtest"]["recall_with"]) == (0.0, 1.0)
    printed = suggest(tmp_path, story, directory)
    write(directory, {"correlation.yaml": printed})
    assert load_config(directory, ADAPTERS).correlation.rules["join-run"].group_by == ("labels.run",)


def test_a_rule_that_would_put_other_things_together_is_narrowed_or_left_out(tmp_path: Path, directory: Path) -> None:
    config = load_config(directory, ADAPTERS)
    story = nights(config, 3)
    for day in range(3):  # probes carry the label, too, and nobody merged them
        for probe in range(4):
            at_ms = T0 + day * DAY + probe * SECOND
            story.alert(f"p{day}-{probe}", at_ms + 20 * MINUTE, alertname="Probe", instance=f"p-{day}-{probe}", run="x")
    found = suggest(tmp_path, story, directory, "--json")["suggestions"]
    by_run = [each for each in found if each["rule"]["group_by"] == ["labels.run"]]
    assert by_run
    assert all(each["precision"] >= 0.9 for each in found)
    assert all("match" in each["rule"] for each in by_run)


@pytest.mark.parametrize("several", [True, False])
def test_what_people_split_again_and_again_is_kept_apart(tmp_path: Path, directory: Path, several: bool) -> None:
    story = Story(load_config(directory, ADAPTERS))
    for day in range(4):
        now_ms = T0 + day * DAY
        others = ("blue", "green") if several else ("blue", "blue")
        for number, tenant in enumerate(("red", others[day % 2])):
            story.alert(f"{day}-{tenant}", now_ms + number, service="shop", tenant=tenant, check=f"c{day}")
        story.split(f"{day}-{others[day % 2]}", now_ms + 5 * MINUTE)
        for tenant in ("red", others[day % 2]):
            story._ask(
                now_ms + 6 * MINUTE,
                "ann",
                type="close",
                target={"episode_id": story._decided(f"{day}-{tenant}").episode_id},
            )
    found = suggest(tmp_path, story, directory, "--json")
    rules = [each["rule"] for each in found["suggestions"]]
    two = {"match": {"labels.tenant": "blue"}, "join": "never", "with": {"match": {"labels.tenant": "red"}}}
    assert ({"join": "never", "group_by": ["labels.tenant"]} if several else two) in rules
    first = next(each for each in found["suggestions"] if each["rule"]["join"] == "never")
    assert (first["precision"], first["recall"], first["acts"]) == (1.0, 1.0, 4)


@pytest.mark.parametrize(("days", "merged", "words"), [(1, True, "2 merges"), (3, False, "0 merges")])
def test_with_too_little_evidence_it_says_so(
    tmp_path: Path, directory: Path, days: int, merged: bool, words: str
) -> None:
    story = nights(load_config(directory, ADAPTERS), days, merged=merged)
    printed = suggest(tmp_path, story, directory)
    assert f"too little evidence: {words} and 0 splits by people, and a rule needs 3 of one kind" in printed
    assert "rules:" not in printed
    assert suggest(tmp_path, story, directory, "--json")["suggestions"] == []


def test_merges_that_have_nothing_in_common_teach_nothing(tmp_path: Path, directory: Path) -> None:
    story = Story(load_config(directory, ADAPTERS))
    for day in range(4):
        for side in "ab":
            story.alert(f"{day}{side}", T0 + day * DAY, alertname=f"A{day}{side}", instance=f"m{day}{side}")
        story.merge(f"{day}b", f"{day}a", T0 + day * DAY + MINUTE)
    assert "no rule fits: 4 merges and 0 splits by people" in suggest(tmp_path, story, directory)


def test_commands_without_effect_are_counted(tmp_path: Path, directory: Path) -> None:
    story = nights(load_config(directory, ADAPTERS), 1)
    story._ask(T0 + DAY, "ann", type="merge", target={"incident_id": "INC-UNKNOWN"}, into="INC-OTHER")
    assert "1 command had no effect under this configuration" in suggest(tmp_path, story, directory)


def test_a_file_that_is_no_recording_is_told_in_a_sentence(tmp_path: Path, directory: Path) -> None:
    recording = tmp_path / "r.ndjson"
    recording.write_text("nonsense\n")
    result = CliRunner().invoke(correlation, ["suggest", str(recording), "--config", str(directory)])
    assert result.exit_code == 1
    assert "r.ndjson:1: not a recorded Kafka record" in result.output


# -- figures


def history(*episodes: tuple[str, int, str, str], merges: Iterator[Act] | tuple[Act, ...] = ()) -> History:
    """Episodes as (id, second, value of the label, incident that it ended in)."""
    seen = {name: Seen(second * SECOND, "s", {"labels.x": value}) for name, second, value, _ in episodes}
    return History(seen, merges=list(merges), ended={name: end for name, *_, end in episodes})


def test_figures_count_pairs_of_groups_against_where_they_ended() -> None:
    rule = CorrelationRule(join="always", group_by=("labels.x",))
    told = history(("a", 0, "1", "I"), ("b", 1, "1", "I"), ("c", 2, "1", "J"), ("d", 3, "2", "J"), ("e", 4, "2", "J"))
    told.merges.append(Act("ann", 0, ("a",), ("b", "d")))
    figures = of_always(rule, told)
    assert (figures.episodes, figures.pairs, figures.right) == (5, 4, 2)
    assert (figures.act_pairs, figures.act_right, figures.acts) == (2, 1, 1)
    assert (figures.precision, figures.recall) == (0.5, 0.5)


def test_groups_end_with_their_window() -> None:
    rule = CorrelationRule(join="always", group_by=("labels.x",), window=Window(kind="fixed", seconds=10))
    groups = groups_of(rule, history(("a", 0, "1", "I"), ("b", 10, "1", "I"), ("c", 11, "1", "I")).episodes)
    assert groups["a"] == groups["b"] != groups["c"]
