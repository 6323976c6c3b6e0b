"""What administrators are told of limits is of all processes, however busy they are and whoever does not answer."""

import orjson
import pytest

from hermes.access.addresses import MOST_PEERS, client_address
from hermes.access.grants import Grants
from hermes.access.limits import LEAST_BURST, MOST_REFUSED, Limits
from hermes.access.limits_overview import IN_FORCE, STATUS, LimitsOverview
from hermes.access.principal import Principal
from hermes.core.channel import MAX_NAME
from hermes.errors import RateLimited, TooManyConnections
from hermes.fleet.base import MOST_SAID
from hermes.fleet.company import Company
from hermes.settings import load_settings, table
from hermes.testing import FakeClock
from tests.unit.model_fleet import Exchange, ModelFleet

FORWARDED = {"HTTP_X_FORWARDED_FOR": "203.0.113.9"}
ANN = Principal("user:ann", "ann", Grants(publish=("*",)))
HERE = client_address({"REMOTE_ADDR": "203.0.113.1"}, 0)


class Node:
    """A process with limits."""

    nodes: list[str]
    """Of the whole fleet, this one first."""

    def __init__(self, exchange: Exchange, name: str) -> None:
        settings = load_settings(max_connections_per_client=1, channel_rate=1, connects_per_address=0)
        self.limits = Limits(settings, exchange.clock)
        fleet = ModelFleet(exchange, name)
        self.company = Company(name, lambda: fleet)
        self.overview = LimitsOverview(settings, self.limits, self.company, self)
        self.overview.listen()
        fleet.listen(self.company.answer)

    def refuse(self, principal: Principal, times: int = 1) -> None:
        """Let a caller ask for more than it may have, so often."""
        slot = self.limits.open(principal, HERE)
        for _ in range(times):
            with pytest.raises(TooManyConnections):
                self.limits.open(principal, HERE)
        slot.close()

    def refused(self) -> list[tuple[str, int]]:
        """Who was refused, and how often, as this process tells of all."""
        return [(one["who"], one["times"]) for one in self.overview.status()["refused"]]


@pytest.fixture
def exchange(clock: FakeClock) -> Exchange:
    return Exchange(clock)


@pytest.fixture
def nodes(exchange: Exchange) -> list[Node]:
    names = [f"p{number}" for number in range(3)]
    made = [Node(exchange, name) for name in names]
    for number, node in enumerate(made):
        node.nodes = names[number:] + names[:number]
    return made


def test_refusals_of_all_processes_are_added_up(nodes: list[Node], clock: FakeClock) -> None:
    nodes[0].refuse(ANN, 2)
    clock.advance(1)
    nodes[1].refuse(Principal("user:bob"))
    clock.advance(1)
    nodes[2].refuse(ANN, 3)
    for node in nodes:
        assert node.refused() == [("user:ann", 5), ("user:bob", 1)]
    ann = nodes[1].overview.status()["refused"][0]
    assert (ann["limit"], ann["since"], ann["last"]) == (
        "max_connections_per_client",
        "2027-01-15T08:00:00.000Z",
        "2027-01-15T08:00:02.000Z",
    )


def test_of_each_peer_what_was_seen_last(nodes: list[Node], clock: FakeClock) -> None:
    nodes[2].limits.address({"REMOTE_ADDR": "10.0.0.1", **FORWARDED})
    clock.advance(1)
    nodes[0].limits.address({"REMOTE_ADDR": "10.0.0.2", **FORWARDED})
    clock.advance(1)
    nodes[1].limits.address({"REMOTE_ADDR": "10.0.0.1", **FORWARDED})
    for node in nodes:
        assert node.overview.status()["forwarding"] == [
            {"peer": "10.0.0.1", "last": "2027-01-15T08:00:02.000Z", "trusted_proxies": 0},
            {"peer": "10.0.0.2", "last": "2027-01-15T08:00:01.000Z", "trusted_proxies": 0},
        ]


def test_who_gives_no_answer_is_left_out(nodes: list[Node], exchange: Exchange) -> None:
    for node in nodes:
        node.refuse(ANN)
    exchange.mute.add("p1")
    assert nodes[0].refused() == [("user:ann", 2)]
    exchange.away = True
    assert nodes[0].refused() == [("user:ann", 1)]


def test_the_limits_in_force_by_their_settings(nodes: list[Node]) -> None:
    limits = nodes[0].overview.status()["limits"]
    assert [one["limit"] for one in limits] == list(IN_FORCE)
    values = {"max_connections_per_client": 1, "channel_rate": 1, "connects_per_address": 0}
    rows = {row.name: row for row in table(load_settings(**values))}
    for one in limits:
        row = rows[one["setting"]]
        assert (str(one["value"]), one["about"]) == (row.value, row.help)


def test_every_refusal_is_by_a_limit_that_is_told(nodes: list[Node]) -> None:
    nodes[0].refuse(ANN)
    nodes[0].limits.publish(ANN, [["a"]] * LEAST_BURST)
    with pytest.raises(RateLimited):
        nodes[0].limits.publish(ANN, [["a"]])
    assert {one["limit"] for one in nodes[0].overview.status()["refused"]} <= set(IN_FORCE)


def test_the_list_is_bounded_and_its_answer_fits(nodes: list[Node]) -> None:
    for node in nodes:
        for number in range(MOST_REFUSED + 10):
            node.refuse(Principal(f"{number}-".ljust(MAX_NAME, "\U0001f600")))
        for number in range(MOST_PEERS + 10):
            node.limits.address({"REMOTE_ADDR": f"2001:db8:ffff:ffff:ffff:ffff:ffff:{number:x}", **FORWARDED})
    answer = nodes[0].company.ask("p1", STATUS)
    assert answer is not None
    assert len(answer) <= MOST_SAID
    status = orjson.loads(answer)
    assert (len(status["refused"]), len(status["forwarding"])) == (MOST_REFUSED, MOST_PEERS)
    assert len(nodes[0].refused()) == MOST_REFUSED
