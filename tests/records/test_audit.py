"""The audit from a real records store: complete, exportable, and it notices who changes the database."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text

from pipeline.cli import main
from pipeline.core.outward.incident_event import IncidentEvent, read_event
from pipeline.core.step import StreamRecord
from pipeline.records.audit import AuditError, broken_in, read_trail
from pipeline.records.store import RecordsStore
from tests.core.builders import MINUTE, T0, alert
from tests.core.rooms import Room


def kept(store: RecordsStore, summary: str = "out of bounds") -> str:
    """An incident from its opening to its resolution in the store; its id."""
    room = Room()
    room.open(alert("a", summary=summary, event_at_ms=T0 - MINUTE))
    room.ask("acknowledge", T0 + MINUTE, note="looking")
    room.ask("resolve", T0 + 2 * MINUTE, resolution={"code": "fixed", "summary": "restarted"})
    events: list[IncidentEvent] = []
    for offset, each in enumerate(each for each in room.effects.outputs if each.topic == "incidents"):
        events.append(read_event(StreamRecord("incidents", 0, offset, each.timestamp_ms, each.key, each.value)))
    store.project(events)
    return events[0].incident_id


def tamper(url: str, statement: str) -> None:
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://", 1))
    with engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, ["audit", *arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_the_trail_of_an_incident_is_intact_and_says_who_did_what_when_and_why(store: RecordsStore) -> None:
    trail = read_trail(store, kept(store))
    assert trail is not None
    document = trail.document()
    assert (document["intact"], document["unsealed_revisions"]) == (True, 0)
    (acknowledged,) = (each for each in document["actions"] if each["action"] == "acknowledge")
    assert acknowledged["actor"] == "ann"
    assert "looking" in acknowledged["why"]
    assert acknowledged["changed"]["state"] == {"before": "logged", "after": "acknowledged"}
    assert document["actions"][0]["happened_at"] < document["actions"][0]["recorded_at"]


def test_characters_that_postgresql_cannot_store_break_no_seal(store: RecordsStore) -> None:
    trail = read_trail(store, kept(store, summary="disk \0 full \N{SNOWMAN}"))
    assert trail is not None
    assert trail.broken() is None


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE incident_events SET sealed = replace(sealed, 'ann', 'bob') WHERE revision = 2",
        "DELETE FROM timeline; DELETE FROM incident_events WHERE revision = 1",
        "DELETE FROM timeline; DELETE FROM incident_events WHERE revision = 2",
        "UPDATE incidents SET snapshot = jsonb_set(snapshot, '{chain}', '\"0\"')",
    ],
)
def test_who_changes_the_database_is_noticed(store: RecordsStore, empty: str, statement: str) -> None:
    incident_id = kept(store)
    assert run("verify", incident_id, "--records-url", empty)[0] == 0
    tamper(empty, statement)
    code, said = run("verify", incident_id, "--records-url", empty)
    assert code == 1
    assert "NOT intact" in said


def test_an_export_is_verified_without_the_store_and_against_it(
    store: RecordsStore, empty: str, tmp_path: Path
) -> None:
    incident_id = kept(store)
    code, line = run("export", incident_id, "--json", "--records-url", empty)
    assert code == 0
    exported = tmp_path / "audit.ndjson"
    exported.write_text(line)
    assert run("verify", "--file", str(exported))[0] == 0
    assert run("verify", "--file", str(exported), "--against-store", "--records-url", empty)[0] == 0
    tamper(empty, "UPDATE incident_events SET seal = repeat('0', 64) WHERE revision = 1")
    code, said = run("verify", "--file", str(exported), "--against-store", "--records-url", empty)
    assert code == 1
    assert "another one now" in said


def test_the_export_of_a_span_has_what_was_opened_in_it(store: RecordsStore, empty: str) -> None:
    incident_id = kept(store)
    inside = run("export", "--from", "2026-03-10", "--to", "2026-03-11", "--records-url", empty)[1]
    outside = run("export", "--from", "2026-03-11", "--to", "2026-03-12", "--records-url", empty)[1]
    assert incident_id in inside
    assert incident_id not in outside
    assert "state: logged -> acknowledged" in inside


@pytest.mark.parametrize("forge", ["actions", "seal", "content"])
def test_a_document_that_was_edited_does_not_hold(store: RecordsStore, forge: str) -> None:
    trail = read_trail(store, kept(store))
    assert trail is not None
    document: dict[str, Any] = orjson.loads(orjson.dumps(trail.document()))
    assert broken_in(document) is None
    if forge == "actions":
        document["actions"][0]["actor"] = "nobody"
    elif forge == "seal":
        document["seal"] = "0" * 64
    else:
        document["revisions"][0]["content"] += " "
    assert broken_in(document) is not None


@pytest.mark.parametrize("document", [None, [], {}, {"schema": 1}, {"schema": 1, "revisions": [{}]}, {"schema": 2}])
def test_what_is_no_audit_is_refused_in_words(document: Any) -> None:
    with pytest.raises(AuditError, match="not an audit"):
        broken_in(document)


@pytest.mark.parametrize("kind", ["json", "html"])
def test_a_file_of_a_span_says_on_top_whether_all_chains_hold_and_is_verified_by_itself(
    store: RecordsStore, empty: str, tmp_path: Path, kind: str
) -> None:
    incident_id = kept(store, summary="<b>out</b> of \u202e bounds & more")
    file = tmp_path / f"march.{kind}"
    span = ("--from", "2026-03-10", "--to", "2026-03-11")
    code, said = run("export", *span, "-o", str(file), "--records-url", empty)
    assert code == 0
    assert said.startswith("All 1 chains of seals are intact: 3 revisions.\n"), said
    assert said.split()[-2] == sha256(file.read_bytes()).hexdigest()
    text_of_it = file.read_text()
    assert "All 1 chains of seals are intact" in text_of_it.partition(incident_id)[0]
    if kind == "html":
        assert not [each for each in ("<script", "<b>out", "\u202e") if each in text_of_it]
        assert f'<a href="#{incident_id}">' in text_of_it
    code, said = run("verify", str(file), "--sha256", sha256(file.read_bytes()).hexdigest())
    assert (code, said) == (0, f"{incident_id}: intact, 3 revisions\n")
    assert run("verify", str(file), "--sha256", "0" * 64)[0] == 1
    assert run("verify", str(file), "--against-store", "--records-url", empty)[0] == 0


def test_a_page_whose_words_or_evidence_were_edited_does_not_hold(
    store: RecordsStore, empty: str, tmp_path: Path
) -> None:
    kept(store)
    file = tmp_path / "march.html"
    assert run("export", "--from", "2026-03-10", "-o", str(file), "--records-url", empty)[0] == 0
    whole = file.read_text()
    for old, new in (("<td>ann</td>", "<td>bob</td>"), ("&quot;actor&quot;:&quot;ann", "&quot;actor&quot;:&quot;bob")):
        assert old in whole
        file.write_text(whole.replace(old, new))
        code, said = run("verify", str(file))
        assert code == 1, said
        assert "Traceback" not in said
    file.write_text(whole.replace("</article>", ""))
    assert "the page ends within an incident" in run("verify", str(file))[1]


def test_an_export_from_which_an_incident_was_taken_is_not_all_of_it(
    store: RecordsStore, empty: str, tmp_path: Path
) -> None:
    kept(store)
    file = tmp_path / "march.ndjson"
    assert run("export", "--from", "2026-03-10", "-o", str(file), "--records-url", empty)[0] == 0
    file.write_bytes(file.read_bytes().splitlines(keepends=True)[0])
    code, said = run("verify", str(file))
    assert code == 1
    assert "it had 1 incidents, and 0 are here" in said


def test_a_broken_chain_is_said_on_top_of_the_export(store: RecordsStore, empty: str, tmp_path: Path) -> None:
    incident_id = kept(store)
    tamper(empty, "UPDATE incident_events SET sealed = replace(sealed, 'ann', 'bob') WHERE revision = 2")
    file = tmp_path / "march.html"
    said = run("export", incident_id, "-o", str(file), "--records-url", empty)[1]
    assert said.startswith(f"1 of 1 chains of seals are NOT INTACT: {incident_id}.")
    assert "NOT INTACT" in file.read_text().partition("<article")[0]


def test_who_exports_and_who_looks_is_in_the_access_log(store: RecordsStore, empty: str) -> None:
    incident_id = kept(store)
    run("export", incident_id, "--records-url", empty)
    code, said = run("access", "--incident", incident_id, "--json", "--records-url", empty)
    assert code == 0
    (entry,) = [orjson.loads(line) for line in said.splitlines()]
    assert (entry["action"], entry["target"], entry["status"]) == ("audit-export", incident_id, 200)
    assert f"audit-export {incident_id}  200" in run("access", "--records-url", empty)[1]
    assert "Nothing of that" in run("access", "--who", "nobody", "--records-url", empty)[1]
    assert (
        '"audit-export"'
        in run("export", incident_id, "--json", "--records-url", empty)[1].partition('"accesses":[{')[2]
    )
