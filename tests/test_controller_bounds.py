"""The compiled kernels read and write inside their arrays: they run once with every index checked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.host

EVERY_STAGE = """
import numpy as np
from bodies import ask, balance_tasks, random_state, weak, whole_body
from kilohertz.controller.whole_body.whole_body import Task
from test_controller_qp_inequality_rows import bind_at, bounds
for name in ("g1", "bolt", "panda"):
    for solver in ("osqp", "exact"):
        model = weak(name, 0.5)
        tasks = balance_tasks(model)
        if model.floating:
            foot = model.contact_names[1]
            tasks += [Task("cop", "cop", 1.0, (), foot), Task("part", "force_share", 1.0, (), foot)]
        body = whole_body(model, tasks, solver=solver, inequalities=bounds(model))
        rng = np.random.default_rng(0)
        for _ in range(5):
            body.update(*random_state(body.robot, rng))
            ask(body, rng, 10.0)
            bind_at(body, rng)
            body.assemble()
            body.solve()
            body.solve_softened()
print("inside")
"""


@pytest.mark.long
def test_no_kernel_leaves_its_arrays(tmp_path: Path) -> None:
    env = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "KILOHERTZ_CACHE": str(tmp_path)}
    env["PYTHONPATH"] = str(Path(__file__).parent)
    ran = subprocess.run([sys.executable, "-c", EVERY_STAGE], env=env, capture_output=True, text=True)
    assert ran.stdout.strip() == "inside", ran.stderr[-2000:]
