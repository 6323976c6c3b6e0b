"""What an API key looks like, and what is kept of it."""

from hypothesis import given
from hypothesis import strategies as st

from hermes.access.grants import Grants
from hermes.access.key import (
    CREATED,
    FORM,
    INSTALLATION,
    SETTINGS,
    created_key,
    digest_of,
    installation_key,
    settings_key,
)
from tests.unit.strategies import odd_text

GRANTS = Grants(subscribe=("news", "a:*"), publish=("b",), tokens=True)
NOW = 1_800_000_000_123


def test_a_created_key() -> None:
    key, text = created_key("app", GRANTS, NOW, NOW + 1000)
    form = FORM.fullmatch(text)
    assert form is not None
    assert form[1] == key.id
    assert (len(text), key.kind, key.name, key.created_at) == (55, CREATED, "app", NOW)
    assert key.digest == digest_of(text)
    assert text[12:] not in repr(key)


def test_no_two_are_alike() -> None:
    made = [created_key("app", GRANTS, NOW, None) for _ in range(200)]
    assert len({text for _, text in made}) == len({key.id for key, _ in made}) == 200


def test_its_principal() -> None:
    key, _ = created_key("app", GRANTS, NOW, NOW + 1500)
    principal = key.principal()
    assert (principal.id, principal.key_id, principal.grants) == (f"key:{key.id}", key.id, GRANTS)
    assert principal.expires_at == (NOW + 1500) / 1000
    assert not principal.admin
    assert not principal.by_cookie
    assert created_key("app", GRANTS, NOW, None)[0].principal().expires_at is None


def test_how_long_it_counts() -> None:
    key, _ = created_key("app", GRANTS, NOW, NOW + 1000)
    assert key.counts(NOW)
    assert key.counts(NOW + 999)
    assert not key.counts(NOW + 1000)
    assert created_key("app", GRANTS, NOW, None)[0].counts(NOW * 2)


def test_as_json() -> None:
    key, text = created_key("app", GRANTS, NOW, NOW + 1000)
    shown = key.as_dict()
    assert shown == {
        "id": key.id,
        "name": "app",
        "kind": "created",
        "subscribe": ["news", "a:*"],
        "publish": ["b"],
        "admin": False,
        "tokens": True,
        "created_at": "2027-01-15T08:00:00.123Z",
        "expires_at": "2027-01-15T08:00:01.123Z",
        "last_used_at": None,
        "revoked_at": None,
    }
    assert text not in str(shown)


@given(st.text(min_size=32, max_size=80))
def test_a_key_of_the_settings_is_told_and_not_revealed(text: str) -> None:
    key = settings_key(text)
    assert text not in key.id
    assert len(key.id) == 11
    assert key.id[:6].replace(".", "").isalnum() or not key.id[:6].replace(".", "")
    assert key.id.isascii()
    assert (key.kind, key.grants.admin) == (SETTINGS, True)


def test_two_that_begin_alike_are_two() -> None:
    first, second = settings_key("service-key-of-one-" + "1" * 20), settings_key("service-key-of-two-" + "2" * 20)
    assert first.id[:6] == second.id[:6] == "servic"
    assert first.id != second.id


def test_the_installations_key() -> None:
    key = installation_key(digest_of("x"))
    assert (key.id, key.kind, key.grants.admin) == ("installation", INSTALLATION, True)


@given(odd_text)
def test_every_text_has_a_digest(text: str) -> None:
    assert len(digest_of(text)) == 64
