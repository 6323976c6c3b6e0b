"""API keys over HTTP and by `hermes keys`: made, used within their grants by every process, listed, revoked."""

import json
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import requests

from tests.integration.conftest import StartHermes, StartRedis, code
from tests.support.hermes_server import HermesServer, clean_environment
from tests.support.ports import LOOPBACK, free_port
from tests.support.wait import wait_until

pytestmark = pytest.mark.live

PATH = "/api/v1/keys"
COMMAND = [sys.executable, "-c", "from hermes.cli import main; main()", "keys"]
Pair = tuple[HermesServer, HermesServer]


@pytest.fixture(params=["embedded", "redis"])
def pair(request: pytest.FixtureRequest, start_hermes: StartHermes, start_redis: StartRedis, tmp_path: Path) -> Pair:
    """Where keys are made, and where they are used: one process, or two on one Redis."""
    env = {"HERMES_SYSTEM_INTERVAL": "0"}
    if request.param == "embedded":
        server = start_hermes(env=env)
        return server, server
    options = {"redis_url": start_redis().url, "data_dir": tmp_path / "shared", "env": env}
    return start_hermes(**options), start_hermes(**options)


def made(hermes: HermesServer, **fields: Any) -> dict[str, Any]:
    answer = hermes.post(PATH, json={"name": "app", **fields})
    assert answer.status_code == 201, answer.text
    key: dict[str, Any] = answer.json()
    return key


def publish(hermes: HermesServer, key: str, channel: str) -> int:
    """The status of publishing with that key, which may lie in either header."""
    answer = requests.post(
        f"{hermes.url}/api/v1/events",
        json={"channel": channel, "data": 1},
        headers={"Authorization": f"Bearer {key}"},
        timeout=10,
    )
    return answer.status_code


def by_key(hermes: HermesServer, key: str, method: str, path: str, **options: Any) -> requests.Response:
    return requests.request(method, hermes.url + path, headers={"X-API-Key": key}, timeout=10, **options)


# One life of a key


def test_a_key_does_what_it_is_granted_in_every_process(pair: Pair) -> None:
    here, there = pair
    for number in range(5):  # quicker than a process may look for unknown keys
        key = made(here, name=f"app {number}", publish=[f"a:{number}", "b:*"])["key"]
        assert publish(there, key, f"a:{number}") == 201
        assert publish(there, key, "b:x") == 201
        assert publish(there, key, "a:x") == 403
        assert publish(here, key, f"a:{number}") == 201


def test_a_revoked_key_is_refused_by_every_process_within_a_second(pair: Pair) -> None:
    here, there = pair
    key, other = made(here, publish=["a"]), made(here, publish=["a"])
    for server in pair:
        assert publish(server, key["key"], "a") == 201
    assert here.request("DELETE", f"{PATH}/{key['id']}").status_code == 204
    assert publish(here, key["key"], "a") == 401
    wait_until(lambda: publish(there, key["key"], "a") == 401, 1)
    for server in pair:
        assert publish(server, other["key"], "a") == 201
    assert here.request("DELETE", f"{PATH}/{key['id']}").status_code == 204
    assert here.get(f"{PATH}/{key['id']}").json()["revoked_at"] is not None


def test_a_key_expires(hermes: HermesServer) -> None:
    key = made(hermes, publish=["a"], expires_in=1.5)
    assert publish(hermes, key["key"], "a") == 201
    wait_until(lambda: publish(hermes, key["key"], "a") == 401, 4)


def test_keys_and_their_last_use_outlive_a_restart(start_hermes: StartHermes) -> None:
    hermes = start_hermes(env={"HERMES_SYSTEM_INTERVAL": "0"})
    key, gone = made(hermes, publish=["a"]), made(hermes)
    hermes.request("DELETE", f"{PATH}/{gone['id']}")
    assert publish(hermes, key["key"], "a") == 201
    hermes.restart()
    assert publish(hermes, key["key"], "a") == 201
    assert publish(hermes, gone["key"], "a") == 401
    assert hermes.get(f"{PATH}/{key['id']}").json()["last_used_at"] is not None


# The API


def test_what_is_answered(hermes: HermesServer) -> None:
    fields = {"subscribe": ["news"], "publish": ["a:*"], "admin": False, "tokens": True}
    key = made(hermes, name="a service", **fields)
    assert key["key"].startswith(f"hk_{key['id']}_")
    text = key.pop("key")
    assert fields.items() <= key.items()
    assert (key["name"], key["kind"], key["expires_at"], key["revoked_at"]) == ("a service", "created", None, None)
    one = hermes.get(f"{PATH}/{key['id']}")
    assert one.json() == key
    assert one.headers["Cache-Control"] == "no-store"
    listed = hermes.get(PATH)
    assert key in listed.json()["items"]
    assert text[12:] not in listed.text + one.text


def test_the_list_in_pages(hermes: HermesServer) -> None:
    ids = {made(hermes)["id"] for _ in range(3)}
    whole = hermes.get(PATH, params={"limit": 200}).json()
    assert whole["next"] is None
    items: list[Any] = []
    after = None
    while True:
        page = hermes.get(PATH, params={"limit": 1, **({"after": after} if after else {})}).json()
        items += page["items"]
        after = page["next"]
        if after is None:
            break
    assert items == whole["items"]
    assert items[0]["kind"] == "settings"
    assert ids <= {item["id"] for item in items}


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "name"),
        ({"name": "a", "grants": 1}, "grants"),
        ({"name": "a", "publish": "b"}, "publish"),
        ({"name": "a", "subscribe": ["hermes:*"]}, "subscribe"),
        ({"name": "a", "expires_in": 0}, "expires_in"),
        ({"name": "a", "expires_at": "tomorrow"}, "expires_at"),
        ([], "body"),
        ("a", "body"),
        (None, "body"),
    ],
)
def test_what_is_refused(hermes: HermesServer, body: Any, field: str) -> None:
    answer = hermes.post(PATH, data=json.dumps(body))
    assert code(answer) == (400, "INVALID_INPUT")
    assert answer.json()["error"]["details"][0]["field"] == field


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"name":"\\ud800"}', b"[" * 100_000])
def test_what_is_no_json(hermes: HermesServer, body: bytes) -> None:
    assert code(hermes.post(PATH, data=body)) == (400, "INVALID_INPUT")


def test_a_body_that_is_too_large(hermes: HermesServer) -> None:
    assert code(hermes.post(PATH, data=b" " * 1_100_000)) == (413, "TOO_LARGE")


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "limit=-1", "limit=%C2%B2", "after=x", "sort=name"]
)
def test_a_bad_query(hermes: HermesServer, query: str) -> None:
    answer = hermes.get(f"{PATH}?{query}")
    assert code(answer) == (400, "INVALID_INPUT")
    assert answer.json()["error"]["details"][0]["field"] == query.partition("=")[0]


@pytest.mark.parametrize("id", ["abcdefgh", "x", "a%00b", "%F0%9F%98%80", "x" * 3000, "..%2Fx"])
def test_there_is_no_such_key(hermes: HermesServer, id: str) -> None:
    for method in ("GET", "DELETE"):
        assert code(hermes.request(method, f"{PATH}/{id}")) == (404, "NOT_FOUND")


def test_the_last_way_in_stays(hermes: HermesServer) -> None:
    fixed = hermes.get(PATH).json()["items"][0]
    answer = hermes.request("DELETE", f"{PATH}/{fixed['id']}")
    assert code(answer) == (403, "FORBIDDEN")
    assert "HERMES_API_KEYS" in answer.json()["error"]["message"]
    assert hermes.get(PATH).status_code == 200


def test_only_administrators_may(hermes: HermesServer) -> None:
    plain = made(hermes, subscribe=["*"], publish=["*"], tokens=True)["key"]
    id = made(hermes)["id"]
    for method, path in (("POST", PATH), ("GET", PATH), ("GET", f"{PATH}/{id}"), ("DELETE", f"{PATH}/{id}")):
        assert code(by_key(hermes, plain, method, path, json={"name": "x"})) == (403, "FORBIDDEN")
        assert code(requests.request(method, hermes.url + path, timeout=10)) == (401, "UNAUTHORIZED")
    admin = made(hermes, admin=True)["key"]
    assert by_key(hermes, admin, "POST", PATH, json={"name": "x"}).status_code == 201


# The dashboard


def sign_in(hermes: HermesServer, **form: str) -> requests.Response:
    return requests.post(f"{hermes.url}/dashboard/signin", data=form, allow_redirects=False, timeout=10)


def test_a_session_ends_with_its_key(hermes: HermesServer) -> None:
    key = made(hermes, admin=True)
    answer = sign_in(hermes, key=key["key"])
    assert answer.status_code == 303
    cookies = dict(answer.cookies)
    assert requests.get(hermes.url + PATH, cookies=cookies, timeout=10).status_code == 200
    hermes.request("DELETE", f"{PATH}/{key['id']}")
    assert requests.get(hermes.url + PATH, cookies=cookies, timeout=10).status_code == 401


def test_no_other_key_signs_in(hermes: HermesServer) -> None:
    for key in (made(hermes, publish=["*"])["key"], "", "wrong", "hk_abcdefgh_" + "x" * 43):
        assert sign_in(hermes, key=key).status_code == 403


# By the command line


def run(*words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words], env=clean_environment(**settings), capture_output=True, text=True, timeout=60, check=False
    )


def succeeded(result: subprocess.CompletedProcess[str]) -> str:
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def by_server(hermes: HermesServer) -> dict[str, str]:
    return {"HERMES_URL": hermes.url, "HERMES_API_KEY": hermes.key}


def test_the_command_at_a_server(hermes: HermesServer, tmp_path: Path) -> None:
    there = {**by_server(hermes), "HERMES_DATA_DIR": str(tmp_path / "elsewhere")}
    result = run("create", "--name", "ci", "--publish", "a:*", "--publish", "b", "--expires", "90d", **there)
    key = succeeded(result)
    assert key.count("\n") == 0
    assert key not in result.stderr
    assert [publish(hermes, key, channel) for channel in ("a:1", "b", "c")] == [201, 201, 403]
    id = key[3:11]
    assert id in result.stderr
    row = next(line for line in succeeded(run("list", **there)).split("\n") if line.startswith(id))
    assert "publish a:*,b" in row
    assert "until " in row
    succeeded(run("revoke", id, **there))
    assert publish(hermes, key, "b") == 401
    assert not (tmp_path / "elsewhere").exists()


def test_for_programs(hermes: HermesServer) -> None:
    there = by_server(hermes)
    key = json.loads(succeeded(run("create", "--name", "ci", "--admin", "--tokens", "--json", **there)))
    assert (key["name"], key["admin"], key["tokens"]) == ("ci", True, True)
    assert by_key(hermes, key["key"], "GET", PATH).status_code == 200
    items = [json.loads(line) for line in succeeded(run("list", "--json", **there)).split("\n")]
    assert items == hermes.get(PATH, params={"limit": 200}).json()["items"]


def test_before_the_first_start(start_hermes: StartHermes, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    here = {"HERMES_DATA_DIR": str(folder), "PORT": str(free_port()), "HOST": LOOPBACK}
    result = run("create", "--name", "first", "--publish", "a", **here)
    key = succeeded(result)
    assert str(folder) in result.stderr
    gone = succeeded(run("create", "--name", "second", "--publish", "a", **here))
    succeeded(run("revoke", gone[3:11], **here))
    assert "first" in succeeded(run("list", **here))
    hermes = start_hermes(folder)
    assert publish(hermes, key, "a") == 201
    assert publish(hermes, gone, "a") == 401


def test_in_the_database_of_a_server_that_runs(hermes: HermesServer) -> None:
    """As in a process beside it that has the database and no way to the server."""
    beside = {"HERMES_DATA_DIR": str(hermes.data_dir), "PORT": str(free_port()), "HOST": LOOPBACK}
    key = succeeded(run("create", "--name", "beside", "--publish", "a", **beside))
    wait_until(lambda: publish(hermes, key, "a") == 201, 2)
    succeeded(run("revoke", key[3:11], **beside))
    wait_until(lambda: publish(hermes, key, "a") == 401, 12)


def test_a_server_that_does_not_know_us_is_passed_by(start_hermes: StartHermes, hermes: HermesServer) -> None:
    """The way back in when the key is lost: who may write the database needs none."""
    other = {"HERMES_DATA_DIR": str(hermes.data_dir), "HERMES_API_KEYS": "8c1f2e7a90b3d4e5f60718293a4b5c6d"}
    key = succeeded(run("create", "--name", "lost", "--admin", **other, PORT=str(hermes.port), HOST=LOOPBACK))
    wait_until(lambda: by_key(hermes, key, "GET", PATH).status_code == 200, 2)


def test_a_server_that_was_named_and_is_away(tmp_path: Path) -> None:
    url = f"http://{LOOPBACK}:{free_port()}"
    result = run("create", "--name", "x", HERMES_URL=url, HERMES_DATA_DIR=str(tmp_path / "data"))
    assert (result.returncode, result.stdout) == (1, "")
    assert f"{url} cannot be reached" in result.stderr
    assert not (tmp_path / "data").exists(), "nobody asked for a key there"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("create", "--name", "x", "--expires", "soon"), "90d"),
        (("create", "--name", "x", "--expires", "99999w"), "expires_in"),
        (("create", "--name", " "), "name"),
        (("create", "--name", "x", "--publish", "a b"), "publish"),
        (("revoke", "abcdefgh"), "no API key"),
        (("revoke", "installation"), "last way in"),
    ],
)
@pytest.mark.parametrize("where", ["server", "database"])
def test_mistakes_are_one_sentence(
    request: pytest.FixtureRequest, tmp_path: Path, where: str, words: tuple[str, ...], said: str
) -> None:
    local = {"HERMES_DATA_DIR": str(tmp_path / "data"), "PORT": str(free_port()), "HOST": LOOPBACK}
    result = run(*words, **(by_server(request.getfixturevalue("hermes")) if where == "server" else local))
    assert (result.returncode, result.stdout) == (1, "")
    assert said in result.stderr
    assert "Traceback" not in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.fixture
def serve_text() -> Iterator[int]:
    """The port of a web server that is no Hermes."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"<h1>It works!</h1>")

        def log_message(self, *_: Any) -> None:
            return None

    server = ThreadingHTTPServer((LOOPBACK, 0), Page)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()
    thread.join()


def test_another_web_server_on_our_port_is_passed_by(serve_text: int, tmp_path: Path) -> None:
    here = {"HERMES_DATA_DIR": str(tmp_path / "data"), "PORT": str(serve_text), "HOST": LOOPBACK}
    assert succeeded(run("create", "--name", "x", **here)).startswith("hk_")
