"""A bad value is one sentence at start, never a traceback, and shows no secret."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hermes.errors import SettingsError
from hermes.settings import Settings, load_settings, names_of, unknown_names

NAMES = [name for field in Settings.model_fields.values() for name in names_of(field)]


def sentence(monkeypatch: pytest.MonkeyPatch, **environ: str) -> str:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError) as error:
        load_settings()
    return str(error.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("PORT", "abc"), ("PORT", "-1"), ("API_PORT", "65536"), ("REDIS_PORT", "0"), ("WEB_CONCURRENCY", "0")),
        *(("HERMES_LOG_SIZE", "1"), ("HERMES_LOG_BYTES", "10 MB"), ("HERMES_HISTORY_TTL", "0")),
        *(("HERMES_HISTORY_TTL", "nan"), ("HERMES_SSE_HEARTBEAT_INTERVAL", "0.1"), ("HERMES_SSE_RETRY", "301")),
        *(("HERMES_SSE_CONNECTION_TIMEOUT", "inf"), ("HERMES_SSE_SEND_TIMEOUT", "inf"), ("HERMES_ENABLE_SSE", "maybe")),
        *(("HERMES_LOG_LEVEL", "loud"), ("HERMES_REDIS_PREFIX", "a b"), ("HERMES_PUBLIC_CHANNELS", '["a"')),
        *(("HERMES_PUBLIC_CHANNELS", "[1]"), ("HERMES_API_KEYS", "short"), ("HERMES_GRACEFUL_TIMEOUT", "1")),
        *(("SSE_PING_INTERVAL", "soon"), ("SSE_PING_INTERVAL", "²"), ("SSE_CONNECTION_TIMEOUT", "-5")),
        *(("SSE_PING_INTERVAL", "1e3"), ("SSE_CONNECTION_TIMEOUT", "9" * 400)),
    ],
)
def test_a_bad_value_names_its_setting(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    said = sentence(monkeypatch, **{name: value})
    ours = {"API_PORT": "PORT", "SSE_CONNECTION_TIMEOUT": "HERMES_SSE_CONNECTION_TIMEOUT"}.get(name, name)
    assert said.startswith((f"{name}: ", f"{ours}: "))
    assert said.endswith(".")
    assert "\n" not in said


@pytest.mark.parametrize("text", ['["sesame', "[1", "sesame", '["sesame", 5]'])
def test_no_sentence_shows_a_key(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    said = sentence(monkeypatch, HERMES_API_KEYS=text)
    assert said.startswith("HERMES_API_KEYS: ")
    assert "sesame" not in said
    assert "5" not in said


def test_a_wildcard_does_not_go_with_cookies(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "'*'" in sentence(monkeypatch, HERMES_ALLOWED_ORIGINS="*", HERMES_ALLOW_CREDENTIALS="1")


def test_several_processes_need_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    said = sentence(monkeypatch, WEB_CONCURRENCY="4")
    assert "REDIS_URL" in said
    assert "WEB_CONCURRENCY=1" in said
    monkeypatch.setenv("REDIS_HOST", "localhost")
    assert load_settings().workers == 4


def test_every_bad_value_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    said = sentence(monkeypatch, PORT="x", HERMES_LOG_SIZE="y")
    assert "PORT: " in said
    assert "HERMES_LOG_SIZE: " in said


@given(st.sampled_from([*NAMES, "SSE_PING_INTERVAL"]), st.text(st.characters(codec="utf-8", exclude_characters="\0")))
def test_every_value_is_read_or_refused_with_a_sentence(name: str, value: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(name, value)
        try:
            load_settings()
        except SettingsError as error:
            assert str(error).endswith(".")  # noqa: PT017 - either outcome is right


def test_an_unknown_name_gets_a_hint() -> None:
    assert unknown_names({"HERMES_LOGSIZE": "1", "PATH": "/", "HERMES_LOG_SIZE": "1"}) == [
        "HERMES_LOGSIZE is not a setting; did you mean HERMES_LOG_SIZE?"
    ]
    assert unknown_names({"HERMES_QQQQQQQQ": ""}) == ["HERMES_QQQQQQQQ is not a setting."]


def test_no_known_name_is_unknown() -> None:
    assert (
        unknown_names({**dict.fromkeys(NAMES, ""), "HERMES_URL": "", "HERMES_API_KEY": "", "HERMES_TEST_FULL": ""})
        == []
    )
