"""How answers are damaged: at a place in their JSON, as a whole, or in their heads. By chance, from a seed."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from copy import deepcopy
from random import Random
from typing import Any, Final

from aiohttp import web

DEPTH_MAX: Final = 30
"""Of places that are damaged: what has been nested ever deeper is deep enough."""

LONG: Final = "x" * 3_000
BIDI: Final = "\u202e\u0000\x1b[31m\r\n"

_VALUES: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 7, 2**63, 2**64 - 1, 1e308, 0.5, "", " ", "x", "0", "-1", LONG, "9" * 6_000, BIDI, [], {},
    [[]], [None], [1], [{}], {"id": 1}, {"a": {"a": {"a": []}}}, ["x"] * 500, "null", "javascript:alert(1)",
    "http://169.254.169.254/latest", "../../admin", "INC-AAAAAAAAAAAA", "OPS-" + "9" * 5_000,
    "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", "99999-01-01", "resolved", "closed", "\ud83d\ude00" * 900,
)  # fmt: skip

_MOMENTS: Final = (
    "1", "0", "-1", "9" * 400,
    "9" * 5_000, "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59",
    "Mon, 01 Jan 2026 00:00:00 +99999999999999", "1e9", "NaN", "\u00e9", "9999-12-31T23:59:59-14:00", "inf", " ",
)  # fmt: skip

_LINKS: Final = (
    '<http://169.254.169.254/latest/meta-data>; rel="next"', '<https://evil.example/v1/requests?page=2>; rel="next"',
    '<//evil.example/x>; rel="next"', '<http://[::1>; rel="next"', '<file:///etc/passwd>; rel="next"', "<>;rel=next",
    '<{url}@evil.example/>; rel="next"', '<{url}/v1/requests?page=1>; rel="next"', '<{url}/\u00e9\u0080>; rel="next"',
)  # fmt: skip

_STATUSES: Final = (200, 201, 202, 204, 301, 302, 307, 400, 401, 403, 404, 409, 410, 418, 420, 422, 429, 500, 503, 599)

UNREADABLE: Final[tuple[str, ...]] = (
    "<html><title>Sign in</title></html>", "", "null", "[]", "{}", "1", '"ok"', "true", '{"a": NaN}', "[1e999]",
    "[" * 100_000, '{"a":' * 5_000, "\x00", "{", '{"error": "x"}', "[null, 1, [], {}]",
)  # fmt: skip
"""Whole bodies that hold no record."""


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every place in a document, that of the whole first."""
    yield path
    if len(path) >= DEPTH_MAX:
        return
    for name, each in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from paths(each, (*path, name))


def _at_a_place(random: Random, document: Any) -> Any:
    path = random.choice(list(paths(document)))
    if not path:
        return deepcopy(random.choice(_VALUES))
    parent = document
    for name in path[:-1]:
        parent = parent[name]
    what = random.random()
    if what < 0.15:
        del parent[path[-1]]
    elif what < 0.25:
        parent[path[-1]] = [parent[path[-1]]]
    elif what < 0.3:
        deep: Any = parent[path[-1]]
        for _ in range(200):
            deep = [deep]
        parent[path[-1]] = deep
    elif what < 0.35 and isinstance(parent, list):
        parent += [json.loads(json.dumps(parent[path[-1]])) for _ in range(300)]
    else:
        parent[path[-1]] = deepcopy(random.choice(_VALUES))
    return document


def damaged(random: Random, document: Any) -> Any:
    """A document after something has happened at some of its places."""
    for _ in range(random.choice((1, 1, 1, 2, 3))):
        document = _at_a_place(random, document)
    return document


def _json(random: Random, answer: web.Response, url: str) -> web.Response:
    try:
        document = json.loads(answer.text or "null")
    except ValueError:
        return answer
    document = damaged(random, document)
    return _again(answer, json.dumps(document).encode(errors="replace"))


def _whole(random: Random, answer: web.Response, url: str) -> web.Response:
    return unreadable(random, answer)


def unreadable(random: Random, answer: web.Response) -> web.Response:
    """The same status with what holds no record."""
    bodies = [each.encode() for each in UNREADABLE] + [b"\xff\xfe{}\x80", bytes(answer.body or b"")[:-1]]  # type: ignore[arg-type]
    chosen = random.choice(bodies)
    listed = bytes(answer.body or b"").lstrip().startswith(b"[")  # type: ignore[arg-type]
    return _again(answer, b"[1]" if listed and chosen == b"[]" else chosen)  # where lists are bare "[]" says something


def _large(random: Random, answer: web.Response, url: str) -> web.Response:
    if random.random() < 0.5:
        return _again(answer, b'{"a": "' + b"x" * (10 << 20) + b'"}')
    return _again(answer, _BOMB, {"Content-Encoding": "gzip"})


def _packed(random: Random, answer: web.Response, url: str) -> web.Response:
    body = bytes(answer.body or b"")  # type: ignore[arg-type]
    whole = gzip.compress(body, 1)
    sent = random.choice((whole, whole[: len(whole) // 2], body, whole + body))
    return _again(answer, sent, {"Content-Encoding": random.choice(("gzip", "deflate", "br", "x-gzip", "gzip, gzip"))})


def _head(random: Random, answer: web.Response, url: str) -> web.Response:
    name = random.choice(
        ("Retry-After", "X-RateLimit-Reset", "Link", "Location", "X-RateLimit-Remaining", "Set-Cookie")
    )
    value = random.choice(_LINKS).replace("{url}", url) if name in ("Link", "Location") else random.choice(_MOMENTS)
    more = {"X-RateLimit-Remaining": "0"} if name == "X-RateLimit-Reset" else {}
    status = random.choice((answer.status, 429, 503))
    return _again(answer, bytes(answer.body or b""), {**more, name: value}, status)  # type: ignore[arg-type]


def _status(random: Random, answer: web.Response, url: str) -> web.Response:
    body = bytes(answer.body or b"")  # type: ignore[arg-type]
    return _again(answer, body, {"Location": "http://169.254.169.254/"}, random.choice(_STATUSES))


def _again(
    answer: web.Response, body: bytes, headers: dict[str, str] | None = None, status: int | None = None
) -> web.Response:
    kept = {name: value for name, value in answer.headers.items() if name in ("Content-Type", "Link")}
    status = status or answer.status
    return web.Response(body=b"" if status == 204 else body, status=status, headers={**kept, **(headers or {})})


_BOMB: Final = gzip.compress(b'{"id": "' + b"0" * (50 << 20) + b'"}', 1)

Garbler = Callable[[Random, web.Response, str], web.Response]

_HOW: Final[tuple[tuple[float, Garbler], ...]] = (
    (0.70, _json), (0.10, _whole), (0.08, _head), (0.07, _status), (0.045, _packed), (0.005, _large),
)  # fmt: skip


def garbled(random: Random, answer: web.Response, url: str) -> web.Response:
    """An answer after something has happened to it."""
    [how] = random.choices([each for _, each in _HOW], [weight for weight, _ in _HOW])
    return how(random, answer, url)
