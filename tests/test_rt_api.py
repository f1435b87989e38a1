"""The package itself: importing it is cheap, and every public name is there."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

import kilohertz as khz


def fresh(program: str) -> str:
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


@pytest.mark.host
def test_importing_loads_nothing_and_changes_nothing() -> None:
    program = (
        "import os, signal, sys; before = dict(os.environ), signal.getsignal(signal.SIGINT);"
        "import kilohertz;"
        "assert before == (dict(os.environ), signal.getsignal(signal.SIGINT));"
        "heavy = {'numpy', 'scipy', 'pinocchio', 'mujoco', 'numba', 'pydantic', 'zmq', 'matplotlib'};"
        "print(sorted(heavy & set(sys.modules)),"
        " sorted(name for name in sys.modules if name.startswith('kilohertz')))"
    )
    assert fresh(program) == "[] ['kilohertz']"


@pytest.mark.parametrize("name", khz.__all__)
def test_every_public_name_is_there_and_documented(name: str) -> None:
    value = getattr(khz, name)
    assert getattr(khz, name) is value
    assert isinstance(value, str) or len(value.__doc__) > 20


def test_the_names_for_type_checkers_are_those_that_are_loaded() -> None:
    assert khz.__file__ is not None
    tree = ast.parse(Path(khz.__file__).read_text())
    imported = {
        (alias.asname, f"{node.module}.{alias.name}")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("kilohertz.")
        for alias in node.names
    }
    loaded = {(name, f"kilohertz.{module}.{name}") for name, module in khz._MODULES.items()}
    assert imported == loaded
    assert sorted(khz.__all__) == sorted([*khz._MODULES, "__version__"])


def test_no_public_name_is_that_of_a_module() -> None:
    """A module that is imported becomes an attribute of the package, in place of the function."""
    assert khz.__file__ is not None
    modules = {path.stem for path in Path(khz.__file__).parent.glob("*.py")}
    assert modules.isdisjoint(khz.__all__)
    assert {"controller", "estimators", "robots", "rt", "sim"}.isdisjoint({*khz.__all__, *modules})


def test_the_version_is_that_of_the_distribution() -> None:
    assert khz.__version__ == version("kilohertz")


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="'kilohertz' has no attribute 'simulat'"):
        khz.simulat  # type: ignore[attr-defined]  # noqa: B018
    assert "simulate" in dir(khz)
