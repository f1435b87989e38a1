"""The compiled entry points are generated from the kinds, serve every robot, and never go stale."""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from bodies import ROBOTS, robot, whole_body

from kilohertz.controller.qp import entry
from kilohertz.controller.tasks.kind import load_kinds
from kilohertz.robots.compile import cached_entry

ROOT = Path(entry.__file__).parents[2]


@pytest.fixture
def generated(monkeypatch):
    """What is generated for each robot, without compiling it."""
    calls = []

    def remember(name, text, sources, expected_s):
        calls.append(SimpleNamespace(name=name, text=text, sources={Path(source) for source in sources}))
        return SimpleNamespace(run=lambda stage, table, x, y: 0)

    monkeypatch.setattr(cached_entry, "load_entry", remember)
    for name in ROBOTS:
        whole_body(robot(name), [])
    return calls


def test_all_robots_share_the_same_machine_code(generated):
    assert len({call.text for call in generated}) == 1


def test_every_kind_has_its_case(generated):
    text = generated[0].text
    for index, name in enumerate(load_kinds()):
        assert f"if kind == {index}:\n        fill_{name}(k, f, ref, gain, T, b)" in text


@pytest.mark.host
def test_an_edit_of_any_compiled_file_gives_new_machine_code(generated):
    """Every file with a kernel that the generated module loads is hashed."""
    lines = [line for line in generated[0].text.splitlines() if line.startswith(("from", "import"))]
    lines += [
        "import sys",
        "for name, module in sys.modules.items():",
        "    if name.split('.')[0] == 'kilohertz':",
        "        print(getattr(module, '__file__', None) or '')",
    ]
    code = "\n".join(lines)
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    loaded = {Path(line) for line in ran.stdout.splitlines() if line}
    marks = ("@kernel", "@struct_kernel", "@inner_kernel", "@task_kind")
    jitted = {path for path in loaded if any(mark in path.read_text() for mark in marks)}
    assert len(jitted) > 10
    assert jitted <= generated[0].sources


def test_an_edit_of_what_sets_the_problem_up_compiles_nothing(generated):
    names = {path.name for path in generated[0].sources}
    assert {"com.py", "dual_solver.py", "tables.py", "so3.py"} <= names
    assert not {"entry.py", "osqp_backend.py", "tolerances.py", "ahead.py", "robot_model.py"} & names


def test_asking_again_compiles_nothing():
    assert whole_body(robot("g1"))._run is whole_body(robot("ur5"))._run
