"""Explanations in words, for people. Texts come from outside, so none is read as markup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from pipeline.cli.explain_words import (
    BEGAN_WORDS,
    BIAS_WORDS,
    ENDED_WORDS,
    EVIDENCE_WORDS,
    HIDDEN_WORDS,
    REASON_WORDS,
    WHY_NOT_WORDS,
    by_words,
)
from pipeline.cli.incident_view import PRIORITY_STYLES

EPISODES_SHOWN_MAX: Final = 100
"""Of an incident; thousands may be in it, and nobody reads more from a screen. ``--json`` has all."""


def show(console: Console, document: dict[str, Any]) -> None:
    """An explanation, whatever it is about."""
    if document["kind"] == "alert":
        _show_alert(console, document)
    elif document["kind"] == "episode":
        _show_episode(console, document)
    else:
        _show_incident(console, document)


def _show_incident(console: Console, document: dict[str, Any]) -> None:
    """An incident or bridge incident, and why it is as it is."""
    _head(console, document)
    _versions(console, document)
    _section(console, f"Why {document['priority']}", _priority_lines(document))
    if document["kind"] == "bridge":
        _section(console, "Major Incident", _major_lines(document))
        _section(console, "Members", map(_title, document["members"]))
        _section(console, "Linked", map(_linked_line, document["linked"] or []))
    else:
        _section(console, "Episodes", _episode_lines(document["episodes"]))
        first = document["episodes"][0] if document["episodes"] else {}
        _section(console, "Why not another incident", _other_lines(first))
        _section(console, "Suspects", _suspect_lines(document["suspects"] or []))
        _section(console, "Told as the cause", (_dated(each) for each in document["identified"]))
    _section(console, "Called", (_dated(each) for each in document["called"]))
    _section(console, "Links", _link_lines(document))


def _show_alert(console: Console, document: dict[str, Any]) -> None:
    """Alerts, what became of each, and the episodes that they are of."""
    _section(console, "Alerts", _alert_lines(document), first=True)
    if len(counts := document.get("counts", ())) > 1 or document.get("omitted"):
        _section(console, "In all", (f"{each['alerts']} {_came_to(each)}" for each in counts))
    _section(console, "Hidden", _hidden_lines(document["hidden"]))
    if not document["episodes"]:
        _say(console, "\nNo incident has it.")
    for episode in document["episodes"]:
        _say(console, "")
        _show_episode(console, episode)


def _show_episode(console: Console, document: dict[str, Any]) -> None:
    """An episode: its incident, why that one, and why not the nearest others."""
    _say(console, f"{document['episode_id']} is in", bold=True)
    _head(console, document["incident"])
    _versions(console, document)
    for joined in document["because"]:
        _section(console, f"Why {joined['incident_id']}", _joined_lines(joined))
        _section(console, "Why not another", _other_lines(joined))
    _section(console, "Moved", map(_move_line, document["moves"]))
    _section(console, "Hidden", _hidden_lines(document["hidden"]))
    _section(console, "History", (f"{_dated(each)}  ({each['incident_id']})" for each in document["history"]))


def _head(console: Console, document: dict[str, Any]) -> None:
    priority = str(document["priority"] or "")
    parts = Text.assemble(
        (str(document["id"]), "bold"),
        "  ",
        (priority, PRIORITY_STYLES.get(priority, "")),
        f"  {document['state']}  {document['title']}",
    )
    console.print(parts, soft_wrap=True)


def _title(member: dict[str, Any]) -> str:
    return f"{member['id']}  {member['priority']}  {member['state']}  {member['title']}"


def _major_lines(document: dict[str, Any]) -> Iterator[str]:
    """What makes it a Major Incident, who leads, and how far it is."""
    major = document["major"]
    if major is None:
        return
    rule = f" by rule '{major['rule']}'" if major["rule"] else ""
    yield f"{major['phase']} by {major['by']}{rule}: {'; '.join(major['because'])}"
    if document["status"]:
        yield f"status {document['status']}, commander {document['commander'] or 'nobody'}"
    if document["corrected"] is not None:
        yield f"impact put right by {document['corrected']['by']}: {document['corrected']['because']}"


def _linked_line(row: dict[str, Any]) -> str:
    return f"{row['member']}  {row['kind'].replace('_', ' ')} {row['id']}  {row['state'] or 'state unknown'}"


def _versions(console: Console, document: dict[str, Any]) -> None:
    """What was in force when it was decided."""
    policy = f"{document['domain']} {document['policy_version']}"
    _say(console, f"Policy {policy}, configuration {document['config_version']}")


def _priority_lines(document: dict[str, Any]) -> Iterable[str]:
    if document["priority_by"]:
        yield f"set by {document['priority_by']}"
    yield from document["priority_because"] or []
    for entry in document["priority_history"]:
        yield _dated(entry)


def _alert_lines(document: dict[str, Any]) -> Iterator[str]:
    for alert in document["alerts"]:
        place = f"{alert['topic']}:{alert['partition']}:{alert['offset']}:{alert['index']}"
        yield f"{_clock(alert['at'])}  {place}  {_came_to(alert)}"
        if alert.get("summary"):
            about = f", about {alert['entity']}" if alert.get("entity") else ""
            yield f"    {alert['kind']}, {alert['severity']}, from {alert['feed']}{about}: {alert['summary']}"
        yield f"    {alert['because']}"
        if alert.get("times", 1) > 1:
            yield f"    and {alert['times'] - 1} more that came to the same, until {_clock(alert['last_at'])}"
    if document.get("omitted"):
        yield f"and {document['omitted']} more"


def _hidden_lines(hidden: list[dict[str, Any]]) -> Iterator[str]:
    """What nobody was told of, or later: for how long, by what, how it ended, and who was not called."""
    for each in hidden:
        alerts = f"{each['alerts']} alert{'' if each['alerts'] == 1 else 's'}"
        yield f"{_clock(each['since'])} to {_clock(each['until'])}  {alerts}: {each['summary']}"
        by = f", by {each['let_in_by']}" if each["let_in_by"] else ""
        yield f"    {HIDDEN_WORDS.get(each['what'], each['what'])}; {ENDED_WORDS.get(each['ended'], each['ended'])}{by}"
        if (found := by_words(each["decided_by"])) is not None:
            yield f"    {found}"
        elif each["decided_by"]:
            told = ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in each["decided_by"].items())
            yield f"    decided by {told}"
        people = ", ".join(dict.fromkeys(f"{page.get('person')} for {page.get('service')}" for page in each["pages"]))
        if people:
            yield f"    as {each['priority']} it would have called {people}"


def _came_to(each: dict[str, Any]) -> str:
    return f"{each['disposition'].replace('_', ' ')} ({each['reason'].replace('_', ' ')})"


def _episode_lines(episodes: list[dict[str, Any]]) -> Iterator[str]:
    for joined in islice(episodes, EPISODES_SHOWN_MAX):
        yield from _joined_lines(joined)
    if len(episodes) > EPISODES_SHOWN_MAX:
        yield f"and {len(episodes) - EPISODES_SHOWN_MAX} more, which --json lists"


def _joined_lines(joined: dict[str, Any]) -> Iterator[str]:
    yield f"{', '.join(joined['episodes'])}  {_dated(joined)}"
    yield f"    {REASON_WORDS.get(joined['reason'], joined['reason'].replace('_', ' '))}"
    if joined["evidence"]:
        least = f"; from {joined['join_at_least']:.2f} on it joins" if joined["join_at_least"] is not None else ""
        yield f"    {_sum(joined)}: log-odds {joined['log_odds']:+.2f}, probability {joined['score']:.2f}{least}"
    if joined.get("rule"):
        yield f"    rule {joined['rule']}"
    if joined["began"] in BEGAN_WORDS:
        yield f"    {BEGAN_WORDS[joined['began']]}"
    if joined["config_version"]:
        yield f"    decided by configuration {joined['config_version']}"


def _other_lines(joined: dict[str, Any]) -> Iterator[str]:
    """Each of the nearest incidents: how near it was, what kept the episode out, what spoke for and against."""
    if joined.get("others") == [] and joined["reason"] == "first_symptom":
        yield "nothing open spoke for it: no incident about the same, what that needs, or where that runs"
    for other in joined.get("others") or ():
        yield f"{other['incident_id']}  {other['title'] or 'which is not kept'}"
        rule = f": {other['rule']}" if other.get("rule") else ""
        yield f"    {WHY_NOT_WORDS.get(other['why'], other['why'].replace('_', ' '))}{rule}"
        if other["evidence"]:
            speaks = {name: value for name, value in other["evidence"].items() if value > 0}
            against = {name: value for name, value in other["evidence"].items() if value <= 0}
            yield f"    for it: {_contributions(speaks) or 'nothing'}"
            yield f"    against it: {_contributions(against) or 'nothing'}"
            missing = f", which is {other['missing']:.2f} too little" if other["missing"] is not None else ""
            yield f"    log-odds {other['log_odds']:+.2f}, probability {other['score']:.2f}{missing}"


def _sum(weighed: dict[str, Any]) -> str:
    return f"{_contributions(weighed['evidence'])}, {BIAS_WORDS} {weighed['bias']:+.2f}"


def _contributions(evidence: dict[str, float]) -> str:
    return ", ".join(f"{EVIDENCE_WORDS.get(name, name)} {value:+.2f}" for name, value in evidence.items())


def _move_line(move: dict[str, Any]) -> str:
    by = f"by {move['by']}: " if move["by"] else ""
    return f"{_clock(move['at'])}  {move['from']} -> {move['to']}  {move['way']} {by}{move['text']}"


def _suspect_lines(suspects: list[dict[str, Any]]) -> Iterable[str]:
    for rank, suspect in enumerate(suspects, 1):
        yield f"{rank}. {suspect['ref']} ({suspect['score']:.2f}): {'; '.join(suspect['because'])}"


def _link_lines(document: dict[str, Any]) -> Iterable[str]:
    for link in document["links"] or []:
        yield " ".join(str(link[name]) for name in ("kind", "id", "state", "url") if link.get(name))
    if document["merged_into"]:
        yield f"merged into {document['merged_into']}"
    for entry in document["regrouped"]:
        yield _dated(entry)


def _section(console: Console, title: str, lines: Iterable[str], *, first: bool = False) -> None:
    found = list(lines)
    if found:
        _say(console, title if first else f"\n{title}", bold=True)
        for line in found:
            _say(console, f"  {line}")


def _say(console: Console, words: str, *, bold: bool = False) -> None:
    console.print(Text(words, "bold" if bold else ""), soft_wrap=True)


def _dated(entry: dict[str, Any]) -> str:
    return f"{_clock(entry['at'])}  {entry['text']}"


def _clock(at: datetime | None) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}Z" if at is not None else "at an unknown time"
