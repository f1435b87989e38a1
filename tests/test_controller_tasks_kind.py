"""The registry of task kinds: a new kind is one file, and nothing else is edited."""

import ast
import importlib
import inspect
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pinocchio as pin
import pytest
from bodies import robot, whole_body

from kilohertz.controller.problem.tables import (
    JOINT_DIAGONAL,
    MAX_TASK_DIM,
    MOMENTUM,
    MOTION,
    WRENCH,
    WRENCH_DIAGONAL,
)
from kilohertz.controller.qp import task_rows
from kilohertz.controller.tasks import kind as kind_module
from kilohertz.controller.tasks.kind import KINDS, load_kinds
from kilohertz.controller.whole_body.whole_body import Task
from kilohertz.robots.compile import cached_entry

# Turns a frame's z axis to the vertical.
UPRIGHT = """
import numpy as np
from kilohertz.controller.problem.tables import MOTION
from kilohertz.controller.tasks.kind import task_kind


@task_kind("upright", space=MOTION, dim=2, n_ref=0)
def fill(k, f, ref, gain, T, b):
    for r in range(2):
        T[r] = k.J[f, 3 + r]
    b[0] = -gain[0] * k.R[f, 2, 1] - gain[1] * k.vel[f, 3] - k.drift[f, 3]
    b[1] = gain[0] * k.R[f, 2, 0] - gain[1] * k.vel[f, 4] - k.drift[f, 4]


def spec(k, f, ref, gain):
    error = np.cross([0, 0, 1], k.R[f].T @ [0, 0, 1])[:2]
    return k.J[f, 3:5], gain[0] * error - gain[1] * k.vel[f, 3:5] - k.drift[f, 3:5]
"""


@pytest.fixture
def upright(tmp_path, monkeypatch):
    """The kind above, registered by importing its file, and forgotten afterwards."""
    load_kinds()
    (tmp_path / "upright_task.py").write_text(UPRIGHT)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield importlib.import_module("upright_task")
    del KINDS["upright"]
    del sys.modules["upright_task"]


def test_every_file_of_the_folder_is_found():
    folder = Path(kind_module.__file__).parent
    kinds = {path.stem for path in folder.glob("*.py")} - {"__init__", "kind", "frames"}
    assert set(load_kinds()) == kinds


def test_the_order_of_imports_does_not_matter():
    names = list(load_kinds())
    for name in reversed(names):
        KINDS[name] = KINDS.pop(name)
    assert list(load_kinds()) == sorted(names)


@pytest.mark.parametrize("name", sorted(load_kinds()))
def test_a_kind_has_a_twin_a_test_and_fits_its_slot(name):
    kind = KINDS[name]
    module = importlib.import_module(kind.module)
    assert list(inspect.signature(module.spec).parameters) == ["k", "f", "ref", "gain"]
    assert list(inspect.signature(module.fill).parameters) == ["k", "f", "ref", "gain", "T", "b"]
    assert kind.space in (MOTION, MOMENTUM, JOINT_DIAGONAL, WRENCH_DIAGONAL, WRENCH)
    assert len(kind.components) == (kind.dim if kind.space == WRENCH else 0)
    assert 0 <= kind.dim <= MAX_TASK_DIM
    assert Path(__file__).with_name(f"test_controller_tasks_{name}.py").exists()


def test_a_kind_with_one_number_per_joint_grows_with_the_robot():
    assert KINDS["posture"].ref_length(7) == 14
    assert KINDS["com"].ref_length(7) == 9


def test_a_new_kind_is_one_file_and_takes_part_in_the_next_set_up(upright, monkeypatch):
    """The generated switch imports the new file, depends on its text, and calls its fill."""
    generated = {}

    def generate_only(name, text, sources, expected_s):
        generated.update(text=text, sources=list(sources))
        return SimpleNamespace(run=lambda *table: 0)

    monkeypatch.setattr(cached_entry, "load_entry", generate_only)
    body = whole_body(robot("g1"), [Task("head_up", "upright", [2.0, 3.0], [100.0, 20.0], "torso_link")])
    assert Path(upright.__file__) in generated["sources"]

    rng, arrays, f = np.random.default_rng(0), body.arrays, body.frame_index["torso_link"]
    for array in (arrays.kin.J, arrays.kin.vel, arrays.kin.drift):
        array[:] = rng.normal(size=array.shape)
    arrays.kin.R[f] = pin.exp3(rng.normal(size=3))
    assert row_writer(generated["text"], monkeypatch)(arrays.kin, arrays.tasks, arrays.rows) == 2
    T, b = upright.spec(arrays.kin, f, body.reference("head_up"), body.gain("head_up"))
    np.testing.assert_allclose(arrays.rows.T[:2], T)
    np.testing.assert_allclose(arrays.rows.b[:2], b)
    np.testing.assert_array_equal(arrays.rows.w[:2], [2.0, 3.0])


def row_writer(text, monkeypatch):
    """What writes the rows of all tasks with the generated switch over kinds, to be run as plain Python."""
    module = ast.parse(text)
    switch = next(node for node in module.body if getattr(node, "name", "") == "fill")
    switch.decorator_list = []
    module.body = [node for node in module.body if isinstance(node, (ast.Import, ast.ImportFrom))] + [switch]
    namespace = {}
    exec(compile(module, "generated", "exec"), namespace)
    for name in [name for name in namespace if name.startswith("fill_")]:
        namespace[name] = namespace[name].py_func
    monkeypatch.setattr(task_rows, "clear_diagonals", task_rows.clear_diagonals.py_func)
    return task_rows.task_row_writer(namespace["fill"]).py_func
