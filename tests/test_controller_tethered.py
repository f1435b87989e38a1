"""A robot hangs, is lowered, stands, is raised and hangs again; if nobody announces it, it does not hang."""

import numpy as np
import pytest
from control_runs import run

from kilohertz.controller.safety.ladder import GRAVITY
from kilohertz.robots.model.gravity import GRAVITY_M_S2

pytestmark = pytest.mark.closed_loop

QUICK = {"lower_at_s": 3.0, "lower_m_s": 0.1, "height_m": 0.02, "slack_m": 0.03, "stretch_m": 0.03}
REAL = {
    "plant": {
        "joint_friction_Nm": 0.2,
        "joint_damping_Nms": 0.05,
        "model_error": 0.05,
        "com_error_m": 0.005,
    },
    "sensors": {"noise": "default", "delay_ms": 2},
}


@pytest.fixture(scope="module")
def there_and_back():
    plan = ((0.0, "hang", {}), (4.5, "stand", {}), (6.0, "hang", {}), (9.0, "damp", {}))
    gantry = {**QUICK, "raise_at_s": 6.5, "raise_m_s": 0.1}
    estimated = []

    def note(tick, sensors, brain):
        estimated.append(brain.estimator.q.copy())

    result = run("g1", 9.5, plan, estimator="default", seed=2, change=note, gantry=gantry, **REAL)
    # The estimate before a tick is that of the tick before.
    result.ticks["q_estimated"] = [*estimated[1:], estimated[-1]]
    return result


@pytest.mark.long
def test_it_stands_between_two_times_of_hanging(there_and_back):
    result = there_and_back
    assert not result.sim.fell
    loads = result.normal_N.sum(axis=1) / (result.sim.truth.mass_kg * GRAVITY_M_S2)
    hangs = result.rung == GRAVITY
    assert hangs[:3000].all()
    assert not hangs[4500:6500].any()
    assert hangs[8500:9000].all()
    # It stands on its soles alone, and hangs without them.
    assert loads[5500:6500].min() > 0.9
    assert loads[:3000].max() == 0.0
    assert loads[8500:].max() == 0.0
    assert set(result.state[:9000]) == {"active"}
    told = [event["text"] for event in result.sim.events if event["kind"] == "gantry"]
    assert [text.split()[1] for text in told] == ["winch", "tether", "winch", "soles"]
    assert result.state[-1] == "damping"


def test_the_tilt_is_known_and_the_world_begins_on_the_soles(there_and_back):
    result = there_and_back
    up_true, up = (_vertical(quaternion) for quaternion in (result.q[:, 3:7], result.q_estimated[:, 3:7]))
    tilt = np.degrees(np.arccos(np.clip((up * up_true).sum(axis=1), -1.0, 1.0)))
    assert tilt[1000:9000].max() < 1.5
    assert tilt[5500:6500].max() < 0.5
    height = result.q_estimated[5500:6500, 2] - result.q[5500:6500, 2]
    assert np.abs(height).max() < 0.01


@pytest.mark.long
def test_a_robot_that_did_not_announce_it_does_not_hang():
    gantry = {**QUICK, "raise_at_s": 5.5, "raise_m_s": 0.3}
    plan = ((0.0, "hang", {}), (4.2, "stand", {}))
    result = run("g1", 6.6, plan, gantry=gantry)
    assert result.state[5400] == "active"
    assert result.normal_N[-100:].max() == 0.0
    assert not (result.rung[4500:] == GRAVITY).any()


def test_a_robot_that_hangs_is_damped_on_request_and_does_not_fall():
    plan = ((0.0, "hang", {}), (2.0, "damp", {}))
    result = run("g1", 2.2, plan, gantry={**QUICK, "lower_at_s": 9.0})
    assert (result.rung[:2000] == GRAVITY).all()
    assert result.state[-1] == "damping"
    assert not result.sim.fell


def _vertical(quaternion):
    x, y, z, w = quaternion.T
    return np.stack([2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)], axis=1)
