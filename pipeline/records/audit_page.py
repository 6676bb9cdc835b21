"""An audit as HTML: one incident a section, without scripts, with all that a verifier needs in it.

What people read is made of the evidence alone, so a verifier makes it again and sees where somebody has changed it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, Final

ARTICLE_BEGIN: Final = '<article class="incident" id="'
ARTICLE_END: Final = "</article>"
EVIDENCE_BEGIN: Final = '<pre class="evidence">'
EVIDENCE_END: Final = "</pre>"

STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1b1f; max-width: 62rem; margin: 2rem auto; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.2rem; border-bottom: 1px solid #999 } h3 { font-size: 1rem }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 } caption { text-align: left; font-weight: 600 }
th, td { text-align: left; vertical-align: top; padding: .2rem .6rem .2rem 0; border-bottom: 1px solid #ddd }
td { overflow-wrap: anywhere } code, pre { font: 12px/1.4 ui-monospace, monospace; overflow-wrap: anywhere }
pre.evidence { white-space: pre-wrap; color: #555 } .broken { color: #a00000; font-weight: 700 }
@media print { article { break-before: page } details:not([open]) { display: none } a { color: inherit } }
"""

_FACTS: Final = (
    ("state", "state"),
    ("priority", "priority"),
    ("domain", "domain"),
    ("service", "service"),
    ("owner", "owner"),
    ("policy_version", "policy"),
)


def section(document: dict[str, Any]) -> str:
    """The section of one incident; the same for the same document, byte for byte. Ends with a newline."""
    return "\n".join(_section(document)) + "\n"


def _section(document: dict[str, Any]) -> Iterator[str]:
    incident = document["incident"]
    yield f'{ARTICLE_BEGIN}{_t(incident["id"])}">'
    yield f"<h2>{_t(incident['id'])} {_t(incident['priority'])} {_t(incident['title'])}</h2>"
    yield "<p>" + ", ".join(f"{word} {_t(incident[name] or 'none')}" for name, word in _FACTS) + "</p>"
    if resolution := incident.get("resolution"):
        yield f"<p>Resolution: {_t(_words(resolution))}</p>"
    yield f"<p>{_seal(document)}</p>"
    yield from _table("Actions", ("on record", "happened", "who", "what", "why and changes"), _actions(document))
    yield from _table("Deliveries", ("when", "to", "way", "outcome", "revision", "attempt"), _deliveries(document))
    yield from _table("Communications", ("what was told",), ((_words(each),) for each in document["communications"]))
    yield from _table("Duties", ("what is owed",), ((_words(each),) for each in document["duties"]))
    yield from _table("Access", ("when", "who", "to what", "answer"), _accesses(document))
    # In ASCII: what would turn a line around, or steer a terminal, is written out.
    evidence = json.dumps(document, separators=(",", ":"))
    yield "<details><summary>Evidence: what <code>spillway audit verify</code> reads</summary>"
    yield f"{EVIDENCE_BEGIN}{escape(evidence)}{EVIDENCE_END}"
    yield "</details>"
    yield ARTICLE_END


def entry(document: dict[str, Any]) -> str:
    """The line of an incident in the table of contents."""
    incident = document["incident"]
    intact = "" if document["intact"] else ' <span class="broken">NOT INTACT</span>'
    about = f"{_t(incident['id'])}</a> {_t(incident['priority'])} {_t(incident['title'])}"
    return f'<li><a href="#{_t(incident["id"])}">{about}{intact}</li>\n'


def head(title: str, facts: Sequence[tuple[str, str]], verdict: str, *, intact: bool) -> str:
    """The beginning of the page, up to the table of contents."""
    mark = "" if intact else ' class="broken"'
    rows = "".join(f'<tr><th scope="row">{_t(name)}</th><td>{_t(value)}</td></tr>' for name, value in facts)
    return (
        f'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>{_t(title)}</title>\n'
        f"<style>{STYLE}</style>\n</head>\n<body>\n<h1>{_t(title)}</h1>\n<p{mark}>{_t(verdict)}</p>\n"
        f"<table>{rows}</table>\n<h2>How to verify it</h2>\n"
        "<p>Each revision of an incident has a seal: SHA-256 of the seal before it, a line feed, and what was done, as "
        "it stands in the evidence. <code>spillway audit verify FILE</code> computes all seals again and makes this "
        "text again from the evidence; <code>--against-store</code> says whether the records store tells the same."
        "</p>\n<h2>Incidents</h2>\n<ol>\n"
    )


CONTENTS_END: Final = "</ol>\n"
TAIL: Final = "</body>\n</html>\n"


def _seal(document: dict[str, Any]) -> str:
    sealed, older = len(document["revisions"]), document.get("unsealed_revisions", 0)
    more = f", {older} of an older release without a seal" if older else ""
    if document["intact"]:
        return f"Chain intact: {sealed} revisions{more}, newest seal <code>{_t(document['seal'] or 'none')}</code>"
    broken = document["broken"]
    where = f"revision {broken['revision']}: {broken['what']}"
    return f'<span class="broken">Chain NOT INTACT at {_t(where)}</span>'


def _actions(document: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    for each in document["actions"]:
        changes = "; ".join(
            f"{name}: {_words(pair['before'])} -> {_words(pair['after'])}" for name, pair in each["changed"].items()
        )
        why = f"{each['why']} ({changes})" if changes else each["why"]
        yield each["recorded_at"], each["happened_at"], each["actor"], each["action"], why


def _deliveries(document: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    names = ("at", "sink", "direction", "outcome", "revision", "attempt")
    yield from (tuple(_words(each[name]) for name in names) for each in document["deliveries"])
    if (left := document["deliveries_total"] - len(document["deliveries"])) > 0:
        yield (f"and {left} more", "", "", "", "", "")


def _accesses(document: dict[str, Any]) -> Iterator[tuple[str, ...]]:
    yield from (
        (each["at"], each["subject"] or "nobody known", each["action"], str(each["status"]))
        for each in document["accesses"]
    )
    if (left := document["accesses_total"] - len(document["accesses"])) > 0:
        yield (f"and {left} more", "", "", "")


def _table(caption: str, names: Sequence[str], rows: Iterator[tuple[str, ...]]) -> Iterator[str]:
    body = [f"<tr>{''.join(f'<td>{_t(cell)}</td>' for cell in row)}</tr>" for row in rows]
    if not body:
        yield f"<p>{_t(caption)}: none.</p>"
        return
    yield f"<table><caption>{_t(caption)}</caption>"
    columns = "".join(f'<th scope="col">{_t(name)}</th>' for name in names)
    yield f"<thead><tr>{columns}</tr></thead>"
    yield "<tbody>"
    yield from body
    yield "</tbody></table>"


def _words(value: Any) -> str:
    if value in (None, ""):
        return "none"
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_words(each)}" for name, each in value.items() if each not in (None, "", [], {}))
    if isinstance(value, list):
        return "; ".join(map(_words, value))
    return str(value)


def _t(value: Any) -> str:
    """Text that is no markup, on one line, without what the printed page would act on."""
    return escape("".join(each if each.isprintable() else " " for each in str(value)))
