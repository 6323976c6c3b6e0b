"""Who reports in a process, and who answers which questions."""

import pytest

from hermes.fleet.company import Company
from hermes.testing import FakeClock
from tests.unit.model_fleet import Exchange, ModelFleet


@pytest.fixture
def exchange(clock: FakeClock) -> Exchange:
    return Exchange(clock)


def company(exchange: Exchange, node: str) -> Company:
    fleet = ModelFleet(exchange, node)
    made = Company(node, lambda: fleet)
    fleet.listen(made.answer)
    return made


def test_a_question_goes_to_who_answers_it(exchange: Exchange) -> None:
    one, two = company(exchange, "p1"), company(exchange, "p2")
    two.on("twice", lambda question: question * 2)
    two.on("lines", lambda question: b"%d" % question.count(b"\n"))
    assert one.ask("p2", "twice", b"ab") == b"abab"
    assert one.ask("p2", "lines", b"a\nb\n") == b"2"


def test_nobody_answers(exchange: Exchange) -> None:
    one = company(exchange, "p1")
    company(exchange, "p2")
    assert one.ask("p2", "unknown") is None
    assert one.ask("p3", "unknown") is None
    assert one.ask("p1", "unknown") is None


def test_itself_is_asked_without_the_store(exchange: Exchange) -> None:
    one = company(exchange, "p1")
    one.on("name", lambda _: b"one")
    exchange.away = True
    assert one.ask("p1", "name") == b"one"
    assert exchange.asked == []


@pytest.mark.parametrize("question", [b"", b"\xff\xfe\n", b"bad\nx", b"no line end"])
def test_an_answer_never_fails(exchange: Exchange, question: bytes) -> None:
    one = company(exchange, "p1")

    def fail(_question: bytes) -> bytes:
        raise ValueError("no")

    one.on("bad", fail)
    assert one.answer(question) == b""


def test_all_are_asked_together(exchange: Exchange) -> None:
    companies = [company(exchange, f"p{number}") for number in range(100)]
    for one in companies:
        one.on("who", lambda question, node=one.node: question + node.encode())  # type: ignore[misc]
    exchange.mute = {"p7", "p8"}
    asked = {one.node: b"%d " % index for index, one in enumerate(companies)}
    answers = companies[3].ask_each("who", asked)
    assert answers == {node: question + node.encode() for node, question in asked.items() if node not in exchange.mute}


def test_without_the_store_only_itself_answers(exchange: Exchange) -> None:
    one, two = company(exchange, "p1"), company(exchange, "p2")
    for made in (one, two):
        made.on("who", lambda _: b"me")
    exchange.away = True
    assert one.ask_each("who", {"p1": b"", "p2": b""}) == {"p1": b"me"}
