"""Words and component statuses at Statuspage. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

_TAG: Final = re.compile(r"<(?=[/!?A-Za-z])")


class Others(NamedTuple):
    """What the other open incidents of a page need of its components.

    Attributes:
        needs: component -> the status that each of them needs; None: it is a person's, who does not say.
        shown: component -> its status now.
        metadata: of our own incident there.
    """

    needs: Mapping[str, Sequence[str | None]]
    shown: Mapping[str, str]
    metadata: Mapping[str, Any]


def settled(
    wish: Mapping[str, str], before: Mapping[str, str], others: Others, severities: Sequence[str]
) -> dict[str, str]:
    """The statuses to be written: the worst that an open incident needs, and of nobody's nothing.

    Args:
        wish: what this incident needs now.
        before: what it needed before.
        others: what others need.
        severities: statuses from the mildest to the worst.
    """
    found: dict[str, str] = {}
    for component in sorted({*wish, *before}):
        needs = others.needs.get(component, ())
        if None in needs and component not in wish:
            continue  # a person holds it, and takes it back
        shown = [others.shown.get(component, "")] if None in needs else []
        known = [each for each in (*needs, *shown) if each is not None and each in severities]
        found[component] = max([wish.get(component, severities[0]), *known], key=severities.index)
    return found


def safe(text: str) -> str:
    """A text that no page and no mail takes for markup: messages are plain, and Statuspage shows some HTML.

    The beginning of a tag is put in other brackets, not in an entity, which short messages and chats would show.
    """
    return _TAG.sub("\u2039", text)
