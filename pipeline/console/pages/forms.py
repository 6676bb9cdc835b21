"""What somebody filled into a form: the fields that he filled in, without those of the form itself."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from fastapi import Request

from pipeline.console.refusal import Reason, Refusal

FIELDS_MAX: Final = 50
"""Fields of one form: none of ours has so many."""

OWN: Final = frozenset({"csrf", "back"})
"""Fields that are the form's own."""


async def filled(request: Request) -> dict[str, str]:
    """The fields of a posted form that hold something; files are none.

    Raises:
        Refusal: it has more fields than any form of ours.
    """
    form = await request.form(max_files=0, max_fields=FIELDS_MAX)
    found: dict[str, str] = {}
    for name, value in form.multi_items():
        if isinstance(value, str) and value.strip() and name not in OWN:
            if name in found:
                raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, Reason.BAD_INPUT, f"{name[:100]!r} is given twice")
            found[name] = value.strip()
    return found
