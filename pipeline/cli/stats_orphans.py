"""``spillway stats --orphans``: proves that nothing outside is open whose incident is over, or says what is.

Two topics are compared: the ledger ``deliveries.state``, what is open in each sink, and ``incidents.state``, how each
incident is. They are written by different stages, so one may be a moment ahead: what looks orphaned only because
`deliver` has not read the end yet is read again before it is called so.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.cli.progress import progress
from pipeline.cli.sink_ledger import Cluster
from pipeline.core.outward.sides import FINAL_STATES
from pipeline.kafka.ledger import read_states, topic_size
from pipeline.models.ledger import LedgerEntry, OrphanReason

INCIDENTS_STATE_TOPIC: Final = "incidents.state"

READ_AGAIN_SECONDS: Final = 2.0
READS_MAX: Final = 6
"""Ten seconds: `deliver` reads an event within a second, and after a restart within some."""


class Standing(StrEnum):
    """How a record outside and its incident stand to one another.

    Attributes:
        OPEN: both are open.
        CLOSING: the incident is over, and what closes the record waits to be sent.
        ENDED: the record is over.
        ORPHAN: the record is open, the incident is over or unknown, and nothing is under way that would close it.
        MISSING: the incident is open, and its record was deleted or is given up there.
    """

    OPEN = "open"
    CLOSING = "closing"
    ENDED = "ended"
    ORPHAN = "orphan"
    MISSING = "missing"


class Compared(NamedTuple):
    """An entry of the ledger beside its incident.

    Attributes:
        state: of the incident, by ``incidents.state``; None: unknown there.
        because: why it is an orphan.
    """

    entry: LedgerEntry
    state: str | None
    standing: Standing
    because: str = ""

    @property
    def is_unheard(self) -> bool:
        """The incident is over, and `deliver` does not know it yet."""
        is_new = self.state is not None and self.state != self.entry.incident_state
        return is_new and self.standing is Standing.ORPHAN and not self.entry.orphan


def compared(entry: LedgerEntry, state: str | None) -> Compared:
    """How a record stands to its incident."""
    if entry.orphan:
        is_missing = entry.reason == OrphanReason.GONE
        standing = Standing.MISSING if is_missing else Standing.ORPHAN
        return Compared(entry, state, standing, entry.reason.replace("_", " "))
    if not entry.is_open_there:
        return Compared(entry, state, Standing.ENDED)
    if state is not None and state not in FINAL_STATES:
        return Compared(entry, state, Standing.OPEN)
    if entry.waiting:
        return Compared(entry, state, Standing.CLOSING)
    because = "no incident of this id is known" if state is None else f"the incident is {state}"
    return Compared(entry, state, Standing.ORPHAN, because)


def compare(cluster: Cluster, sleep: Callable[[float], None] = time.sleep) -> tuple[list[Compared], int]:
    """Every entry beside its incident, and how often both were read.

    Raises:
        ScanError: a topic cannot be read.
    """
    for read in range(1, READS_MAX + 1):
        entries = cluster.ledger()
        found = [compared(entry, state) for entry, state in _beside(cluster, entries)]
        if not any(each.is_unheard for each in found):
            break
        if read < READS_MAX:
            sleep(READ_AGAIN_SECONDS)
    return found, read


def _beside(cluster: Cluster, entries: list[LedgerEntry]) -> Iterable[tuple[LedgerEntry, str | None]]:
    topic = cluster.wire(INCIDENTS_STATE_TOPIC)
    with progress("reading incidents", topic_size(cluster.client, topic)) as seen:
        states = read_states(cluster.client, topic, {each.incident_id for each in entries}, seen)
    return [(each, states.get(each.incident_id)) for each in entries]


def document(found: list[Compared], reads: int) -> dict[str, Any]:
    """For machines."""
    return {
        "compared": {"ledger_entries": len(found), "incidents": len({each.entry.incident_id for each in found})},
        "reads": reads,
        "counts": counts(found),
        "by_sink": {name: counts([each for each in found if each.entry.sink == name]) for name in _sinks(found)},
        "orphans": [_orphan(each) for each in found if is_wrong(each)],
    }


def counts(found: Iterable[Compared]) -> dict[str, int]:
    """How many stand how."""
    result = {standing.value: 0 for standing in Standing}
    for each in found:
        result[each.standing.value] += 1
    return result


def is_wrong(each: Compared) -> bool:
    """Whether somebody has to look at it."""
    return each.standing in (Standing.ORPHAN, Standing.MISSING)


def _sinks(found: Iterable[Compared]) -> list[str]:
    return sorted({each.entry.sink for each in found})


def _orphan(each: Compared) -> dict[str, Any]:
    entry = each.entry
    return {
        "sink": entry.sink,
        "incident_id": entry.incident_id,
        "standing": each.standing.value,
        "because": each.because,
        "incident_state": each.state,
        "record": entry.remote_key or entry.remote_id,
        "record_state": entry.remote_state,
        "url": entry.remote_url,
    }


def tell(console: Console, found: list[Compared], reads: int) -> None:
    """What was compared, the counts, and each orphan with what to do."""
    incidents = len({each.entry.incident_id for each in found})
    console.print(
        Text(f"compared {len(found):,} entries of the ledger with {incidents:,} incidents, read {_times(reads)}\n")
    )
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("Sink")
    for standing in Standing:
        table.add_column(standing.value.capitalize(), justify="right")
    for name in (*_sinks(found), "all"):
        of_sink = [each for each in found if name in ("all", each.entry.sink)]
        table.add_row(Text(name), *(_number(standing, count) for standing, count in counts(of_sink).items()))
    console.print(table)
    wrong = [each for each in found if is_wrong(each)]
    if not wrong:
        console.print(Text("\nNothing is orphaned."))
        return
    console.print()
    for each in wrong:
        entry = each.entry
        record = entry.remote_key or entry.remote_id or "a record that may exist"
        console.print(
            Text.assemble(
                (f"{each.standing.value}: {record} at {entry.sink} of {entry.incident_id}: {each.because}", "red"),
                f"\n  {_advice(entry)}",
            )
        )
    console.print(Text(f"\n{len(wrong):,} in all."))


_ADVICE: Final[Mapping[str, str]] = {
    OrphanReason.PARKED: "repair what it was refused for, then: {retry}",
    OrphanReason.SINK_REMOVED: "put the sink back into sinks.yaml until it is closed, or close it there by hand",
    OrphanReason.SINK_DISABLED: "switch the sink on until it is closed, or close it there by hand",
    OrphanReason.CONTESTED: "somebody there opens it again: settle that with them, then: {retry}",
    OrphanReason.STATE_IS_THEIRS: "the sink's owners say that its state is theirs: close it there",
    OrphanReason.MAY_EXIST: "look there for the incident's id, then: {retry}",
    OrphanReason.GONE: "it was deleted there again and again; to have it made once more: {retry}",
}


def _advice(entry: LedgerEntry) -> str:
    names = f"--sink {entry.sink} --incident {entry.incident_id}"
    words = _ADVICE.get(entry.reason, "see how it is there: spillway sink reconcile {names} --apply")
    return words.format(retry=f"spillway sink retry {names}", names=names)


def _number(standing: str, count: int) -> Text:
    wrong = standing in (Standing.ORPHAN, Standing.MISSING)
    return Text(str(count), "bold red" if wrong and count else "")


def _times(reads: int) -> str:
    return "once" if reads == 1 else f"{reads} times"


def to_json(found: list[Compared], reads: int) -> bytes:
    """The document as JSON."""
    report: Mapping[str, Any] = document(found, reads)
    return orjson.dumps(report, option=orjson.OPT_INDENT_2)
