"""What has changed on our own page at Statuspage: read from a webhook of it, or from its API. Pure.

Webhooks (https://support.atlassian.com/statuspage/docs/enable-webhook-notifications) are sent to subscribers, of
incidents and of components; they are not signed and name no author, so the gateway asks for a token in the address. An
incident is ours where its ``metadata`` says so; a page that leaves those out of its webhooks is polled instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

import orjson
from pydantic import TypeAdapter, ValidationError

from pipeline.models.command import ID_CHARACTERS_MAX, Moment
from pipeline.models.remote import ADDRESS_CHARACTERS_MAX, Fields, SinkUpdate, UpdateKind
from pipeline.models.sinks.status_pages import Statuspage
from pipeline.sinks.status_page_words import remote_state

MARK: Final = "spillway"
"""Key of `metadata`: whose incident here it is, of which sink, and what it needs of its components."""

_MOMENT: Final[TypeAdapter[datetime]] = TypeAdapter(Moment)


def marked(incident: Mapping[str, Any], sink: str) -> str:
    """Our id of the incident that one there was made for by a sink; "" for another's."""
    metadata = incident.get("metadata")
    mark = metadata.get(MARK) if isinstance(metadata, dict) else None
    if not isinstance(mark, dict) or mark.get("sink") != sink:
        return ""
    incident_id = mark.get("incident_id")
    return incident_id if isinstance(incident_id, str) and len(incident_id) <= ID_CHARACTERS_MAX else ""


def read(
    rules: Statuspage,
    incident: Mapping[str, Any],
    incident_id: str,
    now: datetime,
    kind: UpdateKind = UpdateKind.READ,
) -> SinkUpdate:
    """An incident there as it stands. ``now``: where it does not say when it changed."""
    at = _moment(incident.get("updated_at"), now)
    remote_id = str(incident["id"])[:ID_CHARACTERS_MAX]
    return SinkUpdate(
        kind=kind,
        update_id=f"{remote_id[:64]}/{at.isoformat()}/{kind}",
        sink=rules.name,
        incident_id=incident_id,
        at=at,
        fields=Fields(state=remote_state(str(incident.get("status", "")))),
        remote_id=remote_id,
        remote_key=remote_id,
        remote_url=str(incident.get("shortlink") or "")[:ADDRESS_CHARACTERS_MAX],
    )


def webhook(body: bytes, headers: Mapping[str, str], rules: Statuspage, now: datetime) -> list[SinkUpdate]:
    """What a webhook of the page says of our incidents; nothing where it is about a component or another incident.

    Raises:
        ValueError: it is not JSON.
    """
    del headers
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise ValueError("not JSON") from None
    top = document if isinstance(document, dict) else {}
    incident, page = top.get("incident"), top.get("page")
    if not isinstance(incident, dict) or not isinstance(incident.get("id"), str):
        return []
    if not isinstance(page, dict) or page.get("id") != rules.page_id:
        return []
    incident_id = marked(incident, rules.name)
    return [read(rules, incident, incident_id, now, UpdateKind.CHANGED)] if incident_id else []


def _moment(value: Any, default: datetime) -> datetime:
    try:
        return _MOMENT.validate_python(value, strict=False) if isinstance(value, str) else default
    except ValidationError:
        return default
