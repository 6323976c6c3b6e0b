"""Tokens: whose they are, minting within one's own grants, and revoking in every process."""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import jwt
import pytest
from hypothesis import given

from hermes.access import revocation_rows, revocations, tokens
from hermes.access.claims import Claims
from hermes.access.grants import Grants
from hermes.access.jwks import FETCH_INTERVAL, FRESH
from hermes.access.jwt import own_token
from hermes.access.keys import KeyRing
from hermes.access.principal import Principal, administrator
from hermes.access.revocation_rows import Revoked
from hermes.access.revocations import CLEAN_INTERVAL, SKEW
from hermes.access.secrets import Secrets
from hermes.access.token_fields import new_token
from hermes.access.token_id import LENGTH, TokenIds
from hermes.access.tokens import Minted, Tokens
from hermes.access.verification_key import VerificationKey
from hermes.control import Control
from hermes.core.publisher import Publisher
from hermes.errors import Forbidden, InvalidInput, NotFound, RequestError, SettingsError, Unauthorized, Unavailable
from hermes.settings import load_settings
from hermes.testing import FakeClock
from tests.security.jwt_corpus import SECRET, jwk, pem, private_key
from tests.support.key_server import KeyServer
from tests.support.wait import wait_until
from tests.unit.access.conftest import SETTINGS_KEY
from tests.unit.access.watched_database import WatchedDatabase
from tests.unit.strategies import json_values, odd_text
from tests.unit.streaming.model_broker import ModelBroker

ADMIN = administrator("key:a")
USER = Principal("user:7", user_id="7", token_id="t")


class Member:
    """What one process of a fleet has of all this; it hears the others' commands when it is told to catch up."""

    def __init__(self, secrets: Secrets, clock: FakeClock, broker: ModelBroker, **settings: Any) -> None:
        self._broker = broker
        self._heard = 0
        self.control = Control(Publisher(broker, clock, internal=True))
        self.keys = KeyRing((SETTINGS_KEY,), secrets, clock, tell=self.control.tell)
        self.tokens = Tokens(load_settings(**settings), secrets, self.keys, self.control, clock)
        self.ended: list[Any] = []
        self.control.on("revoke", self._revoked)
        self.control.on("keys_changed", lambda _: None)
        self.keys.load()
        self.tokens.load()

    def _revoked(self, match: Mapping[str, Any]) -> None:
        """As the process does it: what counts no more, and then the streams of it."""
        if "key_id" in match:
            self.keys.forget(match["key_id"])
        self.tokens.heard(match)
        self.ended.append(match.get("token_id"))

    def catch_up(self) -> None:
        events = self._broker.read(self._heard, 1000, 10_000_000).events
        self._heard += len(events)
        self.control.hear(events)

    def key(self, **grants: Any) -> Principal:
        """Who has a new key with these grants, and the right to mint."""
        key, text = self.keys.create("app", Grants(**{"tokens": True, **grants}))
        principal = self.keys.principal(text)
        assert principal is not None
        assert principal.key_id == key.id
        return principal

    def mint(self, caller: Principal = ADMIN, user_id: str | None = "7", **more: Any) -> Minted:
        return self.tokens.mint(
            caller, user_id, more.get("subscribe", ()), more.get("publish", ()), more.get("ttl", 600)
        )

    def counts(self, token: str) -> bool:
        try:
            self.tokens.principal(token)
        except Unauthorized:
            return False
        return True


Make = Callable[..., Member]


@pytest.fixture
def make(secrets: Secrets, clock: FakeClock, broker: ModelBroker) -> Make:
    return lambda **settings: Member(secrets, clock, broker, **settings)


@pytest.fixture
def member(make: Make) -> Member:
    return make()


@pytest.fixture
def other(make: Make) -> Member:
    return make()


# Whose


def test_a_minted_token_is_its_users(member: Member, other: Member, clock: FakeClock) -> None:
    made = member.mint(subscribe=("news", "own:{sub}"), publish=("up:{sub}",))
    assert made.expires_at == clock.now() + 600
    for one in (member, other):
        assert one.tokens.principal(made.token) == Principal(
            "user:7",
            user_id="7",
            grants=Grants(("news", "own:7"), ("up:7",)),
            expires_at=made.expires_at,
            token_id=made.jti,
        )


def test_a_user_whose_name_holds_the_placeholder_is_nobody_else(member: Member) -> None:
    """The name is put in once: what the minter granted is what the token says."""
    key = member.key(subscribe=("room:{sub}", "user:{sub}"))
    made = member.mint(key, "a{sub}", subscribe=("room:{sub}",))
    assert member.tokens.principal(made.token).grants == Grants(("room:a{sub}",))


def test_one_without_a_user_is_named_by_itself(member: Member) -> None:
    made = member.mint(user_id=None, subscribe=("news",))
    principal = member.tokens.principal(made.token)
    assert (principal.id, principal.user_id) == (f"token:{made.jti}", None)
    assert principal.own_channel is None


def test_a_token_of_another_issuer(make: Make, clock: FakeClock) -> None:
    member = make(jwt_secret=SECRET)
    claims = {"sub": "7", "exp": clock.now() + 60.5, "jti": "j", "hermes": {"subscribe": ["a"]}}
    principal = member.tokens.principal(jwt.encode(claims, SECRET, "HS256"))
    assert principal == Principal(
        "user:7", user_id="7", grants=Grants(("a",)), expires_at=clock.now() + 60.5, token_id="j"
    )


def test_a_bad_key_is_said_at_start(make: Make) -> None:
    for settings in ({"jwks_url": "http://id.example/"}, {"jwt_public_key": "nowhere"}, {"jwt_secret": "x" * 32}):
        with pytest.raises(SettingsError):
            make(**settings)


def test_a_token_of_another_installation_is_none(make: Make, tmp_path: Any, clock: FakeClock) -> None:
    claims = Claims("x", "7", clock.now() + 60, Grants())
    assert not make().counts(own_token("e81d20b6f4c74a5999ad3c7be06f15d2", claims, clock.now()))


@given(odd_text)
def test_no_text_is_an_error(odd_member: Member, text: str) -> None:
    for token in (text, f"{text}.{text}.{text}", "\ud800" * 9000):
        assert not odd_member.counts(token)


@pytest.fixture(scope="module")
def odd_member(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Member]:
    folder = tmp_path_factory.mktemp("data")
    database: Any = WatchedDatabase(folder)
    yield Member(Secrets(folder, database), FakeClock(), ModelBroker())
    database.close()


# Signatures are checked once


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The tokens whose signature was checked."""
    seen: list[str] = []
    real = VerificationKey.signed

    def signed(self: VerificationKey, token: str) -> bool:
        seen.append(token)
        return real(self, token)

    monkeypatch.setattr(VerificationKey, "signed", signed)
    return seen


def test_ten_thousand_reconnects_check_one_signature(make: Make, clock: FakeClock, checked: list[str]) -> None:
    member = make(jwt_public_key=pem(private_key("rsa")))
    token = jwt.encode({"sub": "7", "exp": clock.now() + 600}, private_key("rsa"), "RS256")
    for _ in range(10_000):
        member.tokens.principal(token)
    assert len(checked) == 1


def test_each_ends_all_the_same(make: Make, clock: FakeClock, checked: list[str]) -> None:
    member = make()
    made = member.mint(ttl=60)
    assert member.counts(made.token)
    clock.advance(59)
    assert member.counts(made.token)
    clock.advance(1)
    assert not member.counts(made.token)
    assert checked == [made.token]


def test_what_is_remembered_is_bounded(member: Member, checked: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "REMEMBERED", 3)
    made = [member.mint(user_id=str(number)).token for number in range(4)]
    for token in (*made[:3], made[0], made[3]):  # the second has not been seen for the longest time
        member.tokens.principal(token)
    assert len(checked) == 4
    for token in (made[0], made[2], made[3]):
        member.tokens.principal(token)
    assert len(checked) == 4
    member.tokens.principal(made[1])
    assert len(checked) == 5


def test_a_large_one_is_not_remembered(member: Member, checked: list[str]) -> None:
    made = member.mint(subscribe=tuple(f"{number}:{'x' * 200}" for number in range(21)))
    for _ in range(3):
        member.tokens.principal(made.token)
    assert len(checked) == 3


def test_one_that_does_not_count_is_not_remembered(member: Member, checked: list[str]) -> None:
    token = member.mint().token[:-4] + "AAAA"
    for _ in range(3):
        assert not member.counts(token)
    assert len(checked) == 3


def test_what_was_verified_ends_with_its_key(make: Make, clock: FakeClock, checked: list[str]) -> None:
    """A provider has taken a key back: tokens that it signed count no more, ten minutes later at the latest."""
    with KeyServer([jwk(private_key("p256"), "a")]) as provider:
        member = make(jwks_url=provider.url)
        said = {"sub": "7", "exp": clock.now() + 86_400}
        token = jwt.encode(said, private_key("p256"), "ES256", headers={"kid": "a"})
        for _ in range(3):
            member.tokens.principal(token)
        assert len(checked) <= 2, "once more at most: the first token had the keys fetched"
        own = member.mint(ttl=86_400).token
        member.tokens.principal(own)
        provider.keys = [jwk(private_key("p256-2"), "b")]
        clock.advance(FRESH - 1)
        assert member.counts(token)
        clock.advance(1)
        assert not member.counts(token)
        assert member.counts(own)
        assert len(provider.asked) == 2


def test_another_key_of_the_provider_counts_at_once(make: Make, clock: FakeClock) -> None:
    with KeyServer([jwk(private_key("p256"), "a")]) as provider:
        member = make(jwks_url=provider.url)
        said = {"sub": "7", "exp": clock.now() + 86_400}
        old = jwt.encode(said, private_key("p256"), "ES256", headers={"kid": "a"})
        new = jwt.encode(said, private_key("p256-2"), "ES256", headers={"kid": "b"})
        assert member.counts(old)
        provider.keys = [jwk(private_key("p256-2"), "b")]
        clock.advance(FETCH_INTERVAL)
        assert member.counts(new)
        assert not member.counts(old), "what was remembered of the old set is gone with it"


def test_a_provider_that_is_away_is_no_401(make: Make, clock: FakeClock) -> None:
    with KeyServer() as provider:
        url = provider.url
    member = make(jwks_url=url)
    token = jwt.encode({"sub": "7", "exp": clock.now() + 60}, private_key("p256"), "ES256", headers={"kid": "a"})
    with pytest.raises(Unavailable):
        member.tokens.principal(token)
    assert member.counts(member.mint().token)


# Minting


@pytest.mark.parametrize(
    ("own", "wanted", "beyond"),
    [
        ({"subscribe": ("user:*", "news")}, {"subscribe": ("news",)}, None),
        ({"subscribe": ("user:7",)}, {}, None),
        ({"subscribe": ("*", "user:*")}, {"subscribe": ("news", "orders:*", "*")}, None),
        ({"subscribe": ("user:*",), "publish": ("up:*",)}, {"publish": ("up:{sub}",)}, None),
        ({"subscribe": ("news",)}, {}, "user:7"),
        ({"subscribe": ("*",)}, {}, "user:7"),
        ({"subscribe": ("user:8",)}, {}, "user:7"),
        ({"subscribe": ("user:{sub}", "own:{sub}")}, {"subscribe": ("own:{sub}", "own:7")}, None),
        ({"subscribe": ("user:{sub}", "own:{sub}")}, {"subscribe": ("own:8",)}, "own:8"),
        ({"subscribe": ("user:{sub}",)}, {"subscribe": ("user:8",)}, "user:8"),
        ({"subscribe": ("us{sub}:7",)}, {}, "user:7"),
        ({"subscribe": ("user:*", "news")}, {"subscribe": ("news", "orders")}, "orders"),
        ({"subscribe": ("user:*", "news:*")}, {"subscribe": ("news*",)}, "news*"),
        ({"subscribe": ("user:*", "news:*")}, {"subscribe": ("*",)}, "*"),
        ({"subscribe": ("user:*", "*")}, {"subscribe": ("presence:*",)}, "presence:*"),
        ({"subscribe": ("user:*", "news")}, {"publish": ("news",)}, "news"),
        ({"subscribe": ("user:*",), "publish": ("up:8",)}, {"publish": ("up:{sub}",)}, "up:7"),
    ],
)
def test_never_beyond_ones_own_grants(
    member: Member, own: dict[str, Any], wanted: dict[str, Any], beyond: str | None
) -> None:
    caller = member.key(**own)
    if beyond is None:
        assert member.counts(member.mint(caller, **wanted).token)
        return
    with pytest.raises(Forbidden) as refused:
        member.mint(caller, **wanted)
    assert repr(beyond) in refused.value.message
    assert beyond in [*refused.value.details["subscribe"], *refused.value.details["publish"]]


def test_without_a_user_there_is_no_own_channel_to_be_granted(member: Member) -> None:
    assert member.counts(member.mint(member.key(subscribe=("news",)), user_id=None, subscribe=("news",)).token)


def test_a_token_is_no_administrator_and_mints_none(make: Make) -> None:
    member = make()
    principal = member.tokens.principal(member.mint(subscribe=("*",)).token)
    assert (principal.admin, principal.grants.tokens) == (False, False)
    for caller in (principal, Principal("user:1", "1", Grants(admin=True), token_id="t")):
        with pytest.raises(Forbidden, match="mints no tokens"):
            member.mint(caller)


def test_how_long_it_lasts(make: Make, clock: FakeClock) -> None:
    member = make(token_ttl=100, token_max_ttl=1000)
    clock.advance(0.5)
    for asked, given_ in ((None, 100), (1, 1), (1000, 1000), (5000, 1000), (1.2, 1.2)):
        made = member.mint(ttl=asked)
        assert made.expires_at == math.ceil(clock.now() + given_)
        assert member.tokens.principal(made.token).expires_at == made.expires_at
    short = make(token_ttl=100, token_max_ttl=10)
    assert short.mint(ttl=None).expires_at == math.ceil(clock.now() + 10)


def test_it_ends_with_the_key_that_minted_it(member: Member, clock: FakeClock) -> None:
    ends_at = clock.now() + 30
    caller = Principal("key:k", grants=Grants(subscribe=("user:*",), tokens=True), expires_at=ends_at)
    assert member.mint(caller).expires_at == ends_at
    clock.advance(29.5)
    assert member.mint(caller).expires_at == ends_at
    clock.advance(0.5)
    with pytest.raises(Forbidden, match="about to end"):
        member.mint(caller)


@pytest.mark.parametrize("user_id", ["", " ", "7 ", "*", "a,b", "x" * 251, "\ud800", 7])
def test_nobody_can_be_that_user(member: Member, user_id: Any) -> None:
    with pytest.raises(InvalidInput) as error:
        member.mint(user_id=user_id)
    assert error.value.problems[0].field == "user_id"


def test_the_user_of_a_token_without_one(member: Member) -> None:
    for name in ("subscribe", "publish"):
        with pytest.raises(InvalidInput) as error:
            member.mint(user_id=None, **{name: ("a", "own:{sub}")})
        assert error.value.problems[0].field == name


def test_a_user_spells_no_prefix(member: Member) -> None:
    made = member.mint(user_id="user", subscribe=("{sub}:*", "a"))
    assert member.tokens.principal(made.token).subscribe == ("a",)


def test_a_token_has_to_fit_into_a_header(member: Member) -> None:
    with pytest.raises(InvalidInput, match="name fewer"):
        member.mint(subscribe=tuple(f"{number}:{'x' * 200}" for number in range(40)))


# With the key


def test_tokens_of_a_revoked_key_count_no_more(member: Member, other: Member) -> None:
    caller = member.key(subscribe=("user:*",))
    made = member.mint(caller)
    assert member.tokens.principal(made.token).key_id == caller.key_id
    assert member.counts(made.token)
    assert other.counts(made.token)
    assert caller.key_id is not None
    member.keys.revoke(caller.key_id)
    assert not member.counts(made.token)
    other.catch_up()
    assert not other.counts(made.token)
    assert member.counts(member.mint().token)


def test_a_key_of_the_settings_that_was_replaced(make: Make, secrets: Secrets, clock: FakeClock) -> None:
    """The new one may have the same id: it begins alike."""
    member = make()
    caller = member.keys.principal(SETTINGS_KEY)
    assert caller is not None
    token = member.mint(caller).token
    assert member.counts(token)
    member.keys.mark = lambda _id: "another"  # type: ignore[method-assign]
    assert not member.counts(token)


# Revoking


def test_a_revoked_token_counts_in_no_process(member: Member, other: Member) -> None:
    made, another = member.mint(), member.mint()
    assert other.counts(made.token)
    member.tokens.revoke_by(ADMIN, made.jti)
    assert not member.counts(made.token)
    assert member.ended == [made.jti]
    other.catch_up()
    assert not other.counts(made.token)
    assert other.ended == [made.jti]
    assert member.counts(another.token)
    assert other.counts(another.token)


def test_it_is_revoked_for_who_starts_later(member: Member, make: Make) -> None:
    made = member.mint()
    member.tokens.revoke_by(ADMIN, made.jti)
    assert not make().counts(made.token)


def test_revoking_again_tells_again(member: Member, broker: ModelBroker) -> None:
    made = member.mint()
    for told in (1, 2):
        member.tokens.revoke_by(ADMIN, made.jti)
        assert broker.last == told
    assert not member.counts(made.token)


def test_a_key_revokes_what_it_minted_itself(member: Member, other: Member) -> None:
    mine, yours = member.key(subscribe=("user:*",)), member.key(subscribe=("user:*",))
    made = member.mint(mine)
    with pytest.raises(NotFound):
        member.tokens.revoke_by(yours, made.jti)
    with pytest.raises(NotFound):
        member.tokens.revoke_by(yours, member.mint().jti)
    assert member.counts(made.token)
    other.keys.load()  # as the guard has it done for a key that it does not know
    other.tokens.revoke_by(mine, made.jti)
    assert not other.counts(made.token)


def test_who_has_no_key_has_minted_nothing(member: Member) -> None:
    """Sessions have none, and what they minted is not that of everybody without a key."""
    made = member.mint(Principal("session:a", grants=Grants(admin=True)))
    with pytest.raises(NotFound):
        member.tokens.revoke_by(Principal("session:b", grants=Grants(tokens=True)), made.jti)
    member.tokens.revoke_by(Principal("session:b", grants=Grants(admin=True)), made.jti)
    assert not member.counts(made.token)


@pytest.mark.parametrize("id", ["", "x", "a\0b", "\ud800", "é" * LENGTH, "A" * LENGTH, "x" * 5000, "sha256-x"])
def test_there_is_no_such_token(member: Member, database: WatchedDatabase, id: str) -> None:
    calls = database.calls
    for caller in (ADMIN, Principal("key:k", grants=Grants(tokens=True), key_id="k")):
        with pytest.raises(NotFound):
            member.tokens.revoke_by(caller, id)
    assert database.calls == calls, "nobody fills the table with what was never minted"


def test_one_that_has_ended_needs_no_row(member: Member, database: WatchedDatabase, clock: FakeClock) -> None:
    made = member.mint(ttl=10)
    clock.advance(10)
    calls = database.calls
    member.tokens.revoke_by(ADMIN, made.jti)
    assert database.calls == calls


@pytest.mark.parametrize("claims", [{"jti": "j-1"}, {}, {"jti": "with / slash"}])
def test_a_token_of_another_issuer_is_revoked_by_its_name(make: Make, clock: FakeClock, claims: dict[str, Any]) -> None:
    member = make(jwt_secret=SECRET)
    token = jwt.encode({"sub": "7", "exp": clock.now() + 10**8, **claims}, SECRET, "HS256")
    id = member.tokens.principal(token).token_id
    assert id is not None
    with pytest.raises(NotFound):
        member.tokens.revoke_by(member.key(), id)
    member.tokens.revoke_by(ADMIN, id)
    assert not member.counts(token)
    clock.advance(10**7)
    member.tokens.load()
    assert member.tokens._revoked.keep_up()
    assert not member.counts(token)
    assert not make(jwt_secret=SECRET).counts(token)


@pytest.mark.parametrize("id", ["a\0b", "a b", "a/b", "é", "", "x" * 129])
def test_nor_can_any_text_be_such_a_name(make: Make, id: str) -> None:
    with pytest.raises(NotFound):
        make(jwt_secret=SECRET).tokens.revoke_by(ADMIN, id)


@pytest.mark.parametrize(
    "data", [{}, {"key_id": "k"}, {"token_id": None}, {"token_id": 7}, {"token_id": "t"}, {"token_id": "t", "x": 1}]
)
def test_commands_of_others_are_no_error(member: Member, data: dict[str, Any]) -> None:
    member.tokens.heard(data)
    assert len(member.tokens._revoked) == (data.get("token_id") == "t")


# When something is away


def test_a_revocation_that_could_not_be_stored_is_none(member: Member, database: WatchedDatabase) -> None:
    made = member.mint()
    database.down = True
    with pytest.raises(Unavailable):
        member.tokens.revoke_by(ADMIN, made.jti)
    assert member.counts(made.token)
    assert member.ended == []


def test_one_that_could_not_be_told_counts_here_and_soon_everywhere(
    member: Member, other: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = member.mint()

    def fail(*_: Any) -> None:
        raise Unavailable("the store is away")

    monkeypatch.setattr(member.control, "tell", fail)
    with pytest.raises(Unavailable):
        member.tokens.revoke_by(ADMIN, made.jti)
    assert not member.counts(made.token)
    assert member.ended == [made.jti]
    other.catch_up()
    assert other.counts(made.token)
    assert other.tokens._revoked.keep_up()
    assert not other.counts(made.token)
    assert other.ended == [made.jti]
    assert other.tokens._revoked.keep_up()
    assert other.ended == [made.jti], "once"


def test_keeping_up_goes_on_when_the_database_is_back(
    member: Member, other: Member, database: WatchedDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = member.mint()
    member.tokens.revoke_by(ADMIN, made.jti)
    monkeypatch.setattr("hermes.access.keeper.RETRY_PAUSE", 0.01)
    database.down = True
    other.tokens.start()
    try:
        calls = database.calls
        other.tokens.changed()
        wait_until(lambda: database.calls > calls + 2)
        assert other.counts(made.token)
        database.down = False
        wait_until(lambda: not other.counts(made.token))
    finally:
        other.tokens.close()


def test_a_gap_is_read_from_the_beginning(member: Member, other: Member, clock: FakeClock, database: Any) -> None:
    """A look goes back some minutes; where commands were missed, all of the table is read."""
    made, revoked_at = member.mint(ttl=80_000), int(clock.now() * 1000)
    clock.advance(40_000)
    assert other.tokens._revoked.keep_up()
    late = Revoked(made.jti, revoked_at, made.expires_at * 1000)
    database.run(lambda connection: revocation_rows.add(connection, late))
    assert other.tokens._revoked.keep_up()
    assert other.counts(made.token)
    other.tokens.changed()
    assert other.tokens._revoked.keep_up()
    assert not other.counts(made.token)


def test_a_gap_that_comes_while_the_table_is_read_has_it_read_again(
    member: Member, other: Member, database: WatchedDatabase
) -> None:
    database.during = other.tokens.changed
    other.tokens.load()
    assert other.tokens._revoked._since == 0


def test_a_reading_that_failed_is_repeated_as_a_whole(other: Member, database: WatchedDatabase) -> None:
    other.tokens.changed()
    database.down = True
    assert not other.tokens._revoked.keep_up()
    assert other.tokens._revoked._since == 0


def test_the_table_is_read_in_pages(member: Member, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocations, "PAGE", 3)
    made = [member.mint() for _ in range(7)]
    for one in made:
        member.tokens.revoke_by(ADMIN, one.jti)
    other = make()
    assert not any(other.counts(one.token) for one in made)
    assert len(other.tokens._revoked) == 7


def test_what_has_ended_is_removed(member: Member, make: Make, clock: FakeClock) -> None:
    short, long = member.mint(ttl=60), member.mint(ttl=86_400)
    for one in (short, long):
        member.tokens.revoke_by(ADMIN, one.jti)
    clock.advance(60 + SKEW / 1000 + CLEAN_INTERVAL)
    assert member.tokens._revoked.keep_up()
    assert len(member.tokens._revoked) == 1
    other = make()
    assert len(other.tokens._revoked) == 1
    assert not other.counts(long.token)


def test_only_so_many(member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(revocation_rows, "MAX_ROWS", 2)
    made = [member.mint() for _ in range(3)]
    for one in made[:2]:
        member.tokens.revoke_by(ADMIN, one.jti)
    with pytest.raises(Forbidden, match="revoke the key"):
        member.tokens.revoke_by(ADMIN, made[2].jti)
    assert member.counts(made[2].token)


def test_who_revokes_without_end_leaves_room_for_administrators(
    member: Member, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(revocation_rows, "MAX_ROWS", 4)
    minter = member.key(subscribe=("user:*",))
    made = [member.mint(minter) for _ in range(5)]
    for one in made[:2]:
        member.tokens.revoke_by(minter, one.jti)
    with pytest.raises(Forbidden, match="revoke the key"):
        member.tokens.revoke_by(minter, made[2].jti)
    for one in made[2:4]:
        member.tokens.revoke_by(ADMIN, one.jti)
    with pytest.raises(Forbidden, match="revoke the key"):
        member.tokens.revoke_by(ADMIN, made[4].jti)


def test_ten_thousand_reconnects_read_nothing(member: Member, database: WatchedDatabase) -> None:
    token = member.mint(member.key(subscribe=("user:*",))).token
    calls, begun = database.calls, time.monotonic()
    for _ in range(10_000):
        member.tokens.principal(token)
    assert database.calls == calls
    assert time.monotonic() - begun < 5


# Ids


def test_an_id_tells_its_end_and_whose_it_is() -> None:
    ids = TokenIds("secret")
    owner = ids.owner("key", "mark")
    id = ids.new(owner, 1_800_000_600)
    assert len(id) == LENGTH
    assert ids.read(id) == (1_800_000_600, owner)
    assert ids.new(owner, 1_800_000_600) != id
    assert owner not in {ids.owner("key", "other"), ids.owner("other", "mark"), ids.owner(None, None)}


def test_nobody_else_makes_one() -> None:
    ids = TokenIds("secret")
    id = TokenIds("another").new(ids.owner("key", "mark"), 1_800_000_600)
    assert ids.read(id) is None
    good = ids.new(ids.owner("key", "mark"), 1_800_000_600)
    for index, letter in enumerate(good):
        changed = good[:index] + ("A" if letter != "A" else "B") + good[index + 1 :]
        assert ids.read(changed) is None


def test_an_id_has_one_spelling() -> None:
    """Another that is read alike would be revoked, and its token count on."""
    ids = TokenIds("secret")
    made = [ids.new(ids.owner("key", None), 1_800_000_600) for _ in range(200)]
    assert any("-" in id or "_" in id for id in made)
    for id in made:
        other = id.replace("-", "+").replace("_", "/")
        assert (ids.read(other) is None) is (other != id)


@given(odd_text)
def test_no_text_is_an_error_as_an_id(text: str) -> None:
    assert TokenIds("secret").read(text) is None
    assert TokenIds("secret").read((text * LENGTH)[:LENGTH]) is None


# What is asked for


def problems(fields: Any) -> list[str]:
    with pytest.raises(InvalidInput) as error:
        new_token(fields, 1000)
    return [problem.field for problem in error.value.problems]


def test_all_that_can_be_asked_for() -> None:
    fields = {"user_id": "7", "subscribe": ["a", "b:{sub}"], "publish": ["c"], "ttl": 1000}
    assert new_token(fields, 1000) == ("7", Grants(("a", "b:{sub}"), ("c",)), 1000)
    assert new_token({"user_id": "7"}, 1000) == ("7", Grants(), None)
    nothing = {"user_id": None, "subscribe": ["a"], "publish": None, "ttl": None}
    assert new_token(nothing, 1000) == (None, Grants(("a",)), None)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, ["user_id"]),
        ({"subscribe": []}, ["user_id"]),
        ({"user_id": 7}, ["user_id"]),
        ({"user_id": ""}, ["user_id"]),
        ({"user_id": "a b"}, ["user_id"]),
        ({"user_id": "7", "subscribe": "a"}, ["subscribe"]),
        ({"user_id": "7", "subscribe": ["hermes:*"]}, ["subscribe"]),
        ({"user_id": "7", "publish": ["a b"]}, ["publish"]),
        ({"user_id": "7", "publish": [f"a{number}" for number in range(101)]}, ["publish"]),
        *[({"user_id": "7", "ttl": ttl}, ["ttl"]) for ttl in (0, -1, 1001, "60", True, 1.5, [], 10**30)],
        (
            {"user_id": 7, "subscribe": 7, "publish": 7, "ttl": "x"},
            ["user_id", "subscribe", "publish", "ttl"],
        ),
    ],
)
def test_each_bad_field_is_named(fields: Any, wanted: list[str]) -> None:
    assert problems(fields) == wanted


@given(json_values)
def test_nothing_that_is_asked_for_is_an_error(value: Any) -> None:
    fields = {"user_id": value, "subscribe": [value], "publish": value, "ttl": value}
    try:
        asked = new_token(fields, 1000)
    except RequestError:
        return
    assert asked.ttl is None or 1 <= asked.ttl <= 1000
