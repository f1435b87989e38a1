"""Enabled tasks write their rows one after the other, inequalities after all that cost."""

import numpy as np
from bodies import base_link, robot, whole_body

from kilohertz.controller.problem.tables import COST_ROWS, INEQUALITY_ROWS, MOMENTUM, MOTION
from kilohertz.controller.qp.stages import NOTHING, ROWS
from kilohertz.controller.whole_body.whole_body import Inequality, Task

MODEL = robot("g1")
COM = Task("com", "com", [1.0, 2.0, 3.0], [40, 40, 60, 12, 12, 15])
BASE = Task("base", "frame_orientation", 5.0, [100, 20], base_link(MODEL))


def rows_of(tasks, enabled=None, inequalities=()):
    body = whole_body(MODEL, tasks, enabled=enabled, inequalities=inequalities)
    body.update(np.array(MODEL.q_nominal), np.zeros(MODEL.nv))
    run, table = body.compiled
    run(ROWS, table, NOTHING, NOTHING)
    return body.arrays.rows


def test_each_enabled_task_writes_its_rows_with_its_weights():
    rows = rows_of([COM, BASE])
    assert rows.size[COST_ROWS] == 6
    np.testing.assert_array_equal(rows.w[:6], [1.0, 2.0, 3.0, 5.0, 5.0, 5.0])
    np.testing.assert_array_equal(rows.space[:6], [MOMENTUM] * 3 + [MOTION] * 3)
    np.testing.assert_array_equal(rows.task[:6], [0, 0, 0, 1, 1, 1])


def test_a_task_that_is_not_enabled_writes_nothing():
    rows = rows_of([COM, BASE], enabled=["base"])
    assert rows.size[COST_ROWS] == 3
    np.testing.assert_array_equal(rows.task[:3], [1, 1, 1])


def test_inequalities_follow_all_that_costs():
    joint = MODEL.joint_names[3]
    bound = Inequality("knee", "joint", "at_most", [0.5, 0.0, 0.0], [100.0, 20.0], joint)
    rows = rows_of([COM, BASE], inequalities=[bound])
    assert (rows.size[COST_ROWS], rows.size[INEQUALITY_ROWS]) == (6, 1)
    assert (rows.w[6], rows.task[6]) == (1.0, 0)
    assert rows.T[6, MODEL.n_base + 3] == 1.0
    assert np.count_nonzero(rows.T[6]) == 1


def test_diagonals_are_those_of_the_tasks_on_them_and_next_to_nothing_without():
    posture = Task("posture", "posture", 2.0, [30.0, 8.0])
    assert (rows_of([COM]).d == 1e-8).all()
    rows = rows_of([COM, posture])
    np.testing.assert_allclose(rows.d, 2.0 * 0.01 + 1e-8)
    assert (rows.wrench_d == 1e-12).all()
