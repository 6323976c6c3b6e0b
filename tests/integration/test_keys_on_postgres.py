"""Two machines with one PostgreSQL: keys, the admin key, sign-in links and sessions are everywhere the same."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.integration.conftest import StartHermes, StartRedis
from tests.support.hermes_server import HermesServer, clean_environment
from tests.support.postgres_server import PostgresServer
from tests.support.wait import wait_until

pytestmark = pytest.mark.live

PATH = "/api/v1/keys"
MAIN = [sys.executable, "-c", "from hermes.cli import main; main()"]
Machines = tuple[HermesServer, HermesServer]


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with PostgresServer() as server:
        yield server


@pytest.fixture
def database_url(postgres: PostgresServer) -> str:
    return postgres.new_database()


@pytest.fixture
def machines(start_hermes: StartHermes, start_redis: StartRedis, database_url: str) -> Machines:
    """Each with a data folder of its own; no key is set, so one is made."""
    env = {"DATABASE_URL": database_url, "HERMES_API_KEYS": "", "HERMES_SYSTEM_INTERVAL": "0"}
    redis = start_redis()
    here, there = (start_hermes(redis_url=redis.url, env=env) for _ in range(2))
    for server in (here, there):
        server.key = (here.data_dir / "admin.key").read_text().strip()
    return here, there


def banner(hermes: HermesServer) -> str:
    return hermes.process.output()


def run(database_url: str, folder: Path, *words: str) -> str:
    """A command on a machine that has nothing but the database's URL."""
    env = clean_environment(DATABASE_URL=database_url, HERMES_DATA_DIR=str(folder), PORT="1", HOST="127.0.0.1")
    done = subprocess.run([*MAIN, *words], env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def status(hermes: HermesServer, key: str) -> int:
    return requests.get(hermes.url + PATH, headers={"X-API-Key": key}, timeout=10).status_code


def test_the_admin_key_of_the_first_counts_on_both(machines: Machines) -> None:
    here, there = machines
    assert here.get(PATH).status_code == there.get(PATH).status_code == 200
    assert not (there.data_dir / "admin.key").exists()
    assert here.key in banner(here)
    assert here.key not in banner(there)
    assert "keys create --name NAME --admin" in banner(there)
    assert there.get(PATH).json()["items"][0]["kind"] == "installation"


def test_a_key_made_on_one_counts_on_both_until_it_is_revoked(machines: Machines) -> None:
    here, there = machines
    key = here.post(PATH, json={"name": "x", "admin": True}).json()
    assert status(there, key["key"]) == 200
    assert there.request("DELETE", f"{PATH}/{key['id']}").status_code == 204
    assert status(there, key["key"]) == 401
    wait_until(lambda: status(here, key["key"]) == 401, 1)


def test_a_link_of_one_signs_in_to_the_other_once(machines: Machines) -> None:
    here, there = machines
    found = re.search(r"dashboard +http://[^/]+(/dashboard\?code=\S+)", banner(here))
    assert found is not None
    answer = requests.get(there.url + found[1], allow_redirects=False, timeout=10)
    assert answer.status_code == 303
    assert requests.get(here.url + PATH, cookies=dict(answer.cookies), timeout=10).status_code == 200
    for server in machines:
        assert requests.get(server.url + found[1], allow_redirects=False, timeout=10).status_code == 403


def test_commands_need_nothing_but_the_database(machines: Machines, database_url: str, tmp_path: Path) -> None:
    here, _ = machines
    key = run(database_url, tmp_path / "nowhere", "keys", "create", "--name", "one-off", "--admin")
    wait_until(lambda: status(here, key) == 200, 2)
    assert "one-off" in run(database_url, tmp_path / "nowhere", "keys", "list")
    code = run(database_url, tmp_path / "nowhere", "link").rpartition("?")[2]
    answer = requests.get(f"{here.url}/dashboard?{code}", allow_redirects=False, timeout=10)
    assert answer.status_code == 303


def test_before_the_first_start(start_hermes: StartHermes, database_url: str, tmp_path: Path) -> None:
    """As in a release phase: the machine goes, what it made stays, and it makes no admin key that would go with it."""
    key = run(database_url, tmp_path / "gone", "keys", "create", "--name", "first", "--admin")
    hermes = start_hermes(env={"DATABASE_URL": database_url, "HERMES_API_KEYS": "", "HERMES_SYSTEM_INTERVAL": "0"})
    assert status(hermes, key) == 200
    assert status(hermes, (hermes.data_dir / "admin.key").read_text().strip()) == 200
    assert not (tmp_path / "gone" / "admin.key").exists()


def test_keys_count_while_the_database_is_away(machines: Machines, postgres: PostgresServer) -> None:
    here, there = machines
    key = here.post(PATH, json={"name": "x", "publish": ["a"]}).json()["key"]

    def publish(server: HermesServer, key: str) -> int:
        headers = {"Authorization": f"Bearer {key}"}
        return requests.post(
            f"{server.url}/api/v1/events", json={"channel": "a", "data": 1}, headers=headers, timeout=20
        ).status_code

    assert publish(there, key) == 201
    postgres.kill9()
    try:
        for server in machines:
            assert publish(server, key) == 201
            assert publish(server, "hk_abcdefgh_" + "x" * 43) == 401
            assert server.post(PATH, json={"name": "y"}).status_code == 503
    finally:
        postgres.start()
    wait_until(lambda: here.post(PATH, json={"name": "z"}).status_code == 201, 10)
