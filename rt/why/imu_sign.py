"""The sign of an IMU that is turned in its mount: at rest, or suddenly during the run."""

from __future__ import annotations

import numpy as np
import pinocchio as pin
from scipy.spatial.transform import Rotation

from kilohertz.rt.why.margins import Margins
from kilohertz.rt.why.symptoms import Sign, lasting

TURN_DEG = 4.0
"""Least angle between the accelerometer's vertical and the soles of a robot at rest [deg]: for a smaller one,
noise and a bias of the accelerometer, and a floor that is not quite level, are the likelier explanation."""
CONTRADICTION_M_S2, CONTRADICTION_TICKS = 0.12, 30
"""Least difference between the accelerations from IMU and legs, see
`kilohertz.estimators.divergence.Doubt.contradiction_m_s2`, and the time for which it lasts [ticks]."""
_USUAL = 0.5
"""Fraction of this difference at which it began, for the time of the onset."""


def turned(m: Margins, end: int) -> Sign | None:
    """An accelerometer whose vertical is not that of the soles, or that suddenly contradicts the legs."""
    if not m.robot.floating or not len(m.robot.contacts):
        return None
    angle_deg = turn_at_start_deg(m)
    if angle_deg > TURN_DEG:
        text = (
            f"at rest, the accelerometer's vertical is {angle_deg:.1f} deg off the normal of the soles: the "
            "IMU is turned, or the floor slopes as much"
        )
        return Sign("imu", 0.0, angle_deg, TURN_DEG, "deg", text, "", {"angle_deg": angle_deg})
    contradiction = m.doubts.contradiction_m_s2[:end]
    over = lasting(contradiction > CONTRADICTION_M_S2, CONTRADICTION_TICKS)
    if not over.any():
        return None
    k = int(np.argmax(over))
    usual = np.flatnonzero(contradiction[:k] < _USUAL * CONTRADICTION_M_S2)
    onset = int(usual[-1]) + 1 if len(usual) else 0
    most = float(contradiction[k:end].max())
    text = f"the accelerometer contradicts the motion of the legs by {most:.2f} m/s^2 and more and more"
    return Sign("imu", float(m.t_s[onset]), most, CONTRADICTION_M_S2, "m/s^2", text)


def turn_at_start_deg(m: Margins) -> float:
    """Returns the angle between the accelerometer's vertical and the normal of the soles [deg]."""
    model = m.robot.pin_model
    data = model.createData()
    # The joints as measured, and the base as it comes: only directions relative to the base are used.
    q = pin.neutral(model)
    q[m.robot.nq_base :] = m.rest["q"]
    pin.framesForwardKinematics(model, data, q)
    R_BI = data.oMf[m.robot.imu_frame_id].rotation
    normals = [data.oMf[contact.frame_id].rotation[:, 2] for contact in m.robot.contacts]
    up, felt = np.mean(normals, axis=0), R_BI @ m.rest["accel"]
    if min(np.linalg.norm(up), np.linalg.norm(felt)) <= 0.0:
        return 0.0
    turn, _ = Rotation.align_vectors(up[None] / np.linalg.norm(up), felt[None] / np.linalg.norm(felt))
    return float(np.degrees(turn.magnitude()))
