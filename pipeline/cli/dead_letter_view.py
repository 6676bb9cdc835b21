"""Dead letters for the eye: tables, bytes that no terminal obeys, and what to do about each reason."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from rich.console import JustifyMethod
from rich.table import Table
from rich.text import Text

from pipeline.kafka.dead_letters import Box, Letter
from pipeline.models.decision import Reason
from pipeline.recording import to_rfc3339

HEX_BYTES_A_LINE: Final = 16
# A screen or two: the rest of 16 MiB is for a file.
SHOWN_BYTES_MAX: Final = 4_096
# A text with more than one in four characters escaped is easier to read as bytes.
ESCAPED_SHARE_MAX: Final = 0.25

HINTS: Final[dict[str, str]] = {
    Reason.EMPTY: (
        "The record has no value, so a retry is refused again. Find what writes it: a tombstone of a compacting tool, "
        "or a bridge that drops the body."
    ),
    Reason.TOO_LARGE: (
        "The same bytes are refused again. Make the source send less in one message, such as fewer alerts in a group "
        "or shorter texts; the sender can then repeat what still holds."
    ),
    Reason.BROKEN_JSON: (
        "Look at the place that is named. A bridge must pass the body on unchanged: not cut, wrapped or in another "
        "encoding. Where the source does not write JSON, give the feed an adapter that reads its format, then retry."
    ),
    Reason.WRONG_TYPE: (
        "The message is not of the shape that the adapter reads. Save it (--save FILE) and try "
        "spillway feed test ADAPTER FILE. If the feed has the wrong adapter, correct feeds.yaml; if the source changed "
        "its shape, install a release that reads it. Then retry."
    ),
    Reason.MISSING_FIELD: (
        "A field that the adapter cannot do without is not there. Templates at the source often leave it out: compare "
        "with the feed's page in the documentation. A retry helps only where an adapter or its options changed."
    ),
    Reason.UNKNOWN_FEED: (
        "No feed reads this topic. Add it to feeds.yaml and, once ingest has the new configuration, retry: nothing is "
        "lost."
    ),
    Reason.UNKNOWN_SHAPE: (
        "The adapter knows the source, but not this kind of message. The detail says which kind is read; switch the "
        "source to it, or choose another adapter in feeds.yaml, then retry."
    ),
    Reason.UNKNOWN_SCHEMA: (
        "Another release wrote this record. Bring all workers to the newer of the two releases, then retry."
    ),
    Reason.UNKNOWN_TARGET: (
        "Nothing that is open matches the target: the detail says what to do instead. What is closed, cancelled or "
        "merged stays so, and a retry is refused again; spillway incident list has those to give the command for."
    ),
    Reason.NOT_PERMITTED: (
        "Who asked may not, in the role that the command names. Somebody who may gives it anew; a retry is refused "
        "again."
    ),
    Reason.QUARANTINED: (
        "The record ended three workers with the error that is named: a defect of Spillway or of an adapter. Report "
        "it, install a release that handles it, then retry. Before that, a retry ends workers again."
    ),
}
HINT_OTHER: Final = "See the detail. Once the cause is repaired, retry sends the record back to its topic."


def hint(reason: str) -> str:
    """What to do about a reason."""
    return HINTS.get(reason, HINT_OTHER)


def escaped(text: str, keep: str = "") -> str:
    r"""Text that is safe on a terminal: what is not printable is written out, as ``\x1b``."""
    if text.isprintable():
        return text
    return "".join(
        letter if letter.isprintable() or letter in keep else letter.encode("unicode_escape").decode()
        for letter in text
    )


def readable(value: bytes) -> str | None:
    """A value as safe text; None where it is no text, or hardly any."""
    try:
        text = value.decode().replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None
    steering = sum(not letter.isprintable() and letter not in "\n\t" for letter in text)
    return escaped(text, keep="\n\t") if steering <= len(text) * ESCAPED_SHARE_MAX else None


def plain_text(value: bytes) -> str | None:
    """A value as it is, where it is nothing but text; None where a terminal could take it for more."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return text if all(letter.isprintable() or letter in "\n\r\t" for letter in text) else None


def hex_dump(value: bytes) -> str:
    """Bytes as offset, hexadecimal and ASCII, sixteen a line."""
    lines: list[str] = []
    for start in range(0, len(value), HEX_BYTES_A_LINE):
        part = value[start : start + HEX_BYTES_A_LINE]
        ascii_text = "".join(chr(byte) if 0x20 <= byte < 0x7F else "." for byte in part)
        lines.append(f"{start:08x}  {part.hex(' '):<{HEX_BYTES_A_LINE * 3 - 1}}  {ascii_text}")
    return "\n".join(lines)


def shown_value(value: bytes, *, whole: bool) -> str:
    """A value for the terminal: text where it is text, else bytes; its beginning alone where it is long."""
    part = value if whole or len(value) <= SHOWN_BYTES_MAX else value[:SHOWN_BYTES_MAX]
    text = readable(part)
    if text is None and part is not value:  # the cut may have gone through a character
        text = readable(_whole_characters(part))
    shown = hex_dump(part) if text is None else text
    left = len(value) - len(part)
    return f"{shown}\n... {left:,} more bytes: --whole shows them, --save FILE writes all to a file" if left else shown


def _whole_characters(part: bytes) -> bytes:
    """Bytes without the last character, where that is cut: UTF-8 has four bytes for one at most."""
    for end in range(len(part) - 1, max(0, len(part) - 4), -1):
        if part[end] & 0xC0 == 0xC0:
            return part[:end]
    return part


def document(letter: Letter, box: Box) -> dict[str, Any]:
    """A letter for machines."""
    return {**asdict(letter), "at": to_rfc3339(letter.at_ms), "retried": box.went_back(letter)}


def letters_table(letters: Sequence[Letter], box: Box) -> Table:
    """Letters, one a line."""
    table = Table(box=None, pad_edge=False)
    for column in ("id", "when", "stage", "reason", "from", "bytes", "detail"):
        # What people copy out of the table stays whole on a narrow terminal.
        table.add_column(column, no_wrap=column in {"id", "when", "stage", "reason"}, overflow="fold")
    for letter in letters:
        cells = (
            letter.id,
            to_rfc3339(letter.at_ms),
            letter.stage,
            letter.reason,
            origin(letter),
            f"{letter.size_bytes:,}",
            " ".join((letter.detail, *_notes(letter, box))),
        )
        table.add_row(*(Text(escaped(cell)) for cell in cells))  # Text: brackets in data are no markup
    return table


def size(letter: Letter) -> str:
    """The size of the original value in words."""
    return f"{letter.size_bytes:,} byte{'' if letter.size_bytes == 1 else 's'}"


def origin(letter: Letter) -> str:
    """Where the record of a letter was read: ``topic/partition/offset[index]``."""
    member = "" if letter.index is None else f"[{letter.index}]"
    return f"{letter.topic}/{letter.partition}/{letter.offset}{member}"


def came_back(letter: Letter) -> str:
    """That a record was sent back before and came here again."""
    times = "once" if letter.retries == 1 else f"{letter.retries} times"
    first = f"; its first letter is {letter.first}" if letter.first else ""
    return f"sent back {times} before{first}"


def _notes(letter: Letter, box: Box) -> list[str]:
    notes = [f"({came_back(letter)})"] if letter.retries else []
    return [*notes, "(went back)"] if box.went_back(letter) else notes


@dataclass(slots=True)
class Count:
    """Letters of one reason, stage and topic.

    Attributes:
        waiting: those whose record has not been sent back.
        first_ms: the oldest, epoch milliseconds.
        last_ms: the newest.
    """

    reason: str
    stage: str
    topic: str
    letters: int = 0
    waiting: int = 0
    first_ms: int = 0
    last_ms: int = 0


def summarise(letters: Iterable[Letter], box: Box) -> list[Count]:
    """Counts by reason, stage and topic, the most first."""
    counts: dict[tuple[str, str, str], Count] = {}
    for letter in letters:
        key = (letter.reason, letter.stage, letter.topic)
        count = counts.setdefault(key, Count(*key, first_ms=letter.at_ms, last_ms=letter.at_ms))
        count.letters += 1
        count.waiting += not box.went_back(letter)
        count.first_ms = min(count.first_ms, letter.at_ms)
        count.last_ms = max(count.last_ms, letter.at_ms)
    return sorted(counts.values(), key=lambda count: (-count.letters, count.reason, count.stage, count.topic))


def summary_table(counts: Sequence[Count]) -> Table:
    """Counts, one a line."""
    table = Table(box=None, pad_edge=False)
    for column in ("reason", "stage", "from", "letters", "waiting", "oldest", "newest"):
        number = column in {"letters", "waiting"}
        justify: JustifyMethod = "right" if number else "left"
        table.add_column(column, justify=justify, no_wrap=column in {"reason", "stage"}, overflow="fold")
    for count in counts:
        moments = (_to_the_second(count.first_ms), _to_the_second(count.last_ms))
        numbers = (f"{count.letters:,}", f"{count.waiting:,}")
        cells = (count.reason, count.stage, count.topic, *numbers, *moments)
        table.add_row(*(Text(escaped(cell)) for cell in cells))
    return table


def _to_the_second(at_ms: int) -> str:
    return to_rfc3339(at_ms // 1_000 * 1_000).replace(".000Z", "Z")


def summary_documents(counts: Sequence[Count]) -> list[dict[str, Any]]:
    """Counts for machines, each with what to do."""
    return [
        {
            **asdict(count),
            "first": to_rfc3339(count.first_ms),
            "last": to_rfc3339(count.last_ms),
            "hint": hint(count.reason),
        }
        for count in counts
    ]
