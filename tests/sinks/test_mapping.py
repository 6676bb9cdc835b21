"""Field templates: what they may say of an incident, what they refuse, and that sending them never fails."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sinks.mapping import BARE, FACTS, FIELD_CHARACTERS_MAX, SAMPLE, facts_of, faults, render


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{{ reference }} {{ priority }}", "INC-SAMPLE P1"),
        ("{{ service }}", "checkout"),
        ("{{ service_ref }}", "component:default/checkout"),
        ("{% if domain == 'retail' %}Retail desk{% else %}Service desk{% endif %}", "Retail desk"),
        ("{{ users | number }} users, {{ services | titles }}", "12,500 users, checkout"),
        ("{{ since | local_time('Europe/Berlin') }}", "11:00 CET"),
        ("{% for each in suspects %}{{ each.name }}: {{ each.because[0] }}{% endfor %}", "payments-db: it broke first"),
        ("{% if resolution %}{{ resolution_code }}: {{ resolution }}{% endif %}", "fixed: Restarted."),
        ("Subject: {{ title }}", "Subject: Checkout: requests fail"),
        ("plain", "plain"),
        ("", ""),
    ],
)  # fmt: skip
def test_a_template_says_facts_of_the_incident(template: str, expected: str) -> None:
    assert render(template, SAMPLE) == expected
    assert list(faults(template)) == []


@pytest.mark.parametrize(
    ("template", "line", "said"),
    [
        ("{{ titel }}", 1, "'titel' is no fact"),
        ("a\n{{ password }}", 2, "'password' is no fact"),
        ("{{ title", 1, "unexpected end of template"),
        ("{{ title.__class__ }}", 1, "may not stand in a template"),
        ("{{ [1] * 1000000 }}", 1, "* may not stand"),
        ("{% for each in title %}{{ each }}{% endfor %}", 1, "'title' is no list"),
        ("{{ title | exec }}", 1, "no filter 'exec'"),
        ("{{ ended | local_time }}", 1, "cannot be rendered"),
        ("x" * 10_000, 1, "longer than"),
    ],
)
def test_what_cannot_be_used_is_told_with_its_line(template: str, line: int, said: str) -> None:
    [fault] = faults(template)
    assert fault.line == line
    assert said.lower() in fault.message.lower()


def test_every_fact_says_something_and_has_a_meaning() -> None:
    assert all(fact.meaning for fact in FACTS.values())
    assert {name for name, fact in FACTS.items() if fact.take(SAMPLE) in ("", None)} <= {
        "layer", "hosting", "runbook", "affected", "cause", "bridge", "commander", "workaround",
    }  # fmt: skip


def test_a_field_is_bounded() -> None:
    whole = "{% for each in because %}{{ each }}{% endfor %}" * 10
    made = render(whole, {**SAMPLE, "priority_because": ["ü" * 5_000] * 50})
    assert len(made) == FIELD_CHARACTERS_MAX


_VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5)


@given(
    st.text(alphabet="{}%|.'\" abtitle_priority\n0123", max_size=60),
    st.dictionaries(
        st.sampled_from([*SAMPLE, "sites", "members"]),
        st.recursive(_VALUES, st.lists, max_leaves=5),
        max_size=8,
    ),
)  # fmt: skip
@settings(max_examples=300, deadline=None)
def test_sending_never_fails_whatever_the_template_and_the_snapshot_hold(
    template: str, incident: dict[str, object]
) -> None:
    assert isinstance(render(template, incident), str)
    assert facts_of(incident).keys() == facts_of(BARE).keys()
