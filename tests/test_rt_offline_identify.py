"""Identification from torques that were made with known friction, armature and load."""

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.offline.estimate import Samples
from kilohertz.rt.offline.identify import identify, require_torque

COULOMB_NM, VISCOUS_NMS, ARMATURE_KGM2, LOAD_KG = 1.5, 0.8, 0.05, 2.0


@pytest.fixture(scope="module")
def ur5():
    return RobotModel.load("ur5")


@pytest.fixture(scope="module")
def samples(ur5):
    """10 s of sines of all joints at 500 Hz; the true arm carries a load at its flange."""
    rng = np.random.default_rng(2)
    t_s = 2e-3 * np.arange(5000)
    q, v, a = (np.zeros((len(t_s), ur5.na)) for _ in range(3))
    for j in range(ur5.na):
        for size, rate in ((0.5, 1.1 + 0.17 * j), (0.2, 2.3 + 0.23 * j)):
            phase = rng.uniform(0, 6)
            q[:, j] += size * np.sin(rate * t_s + phase)
            v[:, j] += size * rate * np.cos(rate * t_s + phase)
            a[:, j] -= size * rate**2 * np.sin(rate * t_s + phase)
    q += ur5.q_nominal
    true = ur5.pin_model.copy()
    load = pin.Inertia(LOAD_KG, np.array([0.0, 0.05, 0.1]), np.zeros((3, 3)))
    true.inertias[6] += load
    data = true.createData()
    tau = np.array([pin.rnea(true, data, *state) for state in zip(q, v, a, strict=True)])
    tau += COULOMB_NM * np.sign(v) + VISCOUS_NMS * v + ARMATURE_KGM2 * a
    rows = np.zeros(len(t_s), np.dtype([(name, "<f8", (k,)) for name, k in ur5.new_sensor_row().fields if k]))
    rows["t_s"][:, 0] = t_s
    rows["q"] = q + 1e-5 * rng.normal(size=q.shape)
    rows["v"] = v + 5e-3 * rng.normal(size=q.shape)
    rows["tau"] = tau + 0.3 * rng.normal(size=q.shape)
    unknown = np.full((len(t_s), 3), np.nan)
    return Samples(t_s, rows, rows.view(np.float64).reshape(len(t_s), -1), unknown, unknown)


def test_friction_armature_and_load_are_found(ur5, samples):
    found = identify(samples, ur5, None)
    for joint in found.joints.values():
        assert joint["coulomb_Nm"]["value"] == pytest.approx(COULOMB_NM, rel=0.15)
        assert joint["viscous_Nms"]["value"] == pytest.approx(VISCOUS_NMS, abs=0.2)
        assert joint["coulomb_Nm"]["determined"]
    determined = [
        joint["armature_kgm2"] for joint in found.joints.values() if joint["armature_kgm2"]["determined"]
    ]
    assert determined
    for armature in determined:
        assert abs(armature["value"] - ARMATURE_KGM2) < 0.03
    assert found.load["mass_kg"] == pytest.approx(LOAD_KG, rel=0.05)
    assert found.load["link"] == "wrist_3_link"
    np.testing.assert_allclose(found.load["p_JC_m"], [0.0, 0.05, 0.1], atol=0.01)
    assert found.residual_Nm[1] < 0.1 * found.residual_Nm[0]


def test_a_joint_at_rest_says_nothing_about_its_friction(ur5, samples):
    sensors = samples.sensors.copy()
    sensors["q"][:, 5], sensors["v"][:, 5] = 0.3, 0.0
    data = sensors.view(np.float64).reshape(len(sensors), -1)
    still = Samples(samples.t_s, sensors, data, samples.p_WT, samples.rpy_WT)
    found = identify(still, ur5, None)
    assert not found.joints["wrist_3_joint"]["coulomb_Nm"]["determined"]
    assert found.joints["shoulder_pan_joint"]["coulomb_Nm"]["determined"]


def test_a_log_without_torques_is_refused(ur5, samples):
    sensors = samples.sensors.copy()
    unmeasured = Samples(samples.t_s, sensors, samples.data, samples.p_WT, samples.rpy_WT)
    sensors["tau"][:, 2] = np.nan
    with pytest.raises(ConfigError, match="torque elbow_joint is not measured"):
        require_torque(unmeasured, ur5)
    sensors["tau"] = 0.0
    with pytest.raises(ConfigError, match="torque of all joints is not measured"):
        require_torque(unmeasured, ur5)
    with pytest.raises(ConfigError, match="shorter than 2 s"):
        require_torque(
            Samples(samples.t_s[:50], samples.sensors[:50], samples.data, samples.p_WT, samples.rpy_WT), ur5
        )
