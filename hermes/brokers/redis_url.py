"""Connections to Redis: from a URL, by way of Sentinel where it says so, only to a server that Hermes can use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urlsplit

from redis.backoff import NoBackoff
from redis.connection import Connection, SSLConnection, parse_url
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError
from redis.retry import Retry
from redis.sentinel import Sentinel

from hermes.errors import SettingsError, StoreError

_OF_REDIS = ("host", "port", "db", "username", "password")
"""What of the options is not for the Sentinels."""

OLDEST_REDIS = 7
SENTINEL_PORT = 26379
SENTINEL_SCHEMES = {"redis+sentinel": "redis", "rediss+sentinel": "rediss"}
FORMS = "redis://, rediss:// (TLS), unix:// or redis+sentinel://[user:password@]host:port,host:port/service/db"

_OURS = (
    "retry",
    "retry_on_error",
    "retry_on_timeout",
    "max_connections",
    "timeout",
    "health_check_interval",
    "protocol",
    "decode_responses",
    "client_name",
    "socket_timeout",
    "socket_connect_timeout",
)
"""What a URL cannot choose: redis-py's own retries repeat a command silently (measured: events stored twice)."""


@dataclass(frozen=True)
class Address:
    """Where Redis is. ``options`` are redis-py's; with ``sentinels``, these name the host and port of ``service``."""

    options: Mapping[str, Any]
    db: int = 0
    sentinels: tuple[tuple[str, int], ...] = ()
    service: str = ""

    def __str__(self) -> str:
        """For people: without user and password."""
        if self.sentinels:
            hosts = ",".join(f"{host}:{port}" for host, port in self.sentinels)
            return f"Redis {self.service!r} of the Sentinels {hosts}, database {self.db}"
        where = self.options.get("path") or f"{self.options.get('host', 'localhost')}:{self.options.get('port', 6379)}"
        return f"Redis at {where}, database {self.db}"


def parse_address(url: str) -> Address:
    """The address in ``url``; raises :class:`~hermes.errors.SettingsError` with the forms that there are."""
    try:
        scheme = urlsplit(url).scheme
        if scheme in SENTINEL_SCHEMES:
            return _sentinel_address(url, SENTINEL_SCHEMES[scheme])
        options = parse_url(url)  # type: ignore[no-untyped-call]
        return _address(options)
    except ValueError as error:
        raise SettingsError(f"REDIS_URL cannot be read ({error}). It is one of {FORMS}.") from None


def _address(options: dict[str, Any], sentinels: tuple[tuple[str, int], ...] = (), service: str = "") -> Address:
    for name in _OURS:
        options.pop(name, None)
    return Address(options, int(options.get("db") or 0), sentinels, service)


def _sentinel_address(url: str, scheme: str) -> Address:
    parts = urlsplit(url)
    login, _, hosts = parts.netloc.rpartition("@")
    service, _, db = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("the name of the Sentinel service is missing")
    if db and not db.isdigit():
        raise ValueError(f"{db!r} is no number of a database")
    sentinels = []
    for host in hosts.split(","):
        name, _, port = host.rpartition(":") if not host.endswith("]") and ":" in host else (host, "", "")
        if not name:
            raise ValueError(f"{host!r} is no host of a Sentinel")
        sentinels.append((unquote(name).strip("[]"), int(port or SENTINEL_PORT)))
    plain = f"{scheme}://{login}@sentinel/{db or 0}?{parts.query}"
    options = parse_url(plain)  # type: ignore[no-untyped-call]
    return _address(options, tuple(sentinels), unquote(service))


class Dialer:
    """Opens connections to the Redis of one URL: each new, authenticated and checked; none reconnects by itself."""

    def __init__(self, url: str) -> None:
        self.address = parse_address(url)

    def dial(self, name: str, timeout: float, **options: Any) -> Connection:
        """A connection whose every step takes at most ``timeout`` seconds; ``name`` shows it in ``CLIENT LIST``.

        Raises redis-py's errors where Redis cannot be reached, :class:`~hermes.errors.StoreError` where it cannot be
        used.
        """
        kwargs = dict(self.address.options)
        make = kwargs.pop("connection_class", Connection)
        if self.address.sentinels:
            kwargs["host"], kwargs["port"] = self._primary(kwargs, timeout, tls=make is SSLConnection)
        kwargs |= _explicit(timeout) | {"client_name": name} | options
        connection: Connection = make(**kwargs)
        try:
            connection.connect()  # type: ignore[no-untyped-call]
            check_server(_info(connection))
        except BaseException:
            connection.disconnect()  # type: ignore[no-untyped-call]
            raise
        return connection

    def _primary(self, options: Mapping[str, Any], timeout: float, *, tls: bool) -> tuple[str, int]:
        """The host and port that the Sentinels name now; asked at each connection, because a failover moves it."""
        kwargs = {name: value for name, value in options.items() if name not in _OF_REDIS}
        kwargs |= _explicit(timeout) | {"ssl": tls}
        for name in ("username", "password"):
            if f"sentinel_{name}" in kwargs:
                kwargs[name] = kwargs.pop(f"sentinel_{name}")
        sentinel = Sentinel(list(self.address.sentinels), sentinel_kwargs=kwargs)  # type: ignore[no-untyped-call]
        try:
            host, port = sentinel.discover_master(self.address.service)  # type: ignore[no-untyped-call]
            return host, port
        finally:
            for client in sentinel.sentinels:
                client.close()


def _explicit(timeout: float) -> dict[str, Any]:
    """What redis-py shall do, said and not left to its defaults: no retries, no health checks, bytes, RESP2."""
    return {
        "socket_timeout": timeout,
        "socket_connect_timeout": timeout,
        "retry": Retry(NoBackoff(), 0),
        "health_check_interval": 0,
        "protocol": 2,
        "driver_info": None,
        "decode_responses": False,
    }


def _info(connection: Connection) -> dict[str, str]:
    connection.send_command("INFO")  # type: ignore[no-untyped-call]
    text: bytes = connection.read_response()
    lines = (line.partition(":") for line in text.decode("utf-8", "replace").split("\r\n"))
    return {name: value for name, colon, value in lines if colon}


def check_server(info: Mapping[str, str]) -> None:
    """Refuse a Redis that Hermes cannot rely on, by its ``INFO`` (hosted plans forbid ``CONFIG``)."""
    version = info.get("redis_version", "")
    if version.split(".")[0].isdigit() and int(version.split(".")[0]) < OLDEST_REDIS:
        raise StoreError(f"Redis {version} is too old: Hermes needs Redis {OLDEST_REDIS} or newer. Upgrade the server.")
    if info.get("redis_mode") == "cluster":
        raise StoreError("Hermes keeps one ordered log, which Redis Cluster cannot: use a single Redis, or Sentinel.")
    if info.get("redis_mode") == "sentinel":
        raise StoreError(
            "REDIS_URL leads to a Sentinel: write redis+sentinel://host:port,host:port/service/db instead."
        )
    policy = info.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise StoreError(
            f"this Redis may evict keys on its own (maxmemory-policy is {policy}), and with them events that were"
            " acknowledged: set maxmemory-policy to noeviction, or use another Redis."
        )


UNREACHABLE = (RedisConnectionError, RedisTimeoutError, OSError)
"""What a broken or stalled link raises; ``LOADING`` and refused passwords are among them."""
