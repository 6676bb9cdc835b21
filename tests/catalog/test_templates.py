"""Communications of a pack: what cannot be said is refused at load, with the line, never first at night."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from pipeline.catalog import check_config, load_config
from pipeline.cli import main
from pipeline.core.communication.audience_facts import FACTS
from pipeline.core.communication.template_filters import FILTERS
from pipeline.models.communications import VIEWS
from tests.catalog.directory import write

HEAD = "communication:\n  audiences:\n"


def told(tmp_path: Path, pack: str, **templates: str) -> list[str]:
    files = {"domains/shop.yaml": pack} | {f"templates/{name}.j2": text for name, text in templates.items()}
    checked = check_config(write(tmp_path, files))
    return [str(each) for each in (*checked.problems, *checked.warnings)]


PUBLIC = "communication:\n  audiences:\n    public:\n      templates:\n"


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("resolved: '{{ revenue_per_minute }}'", 5, "'revenue_per_minute' is not for the view 'public'"),
        ("resolved: '{{ titel }}'", 5, "'titel' is no fact"),
        ("resolved: '{{ servise }}'", 5, "'servise' is no fact; did you mean 'service'?"),
        ("resolved: '{{ title }}'", 5, "'title' is not for the view 'public'"),
        ("resolved: |\n          ok\n          {{ symptoms }}", 7, "'symptoms' is not for the view 'public'"),
        ("resolved: |\n          ok\n          {% if", 7, "unexpected 'end of template'"),
        ("resolved: '{% include \"x\" %}'", 5, "{% include %} may not stand in a template"),
        ("resolved: '{{ service.x }}'", 5, "cannot be rendered for an incident that is logged"),
        ("resolved: '{{ next_update | local_time }}'", 5, "cannot be rendered for an incident that is logged"),
        ("resolved: '{% for each in service %}x{% endfor %}'", 5, "'service' is no list"),
        ("resolved: '{% if reopened %}hello{% endif %}'", 5, "says nothing for an incident that is logged"),
        ("resolvd: hello", 5, "there is no 'resolvd'; did you mean 'resolved'?"),
        ("resolved.nl: hallo", 5, "'nl' is none of the further languages of this pack"),
        ("resolved: {file: resolvd.j2}", 5, "there is no template templates/resolvd.j2"),
    ],
)  # fmt: skip
def test_a_template_that_cannot_be_used_is_named_with_its_line(
    tmp_path: Path, text: str, line: int, words: str
) -> None:
    (first, *_) = told(tmp_path, f"{PUBLIC}        {text}\n")
    assert first.startswith(f"domains/shop.yaml:{line}: ")
    assert words in first


def test_a_template_in_a_file_is_read_checked_and_counts_for_the_version(tmp_path: Path) -> None:
    pack = f"{PUBLIC}        resolved: {{file: resolved.j2}}\n"
    assert told(tmp_path, pack, resolved="Subject: over\n\nok\n{{ title }}\n") == [
        "templates/resolved.j2:4: template 'resolved' of audience 'public': 'title' is not for the view 'public'"
    ]
    assert told(tmp_path, pack, resolved="Subject: over\n\nIt is over.\n") == []
    before = load_config(tmp_path)
    assert before.domains["shop"].communication.rules["public"].templates["resolved"].endswith("It is over.\n")  # type: ignore[union-attr]
    assert told(tmp_path, pack, resolved="Subject: over\n\nIt is over now.\n") == []
    assert load_config(tmp_path).version != before.version


def test_a_template_that_nobody_names_and_one_elsewhere_are_told(tmp_path: Path) -> None:
    assert told(tmp_path, "title: Shop\n", lost="hello") == ["templates/lost.j2:1: no audience names this template"]
    write(tmp_path, {"domains/x.j2": "hello"})
    assert "domains/x.j2:1: *.j2 is read in templates/ alone; move it there" in told(tmp_path, "title: Shop\n")


@pytest.mark.parametrize(
    ("pack", "words"),
    [
        ("    Public Page: {}\n", "audience 'Public Page': must be lower-case letters"),
        ("    internal: {sees: responders}\n", "and not 'internal'"),
        ("    partners: {}\n", "sees as little as the public; say 'sees:'"),
        ("    public: {sees: executives}\n", "would see what executives see"),
        ("    public: {priorities: [P9]}\n", "priorities: unknown priority 'P9'"),
        ("    public: {every_minutes: {P7: 5}}\n", "every_minutes: unknown priority 'P7'"),
        ("    public: {every_minutes: 0.5}\n", "every_minutes: 0.5; at least 1, or 0"),
        ("    public: {timezone: Europe/Berln}\n", "unknown time zone 'Europe/Berln'; did you mean 'Europe/Berlin'?"),
        ("    public: {}\n  languages: [en, nl]\n", "has no templates in 'nl': investigating.nl"),
        ("    public: {}\n  languages: [English]\n", "'English' is no language"),
        ("    public: {}\n  duties:\n"
         "    - {name: a, notify: b, within_minutes: 5}\n    - {name: a, notify: b, within_minutes: 5}\n",
         "duty 'a' is there twice"),
    ],
)  # fmt: skip
def test_what_does_not_hold_together_is_told(tmp_path: Path, pack: str, words: str) -> None:
    assert any(words in each for each in told(tmp_path, HEAD + pack)), told(tmp_path, HEAD + pack)


def test_every_fact_is_in_the_table_of_the_page_with_who_may_use_it() -> None:
    page = (Path(__file__).parents[2] / "docs" / "communications.md").read_text()
    for view, who in (("public", "all"), ("responders", "`responders`")):
        narrower = {name for other, facts in FACTS.items() if other != view and set(facts) < set(FACTS[view])
                    for name in facts}  # fmt: skip
        for name in FACTS[view].keys() - narrower:
            assert f"| `{name}` | {who} | " in page, name
    assert all(f"`{name}" in page for name in FILTERS)


def test_what_the_page_shows_is_what_the_story_reads() -> None:
    page = (Path(__file__).parents[2] / "docs" / "communications.md").read_text()
    shown = [line for block in page.split("```console\n")[1:5] for line in block.partition("```")[0].splitlines()]
    root = Path(__file__).parents[2]
    story = ["--recording", str(root / "tests/stories/checkout.ndjson"), "--config", str(root / "config")]
    said = set[str]()
    for audience in VIEWS:
        arguments = ["communication", "preview", *story, "--audience", audience]
        said |= set(CliRunner().invoke(main, arguments).output.splitlines())
    assert [line for line in shown if line not in ("", "...") and not line.startswith("$") and line not in said] == []
