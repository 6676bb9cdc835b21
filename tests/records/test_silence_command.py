"""``spillway silence`` against a real Kafka and a real records store: what is asked, decided, projected and listed."""

from __future__ import annotations

from datetime import UTC, datetime

import orjson
import pytest
from click.testing import CliRunner, Result

from pipeline.cli.silence import silence
from pipeline.cli.suppression import suppression
from pipeline.core.outward.told import read_suppression
from pipeline.core.step import StreamRecord
from pipeline.records.store import RecordsStore
from tests.core.builders import DB, PAY, alert
from tests.core.rooms import Room
from tests.records.test_incident_command import Commands, commands

__all__ = ["commands"]

SPACE = "production"
WHO = ("--owner", "payments", "--reason", "failover drill", "--actor", "ann")


def run(*arguments: str, environment: dict[str, str] | None = None) -> Result:
    clean = dict.fromkeys(("SPILLWAY_RECORDS_URL", "SPILLWAY_BOOTSTRAP", "SPILLWAY_TOPIC_PREFIX"), "")
    return CliRunner().invoke(silence, arguments, env=clean | (environment or {}))


def now_ms() -> int:
    return round(datetime.now(UTC).timestamp() * 1_000)


class Pipeline:
    """What correlate and record make of the commands on the topic."""

    def __init__(self, commands: Commands, store: RecordsStore) -> None:
        self.commands, self.store, self.room, self.read = commands, store, Room(), 0

    def ask(self, *arguments: str) -> str:
        """Ask, and let it take effect; answers the id that was told."""
        result = run(*arguments, environment=self.commands.environment)
        assert result.exit_code == 0, result.output
        sent = self.commands.read("commands", SPACE)
        for key, command in sent[self.read :]:
            body = command.model_dump_json(exclude_none=True).encode()
            self.room.put("commands", body, now_ms(), key=key)
        self.read = len(sent)
        outputs = [each for each in self.room.effects.outputs if each.topic == "suppressions"]
        told = (StreamRecord(each.topic, 0, 0, each.timestamp_ms, each.key, each.value) for each in outputs)
        self.store.keep([read_suppression(each) for each in told])
        return result.output.split()[0]


def test_a_silence_is_asked_for_extended_ended_and_listed(commands: Commands, store: RecordsStore, empty: str) -> None:
    line = Pipeline(commands, store)
    assert run("list", "--records-url", empty).output == "Nothing is silenced.\n"
    name = line.ask("add", "--on", "pay-db", "--match", "severity=critical", "--for", "2h", *WHO)
    line.room.open(alert("a", entity=DB, service=PAY), now_ms())
    assert line.room.incidents() == {}
    line.ask("extend", name, "--for", "1d")
    (told,) = (orjson.loads(each) for each in run("list", "--json", "--records-url", empty).output.splitlines())
    assert (told["id"], told["owner"], told["in_force"], told["hidden"]) == (name, "payments", True, 1)
    assert told["until_ms"] - told["since_ms"] > 20 * 3_600_000
    table = run("list", "--records-url", empty).output
    assert ("pay-db, severity=critical" in table, "failover drill" in table) == (True, True)
    line.ask("end", name)
    assert len(line.room.incidents()) == 1
    assert run("list", "--records-url", empty).output == "Nothing is silenced.\n"
    assert "over" in run("list", "--all", "--records-url", empty).output
    report = CliRunner().invoke(suppression, ["--records-url", empty]).output
    assert f"Silence {name} of payments (failover drill), over: hid 1 P1; 1 would have been called;" in report


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["add", "--for", "2h", *WHO], "say what to mute"),
        (["add", "--on", "shop", *WHO], "say when it ends"),
        (["add", "--on", "shop", "--for", "soon", *WHO], "write it as 90m, 2h or 1d12h"),
        (["add", "--match", "severity", "--for", "2h", *WHO], "write FACT=VALUE"),
        (["add", "--on", "shop", "--for", "2h", "--reason", "r"], "--owner"),
        (["add", "--on", "shop", "--for", "2h", "--owner", " ", "--reason", "r", "--actor", "a"], "silence.owner"),
        (["extend", "SIL-1"], "say when it ends"),
        (["list"], "no records store"),
    ],
)
def test_what_goes_wrong_says_what_to_do(arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code != 0
    assert said in result.output
