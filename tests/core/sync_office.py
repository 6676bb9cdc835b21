"""One ticket of one incident, and somebody who changes it there: what the tests of sync share."""

from __future__ import annotations

from typing import Any

from tests.core.builders import MINUTE
from tests.core.downstream import Office, became, commands, tickets


def office(**fields: Any) -> Office:
    """One ticket of one incident, known on both sides."""
    desk = Office(tickets(**fields))
    desk.event(1, "opened")
    desk.deliver()
    desk.hear()
    desk.tick(10 * MINUTE)
    desk.new()
    return desk


def edit(desk: Office, name: str, value: str, author: str = "kim", **said: Any) -> dict[str, str]:
    """Somebody there changes a field, and we hear of it; what became of that."""
    desk.new()
    desk.there["desk"].edit(desk.ticket(), name, value, desk.now_ms, author, **said)
    return became(desk.hear())


def asked(desk: Office) -> list[tuple[str, str]]:
    """Commands and who asks, since the last look."""
    return [(each["type"], each["actor"]) for each in commands(desk.new())]
