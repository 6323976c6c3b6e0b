"""One process of a fleet with one source, in which nothing happens by itself."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import structlog

from hermes.core.cursor import Cursor
from hermes.core.event import Event
from hermes.core.publisher import Once, Publisher
from hermes.core.subscription import Subscription
from hermes.errors import Unavailable
from hermes.fleet.company import Company
from hermes.settings import load_settings
from hermes.sources.base import Observer, Source, SourceContext
from hermes.testing import TEST_KEY, FakeClock
from tests.unit.model_fleet import Exchange, ModelFleet
from tests.unit.streaming.model_broker import ModelBroker


class Bearer(NamedTuple):
    principal_id: str
    user_id: str | None
    address: str = "192.0.2.1"


class Stream:
    """A stream as a source sees it."""

    def __init__(self, id: str, user: str | None, *items: str, grants: tuple[str, ...] = ("*",)) -> None:
        self.connection_id = id
        self.subscription = Subscription(items, grants=grants, everything="hermes:*" in grants)
        self.bearer = Bearer("anonymous" if user is None else f"user:{user}", user)
        self.close_reason: str | None = None


class Doubtful:
    """A way to the store on which an answer can get lost: stored, and not known to be."""

    def __init__(self, broker: ModelBroker) -> None:
        self._broker = broker
        self.loses_answer = False

    def publish(
        self, events: Sequence[Event], once: Once | None = None, each: Mapping[int, Once] | None = None
    ) -> list[Cursor]:
        cursors = self._broker.publish(events, once, each)
        if self.loses_answer:
            self.loses_answer = False
            raise Unavailable("not known to be stored")
        return cursors


class Neighbour:
    """A process; what its source publishes goes to `broker`."""

    def __init__(self, exchange: Exchange, broker: ModelBroker, node: str, source: Source, **settings: object) -> None:
        self.clock: FakeClock = exchange.clock
        self.node = node
        self.fleet = ModelFleet(exchange, node)
        self.company = Company(node, lambda: self.fleet)
        self.way = Doubtful(broker)
        self.source = source
        self.observers: list[Observer] = []
        self.streams: dict[str, Stream] = {}
        self._opened = 0
        source.setup(
            SourceContext(
                publisher=Publisher(self.way, self.clock, internal=True),
                settings=load_settings(api_keys=(TEST_KEY,), **settings),
                clock=self.clock,
                lease=self.fleet.hold,
                streams=lambda: len(self.streams),
                log=structlog.get_logger(),
                retained=broker.retained,
                observe=self.observers.append,
                company=self.company,
            )
        )
        self.fleet.listen(self.company.answer)

    def exchange(self) -> None:
        """Once a second: tell the others, and hear them."""
        heard = self.fleet.exchange({part.name: part.report() for part in self.company.parts}, {}).reports
        for part in self.company.parts:
            part.hear({node: reports[part.name] for node, reports in heard.items() if part.name in reports})

    def open(self, user: str | None, *items: str, grants: tuple[str, ...] = ("*",)) -> Stream:
        """A stream of `user`."""
        self._opened += 1
        stream = Stream(f"{self.node}-{self._opened}", user, *items, grants=grants)
        self.streams[stream.connection_id] = stream
        for observer in self.observers:
            observer.opened(stream)
        return stream

    def close(self, stream: Stream) -> None:
        """It ends."""
        del self.streams[stream.connection_id]
        for observer in self.observers:
            observer.closed(stream)
