"""What somebody reads on a page: its words, without tags."""

from __future__ import annotations

import re
from html import unescape
from typing import Final

from starlette.testclient import TestClient

_LEFT_OUT: Final = re.compile(r"<(script|style|dialog|title)\b.*?</\1>", re.DOTALL)
_TAG: Final = re.compile(r"<[^>]+>")


def page(client: TestClient, path: str) -> str:
    """The HTML of a page that is there."""
    answer = client.get(path)
    assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text[:300]}"
    assert " style=" not in answer.text, "the content security policy has no room for it"
    return answer.text


def words(html: str) -> str:
    """What is read of it, with single spaces."""
    return re.sub(r"\s+", " ", unescape(_TAG.sub(" ", _LEFT_OUT.sub(" ", html)))).strip()


def card(html: str, card_id: str) -> str:
    """What is read of one card."""
    found = re.search(rf'<section class="card[^"]*" id="{card_id}".*?</section>', html, re.DOTALL)
    assert found is not None, f"no card {card_id}"
    return words(found[0])
