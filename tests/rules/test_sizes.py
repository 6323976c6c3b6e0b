"""Modules stay short enough to be read in one go, functions short enough to be seen at once."""

import ast
import re

import pytest

from tests.rules.tree import modules, name, scripts

MODULE_LINES = 400
FUNCTION_LINES = 60

# JavaScript functions are found by how they are laid out: a line that opens one, and the next line at the same depth
# that begins with a closing brace.
_KEYWORD = r"(?!(?:if|for|while|switch|catch|with|do|else|try|return|await)\b)"
_OPENS = re.compile(
    r"^(?P<depth>\s*)(?:"
    r"(?:export\s+)?(?:default\s+)?(?:async\s+)?function\b.*"  # a declaration, its parameters perhaps below
    r"|.*(?:=>|\bfunction\b[^{]*\))\s*\{"  # an arrow or an expression, wherever it stands
    rf"|(?:static\s+|async\s+|get\s+|set\s+|\*\s*)*{_KEYWORD}[#\w$]+\s*\([^;]*\{{"  # a method
    r")\s*$"
)


def long_python(source: str, limit: int = FUNCTION_LINES) -> list[str]:
    """Functions over the limit, docstring and decorators not counted: `line: name (lines)`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            lines = (node.end_lineno or node.lineno) - node.lineno + 1
            if ast.get_docstring(node):
                lines -= (node.body[0].end_lineno or 0) - node.body[0].lineno + 1
            if lines > limit:
                found.append(f"{node.lineno}: {node.name} ({lines})")
    return found


def long_javascript(source: str, limit: int = FUNCTION_LINES) -> list[str]:
    """Functions over the limit: `line: its first line (lines)`.

    The lines of a function within it are that one's alone: a function that makes an object of others is a class.
    """
    lines = source.split("\n")
    spans = [(start, end) for start in range(len(lines)) if (end := _end_of_function(lines, start))]
    found = []
    for start, end in spans:
        inner = {line for s, e in spans if start < s <= e <= end for line in range(s, e + 1)}
        own = end - start + 1 - len(inner)
        if own > limit:
            found.append(f"{start + 1}: {lines[start].strip()} ({own})")
    return found


def _end_of_function(lines: list[str], start: int) -> int | None:
    opening = _OPENS.match(lines[start])
    if not opening:
        return None
    closing = re.compile(rf"{opening['depth']}\}}")
    return next((number for number in range(start + 1, len(lines)) if closing.match(lines[number])), None)


def test_modules() -> None:
    counts = {name(path): path.read_text().count("\n") for path in [*modules(), *scripts()]}
    assert {path: lines for path, lines in counts.items() if lines > MODULE_LINES} == {}


def test_functions() -> None:
    found = [f"{name(path)}:{line}" for path in modules() for line in long_python(path.read_text())]
    found += [f"{name(path)}:{line}" for path in scripts() for line in long_javascript(path.read_text())]
    assert not found, "\n".join(found)


def test_the_python_rule_can_fail() -> None:
    body = "    x = 1\n" * 4
    assert long_python(f"def f():\n{body}", 4) == ["1: f (5)"]
    assert long_python(f"class C:\n  def f(self):\n{body}", 4) == ["2: f (5)"]
    assert long_python(f'def f():\n    """A\n    B\n    """\n{body}', 5) == []


@pytest.mark.parametrize(
    "opening",
    [
        "function f() {",
        "export async function f(\n  a,\n  b,\n) {",
        "export default function* f(a, b) {",
        "const f = (a) => {",
        "  method(a, { b, c } = {}) {",
        "  async #poll() {",
        "  static get value() {",
        "stream.on('x', async (event) => {",
        "  return function (a) {",
    ],
)
def test_the_javascript_rule_can_fail(opening: str) -> None:
    depth = " " * (len(opening) - len(opening.lstrip()))
    body = f"{depth}  if (x) {{\n{depth}    y()\n{depth}  }}\n" * 3
    assert long_javascript(f"{opening}\n{body}{depth}}}\n", 10)
    assert long_javascript(f"{opening}\n{body}{depth}}}\n", 20) == []


def test_a_function_within_counts_for_itself() -> None:
    inner = "  const g = () => {\n" + "    y()\n" * 6 + "  }\n"
    outer = "const f = () => {\n" + inner + "  x()\n" * 2 + inner + "}\n"
    assert long_javascript(outer, 8) == []
    assert long_javascript(outer, 7) == ["2: const g = () => { (8)", "12: const g = () => { (8)"]
    assert long_javascript(outer, 3)[0] == "1: const f = () => { (4)"


def test_blocks_are_no_functions() -> None:
    assert long_javascript("if (x) {\n  y()\n}\nfor (const a of b) {\n  y()\n}\nclass A {\n\n}\n", 2) == []
