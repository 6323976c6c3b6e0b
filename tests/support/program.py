"""Finding the programs that tests start: a missing one skips on a laptop and fails under CI."""

import os
import shutil

import pytest

_SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"  # not in the PATH of an ordinary Debian user


def require_program(name: str) -> str:
    """The path of the program `name`; else the test is skipped, or fails where `CI` or `HERMES_TEST_STRICT` is set."""
    path = shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_PATH}")
    if path:
        return path
    sentence = f"{name} is not installed; script/test installs what the tests need"
    if is_strict():
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


def is_strict() -> bool:
    """Whether a missing program is a failure."""
    return any(os.environ.get(name, "") not in ("", "0", "false") for name in ("CI", "HERMES_TEST_STRICT"))
