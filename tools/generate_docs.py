"""Writes the generated parts of the documentation: ``python -m tools.generate_docs``.

A generated part stands between ``<!-- generated: NAME -->`` and ``<!-- end -->``. What it holds comes from the code
or from a replay of the stories, so the documentation cannot say something else than they do. ``tests/test_docs.py``
fails when a part is stale.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Sequence
from dataclasses import fields
from inspect import getdoc
from pathlib import Path
from typing import Final

from pydantic import BaseModel

from pipeline import settings as settings_module
from pipeline.catalog.schema_words import attributes
from pipeline.core.alerts.enrich import MATCHING
from pipeline.core.practice import lifecycle
from pipeline.feeds import DEFAULT_FEEDS
from pipeline.flow import DAY_MS, MEBIBYTE, STAGES, Topic, topics
from pipeline.kafka.grants import COMPONENTS, FURTHER_COMPONENTS, grants_of
from pipeline.models.correlation_rules import LIST_FACTS, NUMBER_FACTS, TEXT_FACTS, CorrelationRule, Window
from pipeline.models.incident import IncidentChange
from pipeline.runtime.log_events import EVENTS
from pipeline.settings import VARIABLES, Settings
from tools import (
    api_parts,
    backtests,
    command_parts,
    explanations,
    hidden,
    picture,
    sink_parts,
    sizing_parts,
    story_parts,
)
from tools.incident_words import PARTS, WHOLE
from tools.observability.objectives import OBJECTIVES
from tools.observability.series import every_series
from tools.story_parts import fenced

ROOT: Final = Path(__file__).parent.parent
PICTURE: Final = ROOT / "docs" / "pictures" / "demo.svg"
PAGES: Final = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md", "docs/**/*.md")

_PART: Final = re.compile(r"(<!-- generated: ([a-z-]+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def pages() -> list[Path]:
    """All pages of the documentation, in a fixed order."""
    return sorted(path for pattern in PAGES for path in ROOT.glob(pattern))


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    """A Markdown table."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


# -- from the code


def settings_table() -> str:
    """Every setting with its variable, default, allowed values and meaning."""
    meanings = _attributes(Settings)
    defaults = Settings()
    return table(
        ("variable", "default", "allowed", "meaning"),
        [
            (f"`{name}`", _default(getattr(defaults, field)), settings_module._ALLOWED[field], meanings[field])
            for field, name in VARIABLES.items()
        ],
    )


def _default(value: object) -> str:
    if value in {None, "", ()}:
        return "not set"
    return f"`{value:g}`" if isinstance(value, float) else f"`{value}`"


def _attributes(documented: type) -> dict[str, str]:
    """The ``Attributes`` section of a docstring: name -> meaning, in one line each."""
    section = (getdoc(documented) or "").partition("Attributes:\n")[2]
    found: dict[str, str] = {}
    name = ""
    for line in section.splitlines():
        if match := re.match(r" {4}(\w+): (.*)", line):
            name = match[1]
            found[name] = match[2]
        elif name and line.strip():
            found[name] += " " + line.strip()
    return {name: _sentence(text.replace("``", "`")) for name, text in found.items()}


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def grants_table() -> str:
    """What each component may do on the brokers, resources with the same operations together."""
    rows: list[tuple[str, ...]] = []
    for component in (*COMPONENTS, *FURTHER_COMPONENTS):
        together: dict[tuple[str, str], list[str]] = {}
        for grant in grants_of(Settings(), component):
            name = f"`{grant.name}{'*' if grant.prefixed else ''}`"
            together.setdefault((grant.resource, ", ".join(grant.operations)), []).append(name)
        rows += [(f"`{component}`", kind, words, ", ".join(names)) for (kind, words), names in together.items()]
    return table(("component", "resource", "operations", "names"), rows)


def rule_fields() -> str:
    """Every field of a correlation rule."""
    return _model_fields(CorrelationRule, ("join", "min_count", "match", "when", "group_by", "window", "with", "title"))


def window_fields() -> str:
    """Every field of a correlation rule's window."""
    return _model_fields(Window, ("kind", "seconds", "max_seconds"))


def _model_fields(model: type[BaseModel], names: tuple[str, ...]) -> str:
    words = attributes(model)
    return table(("field", "meaning"), [(f"`{name}`", words[name]) for name in names])


def rule_facts() -> str:
    """Every fact that a correlation rule can ask for."""
    rows = [(f"`{name}`", "text", _sentence(words)) for name, words in TEXT_FACTS.items()]
    rows += [(f"`{name}`", "number", _sentence(words)) for name, words in NUMBER_FACTS.items()]
    rows += [(f"`{name}`", "list of texts", _sentence(words)) for name, words in LIST_FACTS.items()]
    rows.append(("`labels.NAME`", "text", "A label, as the source spells it"))
    return table(("fact", "kind", "meaning"), rows)


def matching_table() -> str:
    """The order in which the entity of an alert is looked for."""
    rows = [(str(number), _sentence(way.looks_at), way.matched_by) for number, way in enumerate(MATCHING, start=1)]
    return table(("", "what is looked at", "`matched_by`"), rows)


def metrics_table() -> str:
    """Every series of a worker, of the gateway, the shadow and the console with its type, labels and meaning."""
    rows = [
        (f"`{each.name}`", each.kind, ", ".join(f"`{label}`" for label in each.labels) or "none", each.meaning)
        for each in every_series()
    ]
    return table(("series", "type", "labels", "meaning"), rows)


def objectives_table() -> str:
    """The service level objectives with the alert that guards each."""
    rows = [(each.words, f"[`{each.alert}`](runbooks/{each.alert}.md)") for each in OBJECTIVES]
    return table(("objective", "alert"), rows)


def stages_table() -> str:
    """The stages in flow order."""
    return table(
        ("stage", "reads", "writes", "state", "purpose"),
        [
            (
                f"`{stage.name}`",
                ", ".join(f"`{topic}`" for topic in stage.reads),
                ", ".join(f"`{topic}`" for topic in stage.writes),
                _state_words(stateful=stage.stateful, timers=stage.timers),
                stage.purpose,
            )
            for stage in STAGES
        ],
    )


def _state_words(*, stateful: bool, timers: bool) -> str:
    return "none" if not stateful else "changelog, timers" if timers else "changelog"


def flow_diagram() -> str:
    """The flow as a Mermaid diagram: topics between stages. Dead letters are left out; every stage writes them."""
    lines = ["flowchart LR"]
    lines += [f"    {stage.name}[{stage.name}]" for stage in STAGES]
    shown: dict[str, str] = {}
    edges = []
    for stage in STAGES:
        for topic in stage.reads:
            edges.append(f"    {_node(topic, shown)} --> {stage.name}")
        for topic in stage.writes:
            if topic != "dead.letter":
                edges.append(f"    {stage.name} --> {_node(topic, shown)}")
    lines += [f'    {node}(["{topic}"])' for topic, node in shown.items()]
    return fenced("mermaid", "\n".join([*lines, *edges]))


def _node(topic: str, shown: dict[str, str]) -> str:
    return shown.setdefault(topic, "t_" + re.sub(r"\W+", "_", topic).strip("_"))


def topics_table() -> str:
    """The topics as ``spillway topics apply`` makes them."""
    rows = [_topic_row(topic) for topic in topics(("<feed>",))]
    return table(("topic", "key", "partitions", "kept", "largest record"), rows)


def _topic_row(topic: Topic) -> tuple[str, ...]:
    days = "" if topic.retention_ms is None else f"{topic.retention_ms // DAY_MS} days"
    kept = ", ".join(word for word in ("the newest of each key" if topic.compact else "", days) if word)
    partitions = "as set" if topic.partitions is None else str(topic.partitions)
    return f"`{topic.name}`", topic.key, partitions, kept, f"{topic.record_bytes_max // MEBIBYTE} MiB"


def packages_table() -> str:
    """The packages and single files of ``pipeline``, each in the words of its docstring."""
    places = [path.parent for path in (ROOT / "pipeline").glob("*/__init__.py")]
    places += [path for path in (ROOT / "pipeline").glob("*.py") if not path.name.startswith("__")]
    rows = []
    for place in sorted(places, key=lambda each: (each.is_file(), each.name)):
        source = place if place.is_file() else place / "__init__.py"
        name = f"pipeline/{place.name}{'' if place.is_file() else '/'}"
        rows.append((f"[`{name}`]({name})", _first_words(source)))
    return table(("where", "what"), rows)


def core_table() -> str:
    """The files of the core by package, each in the words of its docstring; what all share first."""
    core = ROOT / "pipeline" / "core"
    packages = [core, *sorted(path.parent for path in core.glob("*/__init__.py"))]
    return "\n".join(map(_package_table, packages))


def _package_table(package: Path) -> str:
    where = package.relative_to(ROOT)
    files = sorted(path for path in package.glob("*.py") if path.name != "__init__.py")
    head = f"**[`{where}/`]({where}/)**: {_first_words(package / '__init__.py')}"
    rows = [(f"[`{path.name}`]({where}/{path.name})", _first_words(path)) for path in files]
    return f"{head}\n\n{table(('file', 'what'), rows)}"


def _first_words(path: Path) -> str:
    paragraph = (ast.get_docstring(ast.parse(path.read_text())) or "").split("\n\n")[0].replace("\n", " ")
    return re.split(r"(?<=\.) (?=[A-Z])", paragraph)[0].replace("``", "`")


def lifecycle_diagram() -> str:
    """The lifecycle's transition table as a diagram."""
    return fenced("mermaid", lifecycle.diagram())


def transitions_table() -> str:
    """The same as a table."""
    return table(
        ("state", "step", "next state"),
        [(f"`{before}`", f"`{step}`", f"`{after}`") for (before, step), after in lifecycle.TRANSITIONS.items()],
    )


def snapshot_fields() -> str:
    """Every field of the snapshot in words, then those of its parts."""
    _, whole, words = WHOLE
    parts = [table(("field", "meaning"), [(f"`{each.name}`", words[each.name]) for each in fields(whole)])]
    for title, part, words_of_part in PARTS:
        rows = [(f"`{each.name}`", words_of_part[each.name]) for each in fields(part)]
        parts.append(f"{title}:\n\n{table(('field', 'meaning'), rows)}")
    return "\n".join(parts)


def change_words() -> str:
    """The words that a revision can be about, the highest-ranking first."""
    return ", ".join(f"`{change}`" for change in IncidentChange) + ".\n"


def log_events_table() -> str:
    """Every event that is logged, with its level and meaning."""
    rows = [(f"`{name}`", event.level, event.meaning.replace("``", "`")) for name, event in EVENTS.items()]
    return table(("event", "level", "means"), rows)


# -- from a replay of the stories


GENERATORS: Final[dict[str, Callable[[], str]]] = {
    "settings": settings_table,
    "grants": grants_table,
    "matching": matching_table,
    "rule-fields": rule_fields,
    "window-fields": window_fields,
    "rule-facts": rule_facts,
    "metrics": metrics_table,
    "objectives": objectives_table,
    "log-events": log_events_table,
    "stages": stages_table,
    "flow": flow_diagram,
    "topics": topics_table,
    "packages": packages_table,
    "core": core_table,
    "lifecycle": lifecycle_diagram,
    "transitions": transitions_table,
    "snapshot": snapshot_fields,
    "changes": change_words,
    "event": story_parts.example_event,
    "decision": story_parts.example_decision,
    "change-line": story_parts.example_change,
    "feeds": lambda: ", ".join(f"`{name}`" for name in DEFAULT_FEEDS) + ".\n",
    "story": story_parts.story_in_words,
    "explain-others": lambda: fenced("", explanations.not_the_nearest()),
    "explain-facts": lambda: fenced("json", explanations.facts_of_the_nearest()),
    "suppression-record": lambda: fenced("json", hidden.record()),
    "suppression": lambda: fenced("", hidden.report()),
    "backtest": backtests.comparison,
    "commands": command_parts.overview,
    "redacted-fields": backtests.redacted_fields,
    "sink-facts": sink_parts.facts_table,
    "sizing": lambda: table(*sizing_parts.plans()),
    "sizing-costs": lambda: table(("cost", "value", "", "from"), sizing_parts.cost_rows()),
    "api-operations": lambda: table(("operation", "what"), api_parts.operations()),
    "explain-flapping": lambda: fenced("", explanations.a_flapping_condition()),
}


def render(text: str) -> str:
    """A page with its generated parts made anew.

    Raises:
        KeyError: a part has a name that nothing generates.
    """
    return _PART.sub(lambda part: f"{part[1]}\n{GENERATORS[part[2]]()}\n{part[4]}", text)


def main() -> None:
    """Write every page whose generated parts changed, the picture, and the API's description."""
    for page in pages():
        text = page.read_text()
        if (rendered := render(text)) != text:
            page.write_text(rendered)
            sys.stdout.write(f"wrote {page.relative_to(ROOT)}\n")
    drawn = picture.draw()
    if not PICTURE.exists() or picture.texts(PICTURE.read_text()) != picture.texts(drawn):
        PICTURE.write_text(drawn)
        sys.stdout.write(f"wrote {PICTURE.relative_to(ROOT)}\n")
    described = api_parts.text()
    if not api_parts.DOCUMENT.exists() or api_parts.DOCUMENT.read_text() != described:
        api_parts.DOCUMENT.write_text(described)
        sys.stdout.write(f"wrote {api_parts.DOCUMENT.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
