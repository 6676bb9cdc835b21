"""Grafana unified alerting webhook: Alertmanager's shape, with organisation, rule and panel.

Where a query has no data or fails, Grafana replaces the rule's name by ``DatasourceNoData`` or
``DatasourceError`` and puts the rule into the label ``rulename``: both make the name of that condition.
"""

from __future__ import annotations

from typing import Final

from pipeline.feeds.alertmanager import read_member
from pipeline.feeds.fields import Fields, each_member, put_link
from pipeline.models.alert import Alert, FeedClass, Severity
from pipeline.models.decision import BadRecord
from pipeline.models.feed import RawMessage

FEED_CLASS: Final = FeedClass.ON_PREM

_DATASOURCE_NAMES: Final = frozenset({"DatasourceNoData", "DatasourceError"})
_LINKS: Final = (("dashboard", "dashboardURL"), ("panel", "panelURL"), ("silence", "silenceURL"))


def parse(document: object, message: RawMessage) -> list[Alert | BadRecord]:
    """Read a group notification."""
    top = Fields.of(document)
    organisation = top.identifier_or_none("orgId")

    def read(member: Fields) -> Alert:
        # Fingerprints are unique within an organisation only.
        own = member.identifier_or_none("orgId") or organisation or ""
        alert = read_member(member, message, own)
        if alert.name in _DATASOURCE_NAMES:
            _nobody_watches(alert)
        for title, field in _LINKS:
            put_link(alert.links, title, member.text_or_none(field))
        return alert

    return each_member(top, "alerts", read)


def _nobody_watches(alert: Alert) -> None:
    """Say that a rule has no data: its own texts and severity speak of a symptom that nobody can see now."""
    if rule := alert.labels.get("rulename"):
        alert.name = f"{alert.name}: {rule}"
    alert.summary = alert.name
    if alert.severity != Severity.INFO:
        alert.severity = Severity.WARNING
        alert.severity_default_reason = "a rule without data says only that nobody is watching"
