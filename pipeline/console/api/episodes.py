"""Episodes: each run of each condition, and why it is where it is."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from sqlalchemy import Connection

from pipeline.console.api.shapes import EpisodeId
from pipeline.console.context import Here
from pipeline.console.explaining import Seen
from pipeline.console.refusal import not_found
from pipeline.console.security.who import Known
from pipeline.records import reading
from pipeline.records.explanation import episode_document
from pipeline.records.reading import Episode

router = APIRouter(tags=["episodes"])


@router.get("/episodes/{episode_id}", summary="An episode")
async def read_episode(context: Here, who: Known, episode_id: EpisodeId) -> Episode:
    """One run of one condition: what it is on, since when, in which incident, and its newest alert."""
    found = await context.ask(lambda sql: reading.episode(sql, episode_id, who.scope))
    if found is None:
        raise not_found("episode", episode_id)
    return found


@router.get("/episodes/{episode_id}/explanation", summary="Why an episode is where it is")
async def explain_episode(context: Here, who: Known, episode_id: EpisodeId) -> dict[str, Any]:
    """Into which incident it went by what evidence, or by what it was hidden: what `spillway explain` says."""

    def question(sql: Connection) -> dict[str, Any] | None:
        if reading.episode(sql, episode_id, who.scope) is None:
            return None
        return episode_document(Seen(sql, who.scope), episode_id)

    found = await context.ask(question)
    if found is None:
        raise not_found("episode", episode_id)
    return found
