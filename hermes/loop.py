"""The one place that knows whether this process runs on gevent: locks and work that must not stop its event loop."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Generic, TypeVar, cast

from gevent import get_hub, monkey
from gevent.threadpool import ThreadPool

Result = TypeVar("Result")


def on_gevent() -> bool:
    """Whether threads are greenlets here: nothing else runs between two points that do not wait."""
    return bool(monkey.is_module_patched("threading"))


def state_lock() -> AbstractContextManager[object]:
    """A lock for state that is never held while waiting: real where threads are, free of cost under gevent."""
    return nullcontext() if on_gevent() else threading.RLock()


class Offload:
    """Calls that block without yielding to gevent, such as SQLite's, one at a time: in a thread of their own under gevent,
    as plain calls elsewhere.
    """

    def __init__(self) -> None:
        self._pool = ThreadPool(1, hub=get_hub()) if on_gevent() else None
        self._turn = threading.Lock()

    def __call__(self, work: Callable[[], Result]) -> Result:
        """Run ``work`` in its turn, and give back what it returns or raises."""
        if self._pool is None:
            with self._turn:
                return work()
        outcome: _Outcome[Result] = self._pool.apply(_outcome, (work,))
        if outcome.error is not None:
            raise outcome.error
        return cast(Result, outcome.result)

    def close(self) -> None:
        """Let the thread go."""
        if self._pool is not None:
            self._pool.kill()


@dataclass(slots=True)
class _Outcome(Generic[Result]):
    """What a call gave."""

    result: Result | None = None
    error: BaseException | None = None


def _outcome(work: Callable[[], Result]) -> _Outcome[Result]:
    """Catches errors in the thread: gevent prints a traceback of each that leaves a pool's thread (measured)."""
    try:
        return _Outcome(result=work())
    except BaseException as error:  # it is raised again where it belongs
        return _Outcome(error=error)
