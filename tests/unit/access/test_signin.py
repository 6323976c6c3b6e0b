"""Signing in: a code works once within 10 minutes; a cookie cannot be made by others."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import itsdangerous
import pytest
from hypothesis import HealthCheck, given, settings

from hermes.access.signin import CODE_LIFETIME, SESSION_LIFETIME, SignIn
from hermes.testing import FakeClock
from tests.unit.strategies import odd_text


def test_a_code_works_once(signin: SignIn) -> None:
    code = signin.new_code()
    assert signin.use(code)
    assert not signin.use(code)


@pytest.mark.parametrize(("seconds", "works"), [(0, True), (CODE_LIFETIME, True), (CODE_LIFETIME + 1, False)])
def test_a_code_works_for_ten_minutes(signin: SignIn, clock: FakeClock, seconds: float, works: bool) -> None:
    code = signin.new_code()
    clock.advance(seconds)
    assert signin.use(code) is works
    assert not signin.use(code)


def test_a_code_works_in_any_process_and_in_one(folder: Path, signin: SignIn, clock: FakeClock) -> None:
    others = [SignIn(folder, clock) for _ in range(8)]
    code = signin.new_code()
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda other: other.use(code), others)) == 1


def test_making_a_code_leaves_the_others(signin: SignIn, clock: FakeClock) -> None:
    code = signin.new_code()
    clock.advance(CODE_LIFETIME / 2)
    other = signin.new_code()
    assert code != other
    assert signin.use(code)
    assert signin.use(other)


def test_old_codes_are_cleared_away(folder: Path, signin: SignIn, clock: FakeClock) -> None:
    for _ in range(3):
        signin.new_code()
    clock.advance(CODE_LIFETIME + 1)
    signin.new_code()
    assert len(list((folder / "signin").iterdir())) == 1


def test_a_code_is_not_written_down(folder: Path, signin: SignIn) -> None:
    code = signin.new_code()
    for path in folder.rglob("*"):
        assert code not in path.name
        assert path.is_dir() or code not in path.read_text()
        assert path.is_dir() or path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("code", ["", "guess", "../session.key", "\0", "\ud800", "a" * 10_000])
def test_nothing_else_is_a_code(signin: SignIn, code: str) -> None:
    assert not signin.use(code)
    signin.new_code()
    assert not signin.use(code)


# Cookies


def test_a_cookie_is_an_administrator_by_cookie(signin: SignIn) -> None:
    principal = signin.principal(signin.cookie())
    assert principal is not None
    assert principal.admin
    assert principal.by_cookie


def test_a_cookie_of_another_process_counts(folder: Path, signin: SignIn, clock: FakeClock) -> None:
    assert SignIn(folder, clock).principal(signin.cookie()) is not None


def test_a_forged_cookie_does_not(signin: SignIn, tmp_path: Path, clock: FakeClock) -> None:
    cookie = signin.cookie()
    payload, _, rest = cookie.partition(".")
    forged = [
        SignIn(tmp_path / "other", clock).cookie(),
        itsdangerous.URLSafeTimedSerializer("", salt="dashboard").dumps({"admin": True}),
        itsdangerous.URLSafeSerializer("", salt="dashboard").dumps({"admin": True}),
        f"{payload}x.{rest}",
        cookie[:-1] + ("A" if cookie[-1] != "A" else "B"),
        payload,
        cookie + cookie,
    ]
    for one in forged:
        assert signin.principal(one) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(odd_text)
def test_no_text_is_an_error(signin: SignIn, text: str) -> None:
    assert signin.principal(text) is None
    assert signin.principal(f"x{text}{signin.cookie()}") is None


def test_a_cookie_gets_too_old(signin: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    cookie = signin.cookie()
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + SESSION_LIFETIME + 60)
    assert signin.principal(cookie) is None
