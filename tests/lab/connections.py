"""A TCP proxy before a server: makes connections slow, cuts them, or lets nothing through.

Bytes are passed on unread. Latency is added as a distant network adds it: half a round trip in each
direction, however much is under way, and one round trip for opening a connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from urllib.parse import urlsplit

CHUNK = 65_536
_ABORT = struct.pack("ii", 1, 0)


class ConnectionProxy:
    """Listens on a free port of its own in a thread of its own; stop() ends both.

    ``rtt`` (seconds) may be changed at any time. While ``resetting`` is set, every connection, old or new, is
    answered with a TCP reset. While it is ``silent``, nothing passes in either direction, as where packets are lost.
    """

    def __init__(self, target: str, rtt: float = 0.0) -> None:
        url = urlsplit(target)
        self._host, self._port = url.hostname or "127.0.0.1", url.port or 443
        self.rtt = rtt
        self._resetting = False
        self._passing = asyncio.Event()
        self._passing.set()
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0))
        self._thread = threading.Thread(target=self._loop.run_forever, name="connections", daemon=True)

    @property
    def address(self) -> str:
        return f"https://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if not self._thread.is_alive():
            return
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)

    def pass_on(self, rtt: float) -> None:
        """Let connections through, with this round trip time; what was held back by a silence arrives."""
        self.rtt = rtt
        self._resetting = False
        self._loop.call_soon_threadsafe(self._passing.set)

    def silence(self) -> None:
        """Let nothing through until pass_on, and end nothing."""
        self._loop.call_soon_threadsafe(self._passing.clear)

    def reset(self) -> None:
        """Reset what is open, and all that comes until pass_on."""
        self._resetting = True
        self.cut()

    def cut(self) -> None:
        """Reset what is open now; new connections are welcome."""
        asyncio.run_coroutine_threadsafe(self._cut(), self._loop).result(10)

    async def _cut(self) -> None:
        for writer in list(self._open):
            _abort(writer)

    async def _close(self) -> None:
        self._server.close()
        await self._cut()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._resetting:
            _abort(writer)
            return
        await self._passing.wait()
        try:
            # A connection whose front door is gone ends as the kernel would end it.
            upstream_reader, upstream_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            _abort(writer)
            return
        both = (writer, upstream_writer)
        self._open.update(both)
        try:
            await asyncio.sleep(self.rtt)
            await asyncio.gather(self._carry(reader, upstream_writer), self._carry(upstream_reader, writer))
        finally:
            self._open.difference_update(both)
            for end in both:
                end.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        under_way: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(maxsize=256)
        delivery = asyncio.create_task(self._deliver(under_way, writer))
        try:
            with contextlib.suppress(OSError):
                while chunk := await reader.read(CHUNK):
                    await under_way.put((self._loop.time() + self.rtt / 2, chunk))
            await under_way.put((self._loop.time() + self.rtt / 2, b""))
            await delivery
        finally:
            delivery.cancel()

    async def _deliver(self, under_way: asyncio.Queue[tuple[float, bytes]], writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while True:
                due, chunk = await under_way.get()
                if (wait := due - self._loop.time()) > 0:
                    await asyncio.sleep(wait)
                await self._passing.wait()
                if not chunk:
                    if writer.can_write_eof():
                        writer.write_eof()
                    return
                writer.write(chunk)
                await writer.drain()


def _abort(writer: asyncio.StreamWriter) -> None:
    """Close with a TCP reset rather than in good order."""
    raw = writer.get_extra_info("socket")
    with contextlib.suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
    transport = writer.transport
    transport.abort()
