"""Commands to all processes: numbered events that nobody else can publish or see."""

from collections.abc import Mapping
from typing import Any

import pytest

from hermes.control import Control
from hermes.core.channel import CONTROL_CHANNEL
from hermes.core.publisher import Publisher
from hermes.errors import InvalidInput
from hermes.testing import FakeClock
from tests.unit.streaming.model_broker import ModelBroker


@pytest.fixture
def control(broker: ModelBroker, clock: FakeClock) -> Control:
    return Control(Publisher(broker, clock, internal=True))


@pytest.fixture
def carried_out(control: Control) -> list[Mapping[str, Any]]:
    done: list[Mapping[str, Any]] = []
    control.on("revoke", done.append)
    return done


def told(broker: ModelBroker) -> list[Any]:
    return list(broker.read(0, 100, 100_000).events)


def test_what_is_told_is_heard(control: Control, broker: ModelBroker, carried_out: list[Mapping[str, Any]]) -> None:
    control.tell("revoke", {"token_id": "t1"})
    control.hear(told(broker))
    assert carried_out == [{"token_id": "t1"}]


def test_in_the_order_of_the_log(control: Control, broker: ModelBroker, carried_out: list[Mapping[str, Any]]) -> None:
    for number in range(3):
        control.tell("revoke", {"n": number})
    control.hear(told(broker))
    assert [data["n"] for data in carried_out] == [0, 1, 2]


def test_other_events_are_none(
    control: Control, broker: ModelBroker, clock: FakeClock, carried_out: list[Mapping[str, Any]]
) -> None:
    Publisher(broker, clock, internal=True).publish("a", {"token_id": "t1"}, type="hermes.revoke")
    control.hear(told(broker))
    assert carried_out == []


def test_a_command_that_fails_or_is_unknown_stops_no_other(
    control: Control, broker: ModelBroker, carried_out: list[Mapping[str, Any]]
) -> None:
    control.on("broken", lambda data: data["absent"])
    control.tell("broken", {})
    control.tell("of_a_newer_version", {})
    control.tell("revoke", {"n": 1})
    control.hear(told(broker))
    assert carried_out == [{"n": 1}]


def test_after_a_gap_what_was_missed_is_read(control: Control) -> None:
    read: list[str] = []
    control.on_gap(lambda: read.append("keys"))
    control.on_gap(lambda: read.append("tokens"))
    control.missed()
    assert read == ["keys", "tokens"]


def test_nobody_else_can_tell(broker: ModelBroker, clock: FakeClock) -> None:
    with pytest.raises(InvalidInput):
        Publisher(broker, clock).publish(CONTROL_CHANNEL, {"token_id": "t1"}, type="revoke")
