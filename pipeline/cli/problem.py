"""``spillway problem``: what lies behind incidents that come back, and what is done about it."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any
from uuid import uuid4

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.cli.actor import user_name
from pipeline.cli.cluster import json_option
from pipeline.cli.incident_send import send_command
from pipeline.cli.records import environment_settings, line_console, read_records, records_url_option
from pipeline.core.outward.delivery_body import rfc3339
from pipeline.models.problem import PROBLEM_COMMANDS_TOPIC, ProblemCommand, ProblemCommandType
from pipeline.records.problems import LIST_MAX, listed, shown


@click.group()
def problem() -> None:
    """List and show problems; take them up, write down causes, workarounds and actions, resolve them.

    Commands take effect a moment later, on the problem's record.
    """


@problem.command("list")
@click.option("--all", "with_over", is_flag=True, help="Those that are resolved, closed or rejected as well.")
@click.option("--limit", type=click.IntRange(1, LIST_MAX), default=50, show_default=True, help="How many at most.")
@records_url_option
@json_option
def list_problems(records_url: str | None, limit: int, *, with_over: bool, as_json: bool) -> None:
    """Problems, the newest first."""
    found = read_records(
        records_url, lambda store: store.ask(lambda sql: listed(sql, open_only=not with_over, limit=limit))
    )
    if as_json:
        for each in found:
            click.echo(orjson.dumps(each))
    elif found:
        line_console().print(_table(found))
    else:
        click.echo("No problem is open." if not with_over else "No problem is known.")


@problem.command()
@click.argument("problem_id")
@records_url_option
@json_option
def show(problem_id: str, records_url: str | None, *, as_json: bool) -> None:
    """A problem: its incidents, cause, workaround and actions, and all that was done."""
    found = read_records(records_url, lambda store: store.ask(lambda sql: shown(sql, problem_id)))
    if found is None:
        raise click.ClickException(f"the records store knows of no problem {problem_id}")
    if as_json:
        click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    else:
        tell(line_console(), found)


def _simple(kind: ProblemCommandType, help_text: str, *, needs_text: bool) -> click.Command:
    """A command that takes a text and nothing else."""

    @click.argument("problem_id")
    @click.argument("text", required=needs_text)
    @click.option("--actor", help="Who asks; default: your user name.")
    def send(problem_id: str, text: str | None, actor: str | None) -> None:
        _send(kind, problem_id, actor, text=text)

    return click.command(kind.value.replace("_", "-"), help=help_text)(send)


for _kind, _help, _needs in (
    (ProblemCommandType.ACCEPT, "Take a candidate up: it is investigated from now on.", False),
    (ProblemCommandType.REJECT, "It is no problem; TEXT says why.", True),
    (ProblemCommandType.NOTE, "Write TEXT on its record.", True),
    (ProblemCommandType.SET_CAUSE, "TEXT is the root cause.", True),
    (ProblemCommandType.SET_WORKAROUND, "TEXT is what helps: from now on it is a known error, and offered.", True),
    (ProblemCommandType.RESOLVE, "It is fixed; TEXT says by what.", True),
    (ProblemCommandType.CLOSE, "It is done with: no action is open.", False),
    (ProblemCommandType.REOPEN, "It is not gone.", False),
):
    problem.add_command(_simple(_kind, _help, needs_text=_needs))


@problem.command()
@click.argument("problem_id")
@click.argument("assignee")
@click.option("--actor", help="Who asks; default: your user name.")
def assign(problem_id: str, assignee: str, actor: str | None) -> None:
    """Give it to ASSIGNEE."""
    _send(ProblemCommandType.ASSIGN, problem_id, actor, assignee=assignee)


@problem.command("add-action")
@click.argument("problem_id")
@click.argument("text")
@click.option("--owner", help="Who does it.")
@click.option("--due", type=click.DateTime(["%Y-%m-%d"]), help="The day by which: 2026-04-01.")
@click.option("--actor", help="Who asks; default: your user name.")
def add_action(problem_id: str, text: str, owner: str | None, due: datetime | None, actor: str | None) -> None:
    """TEXT is a corrective action; it is followed up until it is done."""
    day: date | None = due.date() if due else None
    _send(ProblemCommandType.ADD_ACTION, problem_id, actor, text=text, assignee=owner, due=day)


@problem.command("complete-action")
@click.argument("problem_id")
@click.argument("action_id")
@click.option("--actor", help="Who asks; default: your user name.")
def complete_action(problem_id: str, action_id: str, actor: str | None) -> None:
    """Corrective action ACTION_ID is done."""
    _send(ProblemCommandType.COMPLETE_ACTION, problem_id, actor, action_id=action_id)


def _send(kind: ProblemCommandType, problem_id: str, actor: str | None, **arguments: Any) -> None:
    who = actor or user_name()
    given = {name: value for name, value in arguments.items() if value is not None}
    own_id = f"cli-{uuid4().hex}"
    command = ProblemCommand(command_id=own_id, type=kind, actor=who, problem_id=problem_id, **given)
    send_command(environment_settings(), command, topic=PROBLEM_COMMANDS_TOPIC, key=problem_id)
    click.echo(f"{kind.replace('_', ' ')} {problem_id}: sent; `spillway problem show {problem_id}` has the answer")


def _table(found: list[dict[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("Problem", "State", "Incidents", "Last seen", "Owner", "Title"):
        table.add_column(name, justify="right" if name == "Incidents" else "left", no_wrap=name != "Title")
    for each in found:
        owner = each.get("assignee") or each.get("owner") or "nobody"
        count, seen = str(each.get("occurrences_total", "")), _day(each.get("last_seen_ms"))
        cells = (each["id"], each["state"].replace("_", " "), count, seen, owner, each.get("title", ""))
        table.add_row(*map(Text, cells))
    return table


def tell(console: Console, found: dict[str, Any]) -> None:
    """A problem for people."""
    console.print(Text(f"{found['id']}  {found['title']}, {found['state'].replace('_', ' ')}", style="bold"))
    console.print(Text(f"   opened because {found['because']}; owner {found.get('owner') or 'nobody'}"))
    for name in ("cause", "workaround", "fix"):
        if found.get(name):
            console.print(Text(f"   {name}: {found[name]}"))
    for name, times in found.get("changes", {}).items():
        console.print(Text(f"   change {name} is suspected by {times} of its incidents"))
    console.print(Text(f"   {found['occurrences_total']} incidents:"))
    for each in found["occurrences"]:
        said = f"{each['priority']}  {each['incident_id']}  {each['title']}"
        console.print(Text(f"      {_day(each['opened_at_ms'])}  {said}"))
    for each in found["actions"]:
        due = f", due {each['due_date']}" if each["due_date"] else ""
        who = each["owner"] or "nobody"
        console.print(Text(f"   action {each['id']} ({each['state']}{due}, {who}): {each['text']}"))
    for entry in found["timeline"]:
        console.print(Text(f"   {_moment(entry['at_ms'])}  {entry['actor']}: {entry['text']}"))


def _day(time_ms: int | None) -> str:
    return _moment(time_ms)[:10] if time_ms else ""


def _moment(time_ms: int) -> str:
    return rfc3339(time_ms)[:19].replace("T", " ")
