"""A soft hand in the simulator: its stiffness, its energy in contact, and the change to other behaviours."""

import numpy as np
import pytest
from bodies import ARMS, robot
from control_runs import run

from kilohertz.controller.soft.soft_arm import soft_tasks

pytestmark = pytest.mark.closed_loop

SENSORS = {"noise": {"encoder_rad": 1e-5, "velocity_rad_s": 2e-3}, "delay_ms": 1}
PLANT = {"joint_friction_Nm": 0.5, "joint_damping_Nms": 0.5, "model_error": 0.05}
STIFF = {"stiffness_N_m": 2000, "stiffness_Nm_rad": 50}


def push(axis, force_N, at_s=0.3, rise_s=1.0):
    force = [0.0, 0.0, 0.0]
    force[axis] = force_N
    return {
        "at_s": at_s,
        "hand_push": {"hand": "hand", "force_N": force, "rise_s": rise_s, "hold_s": 1.0, "fall_s": 0.3},
    }


@pytest.mark.parametrize("name", ARMS)
def test_the_force_on_a_hand_is_stiffness_times_deflection(name):
    for axis in range(3):
        result = run(name, 1.7, ((0.0, "impedance", STIFF),), events=[push(axis, 20.0, rise_s=0.4)])
        # The force has stayed at 20 N for 1 s.
        deflection = (result.hand - result.hand_des)[1690, 0]
        assert 20.0 / deflection[axis] == pytest.approx(2000.0, rel=0.01)
        assert (result.rung == 0).all()


@pytest.mark.parametrize("name", ARMS)
def test_a_hand_that_is_pressed_on_a_table_comes_to_rest(name):
    """With errors of the model, friction, noise and delay; the energy grows only by that of the noise."""
    p = robot(name).nominal_point(robot(name).hands[0].frame_id)
    table = {"kind": "box", "p_WO_m": [p[0], p[1], p[2] - 0.08], "size_m": [0.5, 0.5, 0.1]}
    target = {**STIFF, "p_WH_m": [p[0], p[1], p[2] - 0.02]}
    result = run(
        name,
        2.2,
        ((0.0, "impedance", STIFF), (0.2, "impedance", target)),
        estimator="default",
        seed=1,
        sensors=SENSORS,
        plant=PLANT,
        obstacles={"table": table},
        tips={"hand": {"radius_m": 0.02}},
    )
    moves = np.flatnonzero(np.abs(np.diff(result.hand_des[:, 0, 2])) > 1e-9)
    rest = moves[-1] + 2
    off = (result.hand - result.hand_des)[rest:, 0]
    spring_J = 0.5 * 2000.0 * (off**2).sum(axis=1)
    assert (spring_J - np.minimum.accumulate(spring_J)).max() < 2e-3
    # The table yields by a millimetre: the force is that of the spring at its true deflection, but for the
    # dry friction of 0.5 Nm of each joint, which has not been identified and holds the resting arm.
    assert off[-1, 2] > 0.008
    assert result.sim.truth.f_WH[0, 2] == pytest.approx(2000.0 * off[-1, 2], abs=3.0)
    assert np.abs(result.sim.truth.v).max() < 0.01


def test_an_empty_tank_stops_the_reference():
    p = robot("panda").nominal_point(robot("panda").hands[0].frame_id)
    wall = {"kind": "box", "p_WO_m": [p[0] + 0.14, p[1], p[2]], "size_m": [0.2, 1.0, 1.0]}
    target = {**STIFF, "p_WH_m": [p[0] + 0.1, p[1], p[2]], "energy_J": 0.5}
    result = run(
        "panda",
        2.5,
        ((0.0, "impedance", target),),
        obstacles={"wall": wall},
        tips={"hand": {"radius_m": 0.04}},
    )
    soft = result.brain.motion.soft
    assert soft.tank_J < 0.1
    assert soft.spring_J < 0.6
    assert result.hand_des[-1, 0, 0] < p[0] + 0.06


def test_softness_ends_with_the_next_behaviour_and_the_hand_holds_its_pose():
    result = run("panda", 1.5, ((0.0, "impedance", STIFF), (0.5, "stand", {})), events=[push(0, 10.0, 0.9)])
    assert not result.brain.motion.soft.active
    assert result.brain.output.hand_active.all()
    assert np.abs(result.hand - result.hand[0]).max() < 6e-3


def test_only_an_arm_on_a_fixed_base_has_soft_tasks():
    assert soft_tasks(robot("g1")) == []
    assert [task.name for task in soft_tasks(robot("panda"))] == ["soft", "soft/hand"]
