"""Every Python example of the interface's docstrings and of README runs as it is written."""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from control_channel import controller

import kilohertz
from kilohertz.robots.model.robot_model import RobotModel

CONTROL = "ipc:///tmp/kilohertz-0/g1-control"
"""Control endpoint in the examples."""
ROOT = Path(__file__).parents[1]
assert kilohertz.__file__ is not None
INTERFACE = Path(kilohertz.__file__).parent


def literal_blocks(text: str) -> Iterator[str]:
    """The indented blocks that follow a line ending in `::`."""
    lines = textwrap.dedent(text).split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        at += 1
        if not line.rstrip().endswith("::"):
            continue
        indent = len(line) - len(line.lstrip())
        block = []
        while at < len(lines) and (
            not lines[at].strip() or len(lines[at]) - len(lines[at].lstrip()) > indent
        ):
            block.append(lines[at])
            at += 1
        yield textwrap.dedent("\n".join(block)).strip()


def docstring_examples() -> Iterator[Any]:
    for path in sorted(INTERFACE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                # The first line stands at the margin, all others are indented like the code.
                first, _, rest = (ast.get_docstring(node, clean=False) or "").partition("\n")
                for block in literal_blocks(f"{first}\n{textwrap.dedent(rest)}"):
                    yield pytest.param(block, id=f"{path.stem}-{getattr(node, 'name', 'module')}")


def fenced_blocks(path: Path) -> str:
    """All Python blocks of a Markdown file in order: a later one may use names of an earlier one."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```", path.read_text(), re.MULTILINE | re.DOTALL))


pytestmark = pytest.mark.closed_loop

EXAMPLES = list(docstring_examples())


def test_the_examples_are_found() -> None:
    names = {example.id for example in EXAMPLES}
    assert {"__init__-module", "batch-simulate", "stepwise-Simulation", "own_loop-Controller"} <= names
    assert all("import kilohertz as khz" in example.values[0] for example in EXAMPLES)


def run(source: str, name: str, folder: Path) -> None:
    """Runs an example; at its control endpoint there is an agent, with a stand-in for the loop."""
    endpoint = f"ipc://{folder}/control"
    code = compile(source.replace(CONTROL, endpoint), name, "exec")
    with controller(RobotModel.load("g1"), endpoint) if CONTROL in source else nullcontext():
        exec(code, {"__name__": "__main__"})


@pytest.mark.parametrize("source", EXAMPLES)
def test_an_example_of_a_docstring_runs(source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(source, "<example>", tmp_path)


@pytest.mark.long
def test_the_examples_of_readme_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = fenced_blocks(ROOT / "README.md")
    assert "khz.simulate" in source
    monkeypatch.chdir(tmp_path)
    assert CONTROL in source
    run(source, "README.md", tmp_path)
