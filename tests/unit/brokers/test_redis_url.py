"""What a URL says about Redis, and which servers are refused."""

from __future__ import annotations

import pytest

from hermes.brokers.redis_url import Dialer, check_server, parse_address
from hermes.errors import SettingsError, StoreError


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("redis://h", {"host": "h"}),
        ("redis://h:7/3", {"host": "h", "port": 7, "db": 3}),
        ("redis://u:p%40ss@h/", {"host": "h", "username": "u", "password": "p@ss"}),
        (
            "redis://:only@h/2?socket_timeout=9&retry_on_timeout=1&protocol=3",
            {"host": "h", "password": "only", "db": 2},
        ),
        ("unix:///run/redis.sock?db=4", {"path": "/run/redis.sock", "db": 4}),
    ],
)
def test_a_single_redis(url: str, options: dict[str, object]) -> None:
    address = parse_address(url)
    found = {name: value for name, value in address.options.items() if name != "connection_class"}
    assert found == options, "and none of what Hermes decides by itself"
    assert (address.sentinels, address.db) == ((), options.get("db", 0))


def test_tls() -> None:
    options = parse_address("rediss://h:6380/0?ssl_cert_reqs=none").options
    assert options["connection_class"].__name__ == "SSLConnection"
    assert options["ssl_cert_reqs"] == "none"


def test_sentinels() -> None:
    address = parse_address("redis+sentinel://u:p%2F@a:1,b,[::1]:5/main/2?sentinel_username=s&sentinel_password=t")
    assert address.sentinels == (("a", 1), ("b", 26379), ("::1", 5))
    assert (address.service, address.db) == ("main", 2)
    assert (address.options["username"], address.options["password"]) == ("u", "p/")
    assert address.sentinel_options == {"username": "s", "password": "t", "ssl": False}
    assert "sentinel_password" not in address.options


def test_sentinels_with_tls() -> None:
    address = parse_address("rediss+sentinel://a/main?ssl_ca_certs=/ca.pem")
    assert address.options["connection_class"].__name__ == "SSLConnection"
    assert address.sentinel_options == {"ssl": True, "ssl_ca_certs": "/ca.pem"}
    assert address.db == 0


@pytest.mark.parametrize(
    "url",
    [
        "",
        "h:6379",
        "http://h",
        "redis://h:port",
        "redis://h/database",
        "redis://h?no_such_option=1",
        "redis+sentinel://a:1",
        "redis+sentinel://a:1/main/x",
        "redis+sentinel://:1/main",
        "redis+sentinel://a,,b/main",
    ],
)
def test_what_cannot_be_read_is_one_sentence(url: str) -> None:
    with pytest.raises(SettingsError, match="REDIS_URL"):
        parse_address(url)


@pytest.mark.parametrize(
    "url",
    ["redis://user:secret@h:port", "redis+sentinel://user:secret@a:1", "redis://user:secret@h?no=1"],
)
def test_no_sentence_shows_the_password(url: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_address(url)
    assert "secret" not in str(caught.value)


def test_an_address_for_people_has_no_password() -> None:
    assert str(parse_address("redis://u:secret@h:7/3")) == "Redis at h:7, database 3"
    assert str(parse_address("unix:///run/r.sock")) == "Redis at /run/r.sock, database 0"
    described = str(parse_address("redis+sentinel://u:secret@a:1,b:2/main/1"))
    assert described == "Redis 'main' of the Sentinels a:1,b:2, database 1"


def test_a_dialer_opens_nothing() -> None:
    assert Dialer("redis://192.0.2.1:1/0").address.db == 0


def test_a_server_that_can_be_used() -> None:
    check_server({"redis_version": "7.0.15", "redis_mode": "standalone", "maxmemory_policy": "noeviction"})
    check_server({"redis_version": "10.1", "redis_mode": "standalone"})
    check_server({})


@pytest.mark.parametrize(
    ("info", "says"),
    [
        ({"redis_version": "6.2.14"}, "Upgrade"),
        ({"redis_mode": "cluster"}, "single Redis, or Sentinel"),
        ({"redis_mode": "sentinel"}, "redis\\+sentinel://"),
        ({"maxmemory_policy": "allkeys-lru"}, "set maxmemory-policy to noeviction"),
    ],
)
def test_a_server_that_cannot_is_refused_with_what_to_do(info: dict[str, str], says: str) -> None:
    with pytest.raises(StoreError, match=says):
        check_server({"redis_version": "7.2.4"} | info)
