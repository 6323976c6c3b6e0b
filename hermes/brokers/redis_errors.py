"""What Redis refuses, in sentences for the operator, and which of it may pass by itself."""

from __future__ import annotations

from redis.exceptions import (
    AuthenticationError,
    ConnectionError,
    NoPermissionError,
    ReadOnlyError,
    RedisError,
    TimeoutError,
)

UNREACHABLE = (ConnectionError, TimeoutError, OSError)
"""What a broken or stalled link raises; ``LOADING`` is among it."""

REFUSED = (AuthenticationError, NoPermissionError)
"""Who we are is not welcome, or not for this."""

ELSEWHERE = (ReadOnlyError,)
"""A replica: after a failover the primary is another server."""

_TRY_AGAIN = ("BUSY ", "MASTERDOWN ", "TRYAGAIN ", "UNKILLABLE ")

_SENTENCES = {
    "OOM": "Redis is out of memory (maxmemory): give it more, or lower HERMES_LOG_BYTES",
    "MISCONF": "Redis cannot save to its disk and refuses writes: look at its log and its disk",
    "NOREPLICAS": "Redis has too few replicas (min-replicas-to-write) and refuses writes",
    "NOPERM": "the user in REDIS_URL may not do this: Hermes needs its keys, its channel, EVAL and INFO",
    "NOAUTH": "Redis asks for a password: put it into REDIS_URL",
    "WRONGPASS": "Redis refuses the user or password in REDIS_URL",
}


def explain(error: RedisError) -> str:
    """A sentence about an error that Redis answered."""
    text = str(error)
    code = getattr(error, "status_code", None) or text.partition(" ")[0]
    sentence = _SENTENCES.get(str(code))
    return f"{sentence} ({text})" if sentence else f"Redis refused the call: {text}"


def may_pass(error: RedisError) -> bool:
    """Whether the same call may succeed in a moment, on the same connection."""
    return str(error).startswith(_TRY_AGAIN)
