"""The centre of pressure of a contact: as a task, and as a bound."""

import numpy as np
import pytest
from bodies import balance_tasks, hold_still, robot, whole_body
from task_checks import check_compiled_rows_equal_the_twin

from kilohertz.controller.whole_body.whole_body import Inequality, Task

SOLVERS = ("exact", "osqp")
WEIGHT = 1.0
"""[cost] / [Nm]^2: far above what anything else asks of a sole's moments."""


def task(contact):
    return Task("cop", "cop", WEIGHT, (), contact)


def at_rest(body):
    body.update(np.array(body.robot.q_nominal), np.zeros(body.robot.nv))
    hold_still(body)
    return body


def solved(body, ticks=5):
    for _ in range(ticks):
        body.assemble()
        assert body.solve()
    return body


def centre_of_pressure(body, contact):
    c = body.robot.contact_names.index(contact)
    _, _, fz, mx, my, _ = body.solution.wrench[c]
    return np.array([-my, mx]) / fz


@pytest.mark.parametrize("contact", ["left_foot", "right_foot"])
def test_the_compiled_rows_equal_the_twin(contact):
    check_compiled_rows_equal_the_twin(robot("g1"), task(contact))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("ref", [(0.03, 0.0), (-0.02, 0.01)])
def test_it_goes_where_it_is_asked_to(solver, ref):
    body = at_rest(whole_body(robot("g1"), [*balance_tasks(robot("g1")), task("left_foot")], solver=solver))
    body.reference("cop")[:] = ref
    np.testing.assert_allclose(centre_of_pressure(solved(body), "left_foot"), ref, atol=1e-3)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize(("side", "sign"), [("at_most", 1.0), ("at_least", -1.0)])
def test_a_bound_holds_against_a_task_that_pulls_beyond_it(solver, side, sign):
    bound = Inequality("within", "cop", side, [sign * 0.02, sign * 0.01], (), "left_foot")
    tasks = [*balance_tasks(robot("g1")), task("left_foot")]
    body = at_rest(whole_body(robot("g1"), tasks, solver=solver, inequalities=[bound]))
    body.reference("cop")[:] = sign * 0.06, sign * 0.02
    beyond = sign * centre_of_pressure(solved(body), "left_foot") - [0.02, 0.01]
    np.testing.assert_allclose(beyond, 0.0, atol=1e-5)
    assert (body.solution.y_inequality[0, :2] > 0.0).all()


def test_a_line_has_no_row_for_the_moment_it_cannot_transmit(tmp_path):
    text = (robot("g1").folder / "robot.yaml").read_text()
    lines, sole = [], "corners_m: [[0.1, 0, -0.03], [-0.05, 0, -0.03]]"
    for line in text.splitlines():
        lines.append(line.split("corners_m")[0] + sole if "corners_m:" in line else line)
    assert any(sole in line for line in lines)
    (tmp_path / "robot.yaml").write_text("\n".join(lines))
    model = type(robot("g1")).load(tmp_path)
    weight = whole_body(model, [task("left_foot")]).weight("cop")
    np.testing.assert_array_equal(weight[:2], [WEIGHT, 0.0])


def test_an_open_contact_has_no_centre_of_pressure():
    bound = Inequality("within", "cop", "at_most", [0.0, 0.0], (), "left_foot")
    body = at_rest(
        whole_body(
            robot("g1"),
            [*balance_tasks(robot("g1")), task("left_foot")],
            closed=["right_foot"],
            inequalities=[bound],
        )
    )
    solved(body, 1)
    rows, n = body.arrays.rows, int(body.arrays.rows.size[0])
    assert int(rows.size[1]) == 0
    written = {body.declared[i].name for i in rows.task[:n]}
    assert "cop" not in written
