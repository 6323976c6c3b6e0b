"""The oracle sees each kind of harm, and nothing where there is none."""

import pytest

from tests.support.event_parser import Frame
from tests.support.oracle import Finding, Oracle


def publish(oracle: Oracle, count: int, channel: str = "a") -> None:
    for _ in range(count):
        oracle.acknowledge(oracle.issue(channel))


def frame(event: str, data: str) -> Frame:
    return Frame(id=None, event=event, data=data, channel=None, time=None, retained=False, at=0.0)


def see(oracle: Oracle, *numbers: int, client: str = "c") -> None:
    for number in numbers:
        oracle.observe(client, frame("message", f'{{"channel": "a", "n": {number}}}'))


def test_clean(capsys: pytest.CaptureFixture[str]) -> None:
    oracle = Oracle()
    publish(oracle, 2)
    oracle.watch("c", ["a"])
    publish(oracle, 2)
    oracle.issue("a")  # never acknowledged: may come or not
    see(oracle, 2, 3, 4)
    oracle.verdict().check("scenario 0", reconnects=7)
    line = "scenario 0: 4 acknowledged, 1 clients, 3 deliveries, 0 lost, 0 twice, 0 out of order, 0 stopped, 0 resets"
    assert capsys.readouterr().out == f"{line}, 7 reconnects\n"


def test_each_harm() -> None:
    oracle = Oracle()
    oracle.watch("c", ["a"])
    publish(oracle, 6)
    see(oracle, 1, 3, 2, 3, 6, 9)
    oracle.stop("c", "503")
    verdict = oracle.verdict()
    assert verdict.lost == [Finding("c", "a", 4), Finding("c", "a", 5)]
    assert verdict.twice == [Finding("c", "a", 3)]
    assert verdict.out_of_order == [Finding("c", "a", 2)]
    assert verdict.invented == [Finding("c", "a", 9)]
    assert verdict.stopped == {"c": "503"}
    assert oracle.missing() == 2
    with pytest.raises(AssertionError, match="number=4"):
        verdict.check()


def test_a_client_that_was_released_is_owed_no_more() -> None:
    oracle = Oracle()
    oracle.watch("c", ["a"])
    publish(oracle, 1)
    oracle.release("c")
    publish(oracle, 1)
    assert [finding.number for finding in oracle.verdict().lost] == [1]


def test_a_reset_is_counted_and_excuses_only_where_asked() -> None:
    for excuse, lost in ((False, [1, 2]), (True, [2])):
        oracle = Oracle(resets_excuse=excuse)
        oracle.watch("c", ["a"])
        publish(oracle, 1)
        oracle.observe("c", frame("reset", '{"reason": "epoch_changed", "channels": ["a"]}'))
        publish(oracle, 1)
        verdict = oracle.verdict()
        assert [finding.number for finding in verdict.lost] == lost
        assert verdict.resets["c"] == 1
