"""Webhooks of our own page at Statuspage: which of them are about an incident of ours."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from pipeline.models.sinks.status_pages import Statuspage
from pipeline.sinks.statuspage_updates import webhook
from pipeline.sinks.updates import READERS
from tests.sinks.bodies import INCIDENT_ID
from tests.sinks.receivers import NOW
from tests.sinks.servers.statuspage import PAGE_ID, StatuspageServer

RULES = Statuspage(name="page", secret_env="KEY", page_id=PAGE_ID)
MARK = {"spillway": {"incident_id": INCIDENT_ID, "sink": "page", "components": {}}}


def body(metadata: Any = None, **fields: Any) -> bytes:
    server = StatuspageServer()
    made = server.by_hand("Checkout")
    made.metadata = MARK if metadata is None else metadata
    return server.change(made, **({"status": "monitoring", "body": "We watch it."} | fields))


def test_a_change_of_an_incident_of_ours_is_told() -> None:
    [update] = READERS["statuspage"](body(), {}, RULES, NOW)
    assert (update.kind, update.sink, update.incident_id) == ("changed", "page", INCIDENT_ID)
    assert update.fields.state == "mitigated"
    assert update.at.isoformat() == "2026-03-04T02:00:03+00:00"
    assert READERS["statuspage"](body(), {}, RULES, NOW)[0].update_id == update.update_id


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"spillway": {"incident_id": INCIDENT_ID, "sink": "another"}},
        {"spillway": {"incident_id": 7, "sink": "page"}},
        {"spillway": {"incident_id": "x" * 257, "sink": "page"}},
        {"spillway": "text"},
    ],
)
def test_another_incident_is_nothing(metadata: Any) -> None:
    assert webhook(body(metadata), {}, RULES, NOW) == []


def test_another_page_is_nothing() -> None:
    rules = RULES.model_copy(update={"page_id": "another"})
    assert webhook(body(), {}, rules, NOW) == []


@pytest.mark.parametrize(
    "document",
    [
        {"page": {"id": PAGE_ID}, "component": {"id": "web"}, "component_update": {"new_status": "operational"}},
        [],
        None,
        "text",
        {"incident": []},
        {"incident": {"id": 7}, "page": {"id": PAGE_ID}},
        {"incident": {"id": "p1", "metadata": MARK}, "page": None},
    ],
)
def test_what_is_about_no_incident_is_nothing(document: Any) -> None:
    assert webhook(orjson.dumps(document), {}, RULES, NOW) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"id": "p1", "status": 7, "updated_at": 9, "shortlink": 5},
        {"id": "p" * 5_000, "status": "x" * 5_000, "updated_at": "soon", "shortlink": "h" * 5_000},
        {"id": "p1", "updated_at": "2026-03-04T02:00:00"},
    ],
)
def test_hostile_fields_are_cut_or_left_out(fields: dict[str, Any]) -> None:
    document = {"page": {"id": PAGE_ID}, "incident": {"metadata": MARK, **fields}}
    [update] = webhook(orjson.dumps(document), {}, RULES, NOW)
    assert (update.at, update.fields.state) == (NOW, "open")


@pytest.mark.parametrize("data", [b"", b"{", b"\xff\xfe", b"<xml/>"])
def test_what_is_no_json_is_refused_without_being_quoted(data: bytes) -> None:
    with pytest.raises(ValueError, match="not JSON"):
        webhook(data, {}, RULES, NOW)
