"""``hermes listen``: watch channels in the terminal."""

from __future__ import annotations

import sys

import click
import orjson

from hermes.core.sse import Frame
from hermes.listening import Stream
from hermes.publishing import server_key, server_url, trouble

QUIET = frozenset({"connected", "heartbeat"})


@click.command()
@click.argument("channels", nargs=-1, required=True)
@click.option("--types", default="", help="Comma-separated event types, patterns allowed.")
@click.option("--filters", default="", help='JSON over the data, such as \'{"status": "failed"}\'.')
@click.option("--from", "cursor", default="", help="Cursor to go on from, or 'earliest'.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--count", type=click.IntRange(min=1), help="Stop after so many events.")
def listen(channels: tuple[str, ...], types: str, filters: str, cursor: str, as_json: bool, count: int | None) -> None:
    """Print the events of CHANNELS (names and patterns) as they come; reconnects by itself, Ctrl-C ends."""
    url = server_url()
    params = {"channels": ",".join(channels), "types": types, "filters": filters}
    stream = Stream(
        f"{url}/api/v1/events/stream",
        {name: value for name, value in params.items() if value},
        api_key=server_key(),
        last_event_id=cursor,
        on_trouble=lambda error: click.echo(f"-- {trouble(url, error)}; trying again", err=True),
    )
    shown = 0
    for frame in stream:
        if frame.type in QUIET:
            continue
        if frame.type in ("reset", "error", "close"):
            click.echo(f"-- {frame.type} {frame.text}", err=True)
            continue
        click.echo(_line(frame, as_json))
        sys.stdout.flush()
        shown += 1
        if count is not None and shown >= count:
            return


def _line(frame: Frame, as_json: bool) -> str:
    if as_json:
        fields = {"id": frame.id, "type": frame.type, **frame.fields, "data": orjson.Fragment(frame.text)}
        return orjson.dumps(fields).decode()
    time = frame.fields.get("time", "")[11:23]
    return f"{time}  {frame.fields.get('channel', '')}  {frame.type}  {frame.text}"
