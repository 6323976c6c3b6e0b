"""Runs the blocks of one document in order, as a reader would: in a fresh copy of the tree, beside a real server.

    bash              run to its end; variables and the folder are kept for the next one
    bash terminal-2   goes on in a terminal of its own, until the next block for that terminal or the document's end
    python            run to its end
    python prices.py  kept as that file (any language: a word that looks like a file's name)
    html static/x.html   kept as that file and opened in Chromium; with an address after it: opened there
    js                added to the page that is open, as a module
    text, json        what the block before printed; `text terminal-2`: that terminal; `text page`: the open page
    procfile          the Procfile of this repository

A document without a block that starts a server finds one running on port 8000. The ports that documents name stand for
free ones; 6379 is a real Redis.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import requests

from tests.docs.blocks import Block, difference, expectation, normalised
from tests.rules.tree import ROOT, _ours
from tests.support.browser import PlaywrightBrowser, PlaywrightTab, open_chromium
from tests.support.hermes_server import clean_environment
from tests.support.ports import LOOPBACK, free_port, is_listening
from tests.support.process import Process
from tests.support.redis_server import RedisServer
from tests.support.wait import wait_until

HOME = "/home/you/hermes"  # the folder in what documents show
PORTS = (8000, 8001, 8002, 8003)
REDIS_PORT = 6379
SHELL = """set -euo pipefail
set -a  # so that the next block has the variables too
touch {state}
source {state}
{text}
declare -px | grep -v " BASHOPTS\\| SHELLOPTS" >{state}
"""
STARTS_SERVER = re.compile(r"script/server|gunicorn|hermes serve|flask ")
OPENS_STREAM = re.compile(r"hermes listen|events/stream|EventSource\(")
COMMANDS = {
    "flask": "flask.cli:main",
    "gunicorn": "gunicorn.app.wsgiapp:run",
    "hermes": "hermes.cli:main",
    "pytest": "pytest:console_main",
}
FILE = re.compile(r"[\w/.-]+\.[a-z]+")


class Reader:
    """Somebody who follows one document; use in a `with` statement."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "hermes"
        self._state = folder / "state"
        self._stack = ExitStack()
        self._ports = {port: free_port() for port in PORTS}
        self._printed = ""
        self._terminals: dict[str, Process] = {}
        self._browser: PlaywrightBrowser | None = None
        self._tab: PlaywrightTab | None = None

    def __enter__(self) -> "Reader":
        copy_tree(self.folder)
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()

    def read(self, blocks: list[Block]) -> None:
        """Does what the document says, block by block."""
        if any(str(REDIS_PORT) in block.text for block in blocks):
            redis = self._stack.enter_context(RedisServer(self.folder.parent / "redis"))
            self._ports[REDIS_PORT] = redis.port
        if not any(_starts_server(block) and self._port_of(block) == self._ports[8000] for block in blocks):
            self._shell(Block(blocks[0].document, 0, "bash", ("terminal-0",), "script/server"))
        for block in blocks:
            if block.is_run:
                try:
                    self._act(block)
                except Exception as error:
                    raise AssertionError(f"{block.where}\n{block.text}\n{error}") from error

    @property
    def _environment(self) -> dict[str, str]:
        """A shell in which nothing of this test's own environment is found: documents say what to activate."""
        here = Path(sys.executable).parent
        path = ":".join(part for part in os.environ["PATH"].split(":") if Path(part) != here)
        kept = clean_environment(PATH=path, HOST=LOOPBACK, PORT=str(self._ports[8000]), no_proxy="*")
        return {name: value for name, value in kept.items() if not name.startswith(("VIRTUAL_ENV", "PYTHON"))}

    # --- one block

    def _act(self, block: Block) -> None:
        actions: dict[str, Callable[[Block], None]] = {
            "bash": self._shell,
            "python": self._python,
            "html": self._page,
            "js": self._script,
            "text": self._shows,
            "json": self._shows_json,
            "procfile": self._procfile,
        }
        assert block.language in actions, f"nothing runs a block of {block.language!r}"
        actions[block.language](block)

    def _shell(self, block: Block) -> None:
        terminal = _terminal(block)
        if terminal is None:
            script = SHELL.format(state=self._state, text=self._real(block.text))
            self._run(["bash", "-c", script])
            return
        if terminal in self._terminals:
            self._terminals.pop(terminal).end()
        if _starts_server(block):
            assert not is_listening(self._port_of(block)), "somebody listens on that port already"
        script = f"source {self._state}\n" if self._state.exists() else ""
        *before, last = self._real(block.text).strip().split("\n")
        process = Process(
            ["bash", "-c", "\n".join([script, *before, f"exec env {last}"])],
            env=self._environment,
            cwd=self.folder,
            log=self.folder.parent / f"{terminal}-{block.line}.log",
        )
        open_before = self._streams() if OPENS_STREAM.search(block.text) else None
        self._terminals[terminal] = self._stack.enter_context(process)
        if _starts_server(block):
            url = f"http://{LOOPBACK}:{self._port_of(block)}/readyz"
            process.wait_for(lambda: _answers(url), 30, url)
        elif open_before is not None:
            process.wait_for(lambda: self._streams() > open_before or process.output(), 20, "an open stream")

    def _python(self, block: Block) -> None:
        name = _file(block)
        path = self.folder / (name or ".block.py")
        path.write_text(self._real(block.text))
        if name is None:
            self._run([str(self.folder / ".venv" / "bin" / "python"), str(path)])
            path.unlink()

    def _page(self, block: Block) -> None:
        name = _file(block)
        assert name is not None, "an html block names its file"
        path = self.folder / name
        path.write_text(self._real(block.text))
        served = next((word for word in block.words if word.startswith("http://")), f"http://localhost:8000/{name}")
        with self._opening(block):
            self._open(self._real(served))

    def _script(self, block: Block) -> None:
        if self._tab is None:
            self._open(f"http://localhost:{self._ports[8000]}/healthz")
        assert self._tab is not None
        with self._opening(block):
            self._tab.page.add_script_tag(type="module", content=self._real(block.text))

    def _shows(self, block: Block) -> None:
        wanted = expectation(block.text)
        place = block.words[0] if block.words else ""
        if place == "page":
            tab = self._tab
            assert tab is not None, "no page is open"
            text = block.text.strip()
            wait_until(lambda: text in tab.evaluate("document.body.innerText"), 15, lambda: self._seen(repr(text)))
            assert self._browser is not None
            # A browser asks for a favicon too; what a page itself misses, its text does not show.
            errors = [line for line in self._browser.errors() if "Failed to load resource" not in line.text]
            assert not errors, errors
        elif place:
            terminal = self._terminals[place]
            terminal.wait_for(lambda: wanted.search(self._shown(terminal.output())), 15, f"{wanted.pattern}")
        else:
            printed = self._shown(self._printed).strip("\n") + "\n"
            assert wanted.fullmatch(printed), f"--- printed:\n{printed}--- wanted: {wanted.pattern}"

    def _shows_json(self, block: Block) -> None:
        found = difference(json.loads(self._real(block.text)), json.loads(self._printed))
        assert found is None, f"{found}\n--- printed:\n{self._printed}"

    def _procfile(self, block: Block) -> None:
        assert block.text == (ROOT / "Procfile").read_text()

    # --- helpers

    def _run(self, command: list[str]) -> None:
        done = subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
        self._printed = done.stdout

    def _open(self, url: str) -> None:
        if self._browser is None:
            self._browser = self._stack.enter_context(open_chromium())
        self._tab = self._browser.tab(url)

    def _seen(self, what: str) -> str:
        assert self._tab is not None
        assert self._browser is not None
        return f"{what} on the page; it says {self._tab.evaluate('document.body.innerText')!r}, {self._browser.console}"

    def _real(self, text: str) -> str:
        """The text of a block with this run's ports."""
        for port, given in self._ports.items():
            text = re.sub(rf"\b{port}\b", str(given), text)
        return text

    def _shown(self, text: str) -> str:
        """What was printed, as a document would show it."""
        for port, given in self._ports.items():
            text = text.replace(str(given), str(port))
        text = normalised(text.replace("\r\n", "\n").replace(str(self.folder), HOME))
        return text if text.endswith("\n") else text + "\n"

    def _port_of(self, block: Block) -> int:
        named = re.search(r"PORT=(\d+)|--port (\d+)", block.text)
        return self._ports[int(named[1] or named[2])] if named else self._ports[8000]

    @contextmanager
    def _opening(self, block: Block) -> Iterator[None]:
        """Goes on once the stream that the block's page opens is there: what is published next is for it to see."""
        before = self._streams()
        yield
        if OPENS_STREAM.search(block.text):
            wait_until(lambda: self._streams() > before, 20, lambda: self._seen("an open stream"))

    def _streams(self) -> int:
        total = 0
        for port in PORTS:
            try:
                health = requests.get(f"http://{LOOPBACK}:{self._ports[port]}/api/v1/events/health", timeout=5)
                total += health.json()["process"]["active_connections"]
            except requests.RequestException:
                continue
        return total


def copy_tree(folder: Path) -> None:
    """What somebody has who cloned the repository and ran `script/server` once.

    The installation is not repeated: `.venv` is an environment with this tree, editable, and borrows the libraries of the
    one that runs the tests; `script/server` begins where its installation is done, with the command that it ends in.
    """
    for path in _ours():
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, copy)
    server = folder / "script" / "server"
    *_, last = server.read_text().rstrip().split("\n")
    server.write_text(f'#!/usr/bin/env bash\ncd "$(dirname "$0")/.."\n{last}\n')
    environment = folder / ".venv"
    venv.create(environment, symlinks=True, with_pip=False)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "tree.pth").write_text(f"{folder}\n{sysconfig.get_path('purelib')}\n")
    for command, call in COMMANDS.items():
        module, function = call.split(":")
        script = environment / "bin" / command
        script.write_text(
            f"#!{environment}/bin/python\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"
        )
        script.chmod(0o755)


def _terminal(block: Block) -> str | None:
    return next((word for word in block.words if word.startswith("terminal-")), None)


def _starts_server(block: Block) -> bool:
    """Whether its last command, behind the settings in front of it, is one that starts a server."""
    command = re.sub(r"^(?:\w+=\S* +)*", "", block.text.strip().split("\n")[-1])
    return block.language == "bash" and _terminal(block) is not None and bool(STARTS_SERVER.match(command))


def _file(block: Block) -> str | None:
    return next((word for word in block.words if FILE.fullmatch(word)), None)


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).status_code < 500  # a server of the document may have no such address
    except requests.RequestException:
        return False
