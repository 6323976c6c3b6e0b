"""The API as its OpenAPI document describes it, asked everything that the document allows and much that it does not.

By default the same few requests each time, so that a failure is caused by a change; with `--full` at random, for a minute.
"""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.rules.tree import ROOT
from tests.support.hermes_server import HermesServer, clean_environment
from tests.support.load import stream_url
from tests.support.sse_client import StandardClient

HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
SECONDS = 60
CONFIGURATION = f"""
hooks = "{HOOKS}"
max-stream-events = 2    # the first frames of a stream: it would never end
request-timeout = 10
[cache]
enabled = false
# Schemathesis' own lists, and 414: the document cannot say how long an address gets
[checks.positive_data_acceptance]
expected-statuses = ["2xx", "3xx", 401, 403, 404, 409, 414, 429, "5xx"]
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 406, 409, 414, 415, 422, 428, 429, "5xx"]
[checks.use_after_free]  # a revoked key is still told of
enabled = false
"""
SETTINGS = {
    "HERMES_SYSTEM_INTERVAL": "0",
    "HERMES_PRESENCE_CHANNELS": "*",
    "HERMES_CONNECTS_PER_ADDRESS": "0",
}


def explore(hermes: HermesServer, folder: Path, *options: str) -> dict[str, object]:
    """Runs Schemathesis against the server; what it reports. Anything that it finds fails the test."""
    configuration, report = folder / "schemathesis.toml", folder / "report.json"
    configuration.write_text(CONFIGURATION)
    program = Path(sys.executable).with_name("schemathesis")
    command = [program, "--config-file", configuration, "run", f"{hermes.url}/api/v1/openapi.json"]
    command += ["-H", f"Authorization: Bearer {hermes.key}", "--no-color"]
    command += ["--report", "json", "--report-json-path", report, *options]
    environment = clean_environment(PYTHONPATH=str(ROOT), no_proxy="*")
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    found: dict[str, object] = json.loads(report.read_text())
    return found


@pytest.mark.live
@pytest.mark.timeout(300)
def test_the_api_is_as_it_is_described(full: bool, tmp_path: Path) -> None:
    options = (
        ["--max-time", str(SECONDS), "--generation-database", "none"]
        if full
        else ["--generation-deterministic", "--max-examples", "5"]
    )
    with HermesServer(tmp_path / "hermes", env=SETTINGS) as hermes:
        hermes.publish("orders", {"order": 17}, key="17")
        token = hermes.post("/api/v1/tokens", json={"user_id": "42", "subscribe": ["orders"]}).json()["token"]
        with StandardClient(stream_url(hermes, ["orders"], token=token)) as somebody:
            somebody.start()
            found = explore(hermes, tmp_path, *options)
        assert hermes.is_ready()
        complaints = [line for line in hermes.process.output().splitlines() if "Traceback" in line]
    print(f"scenario 30: {found['test_cases']} of {found['operations']}")
    operations = found["operations"]
    assert isinstance(operations, dict)
    assert operations["tested"] == operations["total"] > 8
    assert found["errors"] == []
    assert complaints == []
