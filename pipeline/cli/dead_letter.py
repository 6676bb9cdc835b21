"""``spillway dead-letter``: what could not be processed, why, its bytes, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
import orjson
from rich.console import Console

from pipeline.cli.cluster import bootstrap_option, client_config, json_option, read_settings
from pipeline.cli.dead_letter_view import (
    came_back,
    document,
    escaped,
    hint,
    letters_table,
    plain_text,
    shown_value,
    size,
    summarise,
    summary_documents,
    summary_table,
)
from pipeline.cli.moments import MOMENT
from pipeline.cli.progress import progress
from pipeline.core.step import StreamRecord
from pipeline.flow import DEAD_LETTER_TOPIC, STAGES
from pipeline.kafka.dead_letters import Box, Letter, Wanted, box_size, parse_letter, read_box, read_letter
from pipeline.kafka.retry import Plan, Retry, plan_retry
from pipeline.kafka.scan import ScanError, all_topics
from pipeline.models.decision import Reason
from pipeline.settings import Settings

LIMIT_DEFAULT: Final = 100
# Lines of single letters in the output of a retry; of more, the number is told alone.
LINES_MAX: Final = 100
_INDENTED: Final = orjson.OPT_INDENT_2

_FILTERS: Final = (
    click.option("--stage", type=click.Choice([stage.name for stage in STAGES]), help="Only of this stage."),
    click.option(
        "--reason", type=click.Choice([reason.value for reason in Reason]), metavar="REASON",
        help="Only of this reason.",
    ),
    click.option("--feed", help="Only of this feed."),
    click.option("--topic", help="Only from this topic, by its logical name, such as commands."),
    click.option(
        "--from", "from_ms", type=MOMENT, metavar="TIME", help="Only of this time and later (2h: two hours ago)."
    ),
    click.option("--to", "until_ms", type=MOMENT, metavar="TIME", help="Only before this time."),
    click.option("--text", help="Only with these words in the detail, in any case."),
    click.option("--key", help="Only of this record key."),
)  # fmt: skip


def filter_options(command: Callable[..., None]) -> Callable[..., None]:
    """The options that choose letters, the same for every command."""
    for option in reversed(_FILTERS):
        command = option(command)
    return command


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


def _read(client: dict[str, Any], topic: str) -> Box:
    with progress("reading letters", box_size(client, topic)) as seen:
        return read_box(client, topic, seen)


@dead_letter.command("list")
@bootstrap_option
@filter_options
@click.option("--waiting", is_flag=True, help="Only those that have not been sent back.")
@click.option("--summary", is_flag=True, help="Count them by reason, stage and topic, and say what to do.")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=LIMIT_DEFAULT,
    show_default=True,
    help="The newest letters, this many at most; --summary counts all.",
)
@json_option
def list_letters(
    bootstrap: str | None, *, waiting: bool, summary: bool, limit: int, as_json: bool, **filters: Any
) -> None:
    """List dead letters, the newest last."""
    wanted = Wanted(**filters)
    with _opened(bootstrap) as (_, client, topic):
        box = _read(client, topic)
    matching = [letter for letter in box.letters if wanted.fits(letter) and not (waiting and box.went_back(letter))]
    if summary:
        _summarise(matching, box, as_json=as_json)
        return
    shown = matching[-limit:]
    if as_json:
        click.echo(orjson.dumps([document(letter, box) for letter in shown], option=_INDENTED))
        return
    if not shown:
        click.echo("no dead letters")
        return
    Console().print(letters_table(shown, box))
    if len(matching) > len(shown):
        click.echo(f"{len(matching) - len(shown):,} older ones: raise --limit")


def _summarise(letters: list[Letter], box: Box, *, as_json: bool) -> None:
    counts = summarise(letters, box)
    if as_json:
        click.echo(orjson.dumps(summary_documents(counts), option=_INDENTED))
        return
    if not counts:
        click.echo("no dead letters")
        return
    Console().print(summary_table(counts))
    for reason in dict.fromkeys(count.reason for count in counts):
        click.echo(f"\n{reason}: {hint(reason)}")


@dead_letter.command("show")
@bootstrap_option
@click.option("--whole", is_flag=True, help="All bytes, however many.")
@click.option(
    "--save", type=click.Path(dir_okay=False, path_type=Path), help="Write the bytes to a file, as they came."
)
@json_option
@click.argument("letter_id", metavar="ID")
def show(bootstrap: str | None, letter_id: str, save: Path | None, *, whole: bool, as_json: bool) -> None:
    """Show one dead letter, PARTITION:OFFSET as `list` names it: where from, why, what to do, headers and bytes."""
    with _opened(bootstrap) as (_, client, topic):
        record = read_letter(client, topic, letter_id)
    letter = parse_letter(record) if record is not None else None
    if record is None or letter is None:
        raise click.ClickException(_no_letter(letter_id))
    if save is not None:
        _save(save, record, letter)
    if as_json:
        click.echo(orjson.dumps(_shown(record, letter), option=_INDENTED))
    else:
        _print_letter(record, letter, whole=whole)
    if save is not None:
        click.echo(f"{size(letter)} written to {save}", err=True)


def _save(file: Path, record: StreamRecord, letter: Letter) -> None:
    if record.value is None:
        raise click.ClickException(f"letter {letter.id} has no bytes to save{_holder(letter)}")
    try:
        file.write_bytes(record.value)
    except OSError as error:
        raise click.ClickException(f"{file}: {error.strerror}") from error


def _shown(record: StreamRecord, letter: Letter) -> dict[str, Any]:
    """A letter with its bytes, for machines: as text where that is nothing but printable text."""
    headers = [(name, value.decode(errors="backslashreplace")) for name, value in record.headers]
    found = document(letter, Box()) | {"headers": headers, "hint": hint(letter.reason)}
    del found["retried"]  # known to the whole topic only
    value = record.value
    text = None if value is None else plain_text(value)
    return found | ({"value": text} if text is not None or value is None else {"value_hex": value.hex()})


def _print_letter(record: StreamRecord, letter: Letter, *, whole: bool) -> None:
    click.echo(f"{letter.id}  {escaped(letter.reason)} in {escaped(letter.stage)}: {escaped(letter.detail)}")
    key = "none" if letter.key is None else f"'{escaped(letter.key)}'"
    click.echo(
        f"from {escaped(letter.topic)}, partition {letter.partition}, offset {letter.offset}"
        f"{'' if letter.index is None else f', member {letter.index}'}; key {key}"
    )
    if letter.retries:
        click.echo(escaped(came_back(letter)))
    click.echo(f"what to do: {hint(letter.reason)}")
    for name, value in record.headers:
        click.echo(f"  {escaped(name)}: {escaped(value.decode(errors='backslashreplace'))}")
    if record.value is None:
        click.echo(f"no bytes{_holder(letter)}")
        return
    click.echo(f"{size(letter)}:")
    click.echo(shown_value(record.value, whole=whole))


def _holder(letter: Letter) -> str:
    """Where the bytes of a letter without bytes are."""
    return "" if letter.bytes_in is None else f": they are in the letter of index {letter.bytes_in}"


def _no_letter(letter_id: str) -> str:
    return f"there is no dead letter {letter_id}: ids are PARTITION:OFFSET, as spillway dead-letter list shows them"


@dead_letter.command("retry")
@bootstrap_option
@filter_options
@click.option("--all", "everything", is_flag=True, help="All that have not been sent back.")
@click.option("--again", is_flag=True, help="Also those that went back before.")
@click.option("--dry-run", is_flag=True, help="Say what would go back, and send nothing.")
@click.option("--limit", type=click.IntRange(1), help="The oldest records, this many at most.")
@json_option
@click.argument("letter_ids", metavar="[ID]...", nargs=-1)
def retry(
    bootstrap: str | None,
    letter_ids: tuple[str, ...],
    limit: int | None,
    *,
    everything: bool,
    again: bool,
    dry_run: bool,
    as_json: bool,
    **filters: Any,
) -> None:
    """Send original records back to their topics: the named ones, those that the filters choose, or all.

    Each goes back as it came, with two headers more: how often it was sent back, and its first letter. A record
    goes back once, however often the command is called; --again sends it once more.
    """
    wanted = Wanted(**filters)
    chosen = everything or wanted.says_something
    if bool(letter_ids) == chosen:
        raise click.ClickException("say which: letter ids, or filters such as --reason REASON, or --all")
    with _opened(bootstrap) as (settings, client, topic):
        partitions = all_topics(client)
        sender = None
        if not dry_run and topic in partitions:
            sender = Retry(client, f"{settings.app_id}-dead-letter-retry", settings.topic_prefix, topic, partitions)
            sender.begin()  # before the marks are read, so that no other retry can add to them
        box = _read(client, topic)
        asked = _named(box, letter_ids) if letter_ids else [letter for letter in box.letters if wanted.fits(letter)]
        plan = plan_retry(box, asked, again=again, limit=limit)
        sent = plan.letters if sender is None else _send(sender, plan, quiet=as_json)
    if as_json:
        _print_json(plan, sent, dry_run=dry_run)
    else:
        _print_outcome(plan, sent, dry_run=dry_run)


def _named(box: Box, letter_ids: tuple[str, ...]) -> list[Letter]:
    by_id = {letter.id: letter for letter in box.letters}
    for each in letter_ids:
        if each not in by_id:
            raise click.ClickException(_no_letter(each))
    return [by_id[each] for each in dict.fromkeys(letter_ids)]


def _send(sender: Retry, plan: Plan, *, quiet: bool) -> list[Letter]:
    sent: list[Letter] = []
    with progress("sending back", len(plan.letters)) as seen:
        for letter in sender.send(plan.letters):
            sent.append(letter)
            seen(len(sent))
            if not quiet and len(plan.letters) <= LINES_MAX:
                click.echo(_line(letter))
    return sent


def _line(letter: Letter) -> str:
    return escaped(f"{letter.id} back to {letter.topic} ({letter.reason}, {size(letter)})")


def _print_json(plan: Plan, sent: list[Letter], *, dry_run: bool) -> None:
    report = {
        "dry_run": dry_run,
        "retried": [document(letter, Box()) | {"retried": not dry_run} for letter in sent],
        "with_them": plan.with_them,
        "went_back_before": plan.gone,
        "without_bytes": plan.without_bytes,
    }
    click.echo(orjson.dumps(report, option=_INDENTED))


def _print_outcome(plan: Plan, sent: list[Letter], *, dry_run: bool) -> None:
    for letter in sent[:LINES_MAX] if dry_run else ():
        click.echo(_line(letter))
    if dry_run and len(sent) > LINES_MAX:
        click.echo(f"... and {len(sent) - LINES_MAX:,} more")
    with_them = f", {plan.with_them:,} more letters of the same messages with them" if plan.with_them else ""
    records = f"{len(sent):,} record{'' if len(sent) == 1 else 's'}"
    click.echo(f"{'would retry' if dry_run else 'retried'} {records}{with_them}")
    if plan.gone:
        click.echo(f"{plan.gone:,} went back before: --again sends them once more")
    if plan.without_bytes:
        click.echo(f"{len(plan.without_bytes):,} letters have no bytes, and the letter that held them is gone")
    if len(sent) < len(plan.letters):
        click.echo(f"{len(plan.letters) - len(sent):,} letters were deleted meanwhile, by age")
