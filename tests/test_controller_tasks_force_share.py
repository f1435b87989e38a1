"""The share of a contact in the vertical force: as a task, and as a bound."""

import numpy as np
import pytest
from bodies import balance_tasks, random_state, robot, whole_body
from task_checks import check_compiled_rows_equal_the_twin
from test_controller_tasks_cop import SOLVERS, at_rest, solved

from kilohertz.controller.whole_body.whole_body import Inequality, Task


def task(contact, weight=1e-2):
    return Task("share", "force_share", weight, (), contact)


def share(body, contact):
    force = [body.arrays.kin.R[c, 2] @ body.solution.wrench[c, :3] for c in range(len(body.geometry))]
    return force[body.robot.contact_names.index(contact)] / sum(force)


@pytest.mark.parametrize(
    ("name", "contact"), [("g1", "left_foot"), ("talos", "right_foot"), ("bolt", "left_foot")]
)
def test_the_compiled_row_equals_the_twin(name, contact):
    check_compiled_rows_equal_the_twin(robot(name), task(contact))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("part", [0.45, 0.5, 0.6])
def test_a_foot_carries_the_share_that_is_asked_for(solver, part):
    body = at_rest(whole_body(robot("g1"), [*balance_tasks(robot("g1")), task("left_foot")], solver=solver))
    body.reference("share")[0] = part
    assert share(solved(body), "left_foot") == pytest.approx(part, abs=2e-3)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_bound_on_the_load_share_also_holds_on_a_slope(solver):
    bound = Inequality("light", "force_share", "at_most", [0.45], (), "left_foot")
    body = whole_body(robot("g1"), solver=solver, inequalities=[bound])
    body.update(*random_state(robot("g1"), np.random.default_rng(0), 0.05, 0.0))
    assert share(solved(body), "left_foot") == pytest.approx(0.45, abs=1e-6)


def test_on_one_foot_there_is_nothing_to_share():
    body = at_rest(
        whole_body(robot("g1"), [*balance_tasks(robot("g1")), task("left_foot", 1e6)], closed=["left_foot"])
    )
    assert solved(body, 1).solution.wrench[0, 2] > 0.9 * 9.81 * robot("g1").mass_kg
