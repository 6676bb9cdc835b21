"""Who hears of what."""

from __future__ import annotations

from pipeline.models.catalog import Frozen


class CommunicationRules(Frozen):
    """Who hears of what.

    Attributes:
        status_page: priorities that are shown on the public or internal status page.
        page_name: which status page.
    """

    status_page: tuple[str, ...] = ("P1",)
    page_name: str = "status"
