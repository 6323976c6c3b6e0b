"""Signing in: a code works once within 10 minutes; a cookie cannot be made by others, and ends with its key."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import itsdangerous
import pytest
from hypothesis import HealthCheck, given, settings
from sqlalchemy import func, select

from hermes.access.grants import Grants
from hermes.access.keys import KeyRing
from hermes.access.secrets import Secrets
from hermes.access.signin import SESSION_LIFETIME, SignIn
from hermes.access.signin_codes import CODE_LIFETIME
from hermes.core.clock import milliseconds
from hermes.db.tables import signin_codes
from hermes.errors import Unavailable
from hermes.testing import FakeClock
from tests.unit.access.conftest import SETTINGS_KEY
from tests.unit.access.watched_database import WatchedDatabase
from tests.unit.strategies import odd_text

ADMIN = Grants(admin=True)

Machine = Callable[[str], SignIn]


@pytest.fixture(params=["files", "rows"])
def machine(request: pytest.FixtureRequest, tmp_path: Path, clock: FakeClock) -> Iterator[Machine]:
    """Makes processes, each on a machine of its own where they share a database, else on one folder."""
    shared = request.param == "rows"
    database = WatchedDatabase(tmp_path / "database", shared=shared)

    def make(name: str) -> SignIn:
        secrets = Secrets(tmp_path / (name if shared else "data"), database)  # type: ignore[arg-type]
        return SignIn(secrets, KeyRing((SETTINGS_KEY,), secrets, clock), clock)

    yield make
    database.close()


@pytest.fixture
def here(machine: Machine) -> SignIn:
    return machine("here")


def kept(signin: SignIn) -> int:
    """Codes that wait to be used."""
    secrets = signin._secrets
    if secrets.shared:
        return secrets.database.run(
            lambda connection: connection.execute(select(func.count()).select_from(signin_codes)).scalar_one()
        )
    return len(list((secrets.folder / "signin").iterdir()))


# Codes


def test_a_code_works_once(here: SignIn) -> None:
    code = here.new_code()
    assert here.use(code)
    assert not here.use(code)


@pytest.mark.parametrize(("seconds", "works"), [(0, True), (CODE_LIFETIME, True), (CODE_LIFETIME + 1, False)])
def test_a_code_works_for_ten_minutes(here: SignIn, clock: FakeClock, seconds: float, works: bool) -> None:
    code = here.new_code()
    clock.advance(seconds)
    assert here.use(code) is works
    assert not here.use(code)


def test_a_code_works_in_any_process_and_in_one(machine: Machine, here: SignIn) -> None:
    others = [machine(f"other {number}") for number in range(8)]
    code = here.new_code()
    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(lambda other: other.use(code), others)) == 1


def test_making_a_code_leaves_the_others(here: SignIn, clock: FakeClock) -> None:
    code = here.new_code()
    clock.advance(CODE_LIFETIME / 2)
    other = here.new_code()
    assert code != other
    assert here.use(code)
    assert here.use(other)


def test_old_codes_are_cleared_away(here: SignIn, clock: FakeClock) -> None:
    for _ in range(3):
        here.new_code()
    clock.advance(CODE_LIFETIME + 1)
    here.new_code()
    assert kept(here) == 1


def test_a_code_is_not_written_down(machine: Machine, here: SignIn, tmp_path: Path) -> None:
    code = here.new_code()
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert code not in path.name
        assert code.encode() not in path.read_bytes()
        assert code[:12].encode() not in path.read_bytes()


def test_files_are_their_owners(signin: SignIn, folder: Path) -> None:
    signin.new_code()
    modes = {path.stat().st_mode & 0o777 for path in (folder / "signin").iterdir()}
    assert modes == {0o600}


@pytest.mark.parametrize("code", ["", "guess", "../session.key", "\0", "\ud800", "a" * 10_000, "a.b"])
def test_nothing_else_is_a_code(here: SignIn, code: str) -> None:
    assert not here.use(code)
    here.new_code()
    assert not here.use(code)


def test_a_guess_reaches_no_database(tmp_path: Path, clock: FakeClock) -> None:
    database = WatchedDatabase(tmp_path, shared=True)
    secrets = Secrets(tmp_path, database)  # type: ignore[arg-type]
    signin = SignIn(secrets, KeyRing((SETTINGS_KEY,), secrets, clock), clock)
    code = signin.new_code()
    database.calls = 0
    assert len(code) == 24
    for guess in ("x" * 24, code[:-1], code + "x", code[:12], f"x{code[1:]}", f"{code[:-1]}x", "é" * 24):
        assert not signin.use(guess)
    assert database.calls == 0
    database.down = True
    with pytest.raises(Unavailable):
        signin.use(code)
    database.down = False
    assert signin.use(code)
    database.close()


# Sessions


def test_a_cookie_is_an_administrator_by_cookie(signin: SignIn, clock: FakeClock) -> None:
    principal = signin.principal(signin.cookie())
    assert principal is not None
    assert principal.admin
    assert principal.by_cookie
    assert principal.id.startswith("session:")
    assert principal.key_id is None
    assert principal.expires_at == clock.now() + SESSION_LIFETIME


def test_each_session_has_a_name_of_its_own(signin: SignIn) -> None:
    first, second = (signin.principal(signin.cookie()) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.id != second.id


def test_a_cookie_of_another_process_counts(machine: Machine, here: SignIn) -> None:
    assert machine("there").principal(here.cookie()) is not None


def test_a_session_ends_after_a_week(signin: SignIn, clock: FakeClock) -> None:
    cookie = signin.cookie()
    clock.advance(SESSION_LIFETIME - 1)
    assert signin.principal(cookie) is not None
    clock.advance(1)
    assert signin.principal(cookie) is None


def test_a_forged_cookie_does_not_count(signin: SignIn, tmp_path: Path, clock: FakeClock, ring: KeyRing) -> None:
    cookie = signin.cookie()
    payload, _, rest = cookie.partition(".")
    content = {"id": "x", "until": int(clock.now()) + 1000}
    other = Secrets(tmp_path / "other", ring._database)
    forged = [
        SignIn(other, ring, clock).cookie(),
        itsdangerous.URLSafeSerializer("", salt="dashboard session").dumps(content),
        itsdangerous.URLSafeTimedSerializer("", salt="dashboard").dumps({"admin": True}),
        f"{payload}x.{rest}",
        cookie[:-1] + ("A" if cookie[-1] != "A" else "B"),
        payload,
        cookie + cookie,
        signin.new_code(),
    ]
    for one in forged:
        assert signin.principal(one) is None


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(odd_text)
def test_no_text_is_an_error(signin: SignIn, text: str) -> None:
    assert signin.principal(text) is None
    assert signin.principal(f"x{text}{signin.cookie()}") is None
    assert signin.cookie_for(text) is None
    assert not signin.use(text)


def test_a_session_of_a_key(signin: SignIn, ring: KeyRing) -> None:
    key, text = ring.create("me", ADMIN)
    cookie = signin.cookie_for(text)
    assert cookie is not None
    principal = signin.principal(cookie)
    assert principal is not None
    assert (principal.key_id, principal.admin, principal.by_cookie) == (key.id, True, True)
    assert text[12:] not in str(itsdangerous.URLSafeSerializer("").loads_unsafe(cookie))


def test_only_an_administrators_key_opens_one(signin: SignIn, ring: KeyRing) -> None:
    _, text = ring.create("app", Grants(subscribe=("*",), publish=("*",), tokens=True))
    assert signin.cookie_for(text) is None
    assert signin.cookie_for("hk_abcdefgh_" + "x" * 43) is None
    assert signin.cookie_for("") is None
    assert signin.cookie_for(SETTINGS_KEY) is not None


def test_a_session_ends_with_the_revocation_of_its_key(signin: SignIn, ring: KeyRing) -> None:
    key, text = ring.create("me", ADMIN)
    cookie, by_link = signin.cookie_for(text), signin.cookie()
    assert cookie is not None
    ring.revoke(key.id)
    assert signin.principal(cookie) is None
    assert signin.principal(by_link) is not None


def test_a_session_ends_with_its_key(signin: SignIn, ring: KeyRing, clock: FakeClock) -> None:
    _, text = ring.create("me", ADMIN, milliseconds(clock.now()) + 5000)
    cookie = signin.cookie_for(text)
    assert cookie is not None
    principal = signin.principal(cookie)
    assert principal is not None
    assert principal.expires_at == clock.now() + 5
    clock.advance(5)
    assert signin.principal(cookie) is None


def test_a_key_that_lasts_longer_makes_no_longer_session(signin: SignIn, ring: KeyRing, clock: FakeClock) -> None:
    _, text = ring.create("me", ADMIN, milliseconds(clock.now()) + SESSION_LIFETIME * 2000)
    principal = signin.principal(signin.cookie_for(text) or "")
    assert principal is not None
    assert principal.expires_at == clock.now() + SESSION_LIFETIME


def test_a_session_ends_when_its_key_is_taken_out_of_the_settings(secrets: Secrets, clock: FakeClock) -> None:
    def restarted(*keys: str) -> SignIn:
        return SignIn(secrets, KeyRing(keys, secrets, clock), clock)

    cookie = restarted(SETTINGS_KEY).cookie_for(SETTINGS_KEY)
    assert cookie is not None
    assert restarted("x" + SETTINGS_KEY, SETTINGS_KEY).principal(cookie) is not None
    assert restarted("x" + SETTINGS_KEY).principal(cookie) is None


def test_a_session_of_the_installations_key_ends_when_another_is_made(
    secrets: Secrets, folder: Path, clock: FakeClock
) -> None:
    def restarted() -> SignIn:
        ring = KeyRing((), secrets, clock)
        ring.load()
        return SignIn(secrets, ring, clock)

    first = restarted()
    cookie = first.cookie_for((folder / "admin.key").read_text().strip())
    assert cookie is not None
    assert restarted().principal(cookie) is not None
    (folder / "admin.key").unlink()
    assert restarted().principal(cookie) is None
