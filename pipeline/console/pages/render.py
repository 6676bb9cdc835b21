"""Pages from templates. A request with the header ``X-Fragment`` gets that block of the page alone, to put it in place.

return render(request, who, "board.html", incidents=found)
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from fastapi import Request
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import HTMLResponse

from pipeline.console.identity import Identity
from pipeline.console.pages.words import FILTERS

FRAGMENT_HEADER: Final = "X-Fragment"
TEMPLATES: Final = Path(__file__).parents[1] / "templates"

ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters.update(FILTERS)


def render(request: Request, who: Identity | None, name: str, *, status: int = 200, **facts: Any) -> HTMLResponse:
    """A page, or the block of it that was asked for.

    Args:
        request: for its path, and what stands in the page for scripts.
        who: who asks; None where nobody has to be known.
        name: of the template.
        status: HTTP status.
        facts: what the template tells.
    """
    template = ENVIRONMENT.get_template(name)
    facts = {"request": request, "who": who, "path": request.url.path, **facts}
    block = template.blocks.get(request.headers.get(FRAGMENT_HEADER, ""))
    if block is None:
        return HTMLResponse(template.render(facts), status, {"Vary": FRAGMENT_HEADER})
    html = "".join(block(template.new_context(facts)))
    return HTMLResponse(html, status, {"Vary": FRAGMENT_HEADER})
