"""Every module says what lives in it, every public function and class of a module what it is for."""

import ast

import pytest

from tests.rules.tree import modules, name

Documented = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def missing(source: str) -> list[str]:
    """What in this module should have a docstring and has none: `line: name`."""
    tree = ast.parse(source)
    if not tree.body:
        return []  # an empty __init__.py
    found = [] if ast.get_docstring(tree) else ["1: the module"]
    return found + [
        f"{node.lineno}: {node.name}"
        for node in tree.body
        if isinstance(node, Documented) and not node.name.startswith("_") and not ast.get_docstring(node)
    ]


def test_everything_public_is_documented() -> None:
    found = [f"{name(path)}:{line}" for path in modules() for line in missing(path.read_text())]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("source", "wanted"),
    [
        ("x = 1", ["1: the module"]),
        ('"""M."""\ndef f():\n    pass', ["2: f"]),
        ('"""M."""\nclass C:\n    x = 1', ["2: C"]),
        ('"""M."""\nasync def f():\n    ""', ["2: f"]),
        ('"""M."""\ndef _f():\n    pass\ndef g():\n    "G."', []),
    ],
)
def test_the_rule_can_fail(source: str, wanted: list[str]) -> None:
    assert missing(source) == wanted
