"""Wrench on the hand of an arm, and its payload, from the torques of the disturbance observer.

A calibration with an empty hand explains the observed torques by errors of the first moments of the links,
which gravity acts on, and by friction. What remains later acts on the hand.
"""

from __future__ import annotations

import math

import numpy as np
import pinocchio as pin

from kilohertz.estimators.arm_disturbance import ArmDisturbance
from kilohertz.estimators.hand_load_kernels import (
    CALIBRATED,
    LOAD_COLUMNS,
    RUNNING,
    Calibration,
    Wrench,
    calibrate,
    explain_friction,
    feel_hand,
    sense_external,
    solve_calibration,
    weigh_hand,
)
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.model.kin import Kin
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

_LEAST_KG = 0.05
"""Smallest payload that counts [kg]."""


class HandLoad:
    """Estimates the wrench on the hand of an arm, and the payload that it carries.

    Args:
        robot: a robot with a fixed base and one hand.
        kin: kinematics of the tick.
        data: pinocchio's data in which the placements of the joints are computed.
        vdot: (n,) joint accelerations that were commanded in the last tick [rad/s^2]; persistent.
        disturbance: the observer, updated in each tick before this estimate.
        frame: index of the hand's frame in `Kin`.

    Attributes:
        w_H: (6,) force [N] and moment about the hand's origin [Nm] on the hand, in its axes.
        p_WL_m: (3,) centre of mass of the payload in the world [m]; NaN while there is none.
    """

    def __init__(
        self,
        robot: RobotModel,
        kin: Kin,
        data: pin.Data,
        vdot: Vector,
        disturbance: ArmDisturbance,
        frame: int,
    ) -> None:
        n, model = robot.na, robot.pin_model
        joints = sorted(range(1, model.njoints), key=lambda joint: int(model.idx_vs[joint]))
        # The views keep pinocchio's memory alive, whose addresses the kernels read.
        self._rotations = [data.oMi[joint].rotation for joint in joints]
        moves = np.zeros((n, n), np.int64)
        for body, joint in enumerate(joints):
            moves[body, [model.idx_vs[other] for other in model.supports[joint] if other > 0]] = 1
        size = 5 * n
        self._calibration = Calibration(
            rotation=np.array([rotation.ctypes.data for rotation in self._rotations], np.int64),
            moves=moves,
            flags=np.zeros(3, np.int64),
            normal=np.zeros((size, size)),
            right=np.zeros(size),
            row=np.zeros(size),
            moment=np.zeros((n, 3)),
            external=np.zeros(n),
        )
        self._wrench = Wrench(
            frame=np.array([frame], np.int64),
            w_H=np.zeros(6),
            scratch=np.zeros((6, 6)),
            raw=np.zeros(6),
            row=np.zeros(LOAD_COLUMNS),
            normal=np.zeros((LOAD_COLUMNS, LOAD_COLUMNS)),
            right=np.zeros(LOAD_COLUMNS),
            load=np.zeros(LOAD_COLUMNS),
            factor=np.zeros((LOAD_COLUMNS, LOAD_COLUMNS)),
        )
        self.w_H = self._wrench.w_H
        self.p_WL_m = np.full(3, math.nan)
        self._kin, self._frame = kin, frame
        structs = {
            "k": kin,
            "observer": disturbance.observer,
            "friction": disturbance.friction,
            "calibration": self._calibration,
            "wrench": self._wrench,
        }
        self._update = bind(
            "hand_load",
            [calibrate, sense_external, feel_hand, weigh_hand],
            call={"dt_s": "f8"},
            structs=structs,
            persistent={"vdot": vdot},
        )
        self._solve = bind(
            "hand_calibration", [solve_calibration, explain_friction], call={}, structs=structs
        )

    @property
    def calibrated(self) -> bool:
        """Whether a calibration with an empty hand has been completed."""
        return bool(self._calibration.flags[CALIBRATED])

    @property
    def mass_kg(self) -> float:
        """Estimated mass of the payload [kg]; 0 while there is none, NaN before a calibration."""
        if not self._calibration.flags[CALIBRATED]:
            return math.nan
        mass_kg = float(self._wrench.load[0])
        return mass_kg if mass_kg > _LEAST_KG else 0.0

    def reset(self) -> None:
        """Forgets the calibration and the payload."""
        for array in (*self._calibration[2:], self._wrench.w_H, self._wrench.normal):
            array[:] = 0
        self._wrench.right[:] = self._wrench.load[:] = 0.0
        self.p_WL_m[:] = math.nan

    def begin(self) -> None:
        """Begins a calibration; the hand must be empty, and the joints are to be moved."""
        calibration = self._calibration
        calibration.normal[:] = 0.0
        calibration.right[:] = 0.0
        calibration.flags[RUNNING] = 1

    def end(self, completed: bool) -> None:
        """Ends a calibration.

        Args:
            completed: whether the motion was completed; if not, the earlier calibration stays in force.
        """
        if self._calibration.flags[RUNNING] and completed:
            self._solve()
            self._wrench.normal[:] = 0.0
            self._wrench.right[:] = self._wrench.load[:] = 0.0
        self._calibration.flags[RUNNING] = 0

    def update(self, dt_s: float) -> None:
        """Updates wrench and payload with one tick, to be called after the disturbance observer.

        Args:
            dt_s: time since the last tick [s].
        """
        self._update(dt_s)
        mass_kg = self.mass_kg
        if mass_kg > 0.0:
            centre_H = self._wrench.load[1:] / mass_kg
            np.dot(self._kin.R[self._frame], centre_H, out=self.p_WL_m)
            self.p_WL_m += self._kin.p[self._frame]
        else:
            self.p_WL_m[:] = math.nan
