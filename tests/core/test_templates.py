"""Templates: what gets out of the sandbox (nothing), what it costs (little), and how moments and sums are written."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest

from pipeline.core.communication.template_filters import FILTERS, duration, titles
from pipeline.core.communication.templates import (
    MESSAGE_CHARACTERS_MAX,
    TEMPLATE_CHARACTERS_MAX,
    RenderError,
    TemplateProblem,
    compiled,
    tidy,
)
from tests.core.builders import HOUR, MINUTE, T0

FACTS: dict[str, Any] = {
    "service": "Shop",
    "services": ("Shop", "Pay"),
    "now": T0,
    "since": T0 - 5 * MINUTE,
    "timezone": "Europe/Amsterdam",
    "currency": "EUR",
    "suspects": ({"title": "Database", "because": ("it broke first", "two need it")},),
    "nothing": None,
}

ESCAPES = [
    "{{ ''.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ service.__class__.__base__ }}",
    "{{ service['__class__'] }}",
    "{{ service['__cla' ~ 'ss__'] }}",
    "{{ service|attr('__class__') }}",
    "{{ service|attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
    "{{ service|map('upper')|list }}",
    "{{ services|map(attribute='__class__')|join }}",
    "{{ services|groupby('__class__') }}",
    "{{ service.format }}",
    "{{ '{0.__class__}'.format(service) }}",
    "{{ service.format_map({}) }}",
    "{{ '%s' % service }}",
    "{{ self }}",
    "{{ self.__init__.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ super() }}",
    "{{ config }}",
    "{{ request.application.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{{ joiner.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ lipsum.__globals__['os'].popen('id').read() }}",
    "{{ lipsum() }}",
    "{{ dict() }}",
    "{{ range(10) }}",
    "{{ get_flashed_messages.__globals__ }}",
    "{{ url_for.__globals__ }}",
    "{{ [].append(1) }}",
    "{{ services.append('x') }}",
    "{{ loop }}",
    "{% for each in services %}{{ loop.__class__ }}{% endfor %}",
    "{% for each in services %}{{ loop._iterator }}{% endfor %}",
    "{% for each in services %}{{ loop.cycle('a') }}{% endfor %}",
    "{% for each in services %}{{ loop.changed(each) }}{% endfor %}",
    "{% for each in services recursive %}{{ loop(services) }}{% endfor %}",
    "{% for each in ().__class__.__base__.__subclasses__() %}{{ each }}{% endfor %}",
    "{% for each in 'aaaaaaaaaa' %}x{% endfor %}",
    "{% for each in services|first %}x{% endfor %}",
    "{% for a in services %}{% for b in a %}x{% endfor %}{% endfor %}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% from 'os' import popen %}",
    "{% extends 'base' %}",
    "{% block a %}{% endblock %}",
    "{% macro a() %}{{ caller() }}{% endmacro %}",
    "{% call a() %}{% endcall %}",
    "{% set x = 1 %}",
    "{% set x %}y{% endset %}",
    "{% with x = 1 %}{% endwith %}",
    "{% filter upper %}x{% endfilter %}",
    "{% autoescape true %}{% endautoescape %}",
    "{{ 9 ** 99999999 }}",
    "{{ 'a' * 999999999 }}",
    "{{ service[0:1] }}",
    "{{ service[services] }}",
    "{{ {'a': 1} }}",
    "{{ services|titles(*services) }}",
    "{{ ().__reduce__ }}",
    "{{ (1).__class__ }}",
    "{{ service.upper }}",
    "{{ service is callable }}",
    "{{ service|tojson }}",
    "{{ service|pprint }}",
    "{{ service|center(99999999) }}",
    "{{ caller }}",
    "{{ varargs }}",
    "{{ _fact }}",
    "{% debug %}",
    "{% raw %}{{ unclosed",
]  # fmt: skip


@pytest.mark.parametrize("source", ESCAPES)
def test_nothing_gets_out_of_the_sandbox(source: str) -> None:
    with pytest.raises((TemplateProblem, RenderError)):
        compiled(source).render(FACTS)


@pytest.mark.parametrize(
    "source",
    [
        "x" * (TEMPLATE_CHARACTERS_MAX + 1),
        "{% for a in services %}" * 5 + "x" + "{% endfor %}" * 5,
        "{{ " + "(" * 3_000 + "1" + ")" * 3_000 + " }}",
        "{{ " + "not " * 1_500 + "1 }}",
        "{% if nothing %}" * 200 + "{% endif %}" * 200,
        "{{ " + "9" * 5_000 + " }}",
        "{{ 1e999|duration }}",
        "{% for a in suspects %}" + "{% for b in a.because %}" + "{{ b }}{{ b }}" * 50 + "{% endfor %}{% endfor %}",
    ],
)
def test_what_a_template_can_cost_is_bounded_before_it_is_compiled(source: str) -> None:
    with pytest.raises(TemplateProblem):
        compiled(source)


def test_a_message_is_cut_to_its_limit_and_has_no_control_characters() -> None:
    facts = FACTS | {"service": "a\x00b\x1b[31m\u202ec\r\n" + "d" * 9_000}
    said = compiled("Subject: {{ service }}\n{{ service }}\n\n\n\n{{ service }}").render(facts)
    assert said.text.startswith("ab[31mc\nd")
    assert len(said.text) == MESSAGE_CHARACTERS_MAX
    assert "\n" not in said.subject
    assert len(said.subject) == 200
    assert tidy("a  \n\n\n\nb\n") == "a\n\nb"


def test_a_first_line_may_be_the_subject() -> None:
    said = compiled("Subject: {{ service }} is down\n\nWe are on it.").render(FACTS)
    assert (said.subject, said.text) == ("Shop is down", "We are on it.")
    assert compiled("We are on it.\nSubject: no").render(FACTS).subject == ""


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("{{ since | local_time }}", "10:55 CET"),
        ("{{ since | local_time('America/New_York') }}", "05:55 EDT"),
        ("{{ since | local_date }}", "2026-03-10"),
        ("{{ 1200.4 | money }}", "EUR 1,200"),
        ("{{ 12500 | number }}", "12,500"),
        ("{{ 1 | plural('minute') }} {{ 2 | plural('minute') }}", "1 minute 2 minutes"),
        ("{{ services | titles }}", "Shop and Pay"),
        ("{{ services | length }}{{ services | first | upper }}{{ 'in_progress' | words | sentence }}",
         "2SHOPIn progress"),
        ("{% for each in suspects %}{{ loop.index }} {{ each.title }}: {% for why in each.because %}{{ why }}"
         "{{ '' if loop.last else '; ' }}{% endfor %}{% endfor %}", "1 Database: it broke first; two need it"),
        ("{% if nothing is none and service in ['Shop'] %}yes{% else %}no{% endif %}", "yes"),
    ],
)  # fmt: skip
def test_what_templates_are_for_works(source: str, text: str) -> None:
    assert compiled(source).render(FACTS).text == text


def test_a_moment_of_another_day_has_its_date_and_summer_time_is_told() -> None:
    source = compiled("{{ since | local_time }}")
    assert source.render(FACTS | {"since": T0 - 24 * HOUR}).text == "2026-03-09 11:00 CET"
    summer = T0 + 20 * 24 * HOUR
    assert source.render(FACTS | {"since": summer, "now": summer}).text == "12:00 CEST"


@pytest.mark.parametrize(
    ("span_ms", "words"),
    [
        (0, "less than a minute"),
        (59_999, "less than a minute"),
        (MINUTE, "1 minute"),
        (65 * MINUTE, "1 hour 5 minutes"),
        (24 * HOUR, "1 day"),
        (49 * HOUR + 3 * MINUTE, "2 days 1 hour"),
    ],
)
def test_a_span_is_told_in_its_two_largest_units(span_ms: int, words: str) -> None:
    assert duration(span_ms) == words


def test_names_are_told_as_a_phrase_and_many_are_counted() -> None:
    assert [titles(()), titles(("A",)), titles(("A", "B", "C")), titles(("A", "B", "C"), 2)] == [
        "", "A", "A, B and C", "A, B and 1 more"
    ]  # fmt: skip


@pytest.mark.parametrize("source", ["{{ missing }}", "{{ suspects[0].missing }}", "{{ nothing | number }}",
                                    "{{ since | local_time('Mars/Base') }}", "{{ service > 3 }}"])  # fmt: skip
def test_what_is_missing_is_an_error_not_an_empty_place(source: str) -> None:
    with pytest.raises(RenderError):
        compiled(source).render(FACTS)


@pytest.mark.parametrize("name", sorted(FILTERS))
@pytest.mark.parametrize("fact", ["suspects", "nothing", "service", "since"])
def test_a_filter_on_the_wrong_kind_of_fact_ends_in_words_or_in_a_named_error(name: str, fact: str) -> None:
    with suppress(RenderError):
        compiled("{{ " + fact + " | " + name + " }}").render(FACTS)
