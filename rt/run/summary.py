"""The figures of a run, as `khz sim --json` writes them.

All errors are relative to the true state of the simulator, or to the estimate where the robot knows no true
state (`Trace.against`). A figure that a run did not produce is None.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import itertools
import math
import platform
from collections.abc import Sequence
from typing import Any

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from kilohertz.controller.gains.schema import Gains
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.loop.trace import ESTIMATE, Trace
from kilohertz.sim.scenario_schema import Scenario

Vector = NDArray[np.float64]
Mask = NDArray[np.bool_]

SETTLING_S = 2.0
ESTIMATION_FROM_S = 1.0
SATURATED_SHARE = 0.01
RELATIVE_FROM_S = 0.6
"""Time from a command of `dual` until the relative pose of the hands is the one to keep [s]."""
PAIR = 2


def qp_figures(trace: Trace, solver: str) -> dict[str, Any]:
    """Returns how often each rung of the fallback ladder was used, and the worst residuals, over all ticks.

    `softened` is the number of ticks whose limits were softened, `fallback` that of ticks without a solution.
    """
    iterations = np.cumsum(trace.iteration_ticks)
    p99 = int(np.searchsorted(iterations, math.ceil(0.99 * iterations[-1]))) if trace.ticks else None
    return {
        "solver": solver,
        "solved": int(trace.rung_ticks[0]),
        "softened": int(trace.rung_ticks[1]),
        "fallback": int(trace.rung_ticks[2:].sum()),
        "iterations_p99": p99,
        "worst_dynamics_residual_Nm": _number(trace.worst_dynamics_residual) if trace.ticks else None,
        "worst_cone_violation_N": _number(trace.worst_cone_violation_N) if trace.ticks else None,
    }


def estimation_figures(trace: Trace, floating: bool) -> dict[str, Any]:
    """Returns the errors of the estimated base state after the first second.

    All are None for a fixed base, and for a robot whose true state is not known.

    `velocity_rms_m_s` has one value per axis of the world. `tilt_rms_deg` is the RMS angle between the
    estimated and the true vertical. `position_drift_m` is the change of the position error from the first to
    the last of these ticks.
    """
    names = ("velocity_rms_m_s", "tilt_rms_deg", "position_drift_m")
    after = trace.kept("t_s") >= ESTIMATION_FROM_S
    if not floating or not after.any() or trace.against == ESTIMATE:
        return dict.fromkeys(names)
    q_true, q_est = trace.kept("q_true")[after], trace.kept("q_est")[after]
    position_error = q_est[:, :3] - q_true[:, :3]
    return {
        "velocity_rms_m_s": _numbers(_rms(base_velocity_error(trace)[after])),
        "tilt_rms_deg": _number(math.degrees(float(_rms(tilt_error_rad(trace)[after])))),
        "position_drift_m": _numbers(position_error[-1] - position_error[0]),
    }


def base_velocity_error(trace: Trace) -> Vector:
    """Returns the (n, 3) estimated minus true linear velocity of the base, in the world's axes [m/s]."""
    v_WB_est = rotate(trace.kept("q_est")[:, 3:7], trace.kept("v_est")[:, :3])
    error: Vector = v_WB_est - rotate(trace.kept("q_true")[:, 3:7], trace.kept("v_true")[:, :3])
    return error


def tilt_error_rad(trace: Trace) -> Vector:
    """Returns the (n,) angles between the estimated and the true vertical, both in the base frame [rad]."""
    up = np.array([0.0, 0.0, 1.0])
    up_B_est = rotate(_conjugate(trace.kept("q_est")[:, 3:7]), up)
    up_B_true = rotate(_conjugate(trace.kept("q_true")[:, 3:7]), up)
    sine = np.linalg.norm(np.cross(up_B_est, up_B_true), axis=1)
    angle: Vector = np.arctan2(sine, np.sum(up_B_est * up_B_true, axis=1))
    return angle


def settled(t_s: Vector, scenario: Scenario) -> Mask:
    """Returns which ticks count for the tracking figures: (n,) booleans.

    The first 2 s, every push, and the 2 s after a push do not count.
    """
    mask = t_s >= SETTLING_S
    for event in scenario.events:
        if event.push is not None:
            mask &= ~((t_s >= event.at_s) & (t_s < event.at_s + event.push.duration_s + SETTLING_S))
    return mask


def true_stance_middle(trace: Trace) -> Vector:
    """Returns the (n, 3) mean of the true positions of all soles [m]."""
    middle: Vector = trace.kept("p_WF_true").mean(axis=1)
    return middle


def judged_com(trace: Trace) -> Vector:
    """Returns the (n, 3) true centre of mass to which the reference applies [m].

    Horizontally, it is that of robot and payload, which has to be over the soles. Vertically, it is that of
    the robot alone: the robot can measure its own height, and cannot measure that of its payload.
    """
    com: Vector = trace.kept("p_WC_true").copy()
    com[:, 2] = trace.kept("p_WR_true")[:, 2]
    return com


def com_error(trace: Trace) -> Vector:
    """Returns the (n, 3) reference minus true centre of mass, each relative to the middle of the soles [m].

    The reference is relative to the estimated positions of the soles, the true centre of mass to the true
    ones: a drift of the estimated position, which no sensor of the robot can measure, is not a tracking
    error. `judged_com` describes which centre of mass is used with a payload.
    """
    reference = trace.kept("p_WC_des") - trace.kept("p_WS_est")
    reference[:, 2] -= trace.kept("p_RC_est")[:, 2]
    error: Vector = reference - (judged_com(trace) - true_stance_middle(trace))
    return error


def hand_error(trace: Trace, hand: int, floating: bool) -> Vector:
    """Returns the (n, 3) reference minus true position of a hand [m].

    For a floating base, both positions are relative to the middle of the soles.
    """
    error = trace.kept("p_WH_des")[:, hand] - trace.kept("p_WH_true")[:, hand]
    return error - (trace.kept("p_WS_est") - true_stance_middle(trace)) if floating else error


def tracking_figures(trace: Trace, robot: RobotModel, scenario: Scenario) -> dict[str, Any]:
    """Returns the tracking errors: true centre of mass and hands relative to their references.

    For a robot whose true state is not known, they are those of the estimate. Only the ticks of `settled` in
    the state "active" count.
    """
    mask = settled(trace.kept("t_s"), scenario) & active(trace)
    com_rms: float | None = None
    if robot.floating and mask.any():
        com_rms = rms_length(com_error(trace)[mask])
    hand_rms: dict[str, float | None] = {}
    hand_max: dict[str, float | None] = {}
    for hand, name in enumerate(robot.hand_names):
        tracked = mask & (trace.kept("hand_active")[:, hand] > 0)
        if not tracked.any():
            hand_rms[name] = hand_max[name] = None
            continue
        error = hand_error(trace, hand, robot.floating)[tracked]
        hand_rms[name] = rms_length(error)
        hand_max[name] = _number(float(np.linalg.norm(error, axis=1).max()))
    return {
        "com_rms_m": com_rms,
        "hand_rms_m": hand_rms,
        "hand_max_m": hand_max,
        **relative_pose_figures(trace, robot, scenario),
        **walking_figures(trace, scenario, robot.floating),
    }


def relative_pose_figures(trace: Trace, robot: RobotModel, scenario: Scenario) -> dict[str, Any]:
    """Returns by how much the true relative pose of two hands changed while they moved together.

    It is relative to that 0.6 s after the first command of `dual` of each row of them, when the hands have
    come to rest, and counts from then until another command; in the first 2 s of the run it does not count.
    All are None for a robot without two hands, and without such a command.
    """
    names = ("relative_rms_m", "relative_max_m", "relative_rms_deg", "relative_max_deg")
    t_s = trace.kept("t_s")
    starts_s = [command.at_s for command in scenario.commands] + [math.inf]
    off_m, off_rad = [np.zeros(0)], [np.zeros(0)]
    first_s: float | None = None
    for command, (start_s, end_s) in zip(scenario.commands, itertools.pairwise(starts_s), strict=True):
        first_s = None if command.kind != "dual" else start_s if first_s is None else first_s
        if first_s is None or len(robot.hand_names) != PAIR:
            continue
        begin = first_s + RELATIVE_FROM_S
        rows = np.flatnonzero((t_s >= max(begin, start_s)) & (t_s < end_s) & active(trace))
        at = int(np.searchsorted(t_s, begin))
        if not len(rows):
            continue
        moved = _relative_poses(trace.kept("q_true")[[at, *rows]], robot)
        counts = t_s[rows] >= SETTLING_S
        off_m.append(np.linalg.norm(moved[1:, :3, 3] - moved[0, :3, 3], axis=1)[counts])
        turns = np.swapaxes(moved[1:, :3, :3], 1, 2) @ moved[0, :3, :3]
        off_rad.append(_angles_rad(turns)[counts])
    every_m, every_deg = np.concatenate(off_m), np.degrees(np.concatenate(off_rad))
    if not len(every_m):
        return dict.fromkeys(names)
    figures = np.array([_rms(every_m), every_m.max(), _rms(every_deg), every_deg.max()])
    return dict(zip(names, _numbers(figures), strict=True))


def _relative_poses(q: Vector, robot: RobotModel) -> Vector:
    """Returns the (n, 4, 4) poses of the second hand in the first for (n, nq) postures."""
    model, data = robot.pin_model, robot.pin_model.createData()
    poses = np.zeros((len(q), 4, 4))
    for pose, row in zip(poses, q, strict=True):
        pin.framesForwardKinematics(model, data, row)
        first, second = (data.oMf[hand.frame_id] for hand in robot.hands)
        pose[:] = first.actInv(second).homogeneous
    return poses


def _angles_rad(R: Vector) -> Vector:
    """Returns the (n,) angles of (n, 3, 3) rotations [rad], exact also for small ones."""
    twice_sine = np.stack([R[:, 2, 1] - R[:, 1, 2], R[:, 0, 2] - R[:, 2, 0], R[:, 1, 0] - R[:, 0, 1]], axis=1)
    trace = np.trace(R, axis1=1, axis2=2)
    angles: Vector = np.arctan2(np.linalg.norm(twice_sine, axis=1), trace - 1.0)
    return angles


def active(trace: Trace) -> Mask:
    """Returns in which ticks the state of the controller was "active": (n,) booleans."""
    mask: Mask = trace.kept("state") == trace.state_index("active")
    return mask


def walking_figures(trace: Trace, scenario: Scenario, floating: bool) -> dict[str, Any]:
    """Returns the mean true velocity while walking, in heading axes; None if no walk was commanded.

    Each walk counts from 2 s after its command, when the gait has settled, until the next command.
    """
    t_s = trace.kept("t_s")
    walking = np.zeros(len(t_s), dtype=np.bool_)
    starts_s = [command.at_s for command in scenario.commands] + [math.inf]
    for command, (start_s, end_s) in zip(scenario.commands, itertools.pairwise(starts_s), strict=True):
        if command.kind == "walk":
            walking |= (t_s >= start_s + SETTLING_S) & (t_s < end_s)
    if not floating or not walking.any():
        return {"mean_velocity_m_s": None, "yaw_rate_rad_s": None}
    w_WB = rotate(trace.kept("q_true")[walking, 3:7], trace.kept("v_true")[walking, 3:6])
    return {
        "mean_velocity_m_s": _numbers(heading_velocity(trace, walking).mean(axis=0)),
        "yaw_rate_rad_s": _number(float(w_WB[:, 2].mean())),
    }


def heading_velocity(trace: Trace, ticks: Mask | NDArray[np.intp]) -> Vector:
    """Returns the true velocity of the base along its heading and to the left of it [m/s].

    Args:
        trace: history of the run of a robot with a floating base.
        ticks: mask or indices of n kept ticks.

    Returns:
        (n, 2) velocities; they leave out the vertical.
    """
    orientation = trace.kept("q_true")[ticks, 3:7]
    v_WB = rotate(orientation, trace.kept("v_true")[ticks, :3])
    ahead_W = rotate(orientation, np.array([1.0, 0.0, 0.0]))
    heading = np.arctan2(ahead_W[:, 1], ahead_W[:, 0])
    forward = np.cos(heading) * v_WB[:, 0] + np.sin(heading) * v_WB[:, 1]
    sideways = -np.sin(heading) * v_WB[:, 0] + np.cos(heading) * v_WB[:, 1]
    return np.stack([forward, sideways], axis=1)


def payload_figures(output: Any) -> dict[str, Any]:
    """Returns the payload that the controller estimates at the end of the run; None if it has no estimate.

    Args:
        output: the brain's last output (`kilohertz.controller.brain.BrainOutput`).
    """
    if math.isnan(output.payload_kg):
        return {"mass_kg": None, "p_BP_m": None}
    place = [None if math.isnan(x) else x for x in output.payload_p_BP_m.tolist()]
    return {"mass_kg": output.payload_kg, "p_BP_m": place if output.payload_kg > 0.0 else None}


def hand_wrench_figures(output: Any, hand_names: Sequence[str]) -> dict[str, Any]:
    """Returns the wrench on each hand at the end of the run, in the hand's axes.

    None for a robot that does not estimate it, and for an arm without a working force-torque sensor that was
    not calibrated with an empty hand.

    Args:
        output: the brain's last output (`kilohertz.controller.brain_output.BrainOutput`).
        hand_names: names of the hands.
    """
    figures: dict[str, Any] = {}
    calibrated = math.isfinite(output.payload_kg)
    for name, wrench, felt in zip(hand_names, output.w_H.tolist(), output.felt, strict=True):
        known = (calibrated or felt) and all(map(math.isfinite, wrench))
        figures[name] = {"force_N": wrench[:3], "moment_Nm": wrench[3:]} if known else None
    return figures


def torque_figures(trace: Trace, joint_names: Sequence[str]) -> dict[str, Any]:
    """Returns the largest applied torque as a fraction of its limit, also by joint, and the saturated joints.

    On hardware the applied torque is the measured one; without torque sensing both are unknown.

    A joint is saturated when its applied torque was at 99.9 % of its limit or more in over 1 % of all ticks.
    """
    if not trace.ticks:
        return {"peak_fraction": None, "saturated_joints": [], "peak_fraction_by_joint": {}}
    known = np.isfinite(trace.peak_torque_fraction)
    if not known.any():
        return {"peak_fraction": None, "saturated_joints": None, "peak_fraction_by_joint": {}}
    share = trace.saturated_ticks / trace.ticks
    return {
        "peak_fraction": _number(float(trace.peak_torque_fraction[known].max())),
        "saturated_joints": [joint_names[i] for i in np.flatnonzero(share > SATURATED_SHARE).tolist()],
        "peak_fraction_by_joint": dict(zip(joint_names, _numbers(trace.peak_torque_fraction), strict=True)),
    }


def config_sha256(robot: RobotModel, gains: Gains) -> str:
    """Returns the SHA-256 hash of the configuration: robot.yaml and gains."""
    configuration = f"{robot.config_sha256}\n{gains.model_dump_json()}"
    return hashlib.sha256(configuration.encode()).hexdigest()


def provenance(robot: RobotModel, gains_sha256: str) -> dict[str, str]:
    """Returns the provenance of a run: hashes of configuration and model, version of Kilohertz, kernel."""
    return {
        "config_sha256": gains_sha256,
        "model_sha256": robot.model_sha256,
        "version": version(),
        "kernel": f"{platform.system()} {platform.release()} {platform.version()}",
    }


def version() -> str:
    """Returns the version of the installed distribution; `unknown` if it is not installed."""
    try:
        return importlib.metadata.version("kilohertz")
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def rotate(quaternion_xyzw: Vector, vector: Vector) -> Vector:
    """Rotates vectors by unit quaternions.

    Args:
        quaternion_xyzw: (n, 4) unit quaternions in pinocchio's order x, y, z, w.
        vector: (n, 3) vectors, or (3,) one vector for all quaternions.

    Returns:
        (n, 3) rotated vectors.
    """
    axis, w = quaternion_xyzw[:, :3], quaternion_xyzw[:, 3:4]
    twice = 2.0 * np.cross(axis, vector)
    turned: Vector = vector + w * twice + np.cross(axis, twice)
    return turned


def _conjugate(quaternion_xyzw: Vector) -> Vector:
    inverse: Vector = quaternion_xyzw * np.array([-1.0, -1.0, -1.0, 1.0])
    return inverse


def _rms(values: Vector) -> Vector:
    rms: Vector = np.sqrt(np.mean(values * values, axis=0))
    return rms


def rms_length(errors: Vector) -> float | None:
    """Returns the RMS length of (n, 3) errors; None if it is not finite."""
    return _number(float(np.sqrt(np.mean(np.sum(errors * errors, axis=1)))))


def _number(value: float) -> float | None:
    """Returns a number for JSON: None instead of NaN and infinity, which JSON does not have."""
    return float(value) if math.isfinite(value) else None


def _numbers(values: Vector) -> list[float | None]:
    return [_number(float(value)) for value in values]
