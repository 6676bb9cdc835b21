"""What people ask for becomes a command on Kafka: checked, allowed, written down, sent once.

    asked = await ask_for(context, who, "INC-7Q2M", {"type": "acknowledge", "note": "on it"}, key)

Nothing changes here: the pipeline obeys or refuses, and remains the one who says what is allowed. What can be told
before is told before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from http import HTTPStatus
from typing import Any, Final, TypeVar
from uuid import uuid4

import orjson
from pydantic import BaseModel, ValidationError

from pipeline.console.context import Context
from pipeline.console.identity import Identity, at_least, domains_of
from pipeline.console.refusal import Reason, Refusal, not_found
from pipeline.core.practice.admission import forbidden
from pipeline.core.practice.lifecycle import ENDED_STATES
from pipeline.core.practice.shelf import stamp_of
from pipeline.core.printable import printable
from pipeline.models.command import SILENCING, Command, CommandType, Role
from pipeline.models.problem import PROBLEM_COMMANDS_TOPIC, ProblemCommand
from pipeline.records import problems, receipts
from pipeline.records.receipts import Receipt

Model = TypeVar("Model", bound=BaseModel)

COMMANDS_TOPIC: Final = "commands"
BRIDGE_COMMANDS_TOPIC: Final = "bridge.commands"
BRIDGE: Final = "bridge"

KEY_CHARACTERS_MAX: Final = 200
"""Of an ``Idempotency-Key``: a UUID has 36."""

ERRORS_MAX: Final = 20
"""Wrong fields that one refusal names."""

FIELD_CHARACTERS_MAX: Final = 100
"""Of a field's name in a refusal: it may be the sender's own."""

SET_HERE: Final = frozenset({"command_id", "actor", "role", "target"})
"""Fields of a command that are never taken from what somebody sends."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A command that the brokers have.

    Attributes:
        about: the incident, bridge incident, problem or silence.
        repeated: it was asked for before with the same key, and nothing was sent again.
    """

    command_id: str
    about: str
    repeated: bool = False


@dataclass(slots=True)
class _Counted:
    asked: Asked | None = None


@contextmanager
def _counted(context: Context, fields: dict[str, Any]) -> Iterator[_Counted]:
    """Count a command by its type and what became of it here."""
    counted, outcome = _Counted(), "failed"
    try:
        yield counted
        outcome = "repeated" if counted.asked is not None and counted.asked.repeated else "accepted"
    except Refusal as refusal:
        outcome = refusal.reason
        raise
    finally:
        if context.metrics is not None:
            context.metrics.asked(str(fields.get("type")), outcome)


@dataclass(frozen=True, slots=True)
class Way:
    """Where a command goes: ``kind`` and ``about`` of its receipt, topic and key of its record."""

    kind: str
    about: str
    topic: str
    key: str


async def ask_for(
    context: Context, who: Identity, incident_id: str, fields: dict[str, Any], key: str | None = None
) -> Asked:
    """Ask something of an incident or bridge incident, as somebody.

    Args:
        context: of the console.
        who: who asks: the actor; his role is the one that he has for the incident's domains.
        incident_id: the incident.
        fields: of `pipeline.models.command.Command`, without those of `SET_HERE`.
        key: his own name for this request; repeated with the same fields, nothing is sent twice.

    Raises:
        Refusal: not a command, not allowed, no such incident, over, or Kafka or the store is away.
    """
    with _counted(context, fields) as counted:
        counted.asked = await _ask_for(context, who, incident_id, fields, key)
        return counted.asked


async def _ask_for(context: Context, who: Identity, incident_id: str, fields: dict[str, Any], key: str | None) -> Asked:
    snapshot = await _visible(context, who, incident_id)
    own_id = command_id_of(who, key, [incident_id, fields])
    if (given := await repeated(context, who, key, [incident_id, fields])) is not None:
        return given
    role = who.role_for(domains_of(snapshot))
    command = read_command(Command, fields, _own(own_id, who, role) | {"target": {"incident_id": incident_id}})
    _check_incident(context, command, snapshot)
    await _check_others(context, who, command)
    if snapshot.get("kind") == BRIDGE:
        way = Way(BRIDGE, incident_id, BRIDGE_COMMANDS_TOPIC, incident_id)
    else:
        way = Way("incident", incident_id, COMMANDS_TOPIC, str(snapshot.get("space") or ""))
    return await give(context, who, command, way, key, [incident_id, fields])


async def ask_problem(
    context: Context, who: Identity, problem_id: str, fields: dict[str, Any], key: str | None = None
) -> Asked:
    """Ask something of a problem; as `ask_for`, with fields of `pipeline.models.problem.ProblemCommand`."""
    with _counted(context, fields) as counted:
        counted.asked = await _ask_problem(context, who, problem_id, fields, key)
        return counted.asked


async def _ask_problem(
    context: Context, who: Identity, problem_id: str, fields: dict[str, Any], key: str | None
) -> Asked:
    problem = None
    if problem_id.isprintable():
        problem = await context.ask(lambda connection: problems.shown(connection, problem_id))
    role = None if problem is None else who.role_for(domains_of(problem))
    if role is None:
        raise not_found("problem", problem_id)
    own_id = command_id_of(who, key, [problem_id, fields])
    if (given := await repeated(context, who, key, [problem_id, fields])) is not None:
        return given
    command = read_command(ProblemCommand, fields, _own(own_id, who, role) | {"problem_id": problem_id})
    if not at_least(role, Role.RESPONDER):
        raise not_allowed(f"a {role} may ask nothing of a problem")
    way = Way("problem", problem_id, PROBLEM_COMMANDS_TOPIC, problem_id)
    return await give(context, who, command, way, key, [problem_id, fields])


async def give(
    context: Context, who: Identity, command: Command | ProblemCommand, way: Way, key: str | None, body: Any
) -> Asked:
    """Write the receipt of a command that is allowed, and send it unless that was done.

    Raises:
        Refusal: the key stands for another request, or Kafka or the store is away.
    """
    at = datetime.fromtimestamp(context.now_ms() / 1_000, UTC)
    digest = _digest(body)
    asked = Receipt(command.command_id, who.subject, key, digest, way.kind, way.about, str(command.type), at)
    kept = await context.write(lambda connection: receipts.keep(connection, asked))
    if (before := _same(kept, digest)) is not None:  # the same request at the same time
        return before
    await context.commands.send(command, topic=way.topic, key=way.key)
    await context.write(lambda connection: receipts.accept(connection, command.command_id, at))
    return Asked(command.command_id, way.about)


async def repeated(context: Context, who: Identity, key: str | None, body: Any) -> Asked | None:
    """The answer that somebody had to the same request before: whatever has become of the incident since.

    Raises:
        Refusal: the key stands for another request.
    """
    if key is None:
        return None
    kept = await context.ask(lambda connection: receipts.of_key(connection, who.subject, key))
    return None if kept is None else _same(kept, _digest(body))


def _same(kept: Receipt, digest: str) -> Asked | None:
    if kept.digest != digest:
        detail = "this Idempotency-Key stands for another request of yours: give each request a key of its own"
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, Reason.CONFLICT, detail)
    return None if kept.accepted_at is None else Asked(kept.command_id, kept.about, repeated=True)


def read_command(model: type[Model], fields: dict[str, Any], own: dict[str, Any]) -> Model:
    """A command of what somebody sent and of what stands here. Words that would steer a terminal do not.

    Raises:
        Refusal: it is none. The problem names the fields, and nothing of what they hold.
    """
    forged = SET_HERE & fields.keys()
    unknown = fields.keys() - model.model_fields.keys()
    if wrong := sorted(forged | unknown | (own.keys() & fields.keys())):
        told = [(name, "is not yours to set" if name in model.model_fields else "is no field of it") for name in wrong]
        raise bad_fields(told)
    try:
        return model.model_validate(printable(fields) | own)
    except ValidationError as invalid:
        problems_found = invalid.errors(include_url=False, include_context=False, include_input=False)
        raise bad_fields((".".join(map(str, each["loc"])) or "type", each["msg"]) for each in problems_found) from None


def bad_fields(wrong: Iterable[tuple[str, str]]) -> Refusal:
    """A refusal that names fields."""
    errors = [{"field": name[:FIELD_CHARACTERS_MAX], "problem": said} for name, said in wrong][:ERRORS_MAX]
    detail = "; ".join(f"{each['field']}: {each['problem']}" for each in errors)
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, Reason.BAD_INPUT, detail, {"errors": errors})


def not_allowed(because: str) -> Refusal:
    """He may see it, and not do that."""
    return Refusal(HTTPStatus.FORBIDDEN, Reason.NOT_ALLOWED, because)


def command_id_of(who: Identity, key: str | None, body: Any) -> str:
    """The id of a command: by its content where a key names the request, so that the pipeline knows a repeated one too.

    Raises:
        Refusal: the key is none.
    """
    if key is None:
        return f"api-{uuid4().hex}"
    if not 0 < len(key) <= KEY_CHARACTERS_MAX or not key.isascii() or not key.isprintable():
        detail = f"Idempotency-Key: 1 to {KEY_CHARACTERS_MAX} printable ASCII characters"
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, Reason.BAD_INPUT, detail)
    return f"api-{_digest([who.subject, key, body])}"


def _digest(content: Any) -> str:
    return blake2b(orjson.dumps(content, option=orjson.OPT_SORT_KEYS), digest_size=16).hexdigest()


def _own(command_id: str, who: Identity, role: Role | None) -> dict[str, Any]:
    return {"command_id": command_id, "actor": who.subject, "role": role}


async def _visible(context: Context, who: Identity, incident_id: str) -> dict[str, Any]:
    """An incident that somebody may see.

    Raises:
        Refusal: there is none.
    """
    snapshot = None
    if incident_id.isprintable():  # PostgreSQL has no word with a NUL
        snapshot = await context.ask(lambda connection: receipts.incident(connection, incident_id))
    if snapshot is None or who.role_for(domains_of(snapshot)) is None:
        raise not_found("incident", incident_id)
    return snapshot


def _check_incident(context: Context, command: Command, snapshot: dict[str, Any]) -> None:
    """What the pipeline would refuse for certain.

    The incident goes by the pack that it was opened under. Where that is another than the one here, the pipeline says.
    """
    if not at_least(command.role, Role.RESPONDER):
        raise not_allowed(f"a {command.role} may look, and ask for nothing")
    state, priority = str(snapshot.get("state")), str(snapshot.get("priority"))
    if state in ENDED_STATES:
        into = f" into {snapshot['merged_into']}: ask that one" if snapshot.get("merged_into") else ""
        raise Refusal(HTTPStatus.CONFLICT, Reason.CONFLICT, f"the incident is {state}{into}")
    policy = context.config.policy(snapshot.get("domain"))
    if snapshot.get("policy_version") == stamp_of(policy):
        is_bridge = snapshot.get("kind") == BRIDGE
        because = forbidden(policy, command, is_bridge=is_bridge, state=state, priority=priority)
        if because is not None:
            raise not_allowed(because)
    expected, revision = command.expected_revision, snapshot["revision"]
    if expected is not None and expected < revision:  # the store may be a moment behind, and never ahead
        detail = f"it was meant for revision {expected}, this is {revision}: read it again"
        raise Refusal(HTTPStatus.PRECONDITION_FAILED, Reason.STALE, detail, {"revision": revision})


async def _check_others(context: Context, who: Identity, command: Command) -> None:
    """What a command names beside its incident must be his to touch as well."""
    if command.type in SILENCING and command.type != CommandType.SILENCE:
        raise bad_fields([("type", "a silence is ended or extended at /api/v1/silences")])
    if command.silence is not None and command.silence.conditions and who.scope is not None:
        raise not_allowed("conditions of other incidents are named by those alone who may see all of them")
    if command.into is not None:
        other = await _visible(context, who, command.into)
        if not at_least(who.role_for(domains_of(other)), Role.RESPONDER):
            raise not_allowed(f"you may look at {command.into}, and ask for nothing")
