"""``spillway dead-letter``: what could not be processed, why, its bytes, and the way back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any, Final

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.cli.cluster import bootstrap_option, client_config, json_option, read_settings
from pipeline.core.step import StreamRecord
from pipeline.flow import DEAD_LETTER_TOPIC
from pipeline.kafka.dead_letters import Box, Letter, Retry, parse_letter, read_box, read_letter, to_retry
from pipeline.kafka.scan import ScanError, all_topics, scan
from pipeline.models.decision import Reason
from pipeline.recording import to_rfc3339
from pipeline.settings import Settings

LIMIT_DEFAULT: Final = 100
HEX_BYTES_A_LINE: Final = 16

reason_option = click.option(
    "--reason", type=click.Choice([reason.value for reason in Reason]), metavar="REASON", help="Only of this reason."
)


@click.group()
def dead_letter() -> None:
    """List, show and retry records that could not be processed."""


@contextmanager
def _opened(bootstrap: str | None) -> Iterator[tuple[Settings, dict[str, Any], str]]:
    """Settings, a client's configuration and the dead-letter topic's name on the wire; failures become one line."""
    settings = read_settings(bootstrap)
    try:
        yield settings, client_config(settings), settings.wire(DEAD_LETTER_TOPIC)
    except ScanError as error:
        raise click.ClickException(str(error)) from error


@dead_letter.command("list")
@bootstrap_option
@reason_option
@click.option("--stage", help="Only of this stage.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=LIMIT_DEFAULT,
    show_default=True,
    help="The newest letters, this many at most.",
)
@json_option
def list_letters(bootstrap: str | None, reason: str | None, stage: str | None, limit: int, as_json: bool) -> None:
    """List dead letters, the newest last."""
    with _opened(bootstrap) as (_, client, topic):
        box = read_box(client, topic)
    matching = [
        letter
        for letter in box.letters
        if (reason is None or letter.reason == reason) and (stage is None or letter.stage == stage)
    ]
    shown = matching[-limit:]
    if as_json:
        documents = [_document(letter, letter.id in box.retried) for letter in shown]
        click.echo(orjson.dumps(documents, option=orjson.OPT_INDENT_2))
        return
    if not shown:
        click.echo("no dead letters")
        return
    Console().print(_table(shown, box))
    if len(matching) > len(shown):
        click.echo(f"{len(matching) - len(shown)} older ones: raise --limit")


def _document(letter: Letter, retried: bool) -> dict[str, Any]:
    return {**asdict(letter), "at": to_rfc3339(letter.at_ms), "retried": retried}


def _table(letters: list[Letter], box: Box) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("id", "when", "stage", "reason", "from", "bytes", "detail"):
        # What people copy out of the table stays whole on a narrow terminal.
        table.add_column(column, no_wrap=column in {"id", "when", "stage", "reason"}, overflow="fold")
    for letter in letters:
        member = "" if letter.index is None else f"[{letter.index}]"
        notes = [letter.detail]
        if letter.retries:
            notes.append(f"(came back after {letter.retries} retries)")
        if letter.id in box.retried:
            notes.append("(retried)")
        cells = (
            letter.id,
            to_rfc3339(letter.at_ms),
            letter.stage,
            letter.reason,
            f"{letter.topic}/{letter.partition}/{letter.offset}{member}",
            str(letter.size_bytes),
            " ".join(notes),
        )
        table.add_row(*(Text(cell) for cell in cells))  # Text: brackets in data are no markup
    return table


@dead_letter.command("show")
@bootstrap_option
@json_option
@click.argument("letter_id", metavar="ID")
def show(bootstrap: str | None, letter_id: str, as_json: bool) -> None:
    """Show one dead letter, PARTITION:OFFSET as `list` names it: where from, why, headers and bytes."""
    with _opened(bootstrap) as (_, client, topic):
        record = read_letter(client, topic, letter_id)
    letter = parse_letter(record) if record is not None else None
    if record is None or letter is None:
        raise click.ClickException(_no_letter(letter_id))
    headers = [(name, value.decode(errors="backslashreplace")) for name, value in record.headers]
    value = record.value
    key = None if record.key is None else record.key.decode(errors="backslashreplace")
    text = _readable(value)
    if as_json:
        document = _document(letter, retried=False) | {"headers": headers, "key": key}
        del document["retried"]  # known to the whole topic only
        document |= {"value": text} if text is not None or value is None else {"value_hex": value.hex()}
        click.echo(orjson.dumps(document, option=orjson.OPT_INDENT_2))
        return
    click.echo(f"{letter.id}  {letter.reason} in {letter.stage}: {letter.detail}")
    click.echo(f"from {letter.topic}, partition {letter.partition}, offset {letter.offset}; key {key!r}")
    for name, said in headers:
        click.echo(f"  {name}: {said}")
    if value is None:
        holder = "" if letter.bytes_in is None else f": they are in the letter of index {letter.bytes_in}"
        click.echo(f"no bytes{holder}")
        return
    click.echo(f"{len(value)} bytes:")
    click.echo(text if text is not None else _hex(value))


def _readable(value: bytes | None) -> str | None:
    """The value as text, where it is nothing but text that a terminal may show."""
    try:
        text = "" if value is None else value.decode()
    except UnicodeDecodeError:
        return None
    shown = all(letter.isprintable() or letter in "\n\r\t" for letter in text)
    return text if shown and value is not None else None


def _hex(value: bytes) -> str:
    lines = (value[start : start + HEX_BYTES_A_LINE] for start in range(0, len(value), HEX_BYTES_A_LINE))
    return "\n".join(f"{number * HEX_BYTES_A_LINE:08x}  {line.hex(' ')}" for number, line in enumerate(lines))


def _no_letter(letter_id: str) -> str:
    return f"there is no dead letter {letter_id}: ids are PARTITION:OFFSET, as spillway dead-letter list shows them"


@dead_letter.command("retry")
@bootstrap_option
@json_option
@reason_option
@click.option("--all", "everything", is_flag=True, help="All that have not been retried.")
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
def retry(
    bootstrap: str | None, as_json: bool, reason: str | None, everything: bool, letter_ids: tuple[str, ...]
) -> None:
    """Send original records back to their topics: the named ones, all of a reason, or all.

    Each goes back as it came, with one header more that counts its retries. With --all and --reason a letter
    goes back once; a named one goes back again.
    """
    if bool(letter_ids) == (everything or reason is not None):
        raise click.ClickException("say which: letter ids, or --all, or --reason REASON")
    with _opened(bootstrap) as (settings, client, topic):
        box = read_box(client, topic)
        letters, others = _named(box, letter_ids) if letter_ids else to_retry(box, reason)
        partitions = all_topics(client)
        records = _records(client, topic, partitions[topic], letters)
        sender = Retry(client, f"{settings.app_id}-dead-letter-retry", settings.topic_prefix, topic)
        sent: list[Letter] = []
        for letter in sender.send(records, partitions) if letters else ():
            sent.append(letter)
            if not as_json:
                click.echo(f"{letter.id} back to {letter.topic} ({letter.reason}, {letter.size_bytes} bytes)")
    if as_json:
        click.echo(orjson.dumps({"retried": [asdict(letter) for letter in sent], "with_them": others}))
        return
    with_them = f", {others} more letters of the same messages with them" if others else ""
    click.echo(f"retried {len(sent)} records{with_them}")


def _named(box: Box, letter_ids: tuple[str, ...]) -> tuple[list[Letter], int]:
    by_id = {letter.id: letter for letter in box.letters}
    for each in letter_ids:
        if each not in by_id:
            raise click.ClickException(_no_letter(each))
        if (holder := by_id[each].bytes_in) is not None:
            same = [letter.id for letter in box.letters if letter.source == by_id[each].source]
            raise click.ClickException(
                f"letter {each} has no bytes: retry the one of index {holder} of the same message ({same[0]})"
            )
    return [by_id[each] for each in dict.fromkeys(letter_ids)], 0


def _records(
    client: Mapping[str, Any], topic: str, partitions: tuple[int, ...], letters: list[Letter]
) -> Iterator[StreamRecord]:
    """Read the chosen letters again, now with their bytes, one at a time."""
    chosen = {letter.id for letter in letters}
    for record in scan(client, {topic: partitions}):
        if f"{record.partition}:{record.offset}" in chosen:
            yield record
