"""Pages of the monitoring feeds: their templates, filled as the source fills them, their configuration and output."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Final

import orjson
import pytest

from pipeline.models.decision import BadRecord, Reason
from tests.feeds.payloads import SAMPLE_OF, document, facts, only, read
from tests.feeds.templates import blocks

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = (
    "alertmanager", "aws-health", "azure-monitor", "cloudwatch", "cloudwatch-eventbridge", "datadog", "dynatrace",
    "gcp-monitoring", "grafana", "newrelic",
)  # fmt: skip


def test_facts_in_an_alarm_description_as_the_page_writes_them() -> None:
    (text,) = blocks("cloudwatch", "json")
    alarm = orjson.loads(document("cloudwatch-sns-firing")["Message"])
    alert = only("cloudwatch", alarm | {"AlarmDescription": text})

    assert (alert.severity, alert.severity_native) == ("critical", "critical")
    assert (alert.summary, alert.labels["service"]) == ("Free storage below 8 GiB", "orders-db")
    assert alert.links == {"runbook": "https://runbooks.example/orders-db"}


# -- templates: what the source puts for each variable, from a sample


def datadog_variables(sample: dict[str, Any]) -> dict[str, str]:
    return {
        "ID": sample["id"], "ORG_ID": sample["org"]["id"], "ORG_NAME": sample["org"]["name"],
        "EVENT_TITLE": sample["title"], "TEXT_ONLY_MSG": sample["body"], "DATE": sample["date"],
        "LINK": sample["link"], "SNAPSHOT": sample["snapshot"], "HOSTNAME": sample["hostname"], "TAGS": sample["tags"],
        **{name.upper(): value for name, value in sample.items() if name.startswith("alert_")},
    }  # fmt: skip


@pytest.mark.parametrize("word", ["firing", "resolved", "warn", "nodata"])
def test_the_datadog_template_gives_what_the_adapter_reads(word: str) -> None:
    (template,) = blocks("datadog", "json")[:1]
    values = datadog_variables(document(f"datadog-{word}"))
    filled = re.sub(r'"\$([A-Z_]+)"', lambda found: orjson.dumps(values[found[1]]).decode(), template)
    alert = only("datadog", orjson.loads(filled))

    assert [facts(alert)] == SAMPLE_OF[f"datadog-{word}"].alerts


def newrelic_variables(sample: dict[str, Any]) -> dict[str, Any]:
    return {
        "issueId": sample["id"], "issuePageUrl": sample["issueUrl"], "annotations.title.[0]": sample["title"],
        "triggerEvent": sample["trigger"], "entitiesData.names": sample["impactedEntities"],
        "accumulations.policyName": sample["alertPolicyNames"],
        "accumulations.conditionName": sample["alertConditionNames"],
        "accumulations.tag.service.[0]": "storefront", "accumulations.tag.environment.[0]": "prod",
        **{name: sample[name] for name in ("priority", "state", "createdAt", "updatedAt", "totalIncidents")},
        **{name: sample[name] for name in ("isCorrelated", "workflowName")},
    }  # fmt: skip


@pytest.mark.parametrize("word", ["firing", "ack", "resolved"])
def test_the_new_relic_template_gives_what_the_adapter_reads(word: str) -> None:
    (template,) = blocks("newrelic", "handlebars")
    values = newrelic_variables(document(f"newrelic-{word}"))
    filled = re.sub(r"\{\{ json (\S+) \}\}", lambda found: orjson.dumps(values[found[1]]).decode(), template)
    filled = re.sub(r"\{\{ (\S+) \}\}", lambda found: str(values[found[1]]), filled)
    alert = only("newrelic", orjson.loads(filled))
    (expected,) = SAMPLE_OF[f"newrelic-{word}"].alerts

    assert alert.labels.pop("service") == "storefront"
    assert alert.labels.pop("environment") == "prod"
    assert facts(alert) == expected


@pytest.mark.parametrize("word", ["firing", "resolved", "merged"])
def test_the_dynatrace_template_gives_what_the_adapter_reads(word: str) -> None:
    (template,) = blocks("dynatrace", "text")
    values = document(f"dynatrace-{word}")
    filled = re.sub(r'"\{(\w+)\}"', lambda found: orjson.dumps(values[found[1]]).decode(), template)
    filled = re.sub(r"\{(\w+)\}", lambda found: orjson.dumps(values[found[1]]).decode(), filled)
    alert = only("dynatrace", orjson.loads(filled))

    assert [facts(alert)] == SAMPLE_OF[f"dynatrace-{word}"].alerts


def test_a_template_that_nothing_has_filled_is_refused() -> None:
    quoted = re.sub(r": (\{\w+\})", r': "\1"', blocks("dynatrace", "text")[0])
    for adapter, text in (("datadog", blocks("datadog", "json")[0]), ("dynatrace", quoted)):
        with pytest.raises(BadRecord) as caught:
            read(adapter, orjson.loads(text))

        assert caught.value.reason == Reason.MISSING_FIELD
