"""Kibana alerting rules through a webhook connector, in the shape of our template (docs/feeds/kibana.md).

Mustache fills what it does not know with nothing, and writes a list as text with commas, so every value may be text.
Recovery is an action group of its own: without a second action for it Kibana says nothing about the end.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from pipeline.core.identity import content_hash
from pipeline.feeds.fields import Fields, missing, put_link, scalar_text
from pipeline.feeds.severity import LABEL_WORDS, grade
from pipeline.models.alert import Alert, FeedClass, Kind
from pipeline.models.decision import BadRecord
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.ON_PREM

_RECOVERED: Final = "recovered"
# A rule has no severity: teams put it into a tag.
_SEVERITY_TAGS: Final = ("severity", "sev")
_UNFILLED: Final = "{{"
# Rule types of the stack have one of these, those of Observability another: the page of the alert says most.
_CONTEXT_LINKS: Final = ("alertDetailsUrl", "link", "viewInAppUrl")


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read one notification."""
    top = Fields.of(document)
    rule, instance, context = top.section("rule"), top.section("alert"), top.section_or_empty("context")
    rule_id, instance_id = _filled(rule, "id"), _filled(instance, "id")
    group = _filled(instance, "actionGroup")
    kind = Kind.RESOLVED if group == _RECOVERED else Kind.FIRING
    name = rule.text_or_none("name") or rule_id
    at_ms = top.time_or_none("date")
    tags = _tags(rule)
    graded = grade(next((tags[tag] for tag in _SEVERITY_TAGS if tag in tags), None), LABEL_WORDS, "tag severity")
    alert = Alert(
        feed=message.feed,
        feed_class=message.feed_class,
        kind=kind,
        alert_key=content_hash(message.feed, rule_id, instance_id),
        source_episode_id=instance.text_or_none("uuid"),
        name=name,
        summary=context.text_or_none("title") or name,
        description=context.text_or_none("conditions") or context.text_or_none("reason") or "",
        severity=graded.severity,
        severity_native=graded.native,
        severity_default_reason=graded.default_reason,
        event_at_ms=at_ms if kind == Kind.FIRING else None,
        ended_at_ms=at_ms if kind == Kind.RESOLVED else None,
        labels={**tags, **_labels(rule, instance, context, group)},
    )
    put_link(alert.links, "rule", rule.text_or_none("url"))
    put_link(alert.links, "kibana", top.text_or_none("kibanaBaseUrl"))
    for link in reversed(_CONTEXT_LINKS):
        put_link(alert.links, "kibana", context.text_or_none(link))
    return [alert]


def _filled(section: Fields, name: str) -> str:
    """A required field that the template filled: ``{{rule.id}}`` itself means that nobody did."""
    value = section.text(name)
    if _UNFILLED in value:
        raise missing(section.at(name))
    return value


def _labels(rule: Fields, instance: Fields, context: Fields, group: str) -> dict[str, str]:
    known = {
        "alert": instance.text_or_none("id"),
        "action_group": group,
        "rule_type": rule.text_or_none("type"),
        "kibana_space": rule.text_or_none("spaceId"),
        "value": scalar_text(context.values.get("value")),
        "flapping": "true" if scalar_text(instance.values.get("flapping")) == "true" else None,
    }
    return {**_grouping(context), **{label: value for label, value in known.items() if value}}


def _grouping(context: Fields) -> dict[str, str]:
    """What the rule groups by: an object, or one that a template wrote as text."""
    value: Any = context.values.get("grouping")
    if isinstance(value, str):
        try:
            value = orjson.loads(value) if value.startswith("{") else None
        except orjson.JSONDecodeError:
            return {}
    return Fields(value, context.at("grouping")).scalars() if isinstance(value, dict) else {}


def _tags(rule: Fields) -> dict[str, str]:
    """Tags ``key:value`` as labels, all others as one label ``tags``."""
    value = rule.values.get("tags")
    words = value.split(",") if isinstance(value, str) else rule.items("tags")
    labels: dict[str, str] = {}
    plain: list[str] = []
    for word in words:
        if not isinstance(word, str):
            continue
        key, found, rest = word.strip().partition(":")
        if found and key and rest:
            labels[key] = rest
        elif key:
            plain.append(word.strip())
    if plain:
        labels["tags"] = ", ".join(plain)
    return labels
