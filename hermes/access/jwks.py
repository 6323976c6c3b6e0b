"""The public keys of an identity provider (a JWK Set, RFC 7517), kept up to date from the one address that is configured.

No token says where keys come from. The set counts for 10 minutes, then the next token that needs it has it fetched again; so does
a token with an unknown key id, but once in 30 s at most, however many come. A key that the set no longer has is gone. While the
provider is away, its last set counts for a day; what needs another key is told to come again later, not that it is wrong.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

import orjson
import requests
import structlog
import urllib3

from hermes.access.verification_key import VerificationKey, jwk_key
from hermes.core.clock import Clock
from hermes.errors import SettingsError, Unauthorized, Unavailable

log = structlog.get_logger(__name__)

FRESH = 600.0
"""Seconds for which a set is not looked at again."""

KEPT = 86_400.0
"""Seconds for which a set counts while no newer one can be had."""

FETCH_INTERVAL = 30.0
"""Seconds between the beginnings of two fetches, whatever asks for them."""

FETCH_WAIT = 8.0
"""Seconds that a request waits for a fetch; then it goes on with what is there."""

CONNECT_TIMEOUT, READ_TIMEOUT, BODY_TIMEOUT = 3.0, 5.0, 7.0
"""Seconds for the connection, for each piece of an answer, and for all of its body."""

MAX_BYTES = 256 * 1024
MAX_KEYS = 100

Fetch = Callable[[], tuple[VerificationKey, ...]]
"""Gets the set; raises :class:`~hermes.errors.Unavailable`."""


class Jwks:
    """The keys of one provider. Nothing is fetched before a token needs it. Safe to share between threads."""

    def __init__(self, fetch: Fetch, clock: Clock) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: tuple[VerificationKey, ...] = ()
        self._got_at = float("-inf")
        self._asked_at = float("-inf")
        self._failed = False
        self._running: threading.Event | None = None
        self.version = 0
        """Another one whenever the keys are others: what was verified before may not count any more."""

    @classmethod
    def at(cls, url: str, clock: Clock) -> Jwks:
        """The keys at ``url``; raises :class:`~hermes.errors.SettingsError` for an address that nobody should trust."""
        return cls(partial(fetch, _checked(url)), clock)

    @property
    def good_until(self) -> float:
        """The monotonic time until which nothing here changes by itself."""
        return max(self._got_at + FRESH, self._asked_at + FETCH_INTERVAL)

    def find(self, algorithm: str, kid: str | None) -> tuple[VerificationKey, ...]:
        """The keys that a token with this header may be signed with.

        Raises :class:`~hermes.errors.Unauthorized` where there are none, and ``Unavailable`` where that cannot be known now. May
        wait for a fetch, which only those wait for that need it.
        """
        now = self._clock.monotonic()
        if now >= self._got_at + FRESH or not self._named(kid):
            self._refresh(now)
        named = self._named(kid)
        if not named:
            if self._failed or self._got_at == float("-inf"):
                raise Unavailable("the keys of the identity provider cannot be had at present: try again later")
            raise Unauthorized("the token names a key (kid) that the identity provider does not publish")
        fitting = tuple(key for key in named if algorithm in key.algorithms)
        if kid is None and len(fitting) > 1:  # OpenID Connect Core 1.0, section 10.1
            raise Unauthorized("the token names no key (kid), and the identity provider publishes several")
        return fitting

    def _named(self, kid: str | None) -> tuple[VerificationKey, ...]:
        if self._clock.monotonic() >= self._got_at + KEPT:
            return ()
        return self._keys if kid is None else tuple(key for key in self._keys if key.kid == kid)

    def _refresh(self, now: float) -> None:
        """Have the set fetched if it is time for that, and wait for a fetch that is under way."""
        with self._lock:
            if now >= self._asked_at + FETCH_INTERVAL:  # one that has been under way for so long is given up
                self._asked_at = now
                self._running = threading.Event()
                threading.Thread(target=self._run, args=(self._running,), name="jwks", daemon=True).start()
            running = self._running
        if running is not None:
            running.wait(FETCH_WAIT)

    def _run(self, running: threading.Event) -> None:
        keys: tuple[VerificationKey, ...] | None = None
        try:
            keys = self._fetch()
        except Unavailable as error:
            log.warning("the keys of the identity provider were not fetched", error=str(error))
        except Exception:
            log.exception("the keys of the identity provider were not fetched")
        with self._lock:
            if self._running is running:
                self._take(keys)
                self._running = None
        running.set()

    def _take(self, keys: tuple[VerificationKey, ...] | None) -> None:
        self._failed = keys is None
        if keys is None:
            return
        self._got_at = self._clock.monotonic()
        if keys != self._keys:
            self._keys = keys
            self.version += 1
            log.info("the identity provider has other keys", keys=len(keys))


def fetch(url: str) -> tuple[VerificationKey, ...]:
    """The keys of the set at ``url``; members that are no keys for tokens are passed over.

    Raises :class:`~hermes.errors.Unavailable`. Follows no redirect: what is configured is what is asked.
    """
    try:
        with requests.Session() as session:
            session.trust_env = url.startswith("https:")  # no proxy is asked for what is on this machine
            with session.get(
                url,
                headers={"Accept": "application/json", "Accept-Encoding": "identity"},
                timeout=(CONNECT_TIMEOUT, READ_TIMEOUT),
                auth=_no_login,
                allow_redirects=False,
                stream=True,
            ) as answer:
                return _keys(_body(answer))
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise Unavailable(f"HERMES_JWKS_URL cannot be reached ({type(error).__name__})") from error


def _body(answer: requests.Response) -> bytes:
    if answer.is_redirect:
        raise Unavailable("HERMES_JWKS_URL leads to another address: set it to that one")
    if answer.status_code != 200:
        raise Unavailable(f"HERMES_JWKS_URL answered {answer.status_code}")
    deadline = time.monotonic() + BODY_TIMEOUT
    body = b""
    while piece := answer.raw.read1(64 * 1024):
        body += piece
        if len(body) > MAX_BYTES:
            raise Unavailable(f"HERMES_JWKS_URL answered more than {MAX_BYTES} bytes")
        if time.monotonic() > deadline:
            raise Unavailable(f"HERMES_JWKS_URL did not answer within {BODY_TIMEOUT:g} s")
    return body


def _keys(body: bytes) -> tuple[VerificationKey, ...]:
    try:
        members: Any = orjson.loads(body)["keys"]
    except (ValueError, KeyError, TypeError):
        members = None
    if not isinstance(members, list) or len(members) > MAX_KEYS:
        raise Unavailable(f"HERMES_JWKS_URL answered no JWK Set of at most {MAX_KEYS} keys")
    return tuple(key for member in members if (key := jwk_key(member)) is not None)


def _no_login(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Keys are public: no password of this machine's user goes there."""
    return request


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        raise _bad("is no address") from None
    if parts.scheme not in ("https", "http") or not host:
        raise _bad("must be an address that begins with https://")
    if parts.scheme == "http" and not _is_loopback(host):
        raise _bad("must begin with https://: whoever is between could put keys of their own there")
    if parts.username is not None or parts.password is not None:
        raise _bad("must hold no user and password: keys are public")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _bad(reason: str) -> SettingsError:
    return SettingsError(f"HERMES_JWKS_URL: {reason}.")
