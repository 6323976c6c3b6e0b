"""Tokens over HTTP and by `hermes token`: minted within a key's grants, carried in three ways, revoked in every process."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import jwt
import pytest
import requests

from tests.integration.conftest import StartHermes, code
from tests.integration.test_start import refused
from tests.security.jwt_corpus import SECRET, jwk, pem, private_key
from tests.support.hermes_server import HermesServer, clean_environment
from tests.support.key_server import KeyServer, respond
from tests.support.load import stream_url
from tests.support.ports import LOOPBACK, free_port
from tests.support.postgres_server import PostgresServer
from tests.support.redis_server import RedisServer
from tests.support.sse_client import StandardClient, StreamStopped
from tests.support.wait import wait_until

pytestmark = pytest.mark.live

PATH = "/api/v1/tokens"
EVENTS = "/api/v1/events"
COMMAND = [sys.executable, "-c", "from hermes.cli import main; main()", "token"]
QUIET = {"HERMES_SYSTEM_INTERVAL": "0"}
Pair = tuple[HermesServer, HermesServer]


@pytest.fixture(scope="module", params=["embedded", "redis", "postgresql"])
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """Where tokens are minted, and where they are used: one process, two on one Redis and one folder, two on two machines."""
    folder = tmp_path_factory.mktemp("pair")
    with ExitStack() as stack:
        if request.param == "embedded":
            server = stack.enter_context(HermesServer(folder / "data", env=QUIET))
            yield server, server
            return
        url = stack.enter_context(RedisServer(folder / "redis")).url
        env, folders = QUIET, ("data", "data")
        if request.param == "postgresql":
            database = stack.enter_context(PostgresServer()).new_database()
            env, folders = {**QUIET, "DATABASE_URL": database}, ("here", "there")
        here, there = (HermesServer(folder / name, redis_url=url, env=env) for name in folders)
        yield stack.enter_context(here), stack.enter_context(there)


def minted(hermes: HermesServer, key: str | None = None, **fields: Any) -> dict[str, Any]:
    answer = asked(hermes, key or hermes.key, **fields)
    assert answer.status_code == 201, answer.text
    made: dict[str, Any] = answer.json()
    return made


def asked(hermes: HermesServer, key: str | None, **fields: Any) -> requests.Response:
    return by(hermes, key, "POST", PATH, json=fields)


def by(hermes: HermesServer, key: str | None, method: str, path: str, **options: Any) -> requests.Response:
    """One request with that key or token, or without any."""
    headers = {"Authorization": f"Bearer {key}"} if key is not None else {}
    return requests.request(method, hermes.url + path, headers=headers, timeout=10, **options)


def new_key(hermes: HermesServer, **grants: Any) -> str:
    answer = hermes.post("/api/v1/keys", json={"name": "app", "tokens": True, **grants})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["key"])


def reads(hermes: HermesServer, token: str, channel: str = "news") -> int:
    """The status of reading a channel with that token."""
    return by(hermes, token, "GET", EVENTS, params={"channels": channel}).status_code


# One life of a token


def test_a_token_does_what_it_is_granted_in_every_process(pair: Pair) -> None:
    here = pair[0]
    before = time.time()
    made = minted(here, user_id="7", subscribe=["news", "own:{sub}"], publish=["up:{sub}"], ttl=60)
    assert set(made) == {"token", "jti", "expires_at"}
    claims = jwt.decode(made["token"], options={"verify_signature": False})
    assert (claims["sub"], claims["jti"]) == ("7", made["jti"])
    assert before + 59 <= claims["exp"] <= time.time() + 61
    assert made["expires_at"] == time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(claims["exp"]))
    for server in pair:
        token = made["token"]
        assert [reads(server, token, name) for name in ("news", "own:7", "user:7")] == [200, 200, 200]
        assert [reads(server, token, name) for name in ("own:8", "user:8", "hermes:connections")] == [403, 403, 403]
        for channel, status in (("up:7", 201), ("up:8", 403), ("news", 403)):
            assert by(server, token, "POST", EVENTS, json={"channel": channel}).status_code == status
        for path in ("/api/v1/connections", "/api/v1/keys"):
            assert by(server, token, "GET", path).status_code == 403
        assert code(asked(server, token, user_id="7")) == (403, "FORBIDDEN")


def test_a_stream_by_each_carrier_has_the_users_own_channel(pair: Pair) -> None:
    here, there = pair
    token = minted(here, user_id="7", subscribe=["news"])["token"]
    carriers: list[dict[str, Any]] = [
        {"headers": {"Authorization": f"Bearer {token}"}},
        {"headers": {"Cookie": f"hermes_token={token}"}},
        {"query": {"token": token}},
    ]
    for number, carrier in enumerate(carriers):
        url = stream_url(there, ("news",), **carrier.get("query", {}))
        with StandardClient(url, headers=carrier.get("headers")) as client:
            client.read_until(lambda frame: frame["event"] == "heartbeat")
            connected = json.loads(client.frames[0]["data"])
            assert connected["user_id"] == "7"
            assert set(connected["channels"]) == {"news", "user:7"}
            here.publish("user:8", "not mine")
            here.publish("user:7", number)
            assert client.next_frame()["data"] == str(number)


def test_the_query_carries_a_token_on_streams_alone(pair: Pair) -> None:
    here = pair[0]
    token = minted(here, user_id="7", subscribe=["news"], publish=["news"])["token"]
    for method, path in (("POST", EVENTS), ("GET", "/api/v1/keys"), ("POST", PATH)):
        answer = by(here, None, method, path, params={"token": token}, json={"channel": "news"})
        assert answer.status_code in (400, 401), (path, answer.text)


def test_a_revoked_token_is_refused_by_every_process_within_a_second(pair: Pair) -> None:
    here, there = pair
    made, other = minted(here, user_id="7", subscribe=["news"]), minted(here, user_id="7", subscribe=["news"])
    assert reads(there, made["token"]) == 200
    assert here.request("DELETE", f"{PATH}/{made['jti']}").status_code == 204
    assert reads(here, made["token"]) == 401
    wait_until(lambda: reads(there, made["token"]) == 401, 1)
    assert here.request("DELETE", f"{PATH}/{made['jti']}").status_code == 204
    assert reads(there, other["token"]) == 200


def test_a_process_that_starts_later_knows_it(pair: Pair) -> None:
    here, there = pair
    made = minted(here, user_id="7", subscribe=["news"])
    assert here.request("DELETE", f"{PATH}/{made['jti']}").status_code == 204
    there.restart()
    assert reads(there, made["token"]) == 401


# Who may


def test_never_beyond_ones_own_grants(hermes: HermesServer) -> None:
    key = new_key(hermes, subscribe=["news", "user:*"], publish=["up:*"])
    minted(hermes, key, user_id="7", subscribe=["news"], publish=["up:{sub}"])
    for fields, beyond in (
        ({"subscribe": ["news", "orders"]}, "orders"),
        ({"subscribe": ["*"]}, "*"),
        ({"publish": ["news"]}, "news"),
        ({"publish": ["*"]}, "*"),
    ):
        answer = asked(hermes, key, user_id="7", **fields)
        assert code(answer) == (403, "FORBIDDEN")
        assert repr(beyond) in answer.json()["error"]["message"]
    narrow = new_key(hermes, subscribe=["news"])
    minted(hermes, narrow, subscribe=["news"])
    answer = asked(hermes, narrow, user_id="7", subscribe=["news"])
    assert code(answer) == (403, "FORBIDDEN")
    assert "'user:7'" in answer.json()["error"]["message"]


def test_only_keys_with_the_right_mint(hermes: HermesServer) -> None:
    plain = new_key(hermes, subscribe=["*", "user:*"], publish=["*"], tokens=False)
    assert code(asked(hermes, plain, user_id="7")) == (403, "FORBIDDEN")
    assert code(asked(hermes, None, user_id="7")) == (401, "UNAUTHORIZED")
    assert code(asked(hermes, "x" * 43, user_id="7")) == (401, "UNAUTHORIZED")
    id = minted(hermes, user_id="7")["jti"]
    assert code(by(hermes, plain, "DELETE", f"{PATH}/{id}")) == (403, "FORBIDDEN")
    assert code(by(hermes, None, "DELETE", f"{PATH}/{id}")) == (401, "UNAUTHORIZED")


def test_a_key_revokes_its_own_tokens_alone(hermes: HermesServer) -> None:
    mine, yours = (new_key(hermes, subscribe=["news", "user:*"]) for _ in range(2))
    made = minted(hermes, mine, user_id="7", subscribe=["news"])
    assert code(by(hermes, yours, "DELETE", f"{PATH}/{made['jti']}")) == (404, "NOT_FOUND")
    assert reads(hermes, made["token"]) == 200
    assert by(hermes, mine, "DELETE", f"{PATH}/{made['jti']}").status_code == 204
    assert reads(hermes, made["token"]) == 401


def test_a_token_ends_with_its_key(hermes: HermesServer) -> None:
    key = new_key(hermes, subscribe=["news", "user:*"], expires_in=30)
    made = minted(hermes, key, user_id="7", ttl=3600)
    claims = jwt.decode(made["token"], options={"verify_signature": False})
    assert claims["exp"] <= time.time() + 30


@pytest.mark.parametrize("id", ["x", "a%00b", "%F0%9F%98%80", "x" * 3000, "A" * 40, "..%2Fx", "a%2Fb", "*"])
def test_there_is_no_such_token(hermes: HermesServer, id: str) -> None:
    assert code(hermes.request("DELETE", f"{PATH}/{id}")) == (404, "NOT_FOUND")


# What is refused


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, {"user_id"}),
        ({"user_id": 7}, {"user_id"}),
        ({"user_id": "a b"}, {"user_id"}),
        ({"user_id": "7", "subscribe": "news"}, {"subscribe"}),
        ({"user_id": "7", "subscribe": ["hermes:*"]}, {"subscribe"}),
        ({"user_id": "7", "publish": [""]}, {"publish"}),
        ({"user_id": "7", "ttl": 0}, {"ttl"}),
        ({"user_id": "7", "ttl": 86_401}, {"ttl"}),
        ({"user_id": "7", "ttl": "60"}, {"ttl"}),
        ({"user_id": "7", "admin": True}, {"admin"}),
        ({"user_id": "7", "exp": 1, "tokens": True}, {"exp", "tokens"}),
        ({"subscribe": ["own:{sub}"]}, {"subscribe"}),
        ({"user_id": 7, "subscribe": 7, "publish": 7, "ttl": 0.5}, {"user_id", "subscribe", "publish", "ttl"}),
        ({"user_id": "7", "subscribe": [f"{n}{'x' * 250}" for n in range(100)]}, {"subscribe"}),
        ([], {"body"}),
        ("7", {"body"}),
        (None, {"body"}),
    ],
)
def test_each_bad_field_is_named(hermes: HermesServer, body: Any, fields: set[str]) -> None:
    answer = hermes.post(PATH, data=json.dumps(body))
    assert code(answer) == (400, "INVALID_INPUT")
    assert {problem["field"] for problem in answer.json()["error"]["details"]} == fields


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"user_id":"\\ud800"}', b"[" * 100_000])
def test_what_is_no_json(hermes: HermesServer, body: bytes) -> None:
    assert code(hermes.post(PATH, data=body)) == (400, "INVALID_INPUT")


def test_a_body_that_is_too_large(hermes: HermesServer) -> None:
    assert code(hermes.post(PATH, data=b" " * 1_100_000)) == (413, "TOO_LARGE")


# Tokens of other issuers


def test_tokens_of_other_issuers(start_hermes: StartHermes) -> None:
    with KeyServer([jwk(private_key("p256"), "a")]) as provider:
        keys = {"HERMES_JWT_SECRET": SECRET, "HERMES_JWT_PUBLIC_KEY": pem(private_key("ed25519"))}
        hermes = start_hermes(env={**QUIET, **keys, "HERMES_JWKS_URL": provider.url})
        said = {"sub": "7", "exp": time.time() + 60, "hermes": {"subscribe": ["own:{sub}"], "publish": ["up"]}}
        tokens = [
            jwt.encode(said, SECRET, "HS256"),
            jwt.encode({**said, "jti": "session-1"}, private_key("ed25519"), "EdDSA"),
            jwt.encode(said, private_key("p256"), "ES256", headers={"kid": "a"}),
        ]
        for token in tokens:
            assert [reads(hermes, token, name) for name in ("own:7", "own:8", "news")] == [200, 403, 403]
            assert by(hermes, token, "POST", EVENTS, json={"channel": "up", "data": 1}).status_code == 201
        assert len(provider.asked) == 1
        with StandardClient(stream_url(hermes, ("own:7",), token=tokens[1]), reconnect=False) as client:
            client.read_until(lambda frame: frame["event"] == "heartbeat")
            assert hermes.request("DELETE", f"{PATH}/session-1").status_code == 204
            assert (
                json.loads(client.read_until(lambda frame: frame["event"] == "close")[-1]["data"])["reason"]
                == "revoked"
            )
        assert reads(hermes, tokens[1], "own:7") == 401
        admin = jwt.encode({**said, "hermes": {"admin": True}}, SECRET, "HS256")
        assert by(hermes, admin, "GET", "/api/v1/keys").status_code == 200
        assert code(asked(hermes, admin, user_id="8")) == (403, "FORBIDDEN")


def test_a_slow_provider_holds_up_nobody_else(start_hermes: StartHermes) -> None:
    go = threading.Event()

    def slow(handler: BaseHTTPRequestHandler) -> None:
        go.wait(20)
        respond(handler, 200, json.dumps({"keys": provider.keys}).encode())

    with KeyServer([jwk(private_key("p256"), "a")]) as provider, ThreadPoolExecutor(20) as pool:
        provider.reply = slow
        hermes = start_hermes(env={**QUIET, "HERMES_JWKS_URL": provider.url})
        said = {"sub": "7", "exp": time.time() + 60}
        token = jwt.encode(said, private_key("p256"), "ES256", headers={"kid": "a"})
        waiting = [pool.submit(reads, hermes, token, "user:7") for _ in range(20)]
        try:
            wait_until(lambda: provider.asked, 10)
            for _ in range(5):
                assert requests.get(f"{hermes.url}/healthz", timeout=1).status_code == 200
                assert reads(hermes, hermes.key) == 200
            assert not any(one.done() for one in waiting)
        finally:
            go.set()
        assert [one.result(10) for one in waiting] == [200] * 20
        assert len(provider.asked) == 1


@pytest.fixture
def forsaken(start_hermes: StartHermes) -> tuple[HermesServer, str]:
    """A server whose provider of keys is away, and a token of that one's."""
    with KeyServer() as provider:
        url = provider.url
    said = {"sub": "7", "exp": time.time() + 60}
    token = jwt.encode(said, private_key("p256"), "ES256", headers={"kid": "a"})
    return start_hermes(env={**QUIET, "HERMES_JWKS_URL": url}), token


def test_a_provider_that_is_away_says_nothing_against_a_token(forsaken: tuple[HermesServer, str]) -> None:
    hermes, token = forsaken
    assert reads(hermes, token) == 503
    assert reads(hermes, minted(hermes, subscribe=["news"])["token"]) == 200


def test_a_stream_is_told_to_come_again(forsaken: tuple[HermesServer, str]) -> None:
    """EventSource would never come back after a 401, or a 503."""
    hermes, token = forsaken
    with StandardClient(stream_url(hermes, ("news",), token=token), reconnect=False) as client:
        frame = client.next_frame()
    assert (frame["event"], json.loads(frame["data"])["code"]) == ("error", "UNAVAILABLE")


@pytest.mark.parametrize(
    ("env", "words"),
    [
        ({"HERMES_JWT_SECRET": "short"}, ["HERMES_JWT_SECRET", "32"]),
        ({"HERMES_JWT_SECRET": "x" * 40}, ["HERMES_JWT_SECRET"]),
        ({"HERMES_JWT_PUBLIC_KEY": "/nowhere/key.pem"}, ["HERMES_JWT_PUBLIC_KEY", "No such file"]),
        ({"HERMES_JWT_PUBLIC_KEY": "-----BEGIN PUBLIC KEY-----\nAAAA"}, ["HERMES_JWT_PUBLIC_KEY", "PEM"]),
        ({"HERMES_JWKS_URL": "http://id.example/keys.json"}, ["HERMES_JWKS_URL", "https://"]),
    ],
    ids=str,
)
def test_bad_settings_are_one_sentence_at_start(tmp_path: Path, env: dict[str, str], words: list[str]) -> None:
    output = refused(tmp_path / "data", env)
    assert all(word in output for word in words), output


# By the command line


def run(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words], env=clean_environment(**settings), capture_output=True, text=True, timeout=60, check=False
    )


@pytest.fixture
def at(hermes: HermesServer) -> dict[str, str]:
    return {"HERMES_URL": hermes.url, "HERMES_API_KEY": hermes.key}


def test_the_command(hermes: HermesServer, at: dict[str, str]) -> None:
    options = ["--subscribe", "news", "--subscribe", "own:{sub}", "--publish", "up", "--ttl", "60"]
    result = run("--user", "7", *options, **at)
    assert result.returncode == 0, result.stderr
    token = result.stdout.strip()
    assert result.stdout == f"{token}\n"
    assert token not in result.stderr
    assert [reads(hermes, token, name) for name in ("news", "own:7", "own:8")] == [200, 200, 403]
    assert by(hermes, token, "POST", EVENTS, json={"channel": "up", "data": 1}).status_code == 201
    id = result.stderr.partition(":")[0]
    assert hermes.request("DELETE", f"{PATH}/{id}").status_code == 204
    assert reads(hermes, token) == 401


def test_the_command_on_the_servers_machine(hermes: HermesServer) -> None:
    """It finds the server and its key by itself."""
    result = run(
        "--subscribe", "news", HERMES_DATA_DIR=str(hermes.data_dir), HERMES_API_KEYS=hermes.key, PORT=str(hermes.port)
    )
    assert result.returncode == 0, result.stderr
    assert reads(hermes, result.stdout.strip()) == 200


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "user_id"),
        (("--user", "a b"), "user_id"),
        (("--user", "7", "--subscribe", "hermes:*"), "subscribe"),
        (("--user", "7", "--ttl", "999999"), "ttl"),
    ],
)
def test_mistakes_are_one_sentence(at: dict[str, str], words: tuple[str, ...], said: str) -> None:
    result = run(*words, **at)
    assert (result.returncode, result.stdout) == (1, "")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1


def test_a_wrong_key_and_a_server_that_is_away(at: dict[str, str]) -> None:
    wrong = run("--user", "7", **{**at, "HERMES_API_KEY": "x" * 43})
    away = run("--user", "7", **{**at, "HERMES_URL": f"http://{LOOPBACK}:{free_port()}"})
    for result, said in ((wrong, "key is not known"), (away, "cannot be reached")):
        assert (result.returncode, result.stdout) == (1, "")
        assert said in result.stderr
        assert result.stderr.count("\n") == 1


def test_an_old_token_stops_a_stream_for_good(hermes: HermesServer) -> None:
    token = minted(hermes, user_id="7", subscribe=["news"], ttl=1)["token"]
    wait_until(lambda: reads(hermes, token) == 401, 5)
    client = StandardClient(stream_url(hermes, ("news",), token=token))
    with pytest.raises(StreamStopped) as stopped:
        client.open()
    assert stopped.value.status == 401
