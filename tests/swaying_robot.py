"""Computes, without simulation, a robot that sways and squats on fixed soles: exact states and sensors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pinocchio as pin

STEP_S = 1e-3
GRAVITY = np.array([0.0, 0.0, -9.81])


@dataclass(frozen=True)
class Motion:
    """A motion with one row per millisecond; `wrench_B`: (n, contacts, 6) forces and moments in base axes."""

    q: np.ndarray
    v: np.ndarray
    tau: np.ndarray
    gyro: np.ndarray
    accel: np.ndarray
    normal_force_N: np.ndarray
    wrench_B: np.ndarray


def sway(robot, duration_s, amplitude_m=0.03, tilt_rad=0.03, arms_rad=0.2):
    """Returns a motion from rest: smooth base path, leg inverse kinematics, torques by inverse dynamics."""
    model, n = robot.pin_model, round(duration_s / STEP_S)
    data = model.createData()
    q = np.array(robot.q_nominal)
    pin.framesForwardKinematics(model, data, q)
    targets = [data.oMf[c.frame_id].copy() for c in robot.contacts]
    base = pin.SE3(pin.Quaternion(q[3:7]).matrix(), q[:3].copy())
    legs = sorted({model.joints[j].idx_v for c in robot.contacts for j in supports(model, c)})
    arms = [i for i in range(6, model.nv) if i not in legs]
    t = np.arange(n) * STEP_S
    wave = [1.0 - np.cos(2 * np.pi * f * t) for f in (0.5, 0.4, 0.6, 0.7, 0.3, 0.45)]
    qs, vs = np.zeros((n, model.nq)), np.zeros((n, model.nv))
    for k in range(n):
        turn = tilt_rad * np.array([wave[3][k], wave[4][k], wave[5][k]]) / 2
        move = amplitude_m * np.array([wave[0][k] - wave[0][k] / 2, wave[1][k], -wave[2][k]]) / 2
        q[:3] = base.translation + move
        q[3:7] = pin.Quaternion(base.rotation @ pin.exp3(turn)).coeffs()
        for count, i in enumerate(arms):
            q[i + 1] = robot.q_nominal[i + 1] + arms_rad * wave[count % 6][k] * 0.3
        for _ in range(6):
            pin.computeJointJacobians(model, data, q)
            pin.updateFramePlacements(model, data)
            error = np.concatenate(
                [
                    pin.log6(data.oMf[c.frame_id].actInv(X)).vector
                    for c, X in zip(robot.contacts, targets, strict=True)
                ]
            )
            J = np.vstack([pin.getFrameJacobian(model, data, c.frame_id, pin.LOCAL) for c in robot.contacts])
            if np.abs(error).max() < 1e-12:
                break
            q[np.array(legs) + 1] += np.linalg.lstsq(J[:, legs], error, rcond=None)[0]
        qs[k] = q
    for k in range(n):
        before, after = max(k - 1, 0), min(k + 1, n - 1)
        vs[k] = pin.difference(model, qs[before], qs[after]) / ((after - before) * STEP_S)
    vs[0] = 0.0
    return with_sensors(robot, qs, vs)


def supports(model, contact):
    """Returns the joints between the base and a contact."""
    return [j for j in model.supports[model.frames[contact.frame_id].parentJoint] if j > 1]


def with_sensors(robot, qs, vs):
    """Adds exact IMU readings and torques to a motion; the contacts share the load with small moments."""
    model, data = robot.pin_model, robot.pin_model.createData()
    n, nc = len(qs), len(robot.contacts)
    vdot = np.gradient(vs, STEP_S, axis=0)
    tau, wrench = np.zeros((n, robot.na)), np.zeros((n, nc, 6))
    gyro, accel, normal = np.zeros((n, 3)), np.zeros((n, 3)), np.zeros((n, nc))
    for k in range(n):
        pin.forwardKinematics(model, data, qs[k], vs[k], vdot[k])
        pin.updateFramePlacements(model, data)
        imu = data.oMf[robot.imu_frame_id].rotation
        gyro[k] = pin.getFrameVelocity(model, data, robot.imu_frame_id).angular
        true = pin.getFrameClassicalAcceleration(model, data, robot.imu_frame_id, pin.LOCAL).linear
        accel[k] = true - imu.T @ GRAVITY
        required = pin.rnea(model, data, qs[k], vs[k], vdot[k]).copy()
        pin.computeJointJacobians(model, data, qs[k])
        R_WB = pin.Quaternion(qs[k, 3:7]).matrix()
        J = np.vstack(
            [pin.getFrameJacobian(model, data, c.frame_id, pin.LOCAL_WORLD_ALIGNED) for c in robot.contacts]
        )
        # Least squares in which 1 Nm costs ten times as much as 1 N.
        scale = np.tile([1.0, 1.0, 1.0, 0.1, 0.1, 0.1], nc)
        w = scale * np.linalg.lstsq(J[:, :6].T * scale, required[:6], rcond=None)[0]
        tau[k] = (required - J.T @ w)[6:]
        for c, contact in enumerate(robot.contacts):
            force, moment = w[6 * c : 6 * c + 3], w[6 * c + 3 : 6 * c + 6]
            wrench[k, c] = np.r_[R_WB.T @ force, R_WB.T @ moment]
            normal[k, c] = data.oMf[contact.frame_id].rotation[:, 2] @ force
    return Motion(qs, vs, tau, gyro, accel, normal, wrench)


class Noise:
    """Adds typical sensor errors at 1 kHz: white noise and constant biases."""

    def __init__(self, robot, seed, scale=1.0):
        self.rng = np.random.default_rng(seed)
        self.scale = scale
        self.gyro_bias = scale * 0.005 * self.rng.normal(size=3)
        self.accel_bias = scale * 0.05 * self.rng.normal(size=3)
        self.row = robot.new_sensor_row()

    def sample(self, motion, k):
        """Returns the sensor row of sample k."""
        row, rng, s = self.row, self.rng, self.scale
        na = len(row.q)
        row.seq[0], row.t_s[0] = k, k * STEP_S
        row.q[:] = motion.q[k, -na:] + s * 1e-4 * rng.normal(size=na)
        row.v[:] = motion.v[k, -na:] + s * 0.02 * rng.normal(size=na)
        row.tau[:] = motion.tau[k]
        row.gyro[:] = motion.gyro[k] + self.gyro_bias + s * 0.01 * rng.normal(size=3)
        row.accel[:] = motion.accel[k] + self.accel_bias + s * 0.1 * rng.normal(size=3)
        row.contact_force_N[:] = np.nan
        return row


def tilt_deg(q, q_true):
    """Returns the angle between the vertical axes of two orientations [deg]."""
    up = [pin.Quaternion(x[3:7]).matrix()[2] for x in (q, q_true)]
    return float(np.rad2deg(np.arctan2(np.linalg.norm(np.cross(*up)), up[0] @ up[1])))
