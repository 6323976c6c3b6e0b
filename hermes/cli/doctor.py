"""``hermes doctor``: tries each part for real and says what to do."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Callable, Iterator
from secrets import token_hex

import click
import requests

from hermes.errors import HermesError
from hermes.listening import Stream
from hermes.publishing import Publisher, server_key, server_url, trouble
from hermes.settings import Settings, load_settings, unknown_names

Finding = tuple[bool, str, str]
"""Whether it is well, what was looked at, and what was found or is to be done."""

FILES_WANTED = 4096


@click.command()
def doctor() -> None:
    """Check settings, data folder, store and server; exit with 1 where something needs doing."""
    settings = load_settings()
    well = True
    for check in (_settings, _folder, _files, _store, _key, _server, _round_trip):
        for good, part, text in _tried(check, settings):
            well &= good
            click.echo(f"{click.style('ok  ', fg='green') if good else click.style('FIX ', fg='red')} {part}: {text}")
    sys.exit(0 if well else 1)


def _tried(check: Callable[[Settings], Iterator[Finding]], settings: Settings) -> Iterator[Finding]:
    try:
        yield from check(settings)
    except requests.RequestException as error:  # an OSError too, so it comes first
        yield False, _name(check), trouble(server_url(settings), error)
    except (HermesError, OSError) as error:
        yield False, _name(check), str(error)


def _name(check: Callable[..., object]) -> str:
    return check.__name__.strip("_").replace("_", " ")


def _settings(_: Settings) -> Iterator[Finding]:
    unknown = unknown_names(os.environ)
    yield from ((False, "settings", sentence) for sentence in unknown)
    if not unknown:
        yield True, "settings", "every one is known and valid"


def _folder(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir.resolve()
    if not folder.is_dir():
        yield True, "data folder", f"{folder} is made at the first start"
    elif not os.access(folder, os.W_OK):
        yield False, "data folder", f"{folder} cannot be written: give it to the user that runs Hermes"
    elif folder.stat().st_mode & 0o077:
        yield False, "data folder", f"{folder} can be read by others: chmod 700 {folder}"
    else:
        yield True, "data folder", str(folder)


def _files(_: Settings) -> Iterator[Finding]:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    enough = hard == resource.RLIM_INFINITY or hard >= FILES_WANTED
    yield (
        enough,
        "open files",
        f"at most {hard}, so about {hard - 200} streams a process"
        + ("" if enough else ": raise the hard limit (ulimit -Hn, LimitNOFILE)"),
    )


def _store(settings: Settings) -> Iterator[Finding]:
    if settings.store_url is None:
        yield True, "store", "embedded"
        return
    from hermes.brokers.base import Bounds
    from hermes.brokers.redis import RedisBroker
    from hermes.core.clock import SystemClock

    broker = RedisBroker(
        settings.store_url, prefix=settings.redis_prefix, clock=SystemClock(), bounds=Bounds(), node="doctor"
    )
    try:
        broker.check()
        tip = broker.tip()
        yield True, "store", f"Redis answers; epoch {tip.epoch}, {tip.number} events so far, {tip.streams} streams"
    finally:
        broker.close()


def _key(settings: Settings) -> Iterator[Finding]:
    if server_key(settings) is not None:
        yield True, "API key", "there is one for the commands on this machine"
    elif settings.database_url is None:
        yield True, "API key", "one is made at the first start"
    else:
        yield (
            False,
            "API key",
            "none is on this machine: 'hermes keys create --name NAME --admin' makes one, set HERMES_API_KEY to it",
        )


def _server(settings: Settings) -> Iterator[Finding]:
    url = server_url(settings)
    answer = requests.get(f"{url}/readyz", timeout=3)
    if answer.status_code == 200:
        yield True, "server", f"{url} is ready"
    else:
        yield False, "server", f"{url} is not ready: {answer.text}"


def _round_trip(settings: Settings) -> Iterator[Finding]:
    """Publish one event and receive it on a stream of the same server."""
    url, key = server_url(settings), server_key(settings)
    channel = f"doctor:{token_hex(4)}"
    stream = Stream(f"{url}/api/v1/events/stream", {"channels": channel}, api_key=key)
    frames = stream.connect_once()
    next(frames)
    with Publisher(url, key) as publisher:
        published = publisher.publish(channel, {"from": "hermes doctor"}, ttl=60)
    received = next(frame for frame in frames if frame.id == published)
    yield True, "round trip", f"{received.id} was published and received"
