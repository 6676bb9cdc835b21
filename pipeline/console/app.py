"""The application: routes of the API and of the pages, and what stands around each request."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from time import monotonic
from typing import Final

from fastapi import APIRouter, FastAPI
from starlette.staticfiles import StaticFiles

from pipeline.console import api, pages
from pipeline.console.context import Context
from pipeline.console.description import ERRORS, describe, operation_id
from pipeline.console.faults import add_faults
from pipeline.console.pages.refused import refused_page
from pipeline.console.pages.render import prepare
from pipeline.console.security.access import Access
from pipeline.console.security.door import Door
from pipeline.console.squeeze import ApiGzip
from pipeline.console.tags import Tags

HERE: Final = Path(__file__).parent
API_PREFIX: Final = "/api/v1"


def create_app(context: Context, clock: Callable[[], float] = monotonic) -> FastAPI:
    """The console over a store and a broker; nothing connects yet.

    Each module of ``api`` and ``pages`` that has a ``router`` is a part of it.
    """
    app = FastAPI(
        title="Spillway",
        version="1",
        summary="Incidents, what they are decided by, and what is done about them.",
        openapi_url=f"{API_PREFIX}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        lifespan=_lifespan,
        generate_unique_id_function=operation_id,
    )
    app.openapi = describe(app)  # type: ignore[method-assign]  # as FastAPI's documentation says
    app.state.context = context
    app.state.refused_page = refused_page
    app.state.access = access = Access(context, clock)
    app.add_middleware(Tags)
    app.add_middleware(ApiGzip)
    app.add_middleware(Door, access=access)
    add_faults(app)
    for router in routers(api):
        app.include_router(router, prefix=API_PREFIX, responses=ERRORS)
    for router in routers(pages):
        app.include_router(router, include_in_schema=False)
    app.mount("/static", StaticFiles(directory=HERE / "static"), name="static")
    return app


def routers(package: object) -> Iterator[APIRouter]:
    """The routers of a package's modules, in order of their names."""
    path, name = getattr(package, "__path__", []), getattr(package, "__name__", "")
    for module in sorted(each.name for each in iter_modules(path)):
        found = getattr(import_module(f"{name}.{module}"), "router", None)
        if isinstance(found, APIRouter):
            yield found


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """What runs beside the requests."""
    access: Access = app.state.access
    prepare()
    await access.open()
    try:
        yield
    finally:
        await access.close()
