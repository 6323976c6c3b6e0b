"""Words that no file holds: notes to self (an issue is the place), and addresses of package registries.

Hermes installs from whichever registry a machine is set up with, so nothing here may pin one.
"""

import re

import pytest

from tests.rules.tree import name, texts

# Written so that this file does not hold them itself.
NOTES = ["TO" + "DO", "FIX" + "ME"]
REGISTRIES = [
    "pypi" + ".org",
    "python" + "hosted.org",
    "npm" + "js.org",
    "npm" + "js.com",
    "yarn" + "pkg.com",
    "crates" + ".io",
    "proxy.golang" + ".org",
    "maven" + ".org",
    "deb.debian" + ".org",
]
_PATTERN = re.compile(rf"\b({'|'.join(NOTES)})\b|{'|'.join(map(re.escape, REGISTRIES))}")


def unwanted(text: str) -> list[str]:
    """The unwanted words, with their lines: `line: word`."""
    return [f"{number}: {m[0]}" for number, line in enumerate(text.split("\n"), 1) for m in _PATTERN.finditer(line)]


def test_no_file_holds_them() -> None:
    found = [f"{name(path)}:{word}" for path, text in texts() for word in unwanted(text)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("word", NOTES + REGISTRIES)
def test_the_rule_can_fail(word: str) -> None:
    assert unwanted(f"a\n# {word}: b\n") == [f"2: {word}"]


def test_longer_words_pass() -> None:
    assert unwanted("TODOS of a person named Fixmer") == []
