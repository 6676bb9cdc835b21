"""What is tried inside the cage: each function attacks one language of the configuration and says what came of it."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from random import Random
from tempfile import mkdtemp
from typing import Any, Final

import orjson

from pipeline.core.alerts.ingest import IngestProcessor
from pipeline.core.alerts.rules import PatternError
from pipeline.core.alerts.rules import compiled as pattern
from pipeline.core.communication.templates import (
    FACT_CHARACTERS_MAX,
    LIST_ITEMS_MAX,
    MESSAGE_CHARACTERS_MAX,
    RenderError,
    TemplateProblem,
    compiled,
)
from pipeline.core.expressions import COSTLY_INPUT_BYTES_MAX, ExpressionError, Scope
from pipeline.core.step import Effects, StreamRecord
from pipeline.feeds import ADAPTERS
from pipeline.feeds.declarative.paths import PathError, compile_path
from pipeline.flow import RAW_TOPIC_PREFIX
from pipeline.models.decision import BadRecord
from pipeline.models.policy import Config
from tests.core.test_templates import ESCAPES
from tests.fuzz.mutants import FEEDS

SEED: Final = 20_261_201
TEMPLATES_TRIED: Final = 1_500
CONDITIONS_TRIED: Final = 600

_TEXT: Final = "x" * FACT_CHARACTERS_MAX
_TEXTS: Final = (_TEXT,) * LIST_ITEMS_MAX
FULL: Final[dict[str, Any]] = {
    "service": _TEXT,
    "services": _TEXTS,
    "now": 1_773_140_400_000,
    "since": 1_773_140_000_000,
    "timezone": "Europe/Amsterdam",
    "currency": "EUR",
    "suspects": ({"title": _TEXT, "because": _TEXTS, "change": _TEXT},) * LIST_ITEMS_MAX,
    "nothing": None,
}
"""Facts at their largest: every list full of the longest texts."""

_LOOPS: Final = "{% for a in suspects %}{% for b in a.because %}", "{% endfor %}{% endfor %}"
GREEDY_TEMPLATES: Final = {
    "a list printed whole in two loops": _LOOPS[0] + "{{ suspects }}" * 20 + _LOOPS[1],
    "lists joined to one text": "{{ " + " ~ ".join(["suspects"] * 700) + " }}",
    "lists joined and compared in two loops":
        _LOOPS[0] + "{% if suspects ~ suspects ~ suspects == 'x' %}{% endif %}" * 5 + _LOOPS[1],
    "text in two loops": _LOOPS[0] + "y" * 7_000 + _LOOPS[1],
    "filters on filters": "{{ " + "service" + " | plural('s')".replace("plural('s')", "upper") * 30 + " }}",
    "titles of everything": _LOOPS[0] + "{{ services | titles(8) }}" * 10 + _LOOPS[1],
    "a number of three hundred digits": "{{ 1e308 | number }}" * 300,
    "blank lines": _LOOPS[0] + "\n" * 6_000 + _LOOPS[1],
}  # fmt: skip

_PIECES: Final = (
    "{{ service }}", "{{ services|titles }}", "{{ services }}", "{% if service %}", "{% else %}", "{% endif %}",
    "{% for a in suspects %}", "{% for b in a.because %}", "{% for each in services %}", "{% endfor %}",
    "{{ a.title }}", "{{ a.because|length }}", "{{ loop.index }}", "{{ b }}", "{{ since|local_time }}",
    "{{ since|local_time('../../etc/passwd') }}", "{{ since|local_time('/etc/passwd') }}",
    "{{ since|local_date('Asia/Tokyo') }}", "{{ 'a' ~ service ~ 1 }}", "{{ service|upper|lower }}",
    "{{ service.__class__ }}", "{{ services[0] }}", "{{ services['__len__'] }}", "{{ suspects[0].because }}",
    "{{ 3|plural('x') }}", "{{ nothing }}", "{{ range(9) }}", "{{ 9 ** 9 }}", "{% set a = 1 %}",
    "{% include 'a' %}", "{{ cycler }}", "{{ self }}", "{{ service if service == 'x' else nothing }}",
    "{{ service in services }}", "{{ [service, service] }}", "{{ (1, 2)|length }}", "{#", "#}", "{%", "%}", "{{",
    "}}", " ", "\n", "Subject: ", "text ", "{% raw %}", "{% endraw %}", "é", "\u202e", "\x00",
)  # fmt: skip


def _rendered(source: str) -> str:
    """What became of a template."""
    try:
        said = compiled(source).render(FULL)
    except TemplateProblem:
        return "refused"
    except RenderError:
        return "not rendered"
    assert len(said.text) <= MESSAGE_CHARACTERS_MAX
    assert "root:" not in said.text
    return "rendered"


def escapes() -> dict[str, int]:
    """Every known way out of a Jinja sandbox, and texts made of pieces by chance."""
    random = Random(SEED)  # noqa: S311  # the same attacks every time
    made = ("".join(random.choices(_PIECES, k=random.randint(1, 14))) for _ in range(TEMPLATES_TRIED))
    return dict(Counter(_rendered(source) for source in (*ESCAPES, *made)))


def greedy_templates() -> dict[str, float]:
    """Processor seconds of each template that is allowed and wants as much as it can get."""
    found = {}
    for name, source in GREEDY_TEMPLATES.items():
        began = time.process_time()
        _rendered(source)
        found[name] = time.process_time() - began
    return found


# -- conditions

SCOPE: Final = Scope({"member": "any", "headers": "object"})
CONDITIONS_THAT_REACH_OUT: Final = (
    "open('/etc/passwd') == ''", "member.__class__ == 1", "member.getClass() == 1", "env('HOME') == ''",
    "exec('id') == ''", "import('os') == 1", "java.lang.System.exit(0) == 1", "type(member).load('x') == 1",
    "http.get('http://127.0.0.1/') == ''", "file('/etc/passwd').size() > 0", "member.matches(member)",
    "google.protobuf.Any{type_url: 'x'} == null", "google.protobuf.Struct{} == null", "dyn(member).constructor == 1",
)  # fmt: skip
_HEAVY: Final[dict[str, Any]] = {
    "numbers": list(range(2_000)),
    "minus": [-1] * 2_000,
    "text": "ab" * 7_000,
}
_NESTED: Final = {"list": list(range(900))}
GREEDY_CONDITIONS: Final = {
    "every member with every other": ("member.minus.exists(x, x in member.numbers)", _HEAVY),
    "a pattern for each member": ("member.numbers.all(x, member.text.matches('(a|aa)*c$'))", _HEAVY),
    "three loops in each other":
        ("member.list.all(a, member.list.all(b, member.list.all(c, a >= 0)))", _NESTED),
    "lists of lists":
        ("member.list.map(a, member.list.map(b, member.list.map(c, [a, b, c]))).size() > 1", _NESTED),
    "lists that are filtered and made again":
        ("member.list.map(a, member.list.filter(b, b != a)).map(c, c.map(d, [d, d])).size() > 1", _NESTED),
    "text that is doubled":
        (" + ".join(["member.text"] * 60) + " == ''", {"text": "a" * (COSTLY_INPUT_BYTES_MAX - 200)}),
    "text that is doubled in brackets":
        ("(" * 9 + "member.text" + " + member.text)" * 9 + " == ''", {"text": "a" * (COSTLY_INPUT_BYTES_MAX - 200)}),
    "a large list, doubled": (" + ".join(["member.list"] * 60) + " == []", {"list": list(range(3_000))}),
}  # fmt: skip
_ATOMS: Final = (
    "member.text.size() > 3", "member.list.size() == 900", "headers['x'] == 'y'", "has(member.absent)",
    "member.absent == 1", "member.text.matches('(a|aa)*b$')", "member.text + 'x' == ''", "int(member.text) > 1",
    "member.list == [1]", "1 / 0 == 1", "duration('1s') > duration('0s')", "member.text", "b'x' == b'y'",
    "member.list[899] > 1", "true", "null == null",
)  # fmt: skip
_AROUND: Final = (
    "({0} && {1})", "({0} || {1})", "!({0})", "({0} ? {1} : {0})", "member.list.all(v, {0})",
    "member.list.exists(v, {0})", "member.list.exists_one(v, {0})", "member.list.filter(v, {0}).size() > 1",
    "member.list.map(v, [v, v]).size() > 1 && {0}", "member.list.map(v, member.list).exists(w, {0})", "{0} {1}",
    "({0}",
)  # fmt: skip


def _condition(random: Random, levels: int) -> str:
    """A condition by chance, mostly one that CEL reads."""
    if not levels or random.random() < 0.2:
        return random.choice(_ATOMS)
    inner = (_condition(random, levels - 1), _condition(random, levels - 1))
    return random.choice(_AROUND).format(*inner)


def _held(source: str, member: Any) -> str:
    try:
        SCOPE.compile(source).holds(SCOPE.facts(member=member, headers={"x": "y"}), "$")
    except ExpressionError:
        return "refused"
    except BadRecord:
        return "not evaluated"
    return "evaluated"


def conditions() -> dict[str, int]:
    """Conditions that would reach out, and conditions made of words by chance over the largest input."""
    for source in CONDITIONS_THAT_REACH_OUT:
        assert _held(source, _HEAVY) in {"refused", "not evaluated"}, source
    random = Random(SEED)  # noqa: S311  # the same attacks every time
    member = {**_NESTED, "text": "ab" * 8_000}
    return dict(Counter(_held(_condition(random, 3), member) for _ in range(CONDITIONS_TRIED)))


def greedy_conditions() -> dict[str, float]:
    """Processor seconds of each condition that is allowed, over the most that it may read."""
    found = {}
    for name, (source, member) in GREEDY_CONDITIONS.items():
        began = time.process_time()
        _held(source, member)
        found[name] = time.process_time() - began
    return found


# -- paths and patterns

GREEDY_PATHS: Final = (
    "[@,@]", "[*].[@,@]", "to_string(to_string(@))", "a" + "[]" * 240, "sort_by(@, &a)", "map(&map(&@, $.a), @)",
    "join('', [*])", "reverse(reverse(@))", "max_by(@, &to_number(@))", "@" + " | @" * 120, "[?" * 60 + "a" + "]" * 60,
)  # fmt: skip
GREEDY_PATTERNS: Final = (
    "(a+)+$", "(a|aa)+$", "(.*)*x", "((a{0,100}){0,100}){0,100}", "(x+x+)+y", "a{1000000}", "(?:(?:a?){999}){9}",
)  # fmt: skip


def paths_and_patterns() -> dict[str, int]:
    """JMESPath and RE2, on input that makes other engines run for hours."""
    document = [{"a": [[1] * 50] * 50, "text": "a" * 500}] * 300
    found: Counter[str] = Counter()
    for source in GREEDY_PATHS:
        try:
            path = compile_path(source)
        except PathError:
            found["path refused"] += 1
            continue
        found["path read"] += 1
        with suppress(Exception):  # what a path may raise is its caller's, and tested there
            path.find(document)
    for source in GREEDY_PATTERNS:
        try:
            pattern(source).search("a" * 2_048 + "!")
            found["pattern matched"] += 1
        except PatternError:
            found["pattern refused"] += 1
    return dict(found)


# -- documents


def bombs() -> dict[str, float]:
    """Processor seconds in which each YAML bomb is refused, as a file of the configuration."""
    from pipeline.catalog import check_config

    laughs = ["l0: &l0 [ha, ha, ha, ha, ha, ha, ha, ha, ha, ha]"]
    laughs += [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 10)}]" for n in range(1, 12)]
    sources = {
        "a billion laughs": "\n".join(laughs),
        "the same alias again and again": "a: &a [" + "x, " * 2_000 + "]\nb: [" + "*a, " * 2_000 + "]",
        "a mapping of aliases": "a: &a {"
        + ", ".join(f"k{n}: v" for n in range(999))
        + "}\nb: ["
        + "*a, " * 9_999
        + "]",
        "nested without end": "[" * 100_000,
        "mappings in mappings": "{a: " * 100_000,
        "a list that holds itself": "a: &a [*a]",
        "an object of Python": "a: !!python/object/apply:os.system ['id']",
        "a module of Python": "a: !!python/module:os",
        "a merge key": "a: &a {b: 1}\nc: {<<: *a}",
        "documents without end": "---\n- a\n" * 60_000,
        "a key of a megabyte": "? " + "k" * 1_000_000 + "\n: 1",
        "anchors without end": "\n".join(f"k{n}: &n{n} v" for n in range(60_000)),
        "digits without end": "a: " + "9" * 3_000_000,
        "larger than a file may be": "a" * (5 << 20),
    }
    found = {}
    for name, text in sources.items():
        directory = Path(mkdtemp(prefix="spillway-bomb-"))
        (directory / "feeds.yaml").write_text(text)
        began = time.process_time()
        assert check_config(directory).problems, name
        found[name] = time.process_time() - began
        (directory / "feeds.yaml").unlink()
        directory.rmdir()
    return found


DEEP_BYTES: Final = 1 << 20
"""The largest message that ingest reads."""


def deep_json() -> dict[str, float]:
    """Processor seconds of the costliest adapter for each document that is a megabyte of nesting."""
    levels = DEEP_BYTES // 2 - 1
    shapes = {
        "arrays": b"[" * levels + b"]" * levels,
        "open arrays": b"[" * (DEEP_BYTES - 1),
        "objects": (b'{"a":' * (levels // 3) + b"1" + b"}" * (levels // 3))[:DEEP_BYTES],
        "as deep as is read": b'{"alerts":' + b"[" * 1_000 + b"]" * 1_000 + b"}",
        "one long text of backslashes": b'"' + b"\\\\" * (levels - 1) + b'"',
        "a number of a megabyte": b"1" * (DEEP_BYTES - 1),
        "keys without end": b"{" + b",".join(b'"%d":1' % n for n in range(90_000)) + b"}",
    }
    ingest = IngestProcessor(Config(feeds=FEEDS), ADAPTERS, FEEDS)
    slowest = dict.fromkeys(shapes, 0.0)
    for number, feed in enumerate(FEEDS.values()):
        for name, value in shapes.items():
            record = StreamRecord(RAW_TOPIC_PREFIX + feed.name, 0, number, 1_773_140_400_000, None, value, ())
            effects, began = Effects(), time.process_time()
            ingest.handle_one(record, effects)
            slowest[name] = max(slowest[name], time.process_time() - began)
            assert effects.outputs, f"{name} in {feed.name}: nothing came of it"
    assert ingest.ledger.remainder() == 0
    assert orjson.loads(shapes["as deep as is read"])
    return slowest
