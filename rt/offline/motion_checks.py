"""Compares measured velocities with the motion that other columns of a log show, over windows of 0.1 s.

A difference of two neighbouring samples of a real log is mostly jitter of its time stamps and resolution of
its encoders; over 0.1 s the integral of a velocity and the change of a position agree to a few per cent. The
gyro is compared with the joints of the legs: while both soles stand still, their orientations in the base
say how the base turns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from kilohertz.estimators.base_state import JOINTS_Q
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.units import DEGREE
from kilohertz.rt.offline.findings import Findings

Array = NDArray[np.float64]

_WINDOW_S = 0.1
_LONGEST_WINDOW = 1.5
"""Largest span of a window relative to the usual one: one with a gap in it is left out."""
_MOST_WINDOWS = 4000
_LEAST_WINDOWS, _LEAST_MOVES = 30, 10
_LEAST_SPEED_RAD_S = 0.05
_LEAST_TRAVEL_RAD = 0.05
"""A joint that moves less in the whole log is not checked."""
_FOLLOWS, _UNLIKE, _ALIKE = 0.7, 0.5, 0.95
"""Correlations: a velocity follows its position; it does not; it surely follows that of another joint."""
_SAME_SCALE = (0.6, 1.6)
_SPREAD, _MOST = 0.15, 0.6
"""Relative spread within which joints count as of one scale, and the share of the joints that must be."""
_SHOWN = 3
_LEAST_TURN_RAD = 0.003
_SOLES_AGREE = 0.2
_EXPLAINED, _NOT_EXPLAINED = 0.8, 0.3
_ALONG_AXES_RAD = math.radians(15.0)
_SECOND_AXIS = 0.1
"""Least share of the second of the three axes about which the base turns: with less, axes are not told."""


class Windows(NamedTuple):
    """First and last sample (m,) of each window."""

    first: NDArray[np.int64]
    last: NDArray[np.int64]


def windows_of(t_s: Array) -> Windows:
    """Returns windows of about 0.1 s, at least two periods, without those that contain a gap.

    Args:
        t_s: (n,) times, increasing [s].
    """
    span = max(_WINDOW_S, 2.0 * float(np.median(np.diff(t_s))))
    last = np.searchsorted(t_s, t_s + (1.0 - 1e-9) * span)
    first = np.flatnonzero(last < len(t_s))
    last = last[first]
    whole = t_s[last] - t_s[first] < _LONGEST_WINDOW * span
    step = max(1, math.ceil(whole.sum() / _MOST_WINDOWS))
    return Windows(first[whole][::step], last[whole][::step])


def integral(t_s: Array, v: Array, windows: Windows) -> Array:
    """(m, k) integral of v (n, k) over each window, by the trapezoidal rule."""
    middle = 0.5 * (v[1:] + v[:-1]) * np.diff(t_s)[:, None]
    travelled = np.vstack((np.zeros((1, v.shape[1])), np.cumsum(middle, axis=0)))
    out: Array = travelled[windows.last] - travelled[windows.first]
    return out


@dataclass(frozen=True)
class _JointMotion:
    """Change of the position and integral of the velocity of each joint in each window, (m, na) [rad]."""

    dq: Array
    travel: Array
    dt: Array

    def moves(self, joint: int) -> NDArray[np.bool_]:
        """(m,) whether the velocity of a joint is large, for this joint."""
        b = np.abs(self.travel[:, joint])
        large: NDArray[np.bool_] = b > np.maximum(_LEAST_SPEED_RAD_S * self.dt, 0.3 * b.max())
        return large

    def correlation(self, position: int, velocity: int) -> float:
        """Correlation of the change of a position with the integral of a velocity; 0 if one is constant."""
        a, b = self.dq[:, position], self.travel[:, velocity]
        if not (np.ptp(a) > 0.0 and np.ptp(b) > 0.0):
            return 0.0
        return float(np.corrcoef(a, b)[0, 1])


def check_velocities(findings: Findings, robot: RobotModel, t_s: Array, q: Array, v: Array) -> list[str]:
    """Compares the joint velocities of a log with the change of the positions.

    Args:
        findings: collects what is found in the file.
        robot: the robot.
        t_s: (n,) times [s].
        q: (n, na) joint positions [rad].
        v: (n, na) joint velocities that the log holds [rad/s].

    Returns:
        Notes about velocities that do not fit.

    Raises:
        ConfigError: velocities have the opposite sign, are in deg/s, or belong to other joints.
    """
    windows = windows_of(t_s)
    if len(windows.first) < _LEAST_WINDOWS:
        return []
    motion = _JointMotion(
        q[windows.last] - q[windows.first],
        integral(t_s, v, windows),
        t_s[windows.last] - t_s[windows.first],
    )
    still = np.ptp(q, axis=0) < _LEAST_TRAVEL_RAD
    gains: dict[str, tuple[float, int]] = {}
    strangers = []
    for joint, name in enumerate(robot.joint_names):
        moves = motion.moves(joint)
        if motion.travel[:, joint].any() and moves.sum() < _LEAST_MOVES:
            continue
        if abs(motion.correlation(joint, joint)) >= _FOLLOWS:
            a, b = motion.dq[moves, joint], motion.travel[moves, joint]
            gains[name] = float(a @ b / (b @ b)), int(windows.first[moves][0])
        elif not still[joint]:
            strangers.append(joint)
    return _gain_notes(findings, gains) + _stranger_notes(
        findings, robot, motion, strangers, int(windows.first[0])
    )


def _gain_notes(findings: Findings, gains: dict[str, tuple[float, int]]) -> list[str]:
    """Judges how many times as fast each position changes as its velocity says; refuses units and signs."""
    values = np.array([gain for gain, _ in gains.values()])
    middle = float(np.median(values)) if len(values) else 1.0
    same = np.abs(values - middle) < _SPREAD * abs(middle)
    common = len(values) > 2 and middle > 0.0 and same.mean() > _MOST and not _is_angle_unit(middle)
    if common and not _SAME_SCALE[0] < middle < _SAME_SCALE[1]:
        return [
            f"the positions of {same.sum()} of {len(values)} joints change {middle:.2g} times as fast as "
            "their velocities say: check the unit of t_s, then that of the velocities"
        ]
    notes = []
    for name, (gain, row) in gains.items():
        if not _refuse_unit(findings, name, gain, row) and not _SAME_SCALE[0] < gain < _SAME_SCALE[1]:
            notes.append(
                f"q_{name} changes {gain:.2g} times as fast as v_{name} says: check its sign, unit and gear"
            )
    return notes


def _is_angle_unit(gain: float) -> bool:
    return 0.5 * DEGREE < gain < 2.0 * DEGREE or 0.5 / DEGREE < gain < 2.0 / DEGREE


def _refuse_unit(findings: Findings, name: str, gain: float, row: int) -> bool:
    """Refuses a velocity in deg/s, or with the opposite sign, by how fast its position changes.

    Returns:
        Whether something was found, and accepted.
    """
    if -_SAME_SCALE[1] < gain < -_SAME_SCALE[0]:
        findings.refuse(
            "velocity-sign",
            row,
            f"v_{name} has the opposite sign of the change of q_{name}: give v_{name} scale: -1",
        )
        return True
    if 0.5 * DEGREE < gain < 2.0 * DEGREE:
        findings.refuse(
            "velocity-unit",
            row,
            f"v_{name} is 57 times the change of q_{name}, as if in deg/s: give "
            f"v_JOINT: {{column: NAME, scale: {DEGREE:.9f}}} in --columns",
        )
        return True
    if 0.5 / DEGREE < gain < 2.0 / DEGREE:
        findings.refuse(
            "position-unit",
            row,
            f"q_{name} changes 57 times as fast as v_{name} says, as if in degrees: give "
            f"q_JOINT: {{column: NAME, scale: {DEGREE:.9f}}} in --columns",
        )
        return True
    return False


def _stranger_notes(
    findings: Findings, robot: RobotModel, motion: _JointMotion, joints: list[int], row: int
) -> list[str]:
    """Returns notes about velocities that have nothing to do with their positions.

    Raises:
        ConfigError: a velocity follows the position of another joint.
    """
    names = robot.joint_names
    zero = [names[j] for j in joints if not motion.travel[:, j].any()]
    unlike = [j for j in joints if names[j] not in zero and abs(motion.correlation(j, j)) < _UNLIKE]
    for joint in unlike:
        # A velocity that follows its own joint may be like this one as well, as in a squat.
        likeness = {k: motion.correlation(joint, k) for k in unlike if k != joint}
        if max(likeness.values(), default=0.0) > _ALIKE:
            other = names[max(likeness, key=likeness.__getitem__)]
            findings.refuse(
                "velocity-order",
                row,
                f"v_{names[joint]} does not follow the change of q_{names[joint]}, but v_{other} does: check "
                "the order of the joints in the columns of positions and of velocities",
            )
    notes = []
    if zero:
        notes.append(
            f"the velocities of {_listed(zero)} are 0 while their positions change: leave the columns out if "
            "they are not measured"
        )
    if unlike:
        notes.append(
            f"the velocities of {_listed([names[j] for j in unlike])} do not follow their positions: check "
            "that the columns are of the same joints"
        )
    return notes


def _listed(names: list[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else "")


def check_gyro(findings: Findings, robot: RobotModel, t_s: Array, q: Array, gyro: Array) -> list[str]:
    """Compares the gyro with the turning of the base that the legs show while two soles stand still.

    Args:
        findings: collects what is found in the file.
        robot: a robot with a floating base; one with fewer than two flat soles is not checked.
        t_s: (n,) times [s].
        q: (n, na) joint positions [rad].
        gyro: (n, 3) angular velocity in IMU axes [rad/s].

    Returns:
        A note, if gyro and legs contradict each other in a way that names no cause.

    Raises:
        ConfigError: the gyro has another unit, sign or order of axes.
    """
    windows = windows_of(t_s)
    legs, measured, first = _turns(robot, t_s, q, gyro, windows)
    if len(legs) < _LEAST_WINDOWS:
        return []
    if not measured.any():
        findings.refuse(
            "gyro-empty", first, "gyro is 0 while the legs show that the base turns: it was not measured"
        )
        return []
    gain = float((legs * measured).sum() / (measured**2).sum())
    if _explained(legs, measured) > _NOT_EXPLAINED and gain < _SAME_SCALE[1]:
        return []
    if 0.5 * DEGREE < gain < 2.0 * DEGREE and _explained(legs, gain * measured) > 0.5:
        findings.refuse(
            "gyro-unit",
            first,
            "gyro turns 57 times as fast as the legs show, as if in deg/s: give gyro_x, gyro_y and gyro_z a "
            f"scale of {DEGREE:.9f} in --columns",
        )
        return []
    if _explained(legs, gain * measured) > _EXPLAINED and gain > 0.0:
        findings.refuse(
            "gyro-scale",
            first,
            f"the legs show that the base turns {gain:.2g} times as fast as the gyro says: check the unit of "
            "t_s, then that of the gyro",
        )
        return []
    u, size, vt = np.linalg.svd(legs.T @ measured)
    axes = u @ vt
    if _explained(legs, measured @ axes.T) > _EXPLAINED and size[1] > _SECOND_AXIS * size[0]:
        findings.refuse("gyro-axes", first, _axes_sentence(robot, axes))
        return []
    return [
        "the turning of the base that the legs show does not fit the gyro: check the axes and signs of the "
        "gyro, rpy_BI_rad of the imu in robot.yaml, and the order and signs of the leg joints"
    ]


def _explained(legs: Array, measured: Array) -> float:
    """Share of the squares of the legs' turning that the gyro explains; negative if it contradicts."""
    return 1.0 - float(((legs - measured) ** 2).sum() / (legs**2).sum())


def _axes_sentence(robot: RobotModel, axes: Array) -> str:
    """Returns the sentence about a gyro (3,) that fits the legs if multiplied by axes (3, 3)."""
    near = np.zeros((3, 3))
    for i in range(3):
        k = int(np.abs(axes[i]).argmax())
        near[i, k] = np.sign(axes[i, k])
    if np.allclose(near, -np.eye(3)):
        return "gyro has the opposite sign of the turning that the legs show: give its columns a scale of -1"
    permuted = abs(round(float(np.linalg.det(near)))) == 1
    off = float(np.arccos(np.clip(0.5 * (np.trace(axes @ near.T) - 1.0), -1.0, 1.0))) if permuted else np.inf
    theirs = "xyz"
    parts = ", ".join(
        f"gyro_{theirs[i]} = {'-' if near[i, k] < 0 else ''}gyro_{theirs[k]}"
        for i in range(3)
        for k in [int(np.abs(near[i]).argmax())]
    )
    what = "gyro turns about other axes than the legs show"
    if off > _ALONG_AXES_RAD and np.linalg.det(axes) < 0.0:
        return f"{what}: check the order and signs of gyro_x, gyro_y and gyro_z"
    how = f"it fits with {parts} of the present columns" if off < _ALONG_AXES_RAD else ""
    if np.linalg.det(axes) > 0.0:
        assert robot.imu_frame_id is not None
        R_BI = robot.pin_model.frames[robot.imu_frame_id].placement.rotation
        rpy = np.round(pin.rpy.matrixToRpy(R_BI @ axes), 2) + 0.0
        turned = f"rpy_BI_rad of the imu in robot.yaml were [{rpy[0]:.2f}, {rpy[1]:.2f}, {rpy[2]:.2f}]"
        how = f"{how}, or if {turned}" if how else f"it fits if {turned}"
    return f"{what}: {how}; check also the order and signs of the leg joints"


def _turns(
    robot: RobotModel, t_s: Array, q: Array, gyro: Array, windows: Windows
) -> tuple[Array, Array, int]:
    """Returns the turning of the base in windows in which two soles agree about it, and the first row.

    Returns:
        (m, 3) rotation vectors from the legs and (m, 3) from the gyro, in IMU axes [rad], and a row.
    """
    soles = [contact.frame_id for contact in robot.contacts if len(contact.corners_F) > 2][:2]
    nothing = np.zeros((0, 3))
    if len(soles) < 2 or not len(windows.first):
        return nothing, nothing, 0
    at, inverse = np.unique(np.concatenate(windows), return_inverse=True)
    R_FI = _imu_in_soles(robot, q[at], soles)
    start, end = inverse[: len(windows.first)], inverse[len(windows.first) :]
    # A sole F that does not move: R_I1I2 = R_I1F R_FI2.
    turns = [(Rotation.from_matrix(R[start]).inv() * Rotation.from_matrix(R[end])).as_rotvec() for R in R_FI]
    measured = integral(t_s, gyro, windows)
    legs = 0.5 * (turns[0] + turns[1])
    size = np.linalg.norm(legs, axis=1)
    agree = np.linalg.norm(turns[0] - turns[1], axis=1) < _SOLES_AGREE * size
    used = agree & (size > _LEAST_TURN_RAD)
    return legs[used], measured[used], int(windows.first[used][0]) if used.any() else 0


def _imu_in_soles(robot: RobotModel, q: Array, soles: list[int]) -> list[Array]:
    """Returns the orientations (n, 3, 3) of the IMU in each sole, for joint positions (n, na)."""
    data, full = robot.pin_model.createData(), np.array(robot.q_nominal)
    out = [np.zeros((len(q), 3, 3)) for _ in soles]
    for i, row in enumerate(q):
        full[JOINTS_Q:] = row
        pin.framesForwardKinematics(robot.pin_model, data, full)
        R_WI = data.oMf[robot.imu_frame_id].rotation
        for R, frame in zip(out, soles, strict=True):
            R[i] = data.oMf[frame].rotation.T @ R_WI
    return out
