"""A log of a biped that lifts its feet in turn while its base turns over the foot that stays."""

from __future__ import annotations

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.offline.stance import Signals, sole_contacts
from kilohertz.rt.offline.stance_checks import leg_pairs

N, PERIOD_S, PHASE = 1200, 0.01, 100
# Amplitudes from the hip to the ankle [rad]: the leg that stands, and the leg that is lifted.
STANDING = (0.06, 0.05, 0.08, 0.05, -0.10, 0.04)
LIFTED = (0.04, -0.07, -0.35, 0.7, -0.3, 0.05)


def stepping_log(robot: RobotModel) -> Signals:
    """Returns 12 s at 100 Hz: 1 s on both soles, then a foot is lifted and set down each second."""
    rng = np.random.default_rng(3)
    pairs, weight_N = leg_pairs(robot), robot.mass_kg * 9.81
    q = np.tile(robot.q_nominal[7:], (N, 1))
    force = np.full((N, len(robot.contacts)), 0.5 * weight_N)
    stands = np.zeros(N, dtype=int)
    bump = np.sin(np.pi * np.arange(PHASE) / PHASE) ** 2
    for k in range(1, N // PHASE):
        part, side = slice(k * PHASE, (k + 1) * PHASE), k % 2
        stands[part] = side
        for pair, own, other in zip(pairs, STANDING, LIFTED, strict=True):
            q[part, pair[side]] += own * bump * (1.0 + 0.3 * np.sin(k))
            q[part, pair[1 - side]] += other * bump
        share = 0.5 + 0.5 * np.minimum(1.0, 5.0 * bump)
        force[part, side], force[part, 1 - side] = weight_N * share, weight_N * (1.0 - share)
    soles = [robot.contacts[i].frame_id for i in sole_contacts(robot)]
    data, full = robot.pin_model.createData(), np.array(robot.q_nominal)
    R = np.zeros((N, 3, 3))
    for i, row in enumerate(q):
        full[7:] = row
        pin.framesForwardKinematics(robot.pin_model, data, full)
        # The sole that stands is level and does not move.
        R[i] = data.oMf[soles[stands[i]]].rotation.T @ data.oMf[robot.imu_frame_id].rotation
    turns = np.array([pin.log3(a.T @ b) / PERIOD_S for a, b in zip(R[:-2], R[2:], strict=True)]) / 2.0
    gyro = np.vstack((turns[:1], turns, turns[-1:])) + 0.003 * rng.normal(size=(N, 3))
    accel = 9.81 * R[:, 2, :] + 0.05 * rng.normal(size=(N, 3))
    return Signals(PERIOD_S * np.arange(N), q + 2e-4 * rng.normal(size=q.shape), gyro, accel, force)
