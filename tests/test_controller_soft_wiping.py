"""A hand that wipes: its force on a tilted table, with friction, errors of the model and noise."""

import numpy as np
import pytest
from bodies import robot
from control_runs import run

pytestmark = pytest.mark.closed_loop


def test_a_tilted_table_is_pressed_on_with_the_force_that_was_asked_for():
    p = robot("panda").nominal_point(robot("panda").hands[0].frame_id)
    tilt = np.radians(5.0)
    middle = [p[0], p[1], p[2] - 0.18]
    table = {"kind": "box", "p_WO_m": middle, "rpy_WO_rad": [tilt, 0, 0], "size_m": [0.3, 0.4, 0.2]}
    result = run(
        "panda",
        6.0,
        (
            (0.0, "circle", {"radius_m": 0.04, "period_s": 1.0, "plane": "xy"}),
            (1.2, "reach", {"offset_m": [0, 0, -0.03]}),
            (2.0, "wipe", {"force_N": 10, "radius_m": 0.04, "period_s": 2}),
        ),
        estimator="default",
        seed=7,
        plant={"joint_friction_Nm": 0.5, "joint_damping_Nms": 0.5, "model_error": 0.05},
        sensors={"noise": {"encoder_rad": 1e-5, "velocity_rad_s": 2e-3}, "delay_ms": 1},
        obstacles={"table": {**table, "friction": 0.3}},
        tips={"hand": {"radius_m": 0.02}},
    )
    wiping = result.brain.motion._behaviour._wiping
    assert wiping.phase == 1
    assert wiping.force_N == pytest.approx(10.0, abs=2.0)
    normal = np.array([0.0, -np.sin(tilt), np.cos(tilt)])
    assert result.sim.truth.f_WH[0] @ normal == pytest.approx(10.0, abs=3.0)
    # The hand draws its circle on the table.
    assert np.ptp(result.hand[5000:, 0, 0]) > 0.04
    off = (result.hand - result.hand_des)[5000:, 0]
    assert np.abs(off - np.outer(off @ normal, normal)).max() < 0.01
