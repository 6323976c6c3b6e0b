"""Every setting in one typed table: name, type, default, help. Environment first, then a ``.env`` file.

The table is the class; ``hermes settings`` prints it. A bad value is one sentence at start, never a traceback.
"""

from __future__ import annotations

import difflib
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, NamedTuple
from urllib.parse import quote

import orjson
from pydantic import AliasChoices, BeforeValidator, Field, SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from hermes.errors import SettingsError
from hermes.strength import weak

MEGABYTE = 1024 * 1024
DEFAULT_REDIS_PORT = 6379


def _split(value: object) -> object:
    """A comma list, or a JSON array, as a tuple."""
    if not isinstance(value, str):
        return value
    text = value.strip()
    if text.startswith("["):
        return orjson.loads(text)
    return tuple(part.strip() for part in text.split(",") if part.strip())


Names = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


def _setting(default: Any, help: str, *names: str, **rules: Any) -> Any:
    return Field(default, description=help, validation_alias=AliasChoices(*names), **rules)


class Settings(BaseSettings):
    """What an operator can set. Times are in seconds, sizes in bytes unless the help says otherwise."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        extra="ignore",
        populate_by_name=True,
        env_ignore_empty=True,
        allow_inf_nan=False,
    )

    # Where it listens
    host: str | None = _setting(None, "Address to listen on: 127.0.0.1, or 0.0.0.0 where PORT is given.", "HOST")
    port: int | None = _setting(None, "Port to listen on (8000).", "PORT", "API_PORT", ge=0, le=65535)
    workers: int = _setting(
        1, "Web processes of one server; more than 1 needs REDIS_URL.", "WEB_CONCURRENCY", ge=1, le=256
    )
    data_dir: Path = _setting(
        Path("data"), "Folder for keys and the embedded store; created with mode 0700.", "HERMES_DATA_DIR"
    )

    # Stores
    redis_url: SecretStr | None = _setting(
        None, "Redis 7+ (redis://, rediss://, redis+sentinel://): events between processes.", "REDIS_URL"
    )
    redis_host: str | None = _setting(None, "Redis by parts, where REDIS_URL is not set.", "REDIS_HOST")
    redis_port: int = _setting(DEFAULT_REDIS_PORT, "Port that goes with REDIS_HOST.", "REDIS_PORT", ge=1, le=65535)
    redis_password: SecretStr | None = _setting(None, "Password that goes with REDIS_HOST.", "REDIS_PASSWORD")
    redis_prefix: str = _setting(
        "hermes", "Prefix of every key and feed in Redis.", "HERMES_REDIS_PREFIX", pattern=r"^[A-Za-z0-9_.:-]{1,64}$"
    )

    database_url: SecretStr | None = _setting(
        None, "PostgreSQL (postgres:// or postgresql://): keys and all that lasts, for every process.", "DATABASE_URL"
    )
    database_pool: int = _setting(
        5, "Connections to PostgreSQL that one process may hold.", "HERMES_DATABASE_POOL", ge=1, le=100
    )

    # The log
    log_size: int = _setting(100_000, "Events that the log keeps.", "HERMES_LOG_SIZE", ge=100)
    log_bytes: int = _setting(
        64 * MEGABYTE,
        "Bytes of events that the log keeps (in Redis at most a quarter of maxmemory).",
        "HERMES_LOG_BYTES",
        ge=MEGABYTE,
    )
    history_size: int = _setting(1000, "Events that the log keeps of each channel.", "HERMES_HISTORY_SIZE", ge=1)
    history_ttl: float = _setting(86_400, "Seconds that the log keeps an event.", "HERMES_HISTORY_TTL", gt=0)
    tail_size: int = _setting(
        20_000, "Events of the log that each process holds in memory.", "HERMES_TAIL_SIZE", ge=100
    )
    tail_bytes: int = _setting(
        32 * MEGABYTE, "Bytes of the log that each process holds in memory.", "HERMES_TAIL_BYTES", ge=MEGABYTE
    )

    # Streams
    enable_sse: bool = _setting(
        True, "Whether streams are served; reading and polling go on without.", "HERMES_ENABLE_SSE"
    )
    heartbeat_interval: float = _setting(
        30,
        "Seconds without a frame after which a stream gets a heartbeat.",
        "HERMES_SSE_HEARTBEAT_INTERVAL",
        ge=0.2,
        le=300,
    )
    max_connections: int = _setting(
        10_000, "Streams of one process; lower where the file limit is.", "HERMES_SSE_MAX_CONNECTIONS", ge=1
    )
    connection_timeout: float = _setting(
        0,
        "Seconds after which a stream is ended to be opened anew, jittered; 0: never.",
        "HERMES_SSE_CONNECTION_TIMEOUT",
        ge=0,
    )
    send_timeout: float = _setting(
        20,
        "Seconds that a socket may take nothing before its stream is closed as slow.",
        "HERMES_SSE_SEND_TIMEOUT",
        ge=0.5,
    )
    retry: float = _setting(
        2,
        "Seconds that clients are asked to wait before they reconnect, jittered by half.",
        "HERMES_SSE_RETRY",
        ge=0.1,
        le=300,
    )
    send_buffer: int = _setting(
        65_536, "Bytes that the kernel may hold for a stream (SO_SNDBUF).", "HERMES_SSE_SEND_BUFFER", ge=4096
    )
    direct_lane: bool = _setting(
        True,
        "Whether events are written straight to plain sockets; off: by the server's own writer.",
        "HERMES_DIRECT_LANE",
    )
    max_channels: int = _setting(
        100, "Names and patterns that one stream may subscribe to.", "HERMES_MAX_CHANNELS", ge=1
    )
    default_channels: Names = _setting(
        ("download:updates", "queue:updates", "system:notifications"),
        "Channels of a stream that names none.",
        "HERMES_DEFAULT_CHANNELS",
    )
    public_channels: Names = _setting(
        ("public:*",), "Names and patterns that anybody may subscribe to.", "HERMES_PUBLIC_CHANNELS"
    )

    presence_channels: Names = _setting(
        (), "Names and patterns of channels of which Hermes knows who is there.", "HERMES_PRESENCE_CHANNELS"
    )
    presence_grace: float = _setting(
        5, "Seconds for which who left still counts as there: a reload is not a leave.", "HERMES_PRESENCE_GRACE", ge=0
    )

    # Who may do what
    api_keys: Names = _setting(
        (),
        "Admin keys, at least 32 characters each; without any one is made at the first start.",
        "HERMES_API_KEYS",
        repr=False,
    )
    allowed_origins: Names = _setting(
        (), "Origins whose pages may read (CORS); '*' only without credentials.", "HERMES_ALLOWED_ORIGINS"
    )
    allow_credentials: bool = _setting(
        False, "Whether pages of those origins may send cookies.", "HERMES_ALLOW_CREDENTIALS"
    )

    jwt_secret: SecretStr | None = _setting(
        None, "Secret of JWTs that another program signs (HS256), at least 32 characters.", "HERMES_JWT_SECRET"
    )
    jwt_public_key: str | None = _setting(
        None, "Public key (PEM, or the path of a file) of JWTs that another program signs.", "HERMES_JWT_PUBLIC_KEY"
    )
    jwks_url: str | None = _setting(
        None, "Address of the public keys (JWKS) of JWTs that an identity provider signs.", "HERMES_JWKS_URL"
    )
    jwt_audience: str | None = _setting(None, "Audience that those JWTs must name.", "HERMES_JWT_AUDIENCE")
    jwt_issuer: str | None = _setting(None, "Issuer that those JWTs must name.", "HERMES_JWT_ISSUER")
    token_ttl: int = _setting(
        3600, "Seconds that a token from /api/v1/tokens lasts where its caller names none.", "HERMES_TOKEN_TTL", ge=1
    )
    token_max_ttl: int = _setting(
        86_400, "Longest time that a caller may name, in seconds.", "HERMES_TOKEN_MAX_TTL", ge=1
    )

    # Limits (administrators have none but those of the process; 0: no limit)
    trusted_proxies: int = _setting(
        0, "Proxies in front, each of which adds itself to X-Forwarded-For.", "HERMES_TRUSTED_PROXIES", ge=0, le=10
    )
    max_connections_per_client: int = _setting(
        50, "Streams of one user or key, over all processes.", "HERMES_MAX_CONNECTIONS_PER_CLIENT", ge=0
    )
    max_connections_per_address: int = _setting(
        200, "Streams from one address (IPv6: one /64), over all processes.", "HERMES_MAX_CONNECTIONS_PER_ADDRESS", ge=0
    )
    connects_per_address: int = _setting(
        50, "New streams from one address in a second, over all processes.", "HERMES_CONNECTS_PER_ADDRESS", ge=0
    )
    publish_rate: int = _setting(
        1000, "Events that one user or key may publish in a second, over all processes.", "HERMES_PUBLISH_RATE", ge=0
    )
    channel_rate: int = _setting(
        1000,
        "Events that may be published to one channel in a second, over all processes.",
        "HERMES_CHANNEL_RATE",
        ge=0,
    )
    audit_rows: int = _setting(100_000, "Rows of the audit table that are kept.", "HERMES_AUDIT_ROWS", ge=100)

    # Sources
    system_interval: float = _setting(
        2, "Seconds between samples of this machine's metrics (data:system); 0: none.", "HERMES_SYSTEM_INTERVAL", ge=0
    )

    # Running
    graceful_timeout: int = _setting(
        25, "Seconds that a stopping process has to end its streams.", "HERMES_GRACEFUL_TIMEOUT", ge=2, le=600
    )
    drain_spread: float = _setting(
        5,
        "Seconds over which a stopping process ends its streams, at most half of the graceful timeout.",
        "HERMES_DRAIN_SPREAD",
        ge=0,
    )
    debug: bool = _setting(False, "More detail in logs.", "HERMES_DEBUG")
    log_level: str = _setting(
        "info", "debug, info, warning or error.", "HERMES_LOG_LEVEL", pattern="^(?i:debug|info|warning|error)$"
    )

    @property
    def store_url(self) -> str | None:
        """The Redis URL, from REDIS_URL or its parts; ``None`` for the embedded store."""
        if self.redis_url is not None and self.redis_url.get_secret_value():
            return self.redis_url.get_secret_value()
        if self.redis_host:
            password = f":{quote(self.redis_password.get_secret_value(), safe='')}@" if self.redis_password else ""
            host = f"[{self.redis_host}]" if ":" in self.redis_host else self.redis_host
            return f"redis://{password}{host}:{self.redis_port}/0"
        return None

    @property
    def bind(self) -> str:
        """``host:port`` for the server."""
        host = self.host or ("0.0.0.0" if self.port is not None else "127.0.0.1")  # noqa: S104 - a host that sets PORT wants it
        return f"[{host}]:{self.port or 8000}" if ":" in host else f"{host}:{self.port or 8000}"

    @property
    def local_url(self) -> str:
        """The address that a program or browser on this machine can open."""
        host, _, port = self.bind.rpartition(":")
        return f"http://{'localhost' if host in ('0.0.0.0', '[::]') else host}:{port}"  # noqa: S104 - compared, not bound


ADDRESS_FILE = "server.url"
"""In the data folder: where its server listens, for the commands on the same machine."""


class Row(NamedTuple):
    """One setting as ``hermes settings`` shows it."""

    name: str
    aliases: tuple[str, ...]
    type: str
    default: str
    help: str
    value: str


MILLISECOND_ALIASES = {
    "SSE_PING_INTERVAL": "heartbeat_interval",
    "SSE_CONNECTION_TIMEOUT": "connection_timeout",
}
"""Names in milliseconds that other programs use for the same thing; read where ours is not set."""


def load_settings(**overrides: Any) -> Settings:
    """The settings of this process; raises :class:`~hermes.errors.SettingsError` with one sentence for each bad value."""
    try:
        settings = Settings(**{**_from_aliases(), **overrides})
    except ValidationError as error:
        raise SettingsError(" ".join(_sentence(problem) for problem in error.errors())) from None
    except ValueError as error:
        raise SettingsError(f"a setting cannot be read: {error}.") from None
    _check(settings)
    return settings


def _from_aliases() -> dict[str, float]:
    found = {}
    for theirs, field in MILLISECOND_ALIASES.items():
        text = os.environ.get(theirs)
        if text and not os.environ.get(names_of(Settings.model_fields[field])[0]):
            if not (text.isascii() and text.isdigit()):
                raise SettingsError(f"{theirs}: must be a whole number of milliseconds (got {text!r}).")
            found[field] = float(text) / 1000
    return found


def _sentence(problem: Any) -> str:
    name = str(problem["loc"][0]) if problem["loc"] else "a setting"
    field = Settings.model_fields.get(name)
    if field is not None:
        name = names_of(field)[0]
    got = "" if name in SECRET_NAMES else f" (got {problem.get('input')!r})"
    return f"{name}: {problem['msg']}{got}."


_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::\d{1,5})?", re.IGNORECASE)


def _check(settings: Settings) -> None:
    secrets = [("HERMES_API_KEYS", key) for key in settings.api_keys]
    if settings.jwt_secret is not None:
        secrets.append(("HERMES_JWT_SECRET", settings.jwt_secret.get_secret_value()))
    for name, secret in secrets:
        reason = weak(secret)
        if reason is not None:
            raise SettingsError(f"{name}: a secret there {reason}; make one with: openssl rand -hex 32.")
    for origin in settings.allowed_origins:
        if origin != "*" and not _ORIGIN.fullmatch(origin):
            raise SettingsError(
                f"HERMES_ALLOWED_ORIGINS: {origin!r} is no origin: write it as browsers send it, such as https://app.example, "
                "without a path and without '*'."
            )
    if "*" in settings.allowed_origins and settings.allow_credentials:
        raise SettingsError("HERMES_ALLOWED_ORIGINS: '*' cannot go with HERMES_ALLOW_CREDENTIALS: list the origins.")
    if settings.workers > 1 and settings.store_url is None:
        raise SettingsError(
            f"WEB_CONCURRENCY is {settings.workers}, and the embedded store serves one process: set REDIS_URL to a Redis 7+, "
            "or WEB_CONCURRENCY=1."
        )


def names_of(field: FieldInfo) -> tuple[str, ...]:
    """The environment names of a field, ours first."""
    alias = field.validation_alias
    return tuple(str(choice) for choice in alias.choices) if isinstance(alias, AliasChoices) else ()


SECRET_NAMES = frozenset({"HERMES_API_KEYS", "HERMES_JWT_SECRET", "REDIS_URL", "REDIS_PASSWORD", "DATABASE_URL"})
"""Settings whose values no message shows."""


def table(settings: Settings) -> Iterator[Row]:
    """Every setting with its present value; secrets are hidden."""
    for name, field in Settings.model_fields.items():
        names = names_of(field)
        value = getattr(settings, name)
        shown = "(set)" if names[0] in SECRET_NAMES and value else _shown(value)
        kind = str(field.annotation).replace("<class '", "").replace("'>", "").replace("pathlib.", "")
        yield Row(names[0], names[1:], kind, _shown(field.default), field.description or "", shown)


def _shown(value: object) -> str:
    if isinstance(value, tuple):
        return ",".join(str(part) for part in value)
    return "" if value is None else str(value)


def unknown_names(environ: Mapping[str, str]) -> list[str]:
    """A sentence for each ``HERMES_`` variable that is no setting, with the likeliest right name."""
    known = {name for field in Settings.model_fields.values() for name in names_of(field)} | CLIENT_NAMES
    sentences = []
    for name in sorted(environ):
        if name.startswith("HERMES_") and name not in known and not name.startswith("HERMES_TEST_"):
            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]}?" if near else "."
            sentences.append(f"{name} is not a setting{hint}")
    return sentences


CLIENT_NAMES = {"HERMES_URL", "HERMES_API_KEY"}
"""What the command line and ``Publisher`` read."""
