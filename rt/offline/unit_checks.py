"""Finds values in wrong units, with a wrong sign or a wrong clock, in a log from elsewhere.

Each check raises a sentence with the line and the remedy, or returns a note if the values are only unusual.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from kilohertz.estimators.base_state import JOINTS_Q
from kilohertz.robots.config.config_error import ConfigError, Problem
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.units import (
    DEGREE,
    FASTEST_TURN_RAD_S,
    SLACK_RAD,
    UPSIDE_DOWN,
    acceleration_unit,
    beyond_limits_rad,
    in_degrees,
    lacks_gravity,
    time_unit,
)
from kilohertz.rt.offline.csv_table import Table
from kilohertz.rt.offline.findings import Findings

Array = NDArray[np.float64]

_SHORTEST_PERIOD_S, _LONGEST_PERIOD_S = 2e-4, 0.2
_TRUTH_STEP_S, _FASTEST_M_S, _LEAST_TURNS = 0.1, 15.0, 30
_TILTED = math.cos(math.radians(20.0))


def check_times(findings: Findings, t_s: Array) -> None:
    """Refuses times that are unknown, do not increase, or are not seconds."""
    table = findings.table
    unknown = np.flatnonzero(np.isnan(t_s))
    if len(unknown):
        raise table.problem(unknown[0], "t_s is empty: remove the line")
    if len(t_s) < 2:
        raise ConfigError(Problem("has a single sample; an estimate needs at least two", table.path))
    dt = np.diff(t_s)
    back = np.flatnonzero(dt <= 0.0)
    if len(back):
        row = int(back[0]) + 1
        how = "goes back" if dt[back[0]] < 0.0 else "stands still"
        raise table.problem(
            row,
            f"time {how}: t_s is {t_s[row]:.9g} after {t_s[row - 1]:.9g}; sort the lines by time, remove "
            "repeated ones, write the stamps with more digits, or split the log where its clock was set",
        )
    usual = float(np.median(dt))
    if usual < _SHORTEST_PERIOD_S:
        findings.refuse(
            "time-unit",
            1,
            f"t_s advances by {usual:g} s per sample, which is faster than {1 / _SHORTEST_PERIOD_S:g} Hz: "
            "check its unit, and the scale of t_s in --columns",
        )
        return
    if usual <= _LONGEST_PERIOD_S:
        return
    # The first unit in which the period is that of a controller.
    unit, scale = time_unit(usual, _SHORTEST_PERIOD_S, _LONGEST_PERIOD_S) or ("another unit", 0.0)
    remedy = f"give t_s: {{column: NAME, scale: {scale:g}}} in --columns" if scale else "give it in seconds"
    findings.refuse(
        "time-unit",
        1,
        f"t_s advances by {usual:g} s per sample, as if in {unit} and not in seconds: {remedy}",
    )


def check_positions(findings: Findings, robot: RobotModel, q: Array) -> list[str]:
    """Refuses joint positions in degrees; notes those far outside the limits of the model."""
    beyond = beyond_limits_rad(robot, q)
    worst = beyond.max(axis=0)
    joint = int(worst.argmax())
    row = int(beyond[:, joint].argmax())
    # Limits of continuous joints are infinite, so that a full turn counts.
    wide = np.abs(q).max() > 4.0 * math.pi
    if worst[joint] > SLACK_RAD or wide:
        if not worst[joint] > SLACK_RAD:
            row, joint = (int(i) for i in np.unravel_index(np.abs(q).argmax(), q.shape))
        name = robot.joint_names[joint]
        if in_degrees(robot, q):
            findings.refuse(
                "position-unit",
                row,
                f"q_{name} is {q[row, joint]:g}, as if in degrees and not in rad: give "
                f"q_JOINT: {{column: NAME, scale: {DEGREE:.9f}}} in --columns",
            )
            return []
    return [
        f"q_{robot.joint_names[j]} is up to {worst[j]:.2f} rad outside the limits: check its zero and sign"
        for j in np.flatnonzero(worst > SLACK_RAD)
    ]


def check_imu(findings: Findings, robot: RobotModel, gyro: Array, accel: Array, q: Array) -> list[str]:
    """Refuses IMU values in deg/s or g, or without gravity; notes axes that do not fit the soles."""
    size = np.linalg.norm(accel, axis=1)
    empty = np.flatnonzero(size == 0.0)
    if 0 < len(empty) < len(size):
        findings.refuse(
            "accel-empty",
            int(empty[0]),
            "accel is exactly 0 in all three axes, so that no sample came from the IMU: remove the line "
            f"({len(empty)} such lines)",
        )
    usual = float(np.median(size))
    remedy = "give accel_x, accel_y and accel_z a scale in --columns"
    found = acceleration_unit(usual)
    if found is not None:
        unit, factor = found
        findings.refuse(
            "accel-unit",
            0,
            f"accel has length {usual:.3g}, as if in {unit} and not in m/s^2: {remedy} of {factor:.6g}",
        )
    elif lacks_gravity(usual):
        findings.refuse(
            "accel-gravity",
            0,
            f"accel has length {usual:.3g}, as if gravity were removed: log the specific force, which is "
            "9.81 m/s^2 upwards at rest",
        )
    elif usual > 2.0 * GRAVITY_M_S2:
        findings.refuse(
            "accel-unit", 0, f"accel has length {usual:.3g} instead of about 9.81 m/s^2: {remedy}"
        )
    fast = np.linalg.norm(gyro, axis=1)
    high = float(np.percentile(fast, 90.0))
    if high > FASTEST_TURN_RAD_S:
        findings.refuse(
            "gyro-unit",
            int(fast.argmax()),
            f"gyro has length {fast.max():.3g}, as if in deg/s and not in rad/s: give gyro_x, gyro_y and "
            f"gyro_z a scale of {DEGREE:.9f} in --columns",
        )
    return _check_gravity(findings, robot, accel, q)


def _check_gravity(findings: Findings, robot: RobotModel, accel: Array, q: Array) -> list[str]:
    """Compares the direction of the first specific forces with the normals of the soles."""
    few = slice(0, max(1, min(20, len(accel))))
    up = sole_normal(robot, q[0])
    mean = accel[few].mean(axis=0)
    cosine = float(up @ mean / np.linalg.norm(mean))
    if cosine < UPSIDE_DOWN:
        findings.refuse(
            "accel-direction",
            0,
            "accel points down through the soles: give accel_x, accel_y and accel_z a scale of -1 in "
            "--columns, or turn rpy_BI_rad of the imu in robot.yaml",
        )
        return []
    if cosine > _TILTED:
        return []
    angle = math.degrees(math.acos(max(-1.0, min(1.0, cosine))))
    return [
        f"at the start accel points {angle:.0f} deg away from the normal of the soles: if the robot stood on "
        "level ground, check rpy_BI_rad of the imu in robot.yaml and the zeros of the leg joints"
    ]


def sole_normal(robot: RobotModel, q: Array) -> Array:
    """(3,) mean normal of the soles, upwards, in the IMU frame, for joint positions (na,)."""
    full = np.array(robot.q_nominal)
    full[JOINTS_Q:] = q
    data = robot.pin_model.createData()
    pin.framesForwardKinematics(robot.pin_model, data, full)
    assert robot.imu_frame_id is not None
    R_WI = data.oMf[robot.imu_frame_id].rotation
    normals = [data.oMf[contact.frame_id].rotation[:, 2] for contact in robot.contacts]
    mean: Array = R_WI.T @ np.sum(normals, axis=0)
    return mean / max(float(np.linalg.norm(mean)), 1e-9)


def check_forces(findings: Findings, robot: RobotModel, force_N: Array) -> list[str]:
    """Refuses contact forces that are states, in kN or negative; notes a sum that is not the weight."""
    known = np.isfinite(force_N).all(axis=1)
    if not len(robot.contacts) or not known.any():
        return []
    weight_N = robot.mass_kg * GRAVITY_M_S2
    row = int(np.flatnonzero(known)[0])
    names = " and ".join(f"force_{name}" for name in robot.contact_names[:2])
    if np.isin(force_N[known], (0.0, 1.0)).all() and force_N[known].any():
        half = weight_N / max(2, len(robot.contacts) // 2)
        findings.refuse(
            "force-states",
            row,
            f"{names} are only 0 or 1, as if they told whether a contact is closed: give force_CONTACT: "
            f"{{column: NAME, scale: {half:.0f}}} in --columns, the force of a loaded contact in N",
        )
        return []
    share = float(np.median(force_N[known].sum(axis=1))) / weight_N
    if 0.8 < 1e3 * share < 1.25 or 0.8 < -share < 1.25:
        how = ("in kN", 1000) if share > 0.0 else ("downwards", -1)
        findings.refuse(
            "force-unit",
            row,
            f"{names} add up to {share:.2g} of the weight, as if {how[0]}: give force_CONTACT: "
            f"{{column: NAME, scale: {how[1]}}} in --columns",
        )
        return []
    if 0.8 < share < 1.25:
        return []
    return [
        f"the contact forces add up to {share:.2f} of the model's weight of {weight_N:.0f} N: check unit, "
        "sign and zero of force_CONTACT, and the mass of the model"
    ]


def refuse_unknown(table: Table, names: Sequence[str], values: Array) -> None:
    """Refuses NaN in quantities that every sample needs.

    Args:
        table: the file.
        names: (k,) our names of the columns.
        values: (n, k) their values.
    """
    rows, columns = np.nonzero(np.isnan(values))
    if len(rows):
        raise table.problem(
            int(rows[0]),
            f"{names[columns[0]]} is empty or NaN, which an estimate cannot use: remove the line "
            f"({len(np.unique(rows))} such lines)",
        )


def check_truth(findings: Findings, t_s: Array, p_WT: Array, rpy_WT: Array, gyro: Array) -> None:
    """Refuses true positions in mm and true angles in degrees, by how fast they change.

    Args:
        findings: collects what is found in the file.
        t_s: (n,) times [s].
        p_WT: (n, 3) true positions [m]; NaN where unknown.
        rpy_WT: (n, 3) true roll, pitch and yaw [rad]; NaN where unknown.
        gyro: (n, 3) angular velocity of the IMU [rad/s].
    """
    a, b = _steps(t_s, p_WT)
    if len(a):
        speed = np.linalg.norm(p_WT[b] - p_WT[a], axis=1) / (t_s[b] - t_s[a])
        if float(np.percentile(speed, 90.0)) > _FASTEST_M_S:
            findings.refuse(
                "truth-unit",
                int(a[speed.argmax()]),
                f"truth moves at {np.percentile(speed, 90.0):.3g} m/s, as if in mm: give truth_x, truth_y "
                "and truth_z a scale of 0.001 in --columns",
            )
    a, b = _steps(t_s, rpy_WT)
    if len(a) < _LEAST_TURNS:
        return
    change = (rpy_WT[b] - rpy_WT[a] + math.pi) % (2.0 * math.pi) - math.pi
    turned = np.linalg.norm(change, axis=1)
    travel = np.vstack((np.zeros((1, 3)), np.cumsum(gyro[1:] * np.diff(t_s)[:, None], axis=0)))
    ratio = turned / np.maximum(np.linalg.norm(travel[b] - travel[a], axis=1), 1e-6)
    usual = float(np.median(ratio[turned > np.percentile(turned, 70.0)])) if np.ptp(turned) > 0.0 else 0.0
    if 0.5 / DEGREE < usual < 2.0 / DEGREE:
        findings.refuse(
            "truth-unit",
            int(a[turned.argmax()]),
            "truth turns 57 times as fast as the gyro, as if in degrees: give truth_roll, truth_pitch and "
            f"truth_yaw a scale of {DEGREE:.9f} in --columns",
        )


def _steps(t_s: Array, values: Array) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Returns the first and last samples of steps of about 0.1 s between samples whose values are known."""
    known = np.flatnonzero(np.isfinite(values).all(axis=1))
    if len(known) < 2:
        return known[:0], known[:0]
    step = max(1, round(_TRUTH_STEP_S / float(np.median(np.diff(t_s[known])))))
    return known[:-step], known[step:]
