"""Pages of service desks, SaaS and standards: templates filled as the source fills them, configuration and output."""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from pipeline.feeds import ADAPTERS, cloudevents, severity, splunk
from pipeline.models.decision import BadRecord
from tests.feeds.payloads import SAMPLE_OF, document, facts, only
from tests.feeds.templates import blocks

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (
    "cloudevents", "jira", "kibana", "pagerduty", "pagerduty-webhook", "sentry", "servicenow", "splunk", "statuspage",
    "uptimerobot", "xurrent", "zendesk",
)  # fmt: skip


def page(name: str) -> str:
    return (ROOT / "docs" / "feeds" / f"{name}.md").read_text()


@pytest.mark.parametrize("name", [name for name in PAGES if ADAPTERS[name].options is not None])
def test_every_option_is_on_the_page(name: str) -> None:
    model = ADAPTERS[name].options
    assert model is not None
    for option in model.model_fields:
        assert f"`{option}`" in page(name) or f"{option}:" in page(name)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("jira", severity.JIRA_PRIORITY_WORDS),
        ("xurrent", severity.XURRENT_IMPACT_WORDS),
        ("statuspage", severity.STATUSPAGE_COMPONENT_WORDS),
        ("statuspage", severity.STATUSPAGE_IMPACT_WORDS),
        ("pagerduty", severity.PAGERDUTY_WORDS),
        ("cloudevents", (*cloudevents.FIRING_WORDS, *cloudevents.RESOLVED_WORDS, *cloudevents.ACKNOWLEDGED_WORDS)),
    ],
)
def test_every_word_of_the_source_is_on_its_page(name: str, words: Any) -> None:
    text = page(name).lower()

    assert not [word for word in words if f"`{word}`" not in text]


# -- templates


def mustache(template: str, variables: dict[str, Any]) -> str:
    """As Kibana's webhook connector fills a body: escaped for JSON strings, lists with commas, nothing for unknown."""

    def value(found: re.Match[str]) -> str:
        held: Any = variables
        for name in found[1].split("."):
            held = held.get(name) if isinstance(held, dict) else None
        if isinstance(held, list):
            held = ",".join(held)
        elif isinstance(held, dict):
            held = orjson.dumps(held).decode()
        elif isinstance(held, bool):
            held = str(held).lower()
        return orjson.dumps("" if held is None else str(held)).decode()[1:-1]

    return re.sub(r"\{\{([\w.]+)\}\}", value, template)


@pytest.mark.parametrize("word", ["firing", "resolved"])
def test_the_kibana_template_gives_what_the_adapter_reads(word: str) -> None:
    (template,) = blocks("kibana", "json")
    filled = mustache(template, document(f"kibana-{word}"))

    assert [facts(only("kibana", orjson.loads(filled)))] == SAMPLE_OF[f"kibana-{word}"].alerts


def test_a_kibana_template_that_nobody_filled_is_refused() -> None:
    (template,) = blocks("kibana", "json")

    with pytest.raises(BadRecord, match="missing_field"):
        only("kibana", orjson.loads(template.replace('"{{date}}"', "null")))
    with pytest.raises(BadRecord, match=r"\$\.rule\.id: missing or empty"):
        only("kibana", orjson.loads(mustache(template, {})))


@pytest.mark.parametrize("word", ["firing", "resolved", "ssl"])
def test_the_uptimerobot_template_gives_what_the_adapter_reads(word: str) -> None:
    (template,) = blocks("uptimerobot", "json")
    sample = document(f"uptimerobot-{word}")
    filled = re.sub(r"\*(\w+)\*", lambda found: sample[found[1]], template)
    decode = ADAPTERS["uptimerobot"].decode
    assert decode is not None

    assert [facts(only("uptimerobot", decode(filled.encode())))] == SAMPLE_OF[f"uptimerobot-{word}"].alerts
    with pytest.raises(BadRecord, match=r"\$\.monitorID"):
        only("uptimerobot", orjson.loads(template))


@pytest.mark.parametrize("word", ["firing", "resolved"])
def test_the_servicenow_script_sends_all_that_the_adapter_reads(word: str) -> None:
    (script,) = blocks("servicenow", "javascript")
    lists = dict(re.findall(r"var (stored|names) = (\[.*?\]);", script, re.DOTALL))
    sample = document(f"servicenow-ticket-{word}")
    record = {
        field: sample.get(field, "")
        for each in ("stored", "names")
        for field in orjson.loads(lists[each].replace("'", '"'))
    }
    record["operation"] = "insert"

    assert [facts(only("servicenow", record))] == SAMPLE_OF[f"servicenow-ticket-{word}"].alerts
    assert "body[field] = current.getValue(field)" in script
    assert "operation: String(current.operation())" in script


def test_the_splunk_search_triggers_for_each_result_and_returns_what_the_adapter_reads() -> None:
    (stanza,) = blocks("splunk", "ini")
    saved = configparser.ConfigParser(interpolation=None, delimiters=("=",))
    saved.read_string(stanza)
    (name,) = saved.sections()
    fields = saved[name]["search"].rpartition("| table ")[2].split()
    sample = document("splunk-firing")
    row = {field: sample["result"][field] for field in fields}
    alert = only("splunk", {**sample, "search_name": name, "result": row})
    (expected,) = SAMPLE_OF["splunk-firing"].alerts

    assert (saved[name]["alert.digest_mode"], saved[name]["action.webhook"]) == ("0", "1")
    assert (alert.name, alert.severity, alert.event_at_ms) == (
        expected["name"], expected["severity"], expected["event_at_ms"],
    )  # fmt: skip
    assert alert.labels.items() <= expected["labels"].items()
    assert {"host", "service"} <= set(alert.labels)


def test_the_page_names_the_default_of_the_silence() -> None:
    assert f"| {splunk.TTL_SECONDS} |" in page("splunk")
