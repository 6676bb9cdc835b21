"""Pages from templates. A request with the header ``X-Fragment`` gets that block of the page alone, to put it in place.

return render(request, who, "board.html", incidents=found)

Every template has without being given them: ``ui`` (the macros of ``_macros.html``), ``who``, ``path``, ``csrf``,
``now_ms``, ``pages`` (the navigation).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from fastapi import Request
from jinja2 import Environment, FileSystemLoader
from starlette.responses import HTMLResponse

from pipeline.console.context import context_of
from pipeline.console.identity import Identity
from pipeline.console.pages.absent import Absent
from pipeline.console.pages.keys import KEYS
from pipeline.console.pages.words import FILTERS

FRAGMENT_HEADER: Final = "X-Fragment"
NOW_HEADER: Final = "X-Now"
"""By which clocks of a page that changes live go: the console's own time, epoch milliseconds."""

TEMPLATES: Final = Path(__file__).parents[1] / "templates"

PAGES: Final = (
    ("/", "Board", "board"),
    ("/majors", "Major Incidents", "majors"),
    ("/services", "Services", "services"),
    ("/oncall", "On call", "oncall"),
    ("/suppression", "Noise", "suppression"),
    ("/problems", "Problems", "problems"),
    ("/analytics", "Analytics", "analytics"),
    ("/search", "Search", "search"),
    ("/access", "Access", "access"),
)
"""The navigation: address, name, key; Access is shown to administrators."""

ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=Absent,
    trim_blocks=True,
    lstrip_blocks=True,
)
ENVIRONMENT.filters.update(FILTERS)
# A block that is rendered alone does not run the imports of its page: the macros are there for all.
ENVIRONMENT.globals["ui"] = ENVIRONMENT.get_template("_macros.html").module
ENVIRONMENT.globals["pages"] = PAGES
ENVIRONMENT.globals["keys"] = KEYS


def prepare() -> None:
    """Compile all templates: whoever opens the first page after a start would wait for it otherwise."""
    for name in ENVIRONMENT.list_templates():
        ENVIRONMENT.get_template(name)


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
    common = {
        "request": request,
        "who": who,
        "path": request.url.path,
        "csrf": getattr(request.state, "csrf", ""),
        "now_ms": context_of(request).now_ms(),
    }
    facts = common | facts
    block = template.blocks.get(request.headers.get(FRAGMENT_HEADER, ""))
    if block is None:
        return HTMLResponse(template.render(facts), status, {"Vary": FRAGMENT_HEADER})
    html = "".join(block(template.new_context(facts)))
    return HTMLResponse(html, status, {"Vary": FRAGMENT_HEADER, NOW_HEADER: str(facts["now_ms"])})
