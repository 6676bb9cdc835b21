"""Cases: requests as senders make them, and the same with one thing or several gone wrong. All from a seed."""

from __future__ import annotations

import gzip
import json
import time
from dataclasses import dataclass, field
from random import Random
from typing import Final
from urllib.parse import quote

from tests.fuzz.door.schemes import BODY_BYTES_MAX, DOORS, SECRET, WRONG, Headers
from tests.fuzz.trees import damage, written

CANARY: Final = "canary"
"""Stands in every body and in headers of every case: no answer and no line of the log may hold it."""

ZEROS: Final = gzip.compress(b"0" * (4 << 20), mtime=0)
"""Four kilobytes that are four megabytes."""

_NAMES: Final = (
    b"Host", b"Content-Length", b"Transfer-Encoding", b"Content-Encoding", b"Content-Type", b"Connection", b"Expect",
    b"Upgrade", b"Authorization", b"X-Request-Id", b"traceparent", b"ce-specversion", b"ce-subject",
    b"X-Forwarded-For", b"Cookie", b"TE", b"Trailer", b"X-Token", b"X-Hub-Signature-256", b"Range",
    b"X-HTTP-Method-Override", b"X-Amz-Sns-Message-Type",
)  # fmt: skip
_VALUES: Final = (
    b"", b" ", b"0", b"-1", b"+5", b"5, 5", b"1e3", b"0x5", b"99999999999999999999", b"chunked", b"identity, chunked",
    b"chunked, identity", b" chunked", b"chunked\x0b", b"xchunked", b"gzip", b"br", b"gzip, gzip", b"deflate",
    b"application/json", b"multipart/form-data; boundary=x", b"application/cloudevents-batch+json", b"close",
    b"keep-alive", b"upgrade", b"websocket", b"100-continue", b"h2c", b"\xff\xfe", b"caf\xc3\xa9", b"a\x00b", b"a\tb",
    b"a\rb", b"Bearer", b"Bearer  ", b"Basic !!!!", b"sha256=", b"v1=,v1=", b"%00%ff", b"[", b"x" * 2_000, b"1.0",
    b"'; DROP TABLE x --", b"${jndi:ldap://x}",
)  # fmt: skip
_METHODS: Final = (
    b"GET",
    b"PUT",
    b"HEAD",
    b"OPTIONS",
    b"DELETE",
    b"PATCH",
    b"TRACE",
    b"CONNECT",
    b"post",
    b"PO ST",
    b"P\x00",
    b"",
)
_PATHS: Final = (
    b"/", b"*", b"//", b"/v1/feeds/", b"/v1/feeds/nobody", b"/v1/feeds/open/more", b"/v1/feeds/%6fpen",
    b"/v1/feeds/..%2fopen", b"/v1/feeds/../feeds/open", b"/v1/feeds/open%00", b"/v1/feeds/open\xff",
    b"/v1/feeds/open?a=\xff\xfe", b"/v1/feeds/open#x", b"http://other.example/v1/feeds/open",
    b"http://[/v1/feeds/open", b"other.example:443", b"/v1/sinks/desk", b"/v2/change/enqueue",
    b"/v1/feeds/address?key=&key=", b"/v1/feeds/address?%6bey=x", b"/metrics", b"/healthz", b"/" + b"a" * 9_000,
)  # fmt: skip
_LINE_ENDS: Final = (b"\n", b"\r", b"\r\r\n", b"\n\r\n", b" \r\n", b"\r\n ")


@dataclass(slots=True)
class Case:
    """One connection's worth of bytes.

    Attributes:
        door: whose request it is, or was before damage.
        good: nothing is wrong with it: it must be accepted.
        parts: bytes, sent one after another.
    """

    number: int
    door: str
    good: bool
    parts: list[bytes] = field(default_factory=list)

    @property
    def raw(self) -> bytes:
        """All of it."""
        return b"".join(self.parts)


@dataclass(slots=True)
class _Request:
    """A request under construction."""

    door: str
    method: bytes
    path: bytes
    headers: Headers
    body: bytes
    sent: bytes
    version: bytes = b"HTTP/1.1"
    good: bool = True


def case(seed: int, number: int) -> Case:
    """The same for the same seed and number, but for the time that signatures hold."""
    random = Random(f"{seed}/{number}")  # noqa: S311  # the same requests every time
    door = random.choice(tuple(DOORS))
    request = _request(random, door, number)
    wrongs = random.choices(range(4), (40, 35, 17, 8))[0]
    for _ in range(wrongs):
        random.choice(_WRONGS)(request, random)
    raw = _framed(request, random)
    if random.random() < 0.2:
        raw = _damaged(raw, random)
        request.good = False
    return Case(
        number, door, request.good and door != "sns" and len(request.body) <= BODY_BYTES_MAX, _split(raw, random)
    )


def _request(random: Random, door: str, number: int) -> _Request:
    body = _body(random, door, number)
    path = DOORS[door].path
    headers: Headers = [(b"Host", b"gateway.example"), (b"Connection", b"close")]
    method = b"POST"
    if door == "address":
        path += b"?key=" + quote(SECRET).encode()
        if random.random() < 0.5:
            method, path, body = (
                b"GET",
                path + f"&number={number}&text={CANARY}%20{'a' * random.randrange(300)}".encode(),
                b"",
            )
    headers += DOORS[door].sign(SECRET, body, time.time())
    if random.random() < 0.7:
        headers.append((b"Content-Type", b"application/json"))
    headers.append((b"X-Other", CANARY.encode()))
    return _Request(door, method, path, headers, body, body)


def _body(random: Random, door: str, number: int) -> bytes:
    """A message that is another one each time."""
    if door == "events":
        event = {
            "routing_key": SECRET,
            "event_action": "trigger",
            "payload": {"summary": f"{CANARY} {number}", "source": "a", "severity": "info"},
        }
        if random.random() < 0.7:
            event["dedup_key"] = f"key {number}"
        return json.dumps(event).encode()
    document = {"number": number, "text": CANARY + "é💥"[random.randrange(3) :], "issue": {"key": f"A-{number % 7}"}}
    draw = random.random()
    if draw < 0.2:
        return f"{number} {CANARY} ".encode() + random.randbytes(random.randrange(200))
    if draw < 0.3:
        head = f"{number} {CANARY} ".encode()
        return head + b"x" * (random.choice((BODY_BYTES_MAX, BODY_BYTES_MAX - 1, 4_096, 16_384)) - len(head))
    if draw < 0.5:
        return written({"n": number, "t": CANARY, "d": damage(document, [document], random)}).encode()
    return json.dumps(document).encode()


# -- one thing that goes wrong


def _unsigned(request: _Request, random: Random) -> None:
    """Another secret, another time, a signature that is cut, doubled or gone."""
    door = request.door
    own = {name.lower() for name, _ in DOORS[door].sign(SECRET, b"", 0.0)}
    if not own:
        return
    request.good = False
    kept = [each for each in request.headers if each[0].lower() not in own]
    right = DOORS[door].sign(SECRET, request.body, time.time())
    ways = (
        lambda: DOORS[door].sign(WRONG, request.body, time.time()),
        lambda: DOORS[door].sign(SECRET, request.body + b" ", time.time()),
        lambda: DOORS[door].sign(SECRET, request.body, time.time() + random.choice((-1e4, 1e4, 1e9))),
        lambda: [(name, value[: random.randrange(len(value))]) for name, value in right],
        lambda: right + right,
        lambda: [(name, random.choice(_VALUES)) for name, _ in right],
        list,
    )
    request.headers = kept + random.choice(ways)()


def _encoded(request: _Request, random: Random) -> None:
    """Compressed, rightly or not."""
    packed = gzip.compress(request.body, mtime=0)  # else its header has the second in which it was made
    way = random.randrange(7)
    sent = (packed, packed, packed[: len(packed) // 2], packed + packed, packed + b"x", ZEROS, request.body)[way]
    request.sent = sent
    request.headers.append(
        (b"Content-Encoding", b"gzip" if way < 6 else random.choice((b"br", b"gzip", b"identity", b"deflate")))
    )
    encodings = sum(name == b"Content-Encoding" for name, _ in request.headers)
    request.good &= way < 2 and encodings == 1 and request.method == b"POST"


def _strange_header(request: _Request, random: Random) -> None:
    place = random.randrange(len(request.headers) + 1)
    request.headers.insert(place, (random.choice(_NAMES), random.choice(_VALUES)))
    request.good = False


def _many_headers(request: _Request, random: Random) -> None:
    count, length = random.choice(((120, 10), (60, 100), (3, 9_000), (30, 2_000), (1, 40_000)))
    request.headers += [(f"X-{number}".encode(), b"v" * length) for number in range(count)]
    request.good = False


def _strange_line(request: _Request, random: Random) -> None:
    draw = random.random()
    if draw < 0.4:
        request.method = random.choice(_METHODS)
    elif draw < 0.8:
        request.path = random.choice(_PATHS)
    else:
        request.version = random.choice(
            (b"HTTP/1.0", b"HTTP/2.0", b"HTTP/0.9", b"HTTP/1.2", b"http/1.1", b"", b"HTTP/1.1 x")
        )
    request.good = False


def _empty(request: _Request, _random: Random) -> None:
    request.sent = b""
    request.good = False


def _too_large(request: _Request, random: Random) -> None:
    request.sent = b"y" * (BODY_BYTES_MAX + random.choice((1, 1_000, 200_000)))
    request.good = False


_WRONGS: Final = (
    _unsigned, _unsigned, _encoded, _encoded, _strange_header, _strange_header, _many_headers, _strange_line,
    _strange_line, _empty, _too_large,
)  # fmt: skip


# -- bytes


def _framed(request: _Request, random: Random) -> bytes:
    """The request as bytes: its length said, in chunks, or said wrongly."""
    sent, draw = request.sent, random.random()
    headers = list(request.headers)
    if request.method == b"GET" and not sent:
        pass
    elif draw < 0.7:
        headers.append((b"Content-Length", str(len(sent)).encode()))
    elif draw < 0.95:
        headers.append((b"Transfer-Encoding", b"chunked"))
        sent = _chunked(sent, random)
    else:
        headers.append((b"Content-Length", str(max(0, len(sent) + random.choice((-3, 7, 100_000)))).encode()))
        request.good = False
    end = b"\r\n" if random.random() < 0.97 else random.choice(_LINE_ENDS)
    request.good &= end == b"\r\n"
    line = b" ".join((request.method, request.path, request.version))
    return end.join((line, *(name + b": " + value for name, value in headers), b"", b"")) + sent


def _chunked(sent: bytes, random: Random) -> bytes:
    parts, at = [], 0
    while at < len(sent):
        size = random.choice((1, 7, 100, 5_000, 60_000))
        piece = sent[at : at + size]
        parts.append(b"%x\r\n" % len(piece) + piece + b"\r\n")
        at += size
        if len(parts) > 50:
            parts.append(b"%x\r\n" % len(sent[at:]) + sent[at:] + b"\r\n" if sent[at:] else b"")
            break
    return b"".join((*parts, b"0\r\n\r\n"))


def _damaged(raw: bytes, random: Random) -> bytes:
    """Bytes that are changed, lost, doubled or added anywhere, mostly in the head."""
    head = raw.find(b"\r\n\r\n") + 4 or len(raw)
    end = head if random.random() < 0.8 else len(raw)
    at = random.randrange(max(1, end))
    way = random.randrange(6)
    if way == 0:
        return raw[:at]
    if way == 1:
        return raw[:at] + random.randbytes(random.choice((1, 2, 40))) + raw[at:]
    if way == 2:
        return raw[:at] + raw[at + random.choice((1, 2, 10)) :]
    if way == 3:
        return raw[:at] + bytes((raw[at] ^ 1 << random.randrange(8),)) + raw[at + 1 :] if raw else raw
    if way == 4:
        return raw + raw  # a second request on the same connection
    return raw[:at] + raw[max(0, at - 30) : at] + raw[at:]


def _split(raw: bytes, random: Random) -> list[bytes]:
    if random.random() < 0.8 or len(raw) < 2:
        return [raw]
    at = random.randrange(1, len(raw))
    return [raw[:at], raw[at:]]
