"""Compares joints, IMU and contact forces of a biped's log with each other through its soles.

A loaded sole stands still. If the log is right, the turn of the base that a loaded sole shows is that of the
gyro, the loaded sole is the lower one, and at rest both soles are parallel and level. Each check compares the
log as it is with the log after one named mistake was undone: it refuses if that explains the motion several
times better, and writes a note if it explains it somewhat better. What the data cannot tell is passed.
"""

from __future__ import annotations

import math

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.offline.findings import Findings
from kilohertz.rt.offline.stance import Signals, Stance, sole_contacts

Array = NDArray[np.float64]

_LEAST_WINDOWS = 30
_SURE, _LIKELY = 2.2, 1.5
"""Ratio of the residuals of the log as it is and with a mistake undone, for a refusal and for a note."""
_LEAST_RESIDUAL_RAD = 0.002
"""Residual per window up to which soles and gyro agree as well as sensors do [rad]."""
_LOWER_M = 0.006
"""Least height by which the unloaded sole must be the lower one to contradict the forces [m]."""
_LEAST_PHASES = 2
_LATEST_S, _LAG_STEP_S = 0.15, 0.01
_LAG_S = 0.025
"""Least delay between IMU and joints for a note [s]: a log that was merged at 50 Hz may have 0.02 s."""
_LAG_SURE, _LAG_LIKELY = 1.35, 1.2
_LAG_REFUSED_S = 0.035
"""Least delay that refuses a log [s]; some hundredths of a second are usual, and a note."""
_ZERO_RAD, _ZERO_NOTE_RAD = math.radians(9.0), math.radians(4.0)
_STEADY_RAD = math.radians(2.0)
_TILT_RAD, _TILT_NOTE_RAD = math.radians(8.0), math.radians(4.0)
_SAME_TILT_RAD = math.radians(3.0)
_LEAST_REST = 10


def check_stance(findings: Findings, robot: RobotModel, signals: Signals, rpy_WT: Array) -> list[str]:
    """Compares joints, IMU and contact forces of a biped with two flat soles; other robots are passed.

    Args:
        findings: collects what is found in the file.
        robot: the robot.
        signals: the log.
        rpy_WT: (n, 3) true orientation of the base [rad]; NaN where it is unknown.

    Returns:
        Notes about contradictions that are not strong enough to refuse the log.

    Raises:
        ConfigError: joints or forces of left and right are exchanged, the IMU is late, early or turned, or a
            joint has another zero.
    """
    if not sole_contacts(robot):
        return []
    stance = Stance(robot, signals)
    if len(stance.first) < _LEAST_WINDOWS:
        return []
    turns = stance.turns(signals.q)
    notes, exchanged = _exchanged(findings, stance, turns)
    if exchanged:
        # What follows would find the same mistake again under other names.
        return notes
    notes += _late(findings, stance, turns)
    return notes + _soles_at_rest(findings, stance, turns, rpy_WT)


def leg_pairs(robot: RobotModel) -> list[tuple[int, int]]:
    """Returns the joints of both legs in pairs, from the base to the soles; [] if the legs differ."""
    model = robot.pin_model
    ends = [model.frames[robot.contacts[i].frame_id].parentJoint for i in sole_contacts(robot)]
    # The first two joints are the world and the base.
    chains = [[model.names[j] for j in model.supports[end] if j > 1] for end in ends]
    if len(chains) != 2 or len(chains[0]) != len(chains[1]):
        return []
    names = robot.joint_names
    pairs = [(a, b) for a, b in zip(*chains, strict=True) if a != b]
    return [(names.index(a), names.index(b)) for a, b in pairs if a in names and b in names]


def _mistakes(robot: RobotModel) -> list[list[tuple[int, int]]]:
    """Returns sets of pairs of joints that may have been exchanged: legs, hips, and each pair alone."""
    pairs = leg_pairs(robot)
    if len(pairs) < 2:
        return []
    groups = [pairs, pairs[:3], pairs[:2]] if len(pairs) > 3 else [pairs]
    return groups + [[pair] for pair in pairs]


def _exchanged(findings: Findings, stance: Stance, turns: Array) -> tuple[list[str], bool]:
    """Finds exchanged joints or forces of left and right; returns notes and whether something was found."""
    now = stance.residual(turns, stance.turn)
    if not now > _LEAST_RESIDUAL_RAD:
        return [], False
    robot, best, pairs = stance.robot, math.inf, []
    for group in _mistakes(robot):
        q = np.array(stance.signals.q)
        for a, b in group:
            q[:, [a, b]] = q[:, [b, a]]
        with_group = stance.residual(stance.turns(q), stance.turn)
        # A larger group comes first and must be beaten clearly by a part of it.
        if with_group < 0.9 * best:
            best, pairs = with_group, group
    forces = stance.residual(turns, stance.turn, exchanged=True) if stance.loaded is not None else math.inf
    lower = _lower_sole_is_unloaded(stance)
    row = int(stance.first[0])
    # Only the heights tell the forces from legs whose joints all have the same axes.
    if lower is False:
        forces = math.inf
    if forces <= 1.1 * best and now > (_LIKELY if lower else _SURE) * forces:
        findings.refuse(
            "forces-exchanged", row, _forces_sentence(robot, len(pairs) > 3 and best < 1.2 * forces)
        )
        return [], True
    names = robot.joint_names
    said = ", ".join(f"{names[a]} and {names[b]}" for a, b in pairs)
    what = f"exchanged columns of {said}"
    if now > _SURE * best:
        findings.refuse(
            "joints-exchanged",
            row,
            f"the turning of the base that the soles show fits the gyro {now / best:.1f} times better with "
            f"{what}: check which joint of left and right each column q_ and v_ belongs to",
        )
        return [], True
    if now > _LIKELY * best:
        return [
            f"the soles fit the gyro {now / best:.1f} times better with {what}: check left and right"
        ], True
    if lower:
        return [_forces_sentence(robot, True)], False
    return [], False


def _forces_sentence(robot: RobotModel, or_joints: bool) -> str:
    a, b = (robot.contact_names[i] for i in sole_contacts(robot))
    joints = ", or the joints of the left and the right leg" if or_joints else ""
    return (
        f"the sole that force_{a} and force_{b} call loaded is the one that swings: exchange the two columns "
        f"in --columns{joints}"
    )


def _lower_sole_is_unloaded(stance: Stance) -> bool | None:
    """Returns whether the unloaded sole is lower than the one that carries the robot; None if unknown."""
    left, right = stance.alone
    phases = [int((np.diff(side.astype(int)) > 0).sum() + side[0]) for side in (left, right)]
    if min(phases) < _LEAST_PHASES or min(left.sum(), right.sum()) < _LEAST_WINDOWS // 3:
        return None
    height = np.einsum("kmi,mi->km", stance.first_poses.p_IF, stance.vertical)
    # Half the change between the two supports, which a slope or a tilted IMU does not change.
    clear = float(np.median((height[1] - height[0])[left]) - np.median((height[1] - height[0])[right])) / 2.0
    if abs(clear) < _LOWER_M:
        return None
    return clear < 0.0


def _late(findings: Findings, stance: Stance, turns: Array) -> list[str]:
    """Finds a delay between the gyro and the joints from the turns of the base that both show."""
    now = stance.residual(turns, stance.turn)
    if not now > _LEAST_RESIDUAL_RAD:
        return []
    lags = np.arange(-_LATEST_S, _LATEST_S + 1e-9, _LAG_STEP_S)
    residuals = np.array([stance.residual(turns, stance.turn_at(lag)) for lag in lags])
    best = int(residuals.argmin())
    if best in (0, len(lags) - 1) or abs(lags[best]) < _LAG_S:
        return []
    squares = residuals[best - 1 : best + 2] ** 2
    bend = squares[0] - 2.0 * squares[1] + squares[2]
    late_s = float(lags[best] + _LAG_STEP_S * 0.5 * (squares[0] - squares[2]) / max(bend, 1e-12))
    gain = now / residuals[best]
    if gain < _LAG_LIKELY:
        return []
    how = "late" if late_s > 0.0 else "early"
    sentence = (
        f"gyro_x, gyro_y and gyro_z are {abs(late_s) * 1e3:.0f} ms {how} relative to the joints: with that "
        f"undone they fit the loaded soles {gain:.1f} times better; shift the columns of the IMU in time"
    )
    sure = gain > _LAG_SURE and abs(late_s) > _LAG_REFUSED_S
    return findings.judge("imu-time", int(stance.first[0]), sentence, sure=sure)


def _soles_at_rest(findings: Findings, stance: Stance, turns: Array, rpy_WT: Array) -> list[str]:
    """Checks that the soles are parallel at rest, and level by the accelerometer."""
    rest = stance.rest
    if rest.sum() < _LEAST_REST:
        return []
    normals = stance.first_poses.R_IF[..., 2]
    up = stance.vertical
    between = np.cross(normals[0], normals[1])[rest]
    angle = float(np.median(np.arcsin(np.clip(np.linalg.norm(between, axis=1), 0.0, 1.0))))
    row = int(stance.first[rest][0])
    if angle > _ZERO_NOTE_RAD:
        return _zero(findings, stance, turns, normals, up, angle, row)
    mean = normals.sum(axis=0)
    mean /= np.linalg.norm(mean, axis=1)[:, None]
    # Rotation vector that turns the normal of the soles onto the vertical of the accelerometer, in IMU axes.
    tilt = np.median(np.cross(mean, up)[rest], axis=0)
    return _tilted(findings, stance, turns, tilt, rpy_WT, row)


def _zero(
    findings: Findings, stance: Stance, turns: Array, normals: Array, up: Array, angle: float, row: int
) -> list[str]:
    """Tells of soles that are not parallel at rest; refuses if a joint's zero explains it and the motion."""
    rest = stance.rest
    off = [float(np.median(np.arccos(np.clip((n * up).sum(axis=1), -1.0, 1.0))[rest])) for n in normals]
    side = int(np.argmax(off))
    joint, offset, gain = _best_zero(stance, turns, side, angle)
    contact = stance.robot.contact_names[sole_contacts(stance.robot)[side]]
    sentence = (
        f"at rest the soles are {math.degrees(angle):.1f} deg from parallel, and {contact} is not "
        f"level: if the ground was flat, check the zeros of the joints of that leg (q_{joint} too large by "
        f"{offset:.2f} rad, for example), and give its column an offset in --columns"
    )
    loaded = stance.loaded
    if loaded is None or angle < _ZERO_RAD:
        return [sentence]
    both = loaded.all(axis=0)
    angles = np.linalg.norm(np.cross(normals[0], normals[1]), axis=1)[both]
    steady = float(np.percentile(angles, 75) - np.percentile(angles, 25)) < _STEADY_RAD
    moved = float(
        np.ptp(
            stance.signals.q[stance.first][:, [j for p in leg_pairs(stance.robot) for j in p]], axis=0
        ).max()
    )
    # A pose with a raised heel looks the same, but is not kept through a motion of the legs.
    sure = steady and moved > 0.1 and gain > 1.02
    return findings.judge("joint-zero", row, sentence, sure=sure)


def _best_zero(stance: Stance, turns: Array, side: int, angle: float) -> tuple[str, float, float]:
    """Returns the joint of a leg whose other zero explains the angle between the soles best.

    Returns:
        Its name, by how much its column is too large [rad], and how many times better the gyro then fits.
    """
    robot, signals = stance.robot, stance.signals
    now = stance.residual(turns, stance.turn)
    at = stance.first[stance.rest][:5]
    best: tuple[float, str, float, float] = (math.inf, "", 0.0, 0.0)
    for pair in leg_pairs(robot):
        for sign in (1.0, -1.0):
            q = np.array(signals.q)
            q[:, pair[side]] -= sign * angle
            poses = stance.poses(q[at])
            normals = poses.R_IF[..., 2]
            left = float(np.linalg.norm(np.cross(normals[0], normals[1]), axis=1).mean())
            # Both soles stand on one plane.
            step = abs(float(((poses.p_IF[1] - poses.p_IF[0]) * normals[1 - side]).sum(axis=1).mean()))
            if left < 0.4 * angle and left + step < best[0]:
                residual = stance.residual(stance.turns(q), stance.turn)
                best = (left + step, robot.joint_names[pair[side]], sign * angle, now / max(residual, 1e-9))
    return best[1:] if best[1] else ("its joints", angle, 0.0)


def _tilted(
    findings: Findings, stance: Stance, turns: Array, tilt: Array, rpy_WT: Array, row: int
) -> list[str]:
    """Tells of an accelerometer that is not upright on the soles; refuses if truth or gyro say the same."""
    size = float(np.linalg.norm(tilt))
    if size < math.sin(_TILT_NOTE_RAD):
        return []
    imu = stance.robot.imu_frame_id
    assert imu is not None
    R_BI = stance.robot.pin_model.frames[imu].placement.rotation
    # The IMU that measures this vertical is turned by the inverse.
    rpy = np.round(pin.rpy.matrixToRpy(R_BI @ pin.exp3(-tilt)), 2) + 0.0
    sentence = (
        f"at rest accel_x, accel_y and accel_z are {math.degrees(math.asin(min(1.0, size))):.1f} deg away "
        "from the normal of the soles: on level ground, rpy_BI_rad of the imu in robot.yaml should be "
        f"[{rpy[0]:.2f}, {rpy[1]:.2f}, {rpy[2]:.2f}], or the leg joints have other zeros"
    )
    by_truth = _tilt_by_truth(stance, rpy_WT, R_BI)
    same = by_truth is not None and np.linalg.norm(by_truth - tilt) < max(_SAME_TILT_RAD, 0.3 * size)
    sure = size > math.sin(_TILT_RAD) and (same or (by_truth is None and _gyro_says_so(stance, turns, tilt)))
    return findings.judge("imu-mounting", row, sentence, sure=bool(sure))


def _tilt_by_truth(stance: Stance, rpy_WT: Array, R_BI: Array) -> Array | None:
    """(3,) rotation vector from the true vertical to that of the accelerometer, at rest, in IMU axes."""
    at = stance.first[stance.rest]
    known = np.isfinite(rpy_WT[at]).all(axis=1)
    if known.sum() < _LEAST_REST:
        return None
    R_WB = Rotation.from_euler("ZYX", rpy_WT[at][known][:, ::-1])
    true = R_WB.inv().apply([0.0, 0.0, 1.0]) @ R_BI
    tilt: Array = np.median(np.cross(true, stance.vertical[stance.rest][known]), axis=0)
    return tilt


def _gyro_says_so(stance: Stance, turns: Array, tilt: Array) -> bool:
    """Returns whether turning the IMU by the tilt makes the gyro fit the soles better, and back worse."""
    legs, measured = stance.pairs(turns, stance.turn)
    if len(legs) < _LEAST_WINDOWS:
        return False

    def residual(R: Array) -> float:
        return float(np.sqrt(((legs - measured @ R.T) ** 2).sum(axis=1).mean()))

    now, then, back = residual(np.eye(3)), residual(pin.exp3(-tilt)), residual(pin.exp3(tilt))
    return now > _LEAST_RESIDUAL_RAD and now > 1.08 * then and back > now
