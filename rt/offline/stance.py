"""Where the soles of a biped are in its IMU frame along a log, and which of them carries the robot.

A loaded sole stands still, so that its pose in the IMU frame says how the base turns. This module computes
that turning for both soles over windows of 0.1 s, and the vertical by the IMU, for `stance_checks`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from kilohertz.estimators.base_state import JOINTS_Q
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.offline.motion_checks import windows_of

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]

_MOST_POSES = 600
_LOADED, _ALONE = 0.3, 0.85
"""Share of the contact forces above which a sole counts as loaded, and as the only loaded one."""
_CARRIED = 0.4
"""Least sum of the contact forces relative to the weight: with less, the robot hangs or flies."""
_REST_RAD, _REST_TURN_RAD = 0.01, 0.004
"""Largest change of a joint, and turn of the base, in a window that counts as rest [rad]."""
_VERTICAL_S = 1.0
"""Time constant with which the vertical by the gyro is corrected by the accelerometer [s]."""


class Poses(NamedTuple):
    """Pose of each of two soles F in the IMU frame I at m samples.

    Attributes:
        R_IF: (2, m, 3, 3) orientations.
        p_IF: (2, m, 3) positions [m].
    """

    R_IF: Array
    p_IF: Array


@dataclass(frozen=True)
class Signals:
    """What the checks of the stance need from a log.

    Attributes:
        t_s: (n,) times [s].
        q: (n, na) joint positions [rad].
        gyro, accel: (n, 3) IMU [rad/s, m/s^2].
        force_N: (n, contacts) normal forces [N]; NaN where unknown.
    """

    t_s: Array
    q: Array
    gyro: Array
    accel: Array
    force_N: Array


def sole_contacts(robot: RobotModel) -> list[int]:
    """Returns the indices of the two flat soles of a biped; an empty list if it has not exactly two."""
    flat = [i for i, contact in enumerate(robot.contacts) if len(contact.corners_F) > 2]
    return flat if robot.floating and len(flat) == 2 else []


class Stance:
    """Soles, loads and turning of the base in windows of about 0.1 s.

    Args:
        robot: a robot for which `sole_contacts` returns two.
        signals: the log.

    Attributes:
        first, last: (m,) first and last sample of each window.
        loaded: (2, m) whether a sole carries load all through a window; None if forces are unknown.
        alone: (2, m) whether a sole carries the robot alone; all False if forces are unknown.
        rest: (m,) whether the robot stands still on both soles, as far as the log tells.
        turn: (m, 3) turn of the base by the gyro in IMU axes [rad].
    """

    def __init__(self, robot: RobotModel, signals: Signals) -> None:
        self.robot, self.signals = robot, signals
        contacts = sole_contacts(robot)
        self._frames = [robot.contacts[i].frame_id for i in contacts]
        windows = windows_of(signals.t_s)
        step = max(1, math.ceil(len(windows.first) / _MOST_POSES))
        self.first, self.last = windows.first[::step], windows.last[::step]
        middle = 0.5 * (signals.gyro[1:] + signals.gyro[:-1]) * np.diff(signals.t_s)[:, None]
        self._travel = np.vstack((np.zeros((1, 3)), np.cumsum(middle, axis=0)))
        self.turn = self.turn_at(0.0)
        self._load(signals.force_N[:, contacts])
        moved = np.abs(signals.q[self.last] - signals.q[self.first]).max(axis=1, initial=0.0)
        self.rest: Flags = (moved < _REST_RAD) & (np.linalg.norm(self.turn, axis=1) < _REST_TURN_RAD)
        if self.loaded is not None:
            self.rest &= self.loaded.all(axis=0)

    def _load(self, force_N: Array) -> None:
        self.loaded: Flags | None = None
        self.alone: Flags = np.zeros((2, len(self.first)), dtype=bool)
        if not np.isfinite(force_N).any(axis=0).all():
            return
        force_N = np.maximum(np.nan_to_num(force_N), 0.0)
        total = force_N.sum(axis=1)
        share = force_N / np.maximum(total, 1e-9)[:, None]
        share[total < _CARRIED * self.robot.mass_kg * GRAVITY_M_S2] = 0.0
        least = np.minimum(share[self.first], share[self.last]).T
        self.loaded, self.alone = least > _LOADED, least > _ALONE

    def turn_at(self, late_s: float) -> Array:
        """(m, 3) turn of the base by the gyro [rad], if the gyro were late by `late_s` [s]."""
        t_s = self.signals.t_s

        def travel(at: Array) -> Array:
            return np.stack([np.interp(at, t_s, column) for column in self._travel.T], axis=1)

        return travel(t_s[self.last] + late_s) - travel(t_s[self.first] + late_s)

    def poses(self, q: Array) -> Poses:
        """Returns the poses of both soles for joint positions (m, na) [rad]."""
        data, full = self.robot.pin_model.createData(), np.array(self.robot.q_nominal)
        R, p = np.zeros((2, len(q), 3, 3)), np.zeros((2, len(q), 3))
        for i, row in enumerate(q):
            full[JOINTS_Q:] = row
            pin.framesForwardKinematics(self.robot.pin_model, data, full)
            X_WI = data.oMf[self.robot.imu_frame_id]
            for k, frame in enumerate(self._frames):
                X_IF = X_WI.actInv(data.oMf[frame])
                R[k, i], p[k, i] = X_IF.rotation, X_IF.translation
        return Poses(R, p)

    @cached_property
    def first_poses(self) -> Poses:
        """Poses of both soles at the first sample of each window."""
        return self.poses(self.signals.q[self.first])

    def turns(self, q: Array) -> Array:
        """(2, m, 3) turn of the base that each sole shows if it stands still, for positions (n, na) [rad]."""
        a, b = self.poses(q[self.first]).R_IF, self.poses(q[self.last]).R_IF
        # R_I1I2 = R_I1F R_FI2.
        return np.stack(
            [(Rotation.from_matrix(a[k]) * Rotation.from_matrix(b[k]).inv()).as_rotvec() for k in (0, 1)]
        )

    def pairs(self, turns: Array, turn: Array, exchanged: bool = False) -> tuple[Array, Array]:
        """Returns the turns by the loaded soles and by the gyro, one below the other.

        Args:
            turns: (2, m, 3) turns by the soles [rad].
            turn: (m, 3) turns by the gyro [rad].
            exchanged: whether the forces of the soles are exchanged.

        Returns:
            (k, 3) by the soles and (k, 3) by the gyro [rad]; where forces are unknown, of the sole that fits
            better.
        """
        if self.loaded is None:
            best = ((turns - turn) ** 2).sum(axis=2).argmin(axis=0)
            return turns[best, np.arange(len(turn))], turn
        loaded = self.loaded[::-1] if exchanged else self.loaded
        return turns[loaded], np.broadcast_to(turn, turns.shape)[loaded]

    def residual(self, turns: Array, turn: Array, exchanged: bool = False) -> float:
        """RMS difference between the turns by soles and gyro [rad], see `pairs`; NaN without any."""
        legs, measured = self.pairs(turns, turn, exchanged)
        return float(np.sqrt(((legs - measured) ** 2).sum(axis=1).mean())) if len(legs) else math.nan

    @cached_property
    def vertical(self) -> Array:
        """(m, 3) upward unit vector in IMU axes at the first sample of each window, by the IMU alone."""
        t_s, gyro, accel = self.signals.t_s, self.signals.gyro, self.signals.accel
        up = accel[:20].mean(axis=0)
        out, wanted, k = np.zeros((len(self.first), 3)), self.first, 0
        for i in range(len(t_s)):
            if i:
                dt = t_s[i] - t_s[i - 1]
                w = gyro[i] * dt
                turned = (
                    up[1] * w[2] - up[2] * w[1],
                    up[2] * w[0] - up[0] * w[2],
                    up[0] * w[1] - up[1] * w[0],
                )
                up = up + turned
                up = up + min(1.0, dt / _VERTICAL_S) * (accel[i] - up)
            if k < len(wanted) and wanted[k] == i:
                out[k] = up
                k += 1
        unit: Array = out / np.maximum(np.linalg.norm(out, axis=1), 1e-9)[:, None]
        return unit
