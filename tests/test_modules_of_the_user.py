"""A user's own modules named as this project's folders are neither hidden by it nor taken for its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.host

OWN_MODULES = """
import json, sys
import controller, robots, sim
import kilohertz.rt.run.session
names = ("controller", "estimators", "robots", "rt", "sim")
print(json.dumps({name: sys.modules[name].__file__ for name in names if name in sys.modules}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a `controller.py`, a `robots` package, and a `sim` package on the path below it."""
    (tmp_path / "controller.py").write_text('"""My own PID."""\n\n\nclass PID:\n    pass\n')
    for package in ("robots", "two/sim"):
        (tmp_path / package).mkdir(parents=True)
        (tmp_path / package / "__init__.py").write_text("")
    return tmp_path


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    # An empty entry stands for the current folder.
    environment = {**os.environ, "PYTHONPATH": ":two"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300
    )


@pytest.mark.long
@pytest.mark.parametrize("robot", ["g1", "panda"])
def test_the_command_runs_beside_them(folder: Path, robot: str) -> None:
    khz = str(Path(sys.executable).with_name("khz"))
    done = run(folder, khz, "sim", robot, "--duration", "0.05", "--json", "run.json")
    assert done.returncode == 0, done.stderr
    assert json.loads((folder / "run.json").read_text())["ticks"] == 50


def test_they_are_what_the_user_imports(folder: Path) -> None:
    done = run(folder, sys.executable, "-c", OWN_MODULES)
    assert done.returncode == 0, done.stderr
    own = {"controller": "controller.py", "robots": "robots/__init__.py", "sim": "two/sim/__init__.py"}
    found = {name: Path(file).resolve() for name, file in json.loads(done.stdout).items()}
    assert found == {name: (folder / file).resolve() for name, file in own.items()}
