"""Publishing to the one process on a model of a store."""

from collections.abc import Callable

import pytest

from hermes.testing import FakeClock
from tests.unit.events import event
from tests.unit.streaming.model_broker import ModelBroker
from tests.unit.streaming.process import Process

Publish = Callable[..., None]


@pytest.fixture
def publish(broker: ModelBroker, process: Process, clock: FakeClock) -> Publish:
    """Publish an event whose data is its number, and let it arrive: `publish("a", "b", key="k")`."""

    def publish(*channels: str, arrive: bool = True, **more: object) -> None:
        made = event(broker.last + 1, *channels, **more)
        made.time = int(clock.now() * 1000)
        broker.publish([made])
        if arrive:
            process.deliver()
            process.dispatch()

    return publish
