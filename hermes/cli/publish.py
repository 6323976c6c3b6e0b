"""``hermes publish``: one event from the shell, or many from standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from typing import Any

import click
import orjson

from hermes.core.publisher import MAX_BATCH
from hermes.errors import invalid
from hermes.publishing import Publisher


@click.command()
@click.argument("channel", required=False)
@click.option("--type", "type_", default="message", show_default=True, help="Event type.")
@click.option("--data", help="JSON; what is no JSON is sent as a string. '-' reads it from standard input.")
@click.option("--key", help="Make it the channel's retained state for this key (data null removes it).")
@click.option("--ttl", type=float, help="Seconds after which it is not replayed.")
@click.option("--idempotency-key", help="Publish only once under this key.")
@click.option("--ndjson", is_flag=True, help="Read whole events from standard input, one JSON object a line.")
def publish(
    channel: str | None,
    type_: str,
    data: str | None,
    key: str | None,
    ttl: float | None,
    idempotency_key: str | None,
    ndjson: bool,
) -> None:
    """Publish an event to CHANNEL and print its id.

    The server is HERMES_URL and the key HERMES_API_KEY; on the server's own machine both are found.
    """
    with Publisher() as publisher:
        if ndjson:
            events = _events()
            while batch := list(islice(events, MAX_BATCH)):
                for cursor in publisher.publish_batch(batch):
                    click.echo(cursor)
            return
        if channel is None:
            raise click.UsageError("give a CHANNEL, or --ndjson with events on standard input")
        value = _value(sys.stdin.read() if data == "-" else data)
        click.echo(publisher.publish(channel, value, type=type_, key=key, ttl=ttl, idempotency_key=idempotency_key))


def _value(text: str | None) -> Any:
    if text is None:
        return None
    try:
        return orjson.loads(text)
    except ValueError:
        return text


def _events() -> Iterator[Any]:
    for number, line in enumerate(sys.stdin, 1):
        if line.strip():
            try:
                yield orjson.loads(line)
            except ValueError as error:
                raise invalid(f"line {number}", f"is not JSON: {error}") from None
