"""Inequalities of gains.yaml hold in closed loop with either solver, and are explained by their names."""

import numpy as np
import pytest
from bodies import hold_still, robot, whole_body
from control_runs import run

from kilohertz.controller.gains.bounds import Bounds, inequalities
from kilohertz.controller.gains.names import frame_names
from kilohertz.controller.gains.schema import Gains, load_gains
from kilohertz.controller.whole_body.explain import missed_rows

pytestmark = pytest.mark.closed_loop

SOLVERS = ("osqp", "exact")


def gains(name, solver, **bounds):
    given = load_gains(robot(name)).model_dump()
    return Gains.model_validate({**given, "solver": solver, "inequalities": bounds})


@pytest.mark.long
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_hand_that_is_asked_beyond_its_bound_stops_there_and_no_faster(solver):
    low = {"frame": "hand", "at_most_m": 0.65, "at_most_m_s": 0.1}
    reach = {"hand": "hand", "p_WH_m": [0.45, 0.0, 0.72], "path": "line", "speed_m_s": 0.25}
    bound = gains("panda", solver, frames={"low": low})
    plan = ((0.0, "stand", {}), (0.1, "reach", reach))
    result = run("panda", 2.5, plan, gains=bound)
    free = run("panda", 2.5, plan, gains=gains("panda", solver))
    assert set(result.state) == {"active"}
    assert (result.rung == 0).all()
    height = result.hand[:, 0, 2]
    speed = np.diff(height) / 1e-3
    assert free.hand[-1, 0, 2] > 0.7
    assert np.diff(free.hand[:, 0, 2]).max() / 1e-3 > 0.12
    assert height.max() < 0.65 + 1e-3
    assert height[-1] > 0.64
    assert speed.max() < 0.1 + 2e-3


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_robot_that_stands_respects_a_box_bent_knees_and_a_smaller_sole(solver):
    """It is asked to bend its knees and sway; the bounds allow half of it."""
    model = robot("g1")
    knees = [f"{side}_knee_joint" for side in ("left", "right")]
    start = run("g1", 0.01).com[0]
    bound = gains(
        "g1",
        solver,
        com={"box": {"at_least_m": [None, None, start[2] - 0.03]}},
        joints={"knees": {"joints": knees, "at_most_rad_s": 0.6}},
        contacts={
            f"{name}.cop": {"contact": name, "cop_at_least_m": [-0.03, -0.02], "cop_at_most_m": [0.06, 0.02]}
            for name in model.contact_names
        },
    )
    squat = ((0.0, "stand", {}), (0.2, "squat", {"depth_m": 0.08, "period_s": 1.6}))
    result = run("g1", 2.0, squat, gains=bound)
    assert set(result.state) == {"active"}
    assert (result.rung == 0).all()
    assert result.com[:, 2].min() > start[2] - 0.031
    assert result.com[:, 2].min() < start[2] - 0.028
    joints = [7 + model.joint_names.index(knee) for knee in knees]
    assert (np.diff(result.q[:, joints], axis=0).max() / 1e-3) < 0.61
    _, _, fz, mx, my, _ = np.moveaxis(result.wrench, 2, 0)
    cop = np.stack([-my / fz, mx / fz])
    assert (cop[0] > -0.0301).all()
    assert (cop[0] < 0.0601).all()
    assert (np.abs(cop[1]) < 0.0201).all()


def test_a_bound_that_cannot_be_met_is_explained_by_its_name():
    given = Bounds.model_validate(
        {"frames": {"hands_up": {"frame": "right_hand", "at_least_m": 2.0, "rate_per_s": 20.0}}}
    )
    body = whole_body(robot("g1"), inequalities=inequalities(given, frame_names(robot("g1"))))
    body.update(np.array(robot("g1").q_nominal), np.zeros(35))
    hold_still(body)
    body.assemble()
    assert not body.solve()
    assert body.solve_softened()
    assert "hands_up.at_least_m" in missed_rows(body)


def test_every_bound_becomes_an_inequality_of_its_own_name():
    given = Bounds.model_validate(
        {
            "frames": {"low": {"frame": "left_hand", "at_most_m": 1.0, "at_least_m_s": -1.0}},
            "joints": {"knees": {"joints": ["left_knee_joint", "right_knee_joint"], "at_least_rad": 0.1}},
            "com": {"box": {"at_least_m": [-0.1, None, 0.4], "at_most_m": [0.1, None, None]}},
            "contacts": {
                "left": {"contact": "left_foot", "cop_at_most_m": [0.05, 0.02], "share_at_most": 0.8}
            },
        }
    )
    found = inequalities(given, frame_names(robot("g1")))
    assert [each.name for each in found] == [
        "low.at_least_m_s",
        "low.at_most_m",
        "knees.left_knee_joint.at_least_rad",
        "knees.right_knee_joint.at_least_rad",
        "box.at_least_m",
        "box.at_most_m",
        "left.cop_at_most_m",
        "left.share_at_most",
    ]
    whole_body(robot("g1"), inequalities=found)
