"""A fit recovers friction and armature of known ones, and is judged on unseen data."""

import numpy as np
import pinocchio as pin
import pytest
import yaml

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.log.schema import WARM_UP
from kilohertz.rt.offline.estimate import Samples
from kilohertz.rt.offline.fit import commands_of, fit

COULOMB_NM, VISCOUS_NMS, ARMATURE_KGM2, DELAY_TICKS = 1.5, 0.8, 0.04, 5
PERIOD_S = 2e-3


@pytest.fixture(scope="module")
def ur5():
    return RobotModel.load("ur5")


@pytest.fixture(scope="module")
def found(ur5):
    """12 s of sines of all joints at 500 Hz, with commands that the torques follow late."""
    rng = np.random.default_rng(4)
    t_s = PERIOD_S * np.arange(6000)
    q, v, a = (np.zeros((len(t_s), ur5.na)) for _ in range(3))
    for j in range(ur5.na):
        for size, rate in ((0.5, 1.1 + 0.17 * j), (0.15, 4.3 + 0.31 * j)):
            phase = rng.uniform(0, 6)
            q[:, j] += size * np.sin(rate * t_s + phase)
            v[:, j] += size * rate * np.cos(rate * t_s + phase)
            a[:, j] -= size * rate**2 * np.sin(rate * t_s + phase)
    q += ur5.q_nominal
    data = ur5.pin_model.createData()
    tau = np.array([pin.rnea(ur5.pin_model, data, *state) for state in zip(q, v, a, strict=True)])
    tau += COULOMB_NM * np.sign(v) + VISCOUS_NMS * v + ARMATURE_KGM2 * a
    fields = [(name, "<f8", (k,)) for name, k in ur5.new_sensor_row().fields if k]
    rows = np.zeros(len(t_s), np.dtype(fields))
    rows["t_s"][:, 0] = t_s
    rows["q"] = q + 1e-4 * rng.normal(size=q.shape)
    rows["v"] = v + 5e-3 * rng.normal(size=q.shape)
    rows["tau"] = tau + 0.3 * rng.normal(size=q.shape)
    unknown = np.full((len(t_s), 3), np.nan)
    samples = Samples(t_s, rows, rows.view(np.float64).reshape(len(t_s), -1), unknown, unknown)
    command = np.zeros(len(t_s), np.dtype([(name, "<f8", (k,)) for name, k in ur5.new_command_row().fields]))
    command["tau_ff"] = np.roll(tau, -DELAY_TICKS, axis=0)
    return fit([(samples, None)], [command], ur5, PERIOD_S)


def test_friction_and_armature_are_recovered(ur5, found):
    model = np.broadcast_to(ur5.armature_kgm2, ur5.na)
    for j, name in enumerate(ur5.joint_names):
        joint = found.identified.joints[name]
        assert joint["coulomb_Nm"]["value"] == pytest.approx(COULOMB_NM, rel=0.1)
        assert joint["viscous_Nms"]["value"] == pytest.approx(VISCOUS_NMS, rel=0.2)
        assert found.armature_kgm2[name] == pytest.approx(model[j] + ARMATURE_KGM2, rel=0.1)


def test_the_residual_of_held_out_data_is_lower(found):
    assert found.better
    assert found.held_out_Nm[1] < 0.5 * found.held_out_Nm[0]


def test_the_delay_counts_from_the_sample(found):
    assert found.delay_ms == pytest.approx((DELAY_TICKS - 1) * PERIOD_S * 1e3, rel=0.1)


def test_the_noise_of_each_sensor_is_measured(found):
    assert found.noise["encoder_rad"] == pytest.approx(1e-4, rel=0.1)
    assert found.noise["velocity_rad_s"] == pytest.approx(5e-3, rel=0.1)
    assert found.noise["gyro_rad_s"] is None


def test_the_overlay_is_yaml_for_the_robot(ur5, found):
    keys = yaml.safe_load(found.overlay(ur5))
    assert set(keys) == {"armature_kgm2", "joint_friction_Nm", "joint_damping_Nms"}
    assert set(keys["joint_friction_Nm"]) == set(ur5.joint_names)


def test_only_a_run_of_ours_has_commands():
    rows = np.zeros(3, [("tick", "<i8"), ("command", [("tau_ff", "<f8", (1,))])])
    rows["tick"] = [WARM_UP, 0, 1]
    assert len(commands_of(rows)) == 2
    assert commands_of(rows[["tick"]]) is None
