"""The dispatcher's thread: it writes what is new, and no mistake ends it."""

from collections.abc import Callable, Iterator

import pytest

from hermes.streaming.dispatcher import Dispatcher
from tests.support.wait import wait_until
from tests.unit.streaming.conftest import Publish
from tests.unit.streaming.model_broker import ModelBroker
from tests.unit.streaming.process import Process
from tests.unit.streaming.stream import Stream, words


@pytest.fixture
def dispatcher(process: Process) -> Iterator[Dispatcher]:
    made = Dispatcher(process.hub, process.follower.new)
    made.start()
    yield made
    made.close()


def arrive(process: Process, broker: ModelBroker, publish: Publish) -> None:
    publish("a", arrive=False)
    process.deliver()


def test_what_arrives_is_written(
    dispatcher: Dispatcher, broker: ModelBroker, process: Process, publish: Publish
) -> None:
    stream = Stream(process, "a", direct=True)
    stream.read()
    for _ in range(3):
        arrive(process, broker, publish)
    wait_until(lambda: process.hub.finished == 3)
    assert words(stream.frames()) == ["1", "2", "3"]


def test_a_mistake_leaves_it_to_the_streams(
    dispatcher: Dispatcher,
    broker: ModelBroker,
    process: Process,
    publish: Publish,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    stream = Stream(process, "a", direct=True)
    stream.read()
    matches: Callable[..., object] = process.hub._matches

    def mistake(page: object) -> object:
        raise KeyError("nobody thought of this")

    monkeypatch.setattr(process.hub, "_matches", mistake)
    arrive(process, broker, publish)
    wait_until(lambda: process.hub.finished == 1)
    assert words(stream.read()) == ["1"]
    monkeypatch.setattr(process.hub, "_matches", matches)
    arrive(process, broker, publish)
    wait_until(lambda: process.hub.finished == 2)
    assert words(stream.read()) == ["2"]


def test_it_ends(dispatcher: Dispatcher) -> None:
    dispatcher.close()
    dispatcher.close()
    assert not dispatcher._thread.is_alive()
