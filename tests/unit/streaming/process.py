"""One process of Hermes in which nothing happens by itself: no threads, no waiting, no sockets."""

import threading
from typing import Self
from unittest.mock import patch

from hermes.core.hub import Hub
from hermes.core.log import Tail
from hermes.streaming.follower import Follower
from hermes.streaming.store import Store
from hermes.testing import FakeClock
from tests.unit.streaming.model_broker import ModelBroker

TAIL_BYTES = 10**7


class _NoThread:
    def __init__(self, **options: object) -> None:
        pass

    def start(self) -> None:
        pass


class SteppedFollower(Follower):
    """A follower that heals when it is told, or when a stream waits for it."""

    def start_quietly(self) -> None:
        """As `start`, without the loops."""
        with patch.object(threading, "Thread", _NoThread):
            self.start(lambda: 0)

    @property
    def wants_to_heal(self) -> bool:
        return self._heal_wanted.is_set()

    def heal(self) -> None:
        """One turn of the heal loop."""
        self._heal_wanted.clear()
        self._heal()

    def look_at_tip(self) -> None:
        """One turn of the tip loop."""
        self._compare(self._broker.tip())

    def reach(self, epoch: str, timeout: float = 0.0) -> bool:
        if self._hub.epoch != epoch:
            self.heal()
        return self._hub.epoch == epoch


class Process:
    """What one process has; `broker` may be shared by several."""

    def __init__(self, broker: ModelBroker, clock: FakeClock, *, tail_size: int = 1000, age: float = 10**6) -> None:
        self.broker = broker
        self.clock = clock
        self.hub = Hub(Tail(tail_size, TAIL_BYTES), clock.monotonic)
        self.follower = SteppedFollower(broker, self.hub, clock, history_age=age, tail_size=tail_size)
        self.store = Store(broker, self.hub, self.follower)

    def start(self) -> Self:
        self.follower.start_quietly()
        self.link = self.broker.links[-1]
        return self

    def dispatch(self) -> None:
        """Write all that is new to the live streams."""
        for _ in self.hub.dispatch():
            pass

    def deliver(self, count: int = 10**6) -> None:
        """The feed brings something."""
        self.link.deliver(count)

    def catch_up(self) -> None:
        """All that the store has is here, and written to the live streams."""
        self.link.lose()
        self.follower.heal()
        self.dispatch()
