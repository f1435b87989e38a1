"""The quantity by which a watch stopped the robot, for every reason of a fall and for a diverged estimate."""

from types import SimpleNamespace

import numpy as np
import pytest
from why_runs import g1

from kilohertz.controller.gains.schema import FallGains
from kilohertz.controller.safety.falling import REASONS, CentreOfMass, Falling
from kilohertz.rt.why.stop_figures import stop_figure

HEIGHT_M = 0.6
HALF = [0.05, 0.1]


def stopped(p_SC, v_WC, tilt_rad=0.0):
    """The parts of a controller that is judged, and the reason that its watch gives."""
    robot = g1()
    centre = CentreOfMass(np.zeros(3), np.zeros(3))
    falling = Falling(robot, FallGains(), HEIGHT_M, np.ones(robot.na), centre)
    motion = SimpleNamespace(
        falling=falling,
        standing=SimpleNamespace(height_m=HEIGHT_M),
        p_WS=np.array([1.0, 2.0, 0.1]),
        # Heading along the world's y axis.
        R_des=np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]),
        half_support_m=np.array(HALF),
    )
    kin = SimpleNamespace(p_WC=motion.p_WS + motion.R_des @ p_SC, v_WC=motion.R_des @ v_WC)
    q = np.zeros(robot.nq)
    q[3], q[6] = np.sin(tilt_rad / 2), np.cos(tilt_rad / 2)
    brain = SimpleNamespace(
        estimator=SimpleNamespace(q=q, doubt=np.array([1.7])),
        motion=motion,
        body=SimpleNamespace(arrays=SimpleNamespace(kin=kin)),
    )
    centre.p_WC[:], centre.v_WC[:] = kin.p_WC, kin.v_WC
    reason = REASONS[falling.lost(q, motion.R_des, motion.p_WS, motion.half_support_m)]
    gains = SimpleNamespace(fall=FallGains())
    return SimpleNamespace(brain=brain, robot=robot, gains=gains), reason


@pytest.mark.parametrize("v_y", [0.7, 0.8, 1.5])
def test_a_capture_point_out_of_reach_is_beyond_its_limit(v_y):
    figure = stop_figure(*stopped(np.array([0.01, 0.02, HEIGHT_M]), np.array([0.0, v_y, 0.0])))
    assert figure is not None
    assert figure.value > figure.limit == pytest.approx(0.06)
    assert figure.value == pytest.approx(0.02 + v_y / np.sqrt(9.81 / HEIGHT_M) - 0.1, abs=1e-3)


def test_a_tilted_base_and_a_low_centre_of_mass():
    tilted = stop_figure(*stopped(np.array([0.0, 0.0, HEIGHT_M]), np.zeros(3), tilt_rad=1.0))
    assert (tilted.value, tilted.limit) == (pytest.approx(np.degrees(1.0)), 45.0)
    low = stop_figure(*stopped(np.array([0.0, 0.0, 0.2]), np.zeros(3)))
    assert (low.value, low.limit) == (pytest.approx(0.2), pytest.approx(0.3))


def test_a_diverged_estimate_and_a_stop_that_was_asked_for():
    replayed, reason = stopped(np.array([0.0, 0.0, HEIGHT_M]), np.zeros(3))
    assert reason == ""
    assert stop_figure(replayed, "the estimate has diverged: x").value == 1.7
    assert stop_figure(replayed, "damping was asked for") is None
