"""Where PostgreSQL is: ``DATABASE_URL`` as libpq reads it, and what Hermes adds to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict

from hermes.errors import SettingsError

FORM = "postgresql://user:password@host:port/database"

_DEFAULTS = {
    "connect_timeout": "3",
    "application_name": "hermes",
    "client_encoding": "utf8",
    "keepalives_idle": "30",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "5000",
}
"""What a URL may say differently: a server that cannot be reached is noticed within seconds."""


@dataclass(frozen=True)
class Address:
    """``options`` are those of libpq, the password among them."""

    options: Mapping[str, Any]

    def __str__(self) -> str:
        """For people: without user and password."""
        hosts = str(self.options.get("host", "localhost")).split(",")
        ports = str(self.options.get("port", "5432")).split(",")
        ports = ports * len(hosts) if len(ports) == 1 else ports
        where = ",".join(f"{host or 'localhost'}:{port or 5432}" for host, port in zip(hosts, ports, strict=False))
        return f"PostgreSQL at {where}, database {self.options.get('dbname', 'of its user')}"


def parse_address(url: str) -> Address:
    """The address in ``url``; raises :class:`~hermes.errors.SettingsError`, in which nothing of ``url`` but its scheme stands."""
    scheme, separator, rest = url.strip().partition("://")
    kind = scheme.lower().partition("+")[0]  # other programs name their driver there
    if not separator or kind not in ("postgres", "postgresql"):
        shown = f"{scheme}://" if separator and scheme.replace("+", "").isalnum() else "it"
        raise SettingsError(f"DATABASE_URL is {FORM}, and {shown} is no PostgreSQL; without it SQLite serves.")
    try:
        options = conninfo_to_dict(f"postgresql://{rest}")
    except psycopg.Error as error:  # its words may hold pieces of the password
        unknown = "URI query parameter" in str(error)
        raise _unreadable("it has an option behind its '?' that PostgreSQL does not know" if unknown else "") from None
    if _is_cut_wrongly(rest, options):
        raise _unreadable("in a user or password, write %40 for @, %3A for :, %2F for /")
    return Address({**_DEFAULTS, **options})


def _unreadable(why: str) -> SettingsError:
    return SettingsError(f"DATABASE_URL cannot be read{why and f' ({why})'}. It is {FORM}.")


def _is_cut_wrongly(rest: str, options: Mapping[str, Any]) -> bool:
    """Whether a part of the password stands where a host, a port or a database would: what a message would show."""
    login, _, path = rest.partition("?")[0].partition("/")
    ports = str(options.get("port") or "").split(",")
    return login.count("@") > 1 or "@" in path or not all(port.isdigit() for port in ports if port)
