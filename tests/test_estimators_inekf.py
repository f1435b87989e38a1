"""The filter as a whole: the authors' numbers, a real robot's log, consistency, biases found."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.estimators.inekf import InvariantEkf
from kilohertz.estimators.inekf_correction import open_slot, retract
from kilohertz.estimators.inekf_layout import CONTACTS, GYRO_BIAS, ROTATION

UP = np.array([0.0, 0.0, 9.81])
DATA = Path(__file__).parents[2] / "shared" / "data"


def table(path):
    with gzip.open(path, "rt") as file:
        names = file.readline().strip().split(",")
        return dict(zip(names, np.loadtxt(file, delimiter=",").T, strict=True))


@pytest.mark.long
@pytest.mark.skipif(not (DATA / "inekf").is_dir(), reason="reference data inekf/ is not here")
def test_with_the_authors_conventions_their_numbers_are_reproduced():
    """A simulated Cassie walks for 10 s; every column their C++ filter printed, to 1e-6."""
    with np.load(DATA / "inekf" / "inekf_meas.npz") as file:
        log = dict(file)
    reference = table(DATA / "inekf" / "inekf_ref.csv.gz")
    p_IF = np.stack([log["pL"], log["pR"]], axis=1)
    covariance = np.stack([log["covL"], log["covR"]], axis=1)
    R_IF, nothing = np.tile(np.eye(3), (2, 1, 1)), np.zeros((2, 3, 3))
    ekf = InvariantEkf(2, reference_quirks=True)
    ekf.R_WI[:] = np.diag([1.0, -1.0, -1.0])
    ekf.set_variances(rotation=1.0, velocity=1.0, position=1.0, gyro_bias=1.0, accel_bias=1.0)
    ekf.noise[:] = 0.01**2, 0.1**2, 1e-5**2, 1e-4**2
    ekf.slot_noise[:, 0] = 0.01**2
    last, row, rows = 0.0, 0, {}
    for i, t in enumerate(log["t"]):
        ekf.propagate(log["gyro"][i], log["acc"][i], t - last)
        last = t
        ekf.correct(log["contact"][i].astype(np.int64), p_IF[i], R_IF, covariance[i], nothing)
        if row < len(reference["t"]) and abs(t - reference["t"][row]) < 1e-7:
            rows[row] = answer(ekf)
            row += 1
    assert row == len(reference["t"]) == 1001
    for name, expected in reference.items():
        if name == "t":
            continue
        ours = np.array([rows[i][name] for i in range(row)])
        if name in ("qw", "qx", "qy", "qz"):
            # q and -q are one rotation.
            sign = np.sign(
                sum(
                    np.array([rows[i][q] for i in range(row)]) * reference[q]
                    for q in ("qw", "qx", "qy", "qz")
                )
            )
            ours = ours * sign
        np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-6, err_msg=name)


def answer(ekf):
    x, y, z, w = pin.Quaternion(ekf.R_WI).coeffs()
    closed = ekf.active > 0
    variance = np.diagonal(ekf.P)
    result = {"qw": w, "qx": x, "qy": y, "qz": z, "contact_l": closed[0], "contact_r": closed[1]}
    result |= {f"R{i}{j}": ekf.R_WI[i, j] for i in range(3) for j in range(3)}
    result |= {"dimP": 15 + 3 * closed.sum(), "Ptrace": variance[:15].sum()}
    for c in range(2):
        result["Ptrace"] += variance[15 + 6 * c : 18 + 6 * c].sum()
    for k, axis in enumerate("xyz"):
        result |= {f"v{axis}": ekf.v_WI[k], f"p{axis}": ekf.p_WI[k]}
        result |= {f"bg{axis}": ekf.gyro_bias[k], f"ba{axis}": ekf.accel_bias[k]}
        for c, side in enumerate("lr"):
            result[f"d{side}{axis}"] = ekf.p_WF[c, k] if closed[c] else np.nan
        for block, name in enumerate(("r", "v", "p", "bg", "ba")):
            result[f"P{name}{axis}"] = variance[3 * block + k]
    return result


@pytest.mark.skipif(not (DATA / "icub").is_dir(), reason="reference data icub/ is not here")
def test_a_real_icub_is_tracked_no_worse_than_by_the_authors_filter():
    """20 s of swaying, 100 Hz with jitter and a gap, against Vicon: theirs (0.3, 1.4, 0.1) cm, 1.42 deg."""
    log = table(DATA / "icub" / "icub_real_comsin.csv.gz")
    model = pin.buildModelFromUrdf(str(DATA / "icub" / "iCubGenova04.urdf"), pin.JointModelFreeFlyer())
    data = model.createData()
    imu, soles = model.getFrameId("root_link_imu_frame"), [model.getFrameId(n) for n in ("l_sole", "r_sole")]
    joints = {model.joints[model.getJointId(n[2:])].idx_q: log[n] for n in log if n.startswith("q_")}
    q = pin.neutral(model)
    gyro, accel = (np.column_stack([log[n + k] for k in "xyz"]) for n in "ga")
    force = np.column_stack([log["fzL"], log["fzR"]])
    p_WB = np.column_stack([log[f"gt_p{k}"] for k in "xyz"])
    R_WB = np.array(
        [
            pin.rpy.rpyToMatrix(*rpy)
            for rpy in zip(*(log[f"gt_{k}"] for k in ("roll", "pitch", "yaw")), strict=True)
        ]
    )

    pin.framesForwardKinematics(model, data, q)
    X_BI = data.oMf[imu].copy()
    ekf = InvariantEkf(2)
    ekf.R_WI[:] = R_WB[0] @ X_BI.rotation
    ekf.p_WI[:] = p_WB[0] + R_WB[0] @ X_BI.translation
    ekf.set_variances(rotation=1e-6, velocity=1e-4, position=1e-6, gyro_bias=1e-4, accel_bias=1e-2)
    ekf.noise[:] = 0.01**2, 0.1**2, 1e-5**2, 1e-4**2
    ekf.slot_noise[:] = 0.01**2, 1e-3**2, 0.0, 0.0
    noise = np.tile(1e-4 * np.eye(3), (2, 1, 1))
    p_IF, R_IF = np.empty((2, 3)), np.empty((2, 3, 3))
    closed = np.array([True, True])
    position_error, tilt_deg = [], []
    for i, t in enumerate(log["t"]):
        for index, values in joints.items():
            q[index] = values[i]
        pin.framesForwardKinematics(model, data, q)
        for c, sole in enumerate(soles):
            X_IF = X_BI.actInv(data.oMf[sole])
            p_IF[c], R_IF[c] = X_IF.translation, X_IF.rotation
        closed = np.where(closed, force[i] > 120.0, force[i] > 150.0)
        if i > 0:
            assert ekf.propagate(gyro[i], accel[i], t - log["t"][i - 1])
        ekf.correct(2 * closed.astype(np.int64), p_IF, R_IF, noise, noise)
        R = ekf.R_WI @ X_BI.rotation.T
        position_error.append(ekf.p_WI - R @ X_BI.translation - p_WB[i])
        tilt_deg.append(np.rad2deg(np.arccos(min(1.0, R[2] @ R_WB[i][2]))))
    rmse_cm = 100.0 * np.sqrt(np.mean(np.square(position_error), axis=0))
    assert (rmse_cm <= [0.3, 1.4, 0.1]).all(), rmse_cm
    assert np.sqrt(np.mean(np.square(tilt_deg))) <= 0.5


class Imu:
    """A body that rocks and bobs over two fixed contacts, and what it measures, with errors."""

    rate = 200.0

    def __init__(self, seed, duration_s, noise=1.0, gyro_bias=0.005, accel_bias=0.05):
        rng = np.random.default_rng(seed)
        dt = 1.0 / self.rate
        t = np.arange(0.0, duration_s, dt)
        self.t, self.rng = t, rng

        def position(t):
            return np.stack(
                [0.03 * np.sin(3 * t), 0.05 * np.sin(2 * t + 1), 0.6 + 0.03 * np.sin(4 * t)], axis=-1
            )

        def rotation(t):
            return pin.exp3(
                np.array([0.2 * np.sin(2.5 * t), 0.25 * np.sin(3.1 * t + 2), 0.3 * np.sin(1.3 * t)])
            )

        h = 1e-4
        self.p = position(t)
        self.v = (position(t + h) - position(t - h)) / (2 * h)
        self.R = np.array([rotation(s) for s in t])
        acceleration = (position(t + h) - 2 * self.p + position(t - h)) / h**2
        self.sd = noise * np.array([0.01, 0.1]) * np.sqrt(self.rate * 1e-3)
        self.bg, self.ba = gyro_bias * rng.normal(size=3), accel_bias * rng.normal(size=3)
        self.gyro = np.array([pin.log3(rotation(s - h).T @ rotation(s + h)) / (2 * h) for s in t])
        self.accel = np.einsum("nji,nj->ni", self.R, acceleration + UP)
        self.gyro += self.bg + self.sd[0] * rng.normal(size=self.gyro.shape)
        self.accel += self.ba + self.sd[1] * rng.normal(size=self.accel.shape)
        self.p_WF = np.array([[0.05, 0.1, 0.0], [-0.05, -0.1, 0.0]])
        self.encoder_sd = 1e-3 * max(noise, 1e-3)

    def start(self, ekf, rotation_sd):
        ekf.R_WI[:] = pin.exp3(rotation_sd * self.rng.normal(size=3)) @ self.R[0]
        ekf.v_WI[:], ekf.p_WI[:] = self.v[0] + 0.01 * self.rng.normal(size=3), self.p[0]
        ekf.set_variances(
            rotation=rotation_sd**2, velocity=1e-4, position=1e-10, gyro_bias=0.005**2, accel_bias=0.05**2
        )
        ekf.noise[:] = self.sd[0] ** 2 / self.rate, self.sd[1] ** 2 / self.rate, 0.0, 0.0
        ekf.slot_noise[:] = 0.0

    def run(self, ekf, kind=1):
        covariance = np.tile(self.encoder_sd**2 * np.eye(3), (2, 1, 1))
        for i in range(len(self.t)):
            if i > 0:
                assert ekf.propagate(self.gyro[i], self.accel[i], 1.0 / self.rate)
            p_IF = (self.p_WF - self.p[i]) @ self.R[i] + self.encoder_sd * self.rng.normal(size=(2, 3))
            turn = [pin.exp3(self.encoder_sd * self.rng.normal(size=3)) for _ in range(2)]
            R_IF = np.stack([self.R[i].T @ E for E in turn])
            ekf.correct(np.full(2, kind), p_IF, R_IF, covariance, covariance)
            yield i


@pytest.mark.parametrize("kind", [1, 2])
def test_errors_agree_with_the_filters_covariance(kind):
    """Normalised errors squared of rotation and velocity, biases: mean near 1 per degree of freedom."""
    tilt, velocity, bias = [], [], []
    for seed in range(12):
        body, ekf = Imu(seed, 3.0), InvariantEkf(2)
        body.start(ekf, 0.01)
        for _ in body.run(ekf, kind):
            pass
        E = ekf.R_WI @ body.R[-1].T
        xi = pin.log3(E)
        v = ekf.v_WI - E @ body.v[-1]
        tilt.append(xi @ np.linalg.solve(ekf.P[:3, :3], xi) / 3)
        velocity.append(v @ np.linalg.solve(ekf.P[3:6, 3:6], v) / 3)
        b = np.r_[ekf.gyro_bias - body.bg, ekf.accel_bias - body.ba]
        bias.append(b @ np.linalg.solve(ekf.P[9:15, 9:15], b) / 6)
    for name, values in (("tilt", tilt), ("velocity", velocity), ("bias", bias)):
        assert 0.4 < np.mean(values) < 1.8, (name, values)


@pytest.mark.parametrize("kind", [1, 2])
def test_wrong_biases_are_found(kind):
    body, ekf = Imu(3, 8.0, noise=0.1, gyro_bias=0.05, accel_bias=0.5), InvariantEkf(2)
    body.start(ekf, 1e-3)
    ekf.P[9:15, 9:15] = np.diag([0.05**2] * 3 + [0.5**2] * 3)
    for _ in body.run(ekf, kind):
        pass
    np.testing.assert_allclose(ekf.gyro_bias, body.bg, atol=1e-3)
    np.testing.assert_allclose(ekf.accel_bias, body.ba, atol=0.02)
    np.testing.assert_allclose(ekf.v_WI, body.v[-1], atol=2e-3)


def test_orientation_of_the_soles_holds_the_gyro_bias_better():
    deviations = []
    for kind in (1, 2):
        body, ekf = Imu(4, 1.0), InvariantEkf(2)
        body.start(ekf, 0.01)
        for _ in body.run(ekf, kind):
            pass
        deviations.append(ekf.standard_deviation(GYRO_BIAS))
    assert (deviations[1] < deviations[0]).all()


def test_it_recovers_from_a_wrong_start():
    body, ekf = Imu(5, 4.0), InvariantEkf(2)
    body.start(ekf, 0.3)
    for _ in body.run(ekf):
        pass
    tilt = np.arccos(min(1.0, (ekf.R_WI @ body.R[-1].T)[2, 2]))
    assert tilt < np.deg2rad(0.7)
    assert ekf.standard_deviation(ROTATION)[:2].max() < np.deg2rad(0.7)


def test_same_samples_give_the_same_bits():
    states = []
    for _ in range(2):
        body, ekf = Imu(6, 0.5), InvariantEkf(2)
        body.start(ekf, 0.01)
        for _ in body.run(ekf, 2):
            pass
        states.append((ekf.x.tobytes(), ekf.P.tobytes()))
    assert states[0] == states[1]


def test_setup_functions_equal_the_kernels():
    rng = np.random.default_rng(3)
    R_IF, noise = pin.exp3(rng.normal(size=3)), rng.normal(size=(2, 3, 3))
    noise = noise @ noise.transpose(0, 2, 1)
    ours, compiled = InvariantEkf(2), InvariantEkf(2)
    for ekf in (ours, compiled):
        ekf.R_WI[:] = pin.exp3(np.array([0.3, -0.2, 0.9]))
        ekf.v_WI[:] = 0.1, 0.2, 0.3
        ekf.p_WI[:] = 1.0, 2.0, 3.0
        ekf.set_variances(rotation=0.1, velocity=0.2, position=0.3, gyro_bias=0.4, accel_bias=0.5)
        ekf.P[ROTATION, 6] = ekf.P[6, ROTATION] = 0.05
    for slot, kind in ((0, 2), (1, 1)):
        p_IF = rng.normal(size=3)
        ours.open_slot(slot, kind, p_IF, R_IF, *noise)
        for array, values in zip(compiled.poses, (kind, p_IF, R_IF, *noise), strict=True):
            array[slot] = values
        open_slot(compiled.arrays, slot, compiled.poses, compiled.R_WI)
    for ekf in (ours, compiled):
        np.testing.assert_array_equal(ekf.active, [2, 1])
    np.testing.assert_allclose(ours.x, compiled.x, atol=1e-14)
    np.testing.assert_allclose(ours.P, compiled.P, atol=1e-14)
    turn = np.array([0.02, -0.03, 0.01])
    ours.turn(pin.exp3(turn))
    delta = np.zeros(len(compiled.P))
    for row in (ROTATION, CONTACTS + 3):
        delta[row : row + 3] = turn
    retract(compiled.arrays, delta)
    np.testing.assert_allclose(ours.x, compiled.x, atol=1e-14)
