"""Who the asker is."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from pipeline.console.security.who import Known
from pipeline.models.command import Role

router = APIRouter(tags=["access"])


class GrantOut(BaseModel):
    """A role, for some domains; ``domains`` is null for all."""

    role: Role
    domains: list[str] | None


class Me(BaseModel):
    """Who you are to Spillway."""

    subject: str
    name: str
    by: str
    grants: list[GrantOut]


@router.get("/me", summary="Who you are and what you may")
async def me(who: Known) -> Me:
    """The identity behind your token or session."""
    grants = [
        GrantOut(role=each.role, domains=None if each.domains is None else sorted(each.domains)) for each in who.grants
    ]
    return Me(subject=who.subject, name=who.name, by=who.by, grants=grants)
