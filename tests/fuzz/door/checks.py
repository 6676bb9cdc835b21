"""What must hold of an answer, and what a request says by another reader of HTTP (h11) than the gateway's own."""

from __future__ import annotations

import gzip
import zlib
from typing import Any, Final, NamedTuple

import h11
import orjson

from tests.fuzz.door.cases import CANARY, Case
from tests.fuzz.door.schemes import SECRET, Headers, door_of, proven

STATUSES: Final = frozenset((200, 202, 400, 401, 404, 405, 408, 413, 415, 429, 503, 505))
ANSWER_BYTES_MAX: Final = 2_000
_COME_BACK: Final = (429, 503)


class Asked(NamedTuple):
    """A request as h11 reads it."""

    method: bytes
    target: bytes
    headers: Headers
    body: bytes


class Answered(NamedTuple):
    """An answer of the gateway."""

    status: int
    headers: dict[str, str]
    body: bytes


class Kept(NamedTuple):
    """What must be in Kafka because it was accepted."""

    door: str
    value: bytes


def asked(raw: bytes) -> list[Asked]:
    """The whole requests on a connection, in order, until one is broken or not whole."""
    found: list[Asked] = []
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(raw)
    try:
        while True:
            request = connection.next_event()
            if not isinstance(request, h11.Request):
                return found
            body = bytearray()
            while isinstance(part := connection.next_event(), h11.Data):
                body += part.data
            if not isinstance(part, h11.EndOfMessage):
                if request.method == b"GET":  # its message is its address; the gateway reads no body of it, and closes
                    found.append(Asked(request.method, request.target, list(request.headers.raw_items()), b""))
                return found
            found.append(Asked(request.method, request.target, list(request.headers.raw_items()), bytes(body)))
            connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
            connection.send(h11.EndOfMessage())
            if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                return found
            connection.start_next_cycle()
    except h11.ProtocolError:
        return found


def answered(raw: bytes) -> list[Answered]:
    """The answers on a connection.

    Raises:
        ValueError: they are not HTTP.
    """
    found = []
    while raw:
        head, gap, rest = raw.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        status = lines[0].split(" ")
        if not gap or status[0] not in {"HTTP/1.1", "HTTP/1.0"}:
            raise ValueError(f"an answer that is no HTTP: {raw[:60]!r}")
        if status[1] == "100":
            raw = rest
            continue
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        length = int(headers.get("content-length", "0"))
        if len(rest) < length and rest:
            raise ValueError("an answer that breaks off")
        found.append(Answered(int(status[1]), headers, rest[:length]))
        raw = rest[length:]
    return found


def problems(case: Case, raw_answers: bytes) -> tuple[list[str], list[Kept]]:
    """What is wrong with what came of a case, and what must be in Kafka now."""
    try:
        answers = answered(raw_answers)
    except ValueError as error:
        return [str(error)], []
    requests = asked(case.raw)
    found = [fault for answer in answers for fault in _answer_problems(answer)]
    kept = []
    for number, answer in enumerate(answers):
        if answer.status >= 300:
            continue
        if number >= len(requests):
            found.append(f"{answer.status}, and another reader of HTTP finds no whole request {number + 1} there")
            continue
        fault, record = _accepted(requests[number], answer)
        found += fault
        kept += record
    if case.good and [answer.status for answer in answers] != [202]:
        found.append(f"a good request was answered with {[answer.status for answer in answers]}")
    return found, kept


def _answer_problems(answer: Answered) -> list[str]:
    found = []
    if answer.status not in STATUSES:
        found.append(f"status {answer.status}")
    if answer.status in _COME_BACK and not answer.headers.get("retry-after", "").isdigit():
        found.append(f"{answer.status} without Retry-After")
    whole = b"\n".join((*(f"{name}: {value}".encode() for name, value in answer.headers.items()), answer.body))
    if CANARY.encode() in whole or SECRET.encode() in whole:
        found.append("the answer repeats what was sent")
    if len(answer.body) > ANSWER_BYTES_MAX:
        found.append(f"an answer of {len(answer.body)} bytes")
    if "python" in answer.headers.get("server", "").lower() or "aiohttp" in answer.headers.get("server", "").lower():
        found.append("the answer tells the server's versions")
    if answer.body and not _told(answer):
        found.append(f"{answer.status} does not say why: {answer.body[:100]!r}")
    return found


def _told(answer: Answered) -> bool:
    """Whether a refusal has a sentence, and an acceptance a word."""
    try:
        said: Any = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return False
    sentence = said.get("error") or said.get("message") or said.get("status")
    return isinstance(sentence, str) and len(sentence) > (15 if answer.status >= 300 else 2)


def _accepted(request: Asked, answer: Answered) -> tuple[list[str], list[Kept]]:
    """What is wrong with an acceptance, and the record that it promises."""
    path, _, query = request.target.partition(b"?")
    if b"://" in path:
        path = b"/" + path.partition(b"://")[2].partition(b"/")[2]
    door = door_of(path.partition(b"#")[0])
    if door is None:
        return [f"{answer.status} for {path[:60]!r}, which is no door"], []
    query = query.partition(b"#")[0]
    body = b"" if request.method == b"GET" else _inflated(request)
    if body is None:
        return ["a body was taken that is not what Content-Encoding says"], []
    if not proven(door, request.headers, query, body):
        return [f"{door} let somebody in who did not prove himself"], []
    if request.method == b"GET":
        body = b"&".join(pair for pair in query.split(b"&") if pair.partition(b"=")[0] not in {b"key", b"%6bey"})
    if door == "events":
        return _event(body, answer)
    return ([] if body else ["an empty message was accepted"]), [Kept(door, body)]


def _event(body: bytes, answer: Answered) -> tuple[list[str], list[Kept]]:
    """An event of PagerDuty's kind: one without a key has the key that its sender was told."""
    try:
        event = orjson.loads(body)
        told = orjson.loads(answer.body)["dedup_key"]
    except (orjson.JSONDecodeError, KeyError):
        return ["an event was accepted that is no JSON, or without telling its key"], []
    if event.get("routing_key") != SECRET:
        return ["an event was accepted without a routing key of ours"], []
    if not event.get("dedup_key"):
        end = body.rindex(b"}")
        body = body[:end] + b',"dedup_key":"' + told.encode() + b'"' + body[end:]
    return [], [Kept("events", body)]


def _inflated(request: Asked) -> bytes | None:
    """The body without its encoding; None where it is not in the encoding that is said."""
    said = [value.strip().lower() for name, value in request.headers if name.lower() == b"content-encoding"]
    if not said or said[0] in {b"", b"identity"}:
        return request.body
    if said[0] not in {b"gzip", b"x-gzip"}:
        return None
    try:
        return gzip.decompress(request.body)
    except (OSError, EOFError, zlib.error):
        return None
