"""Joins and leaves of clients, told while somebody watches."""

from typing import Any

import pytest

from hermes.core.event import MAX_EVENT_BYTES
from hermes.sources import connections as connections_module
from hermes.sources.connections import MOST_CLIENTS, ConnectionsSource
from tests.support.wait import wait_until
from tests.unit.model_fleet import Exchange
from tests.unit.sources.neighbour import Neighbour, Stream
from tests.unit.streaming.model_broker import ModelBroker

ADMIN = ("hermes:*",)


@pytest.fixture
def processes(exchange: Exchange, broker: ModelBroker) -> list[Neighbour]:
    return [Neighbour(exchange, broker, node, ConnectionsSource()) for node in ("p1", "p2")]


def second(processes: list[Neighbour]) -> None:
    for process in [*processes, *processes]:
        process.exchange()
    for process in processes:
        process.source.step()  # type: ignore[attr-defined]


def watch(process: Neighbour, *items: str) -> Stream:
    return process.open(None, *(items or ("hermes:connections",)), grants=ADMIN)


def told(broker: ModelBroker) -> list[tuple[str, Any]]:
    assert {event.channels for event in broker.kept} <= {("hermes:connections",)}
    return [(event.type, event.value) for event in broker.kept]


def test_nothing_is_told_while_nobody_watches(processes: list[Neighbour], broker: ModelBroker) -> None:
    for process in processes:
        process.close(process.open("ann", "a"))
    second(processes)
    assert told(broker) == []


def test_what_happens_anywhere_is_told_while_somebody_watches_anywhere(
    processes: list[Neighbour], broker: ModelBroker
) -> None:
    watcher = watch(processes[0])
    second(processes)
    broker.remove_oldest(10)
    stream = processes[1].open("ann", "a")
    second(processes)
    processes[1].close(stream)
    second(processes)
    clients = {"connection_id": "p2-1", "user_id": "ann", "principal": "user:ann", "address": "192.0.2.1", "node": "p2"}
    time = "2027-01-15T08:00:00.000Z"
    assert told(broker) == [
        ("client_connected", {"timestamp": time, "count": 1, "clients": [clients]}),
        ("client_disconnected", {"timestamp": time, "count": 1, "clients": [{**clients, "reason": "gone"}]}),
    ]
    broker.remove_oldest(10)
    processes[0].close(watcher)
    second(processes)
    processes[1].open("ann", "a")
    second(processes)
    assert told(broker) == []


@pytest.mark.parametrize(
    ("items", "grants", "watches"),
    [
        (("hermes:connections",), ADMIN, True),
        (("hermes:*",), ADMIN, True),
        (("hermes:connections",), ("*",), False),
        (("*",), ADMIN, False),
        (("hermes:status",), ADMIN, False),
    ],
)
def test_who_watches(
    processes: list[Neighbour], items: tuple[str, ...], grants: tuple[str, ...], watches: bool
) -> None:
    processes[0].open(None, *items, grants=grants)
    assert processes[0].company.parts[0].report() == (b"1" if watches else b"")


def test_why_a_stream_ended(processes: list[Neighbour], broker: ModelBroker) -> None:
    watch(processes[0])
    stream = processes[0].open("ann", "a")
    second(processes)
    stream.close_reason = "kicked"
    processes[0].close(stream)
    second(processes)
    assert told(broker)[-1][1]["clients"][0]["reason"] == "kicked"


def test_one_frame_a_second_however_many(processes: list[Neighbour], broker: ModelBroker) -> None:
    watch(processes[0])
    second(processes)
    for number in range(500):
        processes[0].close(processes[0].open(f"u{number}", "a"))
    second(processes)
    (_, first), (kind, joined), (_, left) = told(broker)
    assert (first["count"], kind) == (1, "client_connected")
    assert joined["count"] == left["count"] == 500
    assert len(joined["clients"]) == len(left["clients"]) == MOST_CLIENTS


def test_long_names_do_not_burst_the_frame(processes: list[Neighbour], broker: ModelBroker) -> None:
    watch(processes[0])
    for number in range(200):
        processes[0].open(f"{number}" + "\U0001f600" * 240, "a")
    second(processes)
    (event,) = broker.kept
    assert event.value["count"] == 201
    assert 10 < len(event.value["clients"]) < 100
    assert len(event.record()) < MAX_EVENT_BYTES


def test_what_cannot_be_told_is_not_told_later(processes: list[Neighbour], broker: ModelBroker) -> None:
    watch(processes[0])
    broker.away = True
    with pytest.raises(Exception, match="away"):
        processes[0].source.step()  # type: ignore[attr-defined]
    broker.away = False
    second(processes)
    assert told(broker) == []


def test_it_runs_by_itself(exchange: Exchange, broker: ModelBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections_module, "INTERVAL", 0.001)
    process = Neighbour(exchange, broker, "p1", ConnectionsSource())
    watch(process)
    process.source.start()
    wait_until(lambda: broker.kept)
    process.source.stop()
    assert told(broker)[0][0] == "client_connected"
