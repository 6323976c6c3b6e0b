"""Finding and reaching streams wherever in the fleet they are."""

from typing import Any

import pytest

from hermes.core.clock import milliseconds
from hermes.fleet.company import Company
from hermes.streaming import directory as directory_module
from hermes.streaming.bearer import Bearer
from hermes.streaming.connections import Connections
from hermes.streaming.directory import Directory, Wanted
from hermes.streaming.registry import Registry
from hermes.testing import FakeClock
from tests.unit.model_fleet import Exchange, ModelFleet
from tests.unit.streaming.model_broker import ModelBroker
from tests.unit.streaming.process import Process
from tests.unit.streaming.stream import Stream, data


class Node:
    """A process of the fleet with streams."""

    def __init__(self, exchange: Exchange, broker: ModelBroker, name: str) -> None:
        self.process = Process(broker, exchange.clock).start()
        self.fleet = ModelFleet(exchange, name)
        self.company = Company(name, lambda: self.fleet)
        self.registry = Registry(self.process.hub, 10_000)
        self.connections = Connections(self.registry, lambda: milliseconds(exchange.clock.now()))
        self.connections.listen(self.company)
        self.directory = Directory(self.fleet, self.company, self.connections)
        self.fleet.listen(self.company.answer)
        self.exchange()

    def exchange(self) -> None:
        heard = self.fleet.exchange({"connections": self.connections.report()}, self.connections.take_changes()).reports
        self.connections.hear({node: reports["connections"] for node, reports in heard.items()})

    def open(self, id: str, user: str | None = None, *items: str) -> Stream:
        stream = Stream(self.process, *items, ids=(id,))
        stream.listener.bearer = Bearer(f"user:{user}", user)
        self.registry.add(stream.listener)
        stream.read()
        return stream


@pytest.fixture
def exchange(clock: FakeClock) -> Exchange:
    return Exchange(clock)


@pytest.fixture
def nodes(exchange: Exchange, broker: ModelBroker) -> list[Node]:
    return told([Node(exchange, broker, f"p{number}") for number in range(3)])


def told(nodes: list[Node]) -> list[Node]:
    """What every process does once a second."""
    for node in [*nodes, *nodes]:
        node.exchange()
    return nodes


def ids(nodes: list[Node], *wanted: str | None, limit: int = 100) -> list[str]:
    """All pages, of the last process."""
    found: list[str] = []
    after: str | None = ""
    while after is not None:
        page = nodes[-1].directory.page(Wanted(*wanted), after, limit)
        assert len(page.items) <= limit
        found += [item["connection_id"] for item in page.items]
        after = page.next
    return found


def test_all_streams_of_all_processes(nodes: list[Node]) -> None:
    for number in range(12):
        nodes[number % 3].open(f"c{number:02}", "ann" if number % 2 else "bob", "a", f"b{number}")
    told(nodes)
    everything = [f"c{number:02}" for number in range(12)]
    assert ids(nodes) == everything
    assert ids(nodes, limit=5) == everything
    assert ids(nodes, "ann") == everything[1::2]
    assert ids(nodes, None, "b7") == ["c07"]
    assert ids(nodes, None, None, "p1") == everything[1::3]
    assert ids(nodes, "ann", "a", "p1", limit=1) == ["c01", "c07"]
    assert ids(nodes, "eve") == []


def test_by_a_channel_that_a_pattern_selects(nodes: list[Node]) -> None:
    nodes[0].open("c1", None, "room:*")
    nodes[1].open("c2", None, "room:1")
    nodes[2].open("c3", None, "*")
    told(nodes)
    assert ids(nodes, None, "room:1") == ["c1", "c2", "c3"]
    assert ids(nodes, None, "user:1") == []


def test_an_item_has_what_is_fresh(nodes: list[Node]) -> None:
    nodes[0].open("c1", "ann")
    told(nodes)
    (item,) = nodes[2].directory.page(Wanted(), "", 10).items
    assert item["node"] == "p0"
    assert (item["last_event_id"], item["lag"], item["queued"]) == ("e1-0", 0, 0)
    fixed = {"connection_id", "user_id", "principal", "address", "channels", "types", "filters", "connected_at"}
    assert set(item) == fixed | {"last_event_id", "node", "lag", "queued"}


def test_each_process_is_asked_once_for_a_page(nodes: list[Node], exchange: Exchange) -> None:
    for number in range(30):
        nodes[number % 3].open(f"c{number:02}")
    told(nodes)
    exchange.asked.clear()
    nodes[0].directory.page(Wanted(), "", 30)
    assert sorted(node for node, _ in exchange.asked) == ["p1", "p2"]


def test_a_stream_that_ended_meanwhile_is_not_shown(nodes: list[Node]) -> None:
    stream = nodes[0].open("c1")
    told(nodes)
    nodes[0].registry.remove(stream.listener)
    assert ids(nodes) == []


def test_a_process_that_does_not_answer(nodes: list[Node], exchange: Exchange) -> None:
    nodes[0].open("c1")
    told(nodes)
    exchange.mute = {"p0"}
    (item,) = nodes[2].directory.page(Wanted(), "", 10).items
    assert (item["connection_id"], item["lag"], item["last_event_id"]) == ("c1", None, None)
    one = nodes[2].directory.one("c1")
    assert one is not None
    assert (one["node"], one["lag"]) == ("p0", None)


def test_a_list_looks_through_so_many(nodes: list[Node], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_module, "PAGE", 3)
    monkeypatch.setattr(directory_module, "MOST_EXAMINED", 10)
    for number in range(35):
        nodes[0].open(f"c{number:02}", "ann" if number == 34 else None)
    told(nodes)
    first = nodes[2].directory.page(Wanted("ann"), "", 10)
    assert (first.items, first.next) == ([], "c09")
    assert ids(nodes, "ann") == ["c34"]


@pytest.mark.parametrize("young", [True, False])
@pytest.mark.parametrize("where", [0, 2])
def test_one_stream_however_young(nodes: list[Node], young: bool, where: int) -> None:
    stream = nodes[where].open("c1", "ann")
    if not young:
        told(nodes)
    found = nodes[2].directory.one("c1")
    assert found is not None
    assert (found["node"], found["user_id"], found["lag"]) == (f"p{where}", "ann", 0)
    assert nodes[2].directory.send("c1", "hello", b'{"x":1}')
    (frame,) = stream.read()
    assert (frame["event"], data(frame)) == ("hello", {"x": 1})
    assert nodes[2].directory.one("c2") is None
    assert not nodes[2].directory.send("c2", "hello", b"1")


def test_one_that_is_gone_though_a_record_tells_of_it(nodes: list[Node]) -> None:
    stream = nodes[0].open("c1")
    told(nodes)
    nodes[0].registry.remove(stream.listener)
    assert nodes[2].directory.one("c1") is None
    assert not nodes[2].directory.send("c1", "hello", b"1")


def test_how_many_a_user_has(nodes: list[Node]) -> None:
    for number in range(7):
        nodes[number % 3].open(f"c{number}", "ann" if number < 5 else "bob")
    counted: dict[str, Any] = {user: nodes[1].directory.count({"user_id": user}) for user in ("ann", "bob", "eve")}
    assert counted == {"ann": 5, "bob": 2, "eve": 0}
