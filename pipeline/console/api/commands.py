"""Commands: what people ask of incidents and problems, and what became of it."""

from __future__ import annotations

from copy import copy
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Header, Path, Response
from pydantic import BaseModel, ConfigDict, Field, create_model
from sqlalchemy import Connection

from pipeline.console.api.shapes import NAME, IncidentId, ProblemId
from pipeline.console.commands import KEY_CHARACTERS_MAX, SET_HERE, Asked, ask_for, ask_problem, bad_fields
from pipeline.console.context import Here
from pipeline.console.identity import Identity
from pipeline.console.refusal import not_found
from pipeline.console.security.who import Known, Responder
from pipeline.models.command import COMMAND_ID_CHARACTERS_MAX, Command
from pipeline.models.problem import ProblemCommand
from pipeline.records import reading, receipts
from pipeline.records.receipts import Outcome, Receipt

router = APIRouter(tags=["commands"])

TRACKING: Final = "/api/v1/commands/"


def _without(name: str, model: type[BaseModel], *left_out: str, doc: str) -> type[BaseModel]:
    """A command as people send it: without what stands here, and with nothing that it does not know."""
    fields: dict[str, Any] = {
        field: (info.annotation, _described(field, info))
        for field, info in model.model_fields.items()
        if field not in (*SET_HERE, *left_out)
    }
    config = ConfigDict(extra="forbid", str_strip_whitespace=True)
    made: type[BaseModel] = create_model(name, __config__=config, __doc__=doc, **fields)
    return made


_SAID: Final = {
    "type": "What is asked.",
    "at": "When it was asked, where that was earlier; what contradicts it since then wins.",
    "expected_revision": "Only at this revision of the incident; the header If-Match says the same.",
    "if_state": "Only while the incident is in this state.",
    "note": "Words for the timeline; of a note its text.",
    "audience": "Whom a note or message is for.",
    "reason": "Why: of a cancellation, an escalation, a reopening, a declaration.",
    "assignee": "Person who takes it.",
    "priority": "The priority to set.",
    "link": "A record elsewhere.",
    "resolution": "How it ended: needed to resolve, as the domain's policy says.",
    "waiting_for": "Whom a wait is for.",
    "workaround": "What restored the service.",
    "ref": "The suspect that is cleared.",
    "action": "A corrective action.",
    "text": "What a message says; of a problem the note, cause, workaround, action, fix or reason.",
    "state": "Where the incident is for the audience.",
    "duty": "The notice that was given.",
    "into": "The surviving incident of a merge.",
    "episodes": "The episodes that a split moves out.",
    "users": "People affected, put right.",
    "revenue_per_minute": "Money a minute at stake, put right.",
    "status": "Coordinated status of a Major Incident.",
    "silence": "What is to be muted of this incident.",
    "until": "When a silence ends.",
}


def _described(name: str, info: Any) -> Any:
    copied = copy(info)
    copied.description = _SAID.get(name)
    return copied


IncidentCommand = _without("IncidentCommand", Command, doc="What is asked of an incident; who asks is your token's.")
ProblemCommandIn = _without("ProblemCommandIn", ProblemCommand, "problem_id", doc="What is asked of a problem.")

Key = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=KEY_CHARACTERS_MAX,
        pattern=r"^[\x21-\x7e]+$",
        description="Your own name for this request: repeated with it, the request is done once.",
        examples=["0b5b6d0e-5d2d-4d0b-a3ef-6c1c3d9b7f10"],
    ),
]
IfMatch = Annotated[
    str | None,
    Header(
        alias="If-Match",
        max_length=100,
        description="The revision that you have seen, as the header `X-Revision` or the field `revision` told it; the "
        "`ETag` is of the whole answer, which changes with other things too, and is none.",
        examples=['"7"'],
    ),
]


class Accepted(BaseModel):
    """A command that the brokers have. The pipeline obeys or refuses it a moment later."""

    command_id: str
    status: Literal["accepted"] = "accepted"
    tracking: str = Field(description="Where to ask what became of it.")
    about: str = Field(description="Id of the incident, problem or silence.")


class Tracked(BaseModel):
    """What became of a command."""

    command_id: str
    status: Literal["pending", "applied", "refused"] = Field(
        description="Pending: the records do not say yet. Refused: it changed nothing, and the words say why."
    )
    kind: str = Field(description="`incident`, `bridge`, `problem` or `silence`.")
    about: str
    type: str
    accepted: bool = Field(description="Whether the brokers are known to have it; if not, repeat it with its key.")
    revision: int | None = Field(description="Of the incident or problem, that says so.")
    words: list[str] = Field(description="What the timeline says of it.")


@router.post("/incidents/{incident_id}/commands", status_code=202, summary="Ask something of an incident")
async def command_incident(
    context: Here,
    who: Responder,
    incident_id: IncidentId,
    body: IncidentCommand,  # type: ignore[valid-type]  # made of the command's own fields above
    response: Response,
    idempotency_key: Key = None,
    if_match: IfMatch = None,
) -> Accepted:
    """Acknowledge, assign, note, merge, resolve... Accepted means that Kafka has it; `tracking` tells the end."""
    fields = _fields(body)
    if (revision := _revision(if_match)) is not None:
        fields["expected_revision"] = revision
    return accepted(await ask_for(context, who, incident_id, fields, idempotency_key), response)


@router.post("/problems/{problem_id}/commands", status_code=202, summary="Ask something of a problem")
async def command_problem(
    context: Here,
    who: Responder,
    problem_id: ProblemId,
    body: ProblemCommandIn,  # type: ignore[valid-type]  # likewise
    response: Response,
    idempotency_key: Key = None,
) -> Accepted:
    """Take it up, write down cause and workaround (then it is a known error), resolve, close."""
    return accepted(await ask_problem(context, who, problem_id, _fields(body), idempotency_key), response)


@router.get("/commands/{command_id}", summary="What became of a command")
async def read_command(
    context: Here,
    who: Known,
    command_id: Annotated[str, Path(max_length=COMMAND_ID_CHARACTERS_MAX, pattern=NAME)],
) -> Tracked:
    """Your own, and those about what you may see."""

    def question(sql: Connection) -> tuple[Receipt, Outcome | None] | None:
        asked = receipts.receipt(sql, command_id)
        if asked is None or not _may_see(sql, who, asked):
            return None
        return asked, receipts.outcome(sql, asked)

    found = await context.ask(question)
    if found is None:
        raise not_found("command", command_id)
    asked, outcome = found
    status: Literal["pending", "applied", "refused"] = "pending"
    if outcome is not None:
        status = "refused" if outcome.refused else "applied"
    return Tracked(
        command_id=command_id,
        status=status,
        kind=asked.kind,
        about=asked.about,
        type=asked.type,
        accepted=asked.accepted_at is not None,
        revision=outcome.revision if outcome else None,
        words=list(outcome.words) if outcome else [],
    )


def accepted(asked: Asked, response: Response) -> Accepted:
    """The answer to a command."""
    response.headers["Location"] = TRACKING + asked.command_id
    return Accepted(command_id=asked.command_id, tracking=TRACKING + asked.command_id, about=asked.about)


def _fields(body: BaseModel) -> dict[str, Any]:
    return body.model_dump(mode="json", exclude_unset=True, exclude_none=True)


def _may_see(sql: Connection, who: Identity, asked: Receipt) -> bool:
    if asked.kind in ("incident", "bridge"):
        return reading.timeline(sql, asked.about, who.scope, limit=1) is not None
    if asked.kind == "problem":
        return reading.problem(sql, asked.about, who.scope) is not None
    return asked.subject == who.subject or who.scope is None


def _revision(if_match: str | None) -> int | None:
    """The revision that a header names, with quotes or without; of ``*`` none."""
    if if_match is None or if_match.strip() == "*":
        return None
    plain = if_match.strip().removeprefix("W/").strip('"')
    if not (plain.isascii() and plain.isdecimal() and len(plain) <= 18):
        raise bad_fields([("If-Match", 'the X-Revision of the incident, such as "7"')])
    return int(plain)
