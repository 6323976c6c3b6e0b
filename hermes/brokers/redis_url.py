"""Connections to Redis: from a URL, by way of Sentinel where it says so, only to a server that Hermes can use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urlsplit

from redis.backoff import NoBackoff
from redis.connection import Connection, parse_url
from redis.retry import Retry
from redis.sentinel import Sentinel

from hermes.brokers.redis_errors import REFUSED, explain
from hermes.errors import SettingsError, StoreError

OLDEST_REDIS = 7
SENTINEL_PORT = 26379
SENTINEL_TIMEOUT = 1.0
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
    sentinels: tuple[tuple[str, int], ...] = ()
    sentinel_options: Mapping[str, Any] = field(default_factory=dict)
    service: str = ""

    @property
    def db(self) -> int:
        """The number of the database: pub/sub channels are shared by all of them, so their names carry it."""
        return int(self.options.get("db") or 0)

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
        scheme = url.partition(":")[0].lower()
        address = _sentinel_address(url) if scheme in SENTINEL_SCHEMES else Address(_options(url))
        _connection(address.options)
        return address
    except TypeError:
        raise SettingsError(
            "REDIS_URL has an option behind its '?' that redis-py does not know: leave it out."
        ) from None
    except ValueError as error:
        raise SettingsError(f"REDIS_URL cannot be read ({error}). It is one of {FORMS}.") from None


def _options(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    db = parts.path.strip("/")
    if parts.scheme != "unix" and db and not db.isdigit():
        raise ValueError(f"{db!r} is no number of a database")
    options: dict[str, Any] = parse_url(url)  # type: ignore[no-untyped-call]
    return {name: value for name, value in options.items() if name not in _OURS}


def _sentinel_address(url: str) -> Address:
    named, _, rest = url.partition("://")
    netloc, _, path = rest.partition("/")
    # A list of hosts is no host: urlsplit takes or refuses one with an IPv6 address in it by its version.
    parts = urlsplit(f"//sentinel/{path}")
    scheme = SENTINEL_SCHEMES[named.lower()]
    login, _, hosts = netloc.rpartition("@")
    service, _, db = parts.path.strip("/").partition("/")
    if not service:
        raise ValueError("the name of the Sentinel service is missing")
    options = _options(f"{scheme}://{login}@sentinel/{db or 0}?{parts.query}")
    of_sentinels = {name: value for name, value in options.items() if name.startswith("ssl_")}
    for name in ("username", "password"):
        if f"sentinel_{name}" in options:
            of_sentinels[name] = options.pop(f"sentinel_{name}")
    of_sentinels["ssl"] = scheme == "rediss"
    return Address(options, tuple(map(_host_and_port, hosts.split(","))), of_sentinels, unquote(service))


def _host_and_port(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError(f"{text!r} is no host of a Sentinel")
    return parts.hostname, parts.port or SENTINEL_PORT


def _connection(options: Mapping[str, Any]) -> Connection:
    """A connection that is not open yet."""
    options = dict(options)
    make = options.pop("connection_class", Connection)
    connection: Connection = make(**options)
    return connection


class Dialer:
    """Opens connections to the Redis of one URL: each new, authenticated and checked; none reconnects by itself."""

    def __init__(self, url: str) -> None:
        self.address = parse_address(url)
        self.has_served = False
        """Whether there ever was a connection: what is wrong from the beginning is for the operator, not for a retry."""
        self._memory = 0

    def dial(self, name: str, timeout: float, **options: Any) -> Connection:
        """A connection whose every step takes at most ``timeout`` seconds; ``name`` shows it in ``CLIENT LIST``.

        Raises redis-py's errors where Redis cannot be reached, :class:`~hermes.errors.StoreError` where it cannot be
        used.
        """
        where = self._primary() if self.address.sentinels else {}
        connection = _connection(
            {**self.address.options, **where, **_explicit(timeout), "client_name": name, **options}
        )
        try:
            connection.connect()  # type: ignore[no-untyped-call]
            info = _info(connection)
            check_server(info)
        except REFUSED as error:
            connection.disconnect()  # type: ignore[no-untyped-call]
            raise StoreError(explain(error)) from None
        except BaseException:
            connection.disconnect()  # type: ignore[no-untyped-call]
            raise
        self.has_served = True
        self._memory = int(info.get("maxmemory", 0))
        return connection

    def affordable(self, log_bytes: int) -> int:
        """``log_bytes``, or a quarter of the memory that this Redis may use, if that is less (0: as much as there is)."""
        return min(log_bytes, self._memory // 4) if self._memory else log_bytes

    def _primary(self) -> dict[str, Any]:
        """The host and port that the Sentinels name now; asked at each connection, because a failover moves it."""
        sentinel = self._sentinel
        try:
            host, port = sentinel.discover_master(self.address.service)  # type: ignore[no-untyped-call]
            return {"host": host, "port": port}
        finally:
            for client in sentinel.sentinels:
                client.close()

    @cached_property
    def _sentinel(self) -> Sentinel:
        """Kept, because it asks the one first that answered last."""
        kwargs = {**self.address.sentinel_options, **_explicit(SENTINEL_TIMEOUT)}
        return Sentinel(list(self.address.sentinels), sentinel_kwargs=kwargs)  # type: ignore[no-untyped-call]


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
