"""A wire between a client and a server that a test can cut, refuse, stall, slow down, or answer 503 on.

It runs an event loop of its own in a thread, so it must not be used in a process patched by gevent.
"""

import asyncio
import contextlib
import socket
import struct
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self, TypeVar

from tests.support.ports import LOOPBACK, free_port

T = TypeVar("T")
Mode = Literal["forward", "unavailable"]
Direction = Literal["up", "down"]

PIECE = 65_536
IN_FLIGHT = 64  # pieces within the delay line of one direction
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
UNAVAILABLE = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\nContent-Length: 20\r\nConnection: close\r\n\r\n"
    b"<h1>unavailable</h1>"
)


@dataclass(eq=False)
class Link:
    """One relayed connection: both writers, and the tasks that copy."""

    writers: list[asyncio.StreamWriter] = field(default_factory=list)
    tasks: "list[asyncio.Task[None]]" = field(default_factory=list)

    def close(self, *, reset: bool) -> None:
        for task in self.tasks:
            task.cancel()
        for writer in self.writers:
            if reset:
                link = writer.get_extra_info("socket")
                with contextlib.suppress(OSError):
                    link.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
                writer.transport.abort()
            else:
                writer.close()


class TcpRelay:
    """Listens on `port` of loopback and passes everything on to `target_port`.

        with TcpRelay(hermes.port) as relay:
            client = StandardClient(relay.url + "/api/v1/events/stream")
            relay.cut(reset=True)

    What a test does holds until it is taken back: `refuse`/`accept`, `stall`/`flow`, `delay(0)`, `unavailable(False)`.
    """

    def __init__(self, target_port: int, *, port: int | None = None) -> None:
        self.target_port = target_port
        self.port = port or free_port()
        self.url = f"http://{LOOPBACK}:{self.port}"
        self.accepted = 0  # connections so far
        self.passed = 0  # bytes so far, both ways
        self._delay: dict[Direction, float] = {"up": 0.0, "down": 0.0}
        self._mode: Mode = "forward"
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-relay", daemon=True)
        self._server: asyncio.Server | None = None
        self._links: set[Link] = set()
        self._flowing: asyncio.Event | None = None

    # --- life

    def start(self) -> Self:
        """Listens."""
        self._thread.start()
        self._do(self._listen)
        return self

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Cuts everything and goes away."""
        self.refuse()
        self.cut()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    # --- harm

    def cut(self, *, reset: bool = False) -> int:
        """Ends all connections on both sides, with FIN or RST; how many."""
        return self._do(self._cut, reset)

    def refuse(self) -> None:
        """New connections are refused; those that are open go on."""
        self._do(self._unlisten)

    def accept(self) -> None:
        """New connections are taken again, on the same port."""
        self._do(self._listen)

    def stall(self) -> None:
        """Nothing passes in either direction, and nobody is told."""
        self._do(self._set_flow, False)

    def flow(self) -> None:
        """Everything passes again, what was held back first."""
        self._do(self._set_flow, True)

    def delay(self, seconds: float, *, up: bool = True, down: bool = True) -> None:
        """What enters from now on arrives that much later: `up` to the server, `down` to the client. 0: at once."""
        if up:
            self._delay["up"] = seconds
        if down:
            self._delay["down"] = seconds

    def unavailable(self, is_on: bool = True) -> None:
        """New connections are answered 503, as a proxy without a server does."""
        self._mode = "unavailable" if is_on else "forward"

    @property
    def connections(self) -> int:
        """How many are open now."""
        return len(self._links)

    # --- within the loop's thread

    def _do(self, action: Callable[..., Awaitable[T]], *arguments: object) -> T:
        async def run() -> T:
            result = await action(*arguments)
            await asyncio.sleep(0)  # transports close one turn later
            return result

        return asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    async def _listen(self) -> None:
        if self._flowing is None:
            self._flowing = asyncio.Event()
            self._flowing.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accepted, LOOPBACK, self.port, backlog=4096)

    async def _unlisten(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def _set_flow(self, is_on: bool) -> None:
        assert self._flowing is not None
        if is_on:
            self._flowing.set()
        else:
            self._flowing.clear()

    async def _cut(self, reset: bool) -> int:
        links = list(self._links)
        self._links.clear()
        for link in links:
            link.close(reset=reset)
        return len(links)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        if self._mode == "unavailable":
            await self._answer_unavailable(reader, writer)
            return
        link = Link(writers=[writer])
        self._links.add(link)
        try:
            up_reader, up_writer = await asyncio.open_connection(LOOPBACK, self.target_port)
        except OSError:
            self._links.discard(link)
            link.close(reset=True)
            return
        link.writers.append(up_writer)
        if link not in self._links:  # cut while it was connecting
            link.close(reset=True)
            return
        link.tasks = [
            asyncio.create_task(self._copy(reader, up_writer, link, "up")),
            asyncio.create_task(self._copy(up_reader, writer, link, "down")),
        ]
        await asyncio.wait(link.tasks)
        self._links.discard(link)
        link.close(reset=False)

    async def _answer_unavailable(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(UNAVAILABLE)
            await writer.drain()
        writer.close()

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, link: Link, direction: Direction
    ) -> None:
        """One direction: a reader that stamps each piece with the time it is due, and a writer that keeps to it."""
        line: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(IN_FLIGHT)
        assert self._flowing is not None
        fill = asyncio.create_task(self._fill(reader, line, link, direction))
        try:
            while True:
                due, piece = await line.get()
                if (pause := due - time.monotonic()) > 0:
                    await asyncio.sleep(pause)
                await self._flowing.wait()
                if not piece:
                    break
                writer.write(piece)
                await writer.drain()
                self.passed += len(piece)
            if fill.done() and fill.exception():
                raise ConnectionResetError
            with contextlib.suppress(OSError):
                writer.write_eof()
        except OSError:  # a reset on one side is one on the other
            self._links.discard(link)
            link.close(reset=True)
        finally:
            fill.cancel()

    async def _fill(
        self, reader: asyncio.StreamReader, line: "asyncio.Queue[tuple[float, bytes]]", link: Link, direction: Direction
    ) -> None:
        assert self._flowing is not None
        piece = b"-"
        while piece:
            try:
                await self._flowing.wait()
                piece = await reader.read(PIECE)
            except OSError:
                await line.put((time.monotonic() + self._delay_of(link, direction, b""), b""))
                raise
            await line.put((time.monotonic() + self._delay_of(link, direction, piece), piece))

    def _delay_of(self, link: Link, direction: Direction, piece: bytes) -> float:
        """How much later this piece arrives, in seconds; for relays that look at what passes."""
        return self._delay[direction]
