"""Grafana unified alerting webhook: Alertmanager's shape, with organisation, rule and panel.

Where a query has no data or fails, Grafana replaces the rule's name by ``DatasourceNoData`` or
``DatasourceError`` and puts the rule into the label ``rulename``: both make the name of that condition.
"""

from __future__ import annotations

from typing import Final

from pipeline.feeds.alertmanager import read_member
from pipeline.feeds.fields import Fields, each_member, put_link
from pipeline.models.alert import Alert, FeedClass
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
        rule = alert.labels.get("rulename")
        if alert.name in _DATASOURCE_NAMES and rule:
            alert.name = f"{alert.name}: {rule}"
        for title, field in _LINKS:
            put_link(alert.links, title, member.text_or_none(field))
        return alert

    return each_member(top, "alerts", read)
