"""Two logs of a real iCub with the true motion of its base, as sensor rows, at native rate or at 1 kHz."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio as pin
from bodies import REFERENCE_DATA

FOLDER = REFERENCE_DATA / "icub"
ROBOT = Path(__file__).parent / "robots" / "icub"
# The cameras lost the robot in this time: the recorded orientation jumps by 4 deg, which the gyro does not
# measure, and stays constant while the robot moves.
TRUTH_LOST_S = {"walking": (8.35, 8.62), "comsin": (0.0, 0.0)}


class Log:
    """A log of the iCub; at 1 kHz its values are held or interpolated."""

    def __init__(self, robot: Any, name: str, rate: str = "native") -> None:
        with gzip.open(FOLDER / f"icub_real_{name}.csv.gz", "rt") as file:
            names = file.readline().strip().split(",")
            columns = dict(zip(names, np.loadtxt(file, delimiter=",").T, strict=True))
        joints = robot.joint_names
        wanted = [*(f"q_{j}" for j in joints), *(f"dq_{j}" for j in joints)]
        wanted += ["gx", "gy", "gz", "ax", "ay", "az", "fzL", "fzR"]
        values = np.column_stack([columns[name] for name in wanted])
        truth = np.column_stack([columns[f"gt_{k}"] for k in ("px", "py", "pz", "roll", "pitch", "yaw")])
        truth[:, 3:] = np.unwrap(truth[:, 3:], axis=0)
        self.robot, self.t = robot, columns["t"] - columns["t"][0]
        if rate != "native":
            t = np.arange(0.0, self.t[-1], 1e-3)
            truth = np.column_stack([np.interp(t, self.t, column) for column in truth.T])
            if rate == "held":
                values = values[np.searchsorted(self.t, t + 1e-9, side="right") - 1]
            else:
                values = np.column_stack([np.interp(t, self.t, column) for column in values.T])
            self.t = t
        low, high = TRUTH_LOST_S[name]
        self.truth_known = (self.t < low) | (self.t >= high)
        self.values, self.p_WB = values, truth[:, :3]
        self.R_WB = np.array([pin.rpy.rpyToMatrix(*rpy) for rpy in truth[:, 3:]])

    def fill(self, row: Any, i: int) -> None:
        """Writes sample i; the torques are not known."""
        na, values = self.robot.na, self.values[i]
        row.seq[0], row.t_s[0] = i, self.t[i]
        row.q[:], row.v[:], row.tau[:] = values[:na], values[na : 2 * na], np.nan
        row.gyro[:], row.accel[:] = values[2 * na : 2 * na + 3], values[2 * na + 3 : 2 * na + 6]
        row.contact_force_N[:] = values[2 * na + 6 :]


def tilt_deg(R: Any, S: Any) -> float:
    """Angle between the verticals of two orientations [deg]."""
    return float(np.degrees(np.arctan2(np.linalg.norm(np.cross(R[2], S[2])), R[2] @ S[2])))


def orientation(q: Any) -> Any:
    """Orientation of the base in a configuration."""
    return pin.Quaternion(q[3:7].copy()).toRotationMatrix()


def yaw(R: Any) -> float:
    return float(np.arctan2(R[1, 0], R[0, 0]))
