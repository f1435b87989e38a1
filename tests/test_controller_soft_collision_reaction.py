"""Collisions of an arm in the simulator: when they are seen, and what the arm does then."""

import numpy as np
import pytest
from bodies import robot
from control_runs import run

from kilohertz.controller.gains.overrides import gains_with

pytestmark = pytest.mark.closed_loop

SENSORS = {"noise": {"encoder_rad": 1e-5, "velocity_rad_s": 2e-3}, "delay_ms": 1}
PLANT = {"joint_friction_Nm": 0.5, "joint_damping_Nms": 0.5, "model_error": 0.05}
MOVE = ((0.0, "stand", {}), (0.8, "reach", {"offset_m": [0.0, 0.0, -0.15]}))


def collide(reaction, seconds=2.0, **more):
    p = robot("panda").nominal_point(robot("panda").hands[0].frame_id)
    table = {"kind": "box", "p_WO_m": [p[0], p[1], p[2] - 0.17], "size_m": [0.3, 0.3, 0.2]}
    seen = []
    result = run(
        "panda",
        seconds,
        more.pop("plan", MOVE),
        estimator="default",
        seed=4,
        gains=gains_with(robot("panda"), {"collision": {"reaction": reaction}, "hand": {"speed_m_s": 0.5}}),
        change=lambda tick, row, brain: seen.append((brain.motion.collision.reacts, tick)),
        sensors=SENSORS,
        plant=PLANT,
        obstacles={"table": table},
        tips={"hand": {"radius_m": 0.02}},
    )
    reacts = [tick for yes, tick in seen if yes]
    return result, reacts[0] if reacts else None, p[2] - 0.07 + 0.02


@pytest.mark.parametrize("reaction", ["stop", "retract", "float"])
def test_a_collision_is_seen_within_10_ms_and_answered(reaction):
    result, reacts, top = collide(reaction)
    touch = int(np.flatnonzero(result.hand[:, 0, 2] < top)[0])
    assert touch - 2 <= reacts <= touch + 10
    assert result.brain.output.remark.startswith("collision at panda_joint")
    assert result.brain.motion.soft.active
    force_N = float(np.linalg.norm(result.sim.truth.f_WH[0]))
    if reaction == "retract":
        assert force_N == 0.0
        assert result.hand[-1, 0, 2] > top + 0.02
    else:
        assert force_N < 40.0
    assert (result.rung == 0).all()


def test_the_next_request_ends_the_reaction():
    plan = (*MOVE, (1.7, "reach", {"offset_m": [0.0, 0.0, 0.05]}))
    result, reacts, _ = collide("stop", 2.8, plan=plan)
    assert reacts is not None
    assert not result.brain.motion.collision.reacts
    assert not result.brain.motion.soft.active
    p = robot("panda").nominal_point(robot("panda").hands[0].frame_id)
    np.testing.assert_allclose(result.hand[-1, 0], p + np.array([0, 0, 0.05]), atol=0.02)


def test_by_default_collisions_are_not_looked_for():
    result, reacts, _ = collide("none", 1.5)
    assert reacts is None
    assert result.brain.output.remark == ""
