"""The wheel as it is built: installed in an environment of its own, run from an empty folder, away from this tree."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest
import requests

from tests.rules.tree import ROOT
from tests.support.hermes_server import clean_environment
from tests.support.ports import free_port
from tests.support.process import Process

pytestmark = pytest.mark.skipif(not (ROOT / "static" / "hermes.js").exists(), reason="nothing to pack yet")


def run(*command: str | os.PathLike[str], cwd: Path | None = None, env: dict[str, str] | None = None) -> str:
    """What the command printed; one that fails shows all it said."""
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    run(*pip, "--wheel-dir", folder, ROOT)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with this wheel; the libraries it needs are lent by this one, to stay off the network."""
    folder = tmp_path_factory.mktemp("environment")
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "venv", "--without-pip", folder)
    run(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-deps", "--no-index", wheel)
    # After the install: pip must not find the Hermes of this environment and replace it.
    packages = run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").strip()
    Path(packages, "lent.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


@pytest.fixture
def empty(tmp_path: Path) -> Path:
    folder = tmp_path / "empty"
    folder.mkdir()
    return folder


def settings(environment: Path, **more: str) -> dict[str, str]:
    return clean_environment(PATH=f"{environment / 'bin'}:{os.defpath}", **more)


def test_it_holds_the_package_and_all_of_static(wheel: Path) -> None:
    held = set(zipfile.ZipFile(wheel).namelist())
    wanted = {f"hermes/static/{path.relative_to(ROOT / 'static')}" for path in files("static")}
    wanted |= {str(path.relative_to(ROOT)) for path in files("hermes")}
    assert "hermes/static/hermes.js" in wanted
    assert wanted - held == set()
    assert {name.partition("/")[0] for name in held - wanted} == {f"{'-'.join(wheel.name.split('-')[:2])}.dist-info"}
    assert any(name.endswith("licenses/LICENSE") for name in held)


def files(folder: str) -> list[Path]:
    """The files of a folder without what tools leave there."""
    found = (path for path in (ROOT / folder).rglob("*") if path.is_file())
    return [path for path in found if not any(part.startswith((".", "__pycache__")) for part in path.parts)]


def test_the_source_archive_holds_what_building_and_testing_take(tmp_path: Path) -> None:
    run(sys.executable, "-m", "hatchling", "build", "--target", "sdist", "--directory", tmp_path, cwd=ROOT)
    (archive,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        held = {name.partition("/")[2] for name in tar.getnames()}
    assert {"app.py", "pyproject.toml", "LICENSE", "static/hermes.js", "script/test", "tests/conftest.py"} <= held
    assert not [name for name in held if "node_modules" in name or name.startswith((".venv", "data/"))]


def test_it_is_imported_from_the_wheel(environment: Path, empty: Path) -> None:
    where = run(environment / "bin" / "python", "-c", "import hermes; print(hermes.__file__)", cwd=empty)
    assert Path(where.strip()).is_relative_to(environment)


@pytest.mark.parametrize("arguments", [["--help"], ["settings"]])
def test_commands_from_an_empty_folder(environment: Path, empty: Path, arguments: list[str]) -> None:
    printed = run(environment / "bin" / "hermes", *arguments, cwd=empty, env=settings(environment))
    assert ("HERMES_DATA_DIR" if arguments == ["settings"] else "serve") in printed
    assert list(empty.iterdir()) == [], "asking leaves nothing behind"


@pytest.mark.live
def test_serve(environment: Path, empty: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with Process(
        [environment / "bin" / "hermes", "serve"],
        cwd=empty,
        env=settings(environment, PORT=str(port), HOST="127.0.0.1"),
    ) as server:
        server.wait_for_port(port, timeout=30)
        assert requests.get(f"{url}/healthz", timeout=10).status_code == 200
        script = requests.get(f"{url}/static/hermes.js", timeout=10)
        assert script.content == (ROOT / "static" / "hermes.js").read_bytes()
        assert "javascript" in script.headers["Content-Type"]
