"""What stands before a gateway in production: something that ends TLS and passes the bytes on."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.gateway.house import HOST, SECONDS_MAX
from tests.gateway.signing import make_certificate, make_key


@contextmanager
def tls_before(port: int, place: Path) -> Iterator[tuple[str, ssl.SSLContext]]:
    """Address of the front, and what a client has to trust to talk to it."""
    key = make_key(place, "front")
    certificate = make_certificate(place, "front", key, "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def serve() -> asyncio.Server:
        async def both_ways(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            inner_reader, inner_writer = await asyncio.open_connection(HOST, port)
            await asyncio.gather(pass_on(reader, inner_writer), pass_on(inner_reader, writer))

        return await asyncio.start_server(both_ways, HOST, 0, ssl=context)

    server = asyncio.run_coroutine_threadsafe(serve(), loop).result(SECONDS_MAX)
    try:
        address = f"https://localhost:{server.sockets[0].getsockname()[1]}"
        yield address, ssl.create_default_context(cafile=str(certificate))
    finally:
        asyncio.run_coroutine_threadsafe(ended(server), loop).result(SECONDS_MAX)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def ended(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass
    finally:
        writer.close()
