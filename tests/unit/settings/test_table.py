"""The table of settings: defaults, forms of a value, where a value comes from, how it is shown."""

from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.settings import Settings, load_settings, names_of, table


def test_nothing_needs_to_be_set() -> None:
    settings = load_settings()
    assert (settings.bind, settings.store_url, settings.workers) == ("127.0.0.1:8000", None, 1)
    assert settings.public_channels == ("public:*",)
    assert settings.default_channels == ("download:updates", "queue:updates", "system:notifications")
    assert (settings.heartbeat_interval, settings.history_size, settings.log_size) == (30, 1000, 100_000)


def test_every_setting_has_a_name_a_default_and_help() -> None:
    rows = list(table(load_settings()))
    assert len(rows) == len(Settings.model_fields)
    assert len({name for row in rows for name in (row.name, *row.aliases)}) == sum(1 + len(row.aliases) for row in rows)
    for row in rows:
        assert row.help.endswith((".", "))"))
        assert row.default == row.value.removesuffix(".0")
        assert row.name.isupper()


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERMES_API_KEYS", "7f3c9a1e5b8d2046af71c3e95d08b264")
    monkeypatch.setenv("REDIS_URL", "redis://:hidden@localhost")
    monkeypatch.setenv("REDIS_PASSWORD", "hidden")
    settings = load_settings()
    shown = {row.name: row.value for row in table(settings)}
    assert (shown["HERMES_API_KEYS"], shown["REDIS_URL"], shown["REDIS_PASSWORD"]) == ("(set)",) * 3
    assert "hidden" not in repr(settings)
    assert "kkk" not in repr(settings)


@pytest.mark.parametrize("text", ["a,b", " a , b ,", '["a","b"]', ' ["a", "b"] '])
def test_a_list_has_two_forms(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("HERMES_PUBLIC_CHANNELS", text)
    assert load_settings().public_channels == ("a", "b")


def test_an_empty_value_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PORT", "HERMES_LOG_SIZE", "HERMES_PUBLIC_CHANNELS", "REDIS_URL"):
        monkeypatch.setenv(name, "")
    settings = load_settings()
    assert (settings.port, settings.log_size, settings.public_channels) == (None, 100_000, ("public:*",))
    assert settings.store_url is None


def test_the_environment_comes_before_the_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path(".env").write_text("HERMES_LOG_SIZE=200\nHERMES_TAIL_SIZE=300\n")
    monkeypatch.setenv("HERMES_LOG_SIZE", "400")
    assert (load_settings().log_size, load_settings().tail_size) == (400, 300)


def test_what_a_program_says_comes_before_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HERMES_LOG_SIZE", "400")
    assert load_settings(log_size=500).log_size == 500


@pytest.mark.parametrize("name", [name for field in Settings.model_fields.values() for name in names_of(field)[:1]])
def test_a_name_is_read(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = (row for row in table(load_settings()) if row.name == name)
    other = {"true": "false", "True": "false", "False": "true", "info": "debug"}.get(row.default)
    if other is None:
        other = (
            str(int(float(row.default)) + 1)
            if row.default.replace(".", "").isdigit()
            else "7f3c9a1e5b8d2046af71c3e95d08b264"
        )
    if name in ("PORT", "WEB_CONCURRENCY"):
        monkeypatch.setenv("REDIS_URL", "redis://localhost")
        other = "2"
    if name == "HERMES_ALLOWED_ORIGINS":
        other = "https://app.example"
    monkeypatch.setenv(name, other)
    (changed,) = (row for row in table(load_settings()) if row.name == name)
    assert changed.value.lower() in (other, "(set)", f"{other}.0")


# Addresses


@pytest.mark.parametrize(
    ("host", "port", "bind", "url"),
    [
        (None, None, "127.0.0.1:8000", "http://127.0.0.1:8000"),
        (None, "5000", "0.0.0.0:5000", "http://localhost:5000"),
        ("10.0.0.1", "5000", "10.0.0.1:5000", "http://10.0.0.1:5000"),
        ("::", None, "[::]:8000", "http://localhost:8000"),
        ("::1", "80", "[::1]:80", "http://[::1]:80"),
    ],
)
def test_where_it_listens(
    monkeypatch: pytest.MonkeyPatch, host: str | None, port: str | None, bind: str, url: str
) -> None:
    for name, value in (("HOST", host), ("PORT", port)):
        if value is not None:
            monkeypatch.setenv(name, value)
    assert load_settings().bind == bind
    assert load_settings().local_url == url


def test_the_ports_other_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_PORT", "5001")
    assert load_settings().port == 5001
    monkeypatch.setenv("PORT", "5000")
    assert load_settings().port == 5000


def test_redis_by_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REDIS_HOST", "redis.example")
    assert load_settings().store_url == "redis://redis.example:6379/0"
    monkeypatch.setenv("REDIS_PORT", "7000")
    monkeypatch.setenv("REDIS_PASSWORD", "secret")
    assert load_settings().store_url == "redis://:secret@redis.example:7000/0"
    monkeypatch.setenv("REDIS_URL", "redis://other")
    assert load_settings().store_url == "redis://other"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1))
def test_any_password_of_redis(password: str) -> None:
    url = load_settings(redis_host="redis.example", redis_password=password).store_url
    assert url is not None
    parts = urlsplit(url)
    assert (parts.hostname, parts.port, parts.path) == ("redis.example", 6379, "/0")
    assert unquote(parts.password or "") == password


def test_redis_at_an_address_of_ipv6() -> None:
    url = load_settings(redis_host="::1", redis_password="secret").store_url
    assert url == "redis://:secret@[::1]:6379/0"


# Names of other programs


@pytest.mark.parametrize(
    ("theirs", "field"), [("SSE_PING_INTERVAL", "heartbeat_interval"), ("SSE_CONNECTION_TIMEOUT", "connection_timeout")]
)
def test_milliseconds_of_other_programs(monkeypatch: pytest.MonkeyPatch, theirs: str, field: str) -> None:
    monkeypatch.setenv(theirs, "15500")
    assert getattr(load_settings(), field) == 15.5
    assert getattr(load_settings(**{field: 20}), field) == 20
    (ours,) = names_of(Settings.model_fields[field])
    monkeypatch.setenv(ours, "")
    assert getattr(load_settings(), field) == 15.5
    monkeypatch.setenv(ours, "7")
    assert getattr(load_settings(), field) == 7
