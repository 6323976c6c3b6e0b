"""sse-starlette with a queue for each stream, as its documentation broadcasts.

An event is encoded once, which the library allows, and queues are unbounded: this is the fastest that its own means give.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

HEARTBEAT = 30  # seconds, as Hermes'

queues: defaultdict[str, set[asyncio.Queue[bytes]]] = defaultdict(set)


async def events(channel: str) -> AsyncIterator[bytes]:
    """The frames of one stream, for as long as it is read."""
    queue: asyncio.Queue[bytes] = asyncio.Queue()
    queues[channel].add(queue)
    try:
        yield b":\n\n"  # what tells the load that the stream is open
        while True:
            yield await queue.get()
    finally:
        queues[channel].discard(queue)


async def stream(request: Request) -> Response:
    """`GET /stream?channel=`."""
    return EventSourceResponse(events(request.query_params["channel"]), ping=HEARTBEAT, sep="\n")


async def publish(request: Request) -> Response:
    """`POST /publish` with `{"channel", "data": [text, ...]}`."""
    body = await request.json()
    for text in body["data"]:
        frame = ServerSentEvent(text, sep="\n").encode()
        for queue in queues[body["channel"]]:
            queue.put_nowait(frame)
    return Response(status_code=202)


app = Starlette(routes=[Route("/stream", stream), Route("/publish", publish, methods=["POST"])])
