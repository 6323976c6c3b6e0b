"""Statuses: what other programs call them, and which may follow which."""

import pytest

from hermes.runs.status import ALIASES, SUCCESS, Kind, Status, may_follow, status_of

OPEN = (Status.QUEUED, Status.RUNNING)


def test_each_has_its_own_name() -> None:
    for status in Status:
        assert status_of(status.value, Kind.JOB) is status_of(status.value.upper(), Kind.TEST) is status


def test_aliases_are_no_names() -> None:
    assert not {*ALIASES, *SUCCESS} & set(Status)


@pytest.mark.parametrize("word", sorted(SUCCESS))
def test_a_good_end_of_a_test_is_that_it_passed(word: str) -> None:
    assert status_of(word, Kind.TEST) is Status.PASSED
    assert status_of(word, Kind.JOB) is status_of(word, Kind.COMMAND) is Status.COMPLETED


@pytest.mark.parametrize("word", ["", "progress", "running ", "complete d", "ſuccess", "\ud800"])
def test_other_words_mean_nothing(word: str) -> None:
    assert status_of(word, Kind.JOB) is None


def test_an_end_is_final_and_nothing_follows_itself() -> None:
    for before in Status:
        for after in Status:
            assert may_follow(before, after) == (before in OPEN and before is not after)
    assert [status for status in Status if not status.terminal] == list(OPEN)
    assert {status for status in Status if status.good} == {Status.COMPLETED, Status.PASSED}
