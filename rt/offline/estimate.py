"""Runs the estimator of a robot over a log, and compares it with the truth where the log has one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from kilohertz.controller.gains.schema import Gains
from kilohertz.estimators.floating_base import FloatingBaseEstimator
from kilohertz.estimators.inekf_layout import POSITION, ROTATION, UNUSED, VELOCITY
from kilohertz.robots.config.config_error import ConfigError, did_you_mean
from kilohertz.robots.model.frames import frame_id
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import OutsideRow
from kilohertz.rt.log.file import LogReader
from kilohertz.rt.log.schema import WARM_UP

Array = NDArray[np.float64]

PROGRESS_SAMPLES = 250
_SMOOTHING_S = 0.1


@dataclass(frozen=True)
class Samples:
    """The samples of a log.

    Attributes:
        t_s: (n,) time of each sample on the robot's clock [s].
        sensors: (n,) sensor rows, as a structured array.
        data: (n, k) the same rows, each as the flat array of a `SensorRow`.
        p_WT: (n, 3) true position of the tracked link [m]; NaN where it is unknown.
        rpy_WT: (n, 3) true roll, pitch and yaw of the tracked link [rad]; NaN where unknown.
        outside: (n, k) the newest pose of the base that was measured from outside, as the flat array of an
            `OutsideRow`; None if there are none.
    """

    t_s: Array
    sensors: NDArray[Any]
    data: Array
    p_WT: Array
    rpy_WT: Array
    outside: Array | None = None

    def show_outside(self, i: int, row: OutsideRow) -> None:
        """Writes the newest outside pose at sample i into a row; does nothing if there are none."""
        if self.outside is not None:
            row.data[:] = self.outside[i]


def samples_of(reader: LogReader, robot: RobotModel) -> Samples:
    """Reads the samples of a log, imported or recorded.

    Raises:
        ConfigError: the log is empty, or belongs to a robot with other joints or contacts.
    """
    header = reader.header
    for what, theirs, ours in (
        ("joints", header.joint_names, robot.joint_names),
        ("contacts", header.contact_names, robot.contact_names),
    ):
        if tuple(theirs) != tuple(ours):
            raise ConfigError(
                f"{reader.path} has other {what} than {robot.folder}: import it "
                "again, or name its robot with --robot"
            )
    reader.require("tick", "sensors", "truth", "outside")
    blocks = [rows[rows["tick"] != WARM_UP] for rows in reader.blocks()]
    if not sum(len(rows) for rows in blocks):
        raise ConfigError(f"{reader.path} contains no sample")
    rows = np.concatenate(blocks)
    sensors = np.ascontiguousarray(rows["sensors"])
    n = len(rows)
    unknown = np.full((n, 3), np.nan)
    truth = rows["truth"] if "truth" in (rows.dtype.names or ()) else {"p_WT": unknown, "rpy_WT": unknown}
    return Samples(
        t_s=sensors["t_s"].reshape(n),
        sensors=sensors,
        data=sensors.view(np.float64).reshape(n, -1),
        p_WT=np.array(truth["p_WT"]),
        rpy_WT=np.array(truth["rpy_WT"]),
        outside=_outside_of(rows),
    )


def _outside_of(rows: NDArray[Any]) -> Array | None:
    """Returns the outside poses of a log's rows, see `Samples.outside`."""
    if "outside" not in (rows.dtype.names or ()):
        return None
    given, row = rows["outside"], OutsideRow()
    if set(given.dtype.names or ()) == {name for name, _ in row.fields}:
        return np.ascontiguousarray(given).view(np.float64).reshape(len(rows), -1)
    poses = np.concatenate((given["p_VB"], given["rpy_VB"]), axis=1)
    number = np.cumsum(np.isfinite(poses).any(axis=1))
    if not number[-1]:
        return None
    # Deviations and age are those of the gains.
    out = np.full((len(rows), row.data.size), np.nan)
    out[:, 0], out[:, 2:8] = number, poses
    return out


@dataclass(frozen=True)
class Estimate:
    """What the estimator says at each of n samples.

    Attributes:
        q: (n, nq), v: (n, nv) state in pinocchio's convention.
        contact: (n, nc) whether each contact is closed.
        force_N: (n, nc) normal force, measured or estimated [N].
        surprise: (n, nc, 2) squared Mahalanobis distance of the innovation of position and of orientation of
            each contact, of 3 degrees of freedom each; NaN while the filter does not use the contact.
        doubt: (n,) measure of inconsistency; above 1 the estimate counts as diverged.
        position_sd, velocity_sd, rotation_sd: (n, 3) SD according to the filter [m, m/s, rad].
        gyro_bias, accel_bias: (n, 3) estimated biases [rad/s, m/s^2].
        refused: number of samples that the estimator refused.
    """

    q: Array
    v: Array
    contact: NDArray[np.bool_]
    force_N: Array
    surprise: Array
    doubt: Array
    position_sd: Array
    velocity_sd: Array
    rotation_sd: Array
    gyro_bias: Array
    accel_bias: Array
    refused: int


def run_estimator(
    samples: Samples, robot: RobotModel, gains: Gains, progress: Callable[[float], None] | None = None
) -> Estimate:
    """Runs the estimator over all samples, as if the robot were asked to stand.

    The first sample starts the estimator, which assumes a robot at rest with all contacts closed.

    Args:
        samples: the samples.
        robot: a robot with a floating base.
        gains: gains, whose key `estimator` is used.
        progress: called from time to time with the time since the first sample [s].

    Raises:
        ConfigError: the robot has a fixed base, or the first sample cannot start the estimator.
    """
    if not robot.floating:
        raise ConfigError(
            f"{robot.name} has a fixed base, so there is no base state to estimate; see `khz log identify`"
        )
    estimator = FloatingBaseEstimator(robot, gains.estimator)
    row = robot.new_sensor_row()
    n, nc = len(samples.t_s), len(robot.contacts)
    out = Estimate(
        q=np.zeros((n, robot.nq)),
        v=np.zeros((n, robot.nv)),
        contact=np.zeros((n, nc), dtype=bool),
        force_N=np.zeros((n, nc)),
        surprise=np.full((n, nc, 2), np.nan),
        doubt=np.zeros(n),
        position_sd=np.zeros((n, 3)),
        velocity_sd=np.zeros((n, 3)),
        rotation_sd=np.zeros((n, 3)),
        gyro_bias=np.zeros((n, 3)),
        accel_bias=np.zeros((n, 3)),
        refused=0,
    )
    planned = np.ones(nc, dtype=bool)
    row.data[:] = samples.data[0]
    try:
        estimator.reset(row)
    except ValueError as error:
        raise ConfigError(f"the estimate cannot start with the first sample: {error}") from None
    ekf = estimator.filter
    for i in range(n):
        if i:
            row.data[:] = samples.data[i]
            samples.show_outside(i, estimator.outside)
            used = ekf.active != UNUSED
            estimator.update(row, planned, float(samples.t_s[i] - samples.t_s[i - 1]))
            used &= ekf.active != UNUSED
            out.surprise[i, used] = ekf.surprise[used]
        out.q[i], out.v[i], out.contact[i] = estimator.q, estimator.v, estimator.contact
        out.force_N[i], out.doubt[i] = estimator.normal_force_N, estimator.doubt[0]
        out.gyro_bias[i], out.accel_bias[i] = ekf.gyro_bias, ekf.accel_bias
        for block, sd in (
            (POSITION, out.position_sd),
            (VELOCITY, out.velocity_sd),
            (ROTATION, out.rotation_sd),
        ):
            sd[i] = ekf.standard_deviation(block)
        if progress is not None and i % PROGRESS_SAMPLES == 0:
            progress(float(samples.t_s[i] - samples.t_s[0]))
    return replace(out, refused=estimator.refused)


@dataclass(frozen=True)
class Comparison:
    """Estimate and truth of the tracked link T, in the world of the truth, aligned at the first true sample.

    Position and yaw of the estimate are shifted so that they are right at that sample; tilt is not.

    Attributes:
        t_s: (m,) times of the samples whose truth is known [s].
        p, p_true: (m, 3) position [m].
        rpy, rpy_true: (m, 3) roll, pitch, yaw [rad].
        v, v_true: (m, 3) velocity in the world, both low-passed alike; NaN where it is not known [m/s].
        tilt_error_rad: (m,) angle between the estimated and the true vertical; NaN without true angles.
    """

    t_s: Array
    p: Array
    p_true: Array
    rpy: Array
    rpy_true: Array
    v: Array
    v_true: Array
    tilt_error_rad: Array

    def figures(self) -> dict[str, Any]:
        """Returns the RMS errors; null for a quantity whose truth is unknown."""
        yaw = np.arctan2(*_sin_cos(self.rpy[:, 2] - self.rpy_true[:, 2]))
        velocity = (self.v - self.v_true)[np.isfinite(self.v_true).all(axis=1)]
        return {
            "position_rms_m": _rms(self.p - self.p_true),
            "tilt_rms_deg": _degrees(self.tilt_error_rad),
            "yaw_rms_deg": _degrees(yaw),
            "velocity_rms_m_s": _rms(velocity) if len(velocity) else None,
        }


NO_TRUTH: dict[str, Any] = {
    "position_rms_m": None,
    "tilt_rms_deg": None,
    "yaw_rms_deg": None,
    "velocity_rms_m_s": None,
}


def compare(samples: Samples, estimate: Estimate, robot: RobotModel, link: str | None) -> Comparison | None:
    """Compares an estimate with the truth of a log; None if the log has none.

    Args:
        samples: the samples.
        estimate: the estimate at these samples.
        robot: the robot.
        link: name of the tracked link, or of another frame of the model; None for the base.

    Raises:
        ConfigError: the model has no such link.
    """
    known = np.isfinite(samples.p_WT).all(axis=1)
    if not known.any():
        return None
    rows = np.flatnonzero(known)
    R, p, v = _link_motion(estimate, robot, link, rows)
    angles = samples.rpy_WT[rows]
    rpy = Rotation.from_matrix(R).as_euler("ZYX")[:, ::-1]
    turned = np.asarray(np.isfinite(angles).all(axis=1))
    with_angles = bool(turned[0])
    # Without a true yaw at the start the axes of the truth are taken for those of the estimate.
    yaw = angles[0, 2] - rpy[0, 2] if with_angles else 0.0
    align = Rotation.from_euler("z", yaw)
    p_true = samples.p_WT[rows]
    aligned = align.apply(p - p[0]) + p_true[0]
    tilt = np.full(len(rows), np.nan)
    if turned.any():
        up_true = Rotation.from_euler("ZYX", angles[turned][:, ::-1]).inv().apply([0.0, 0.0, 1.0])
        up = R[turned][:, 2, :]
        tilt[turned] = np.arctan2(np.linalg.norm(np.cross(up, up_true), axis=1), (up * up_true).sum(axis=1))
    t_s = samples.t_s[rows]
    smooth, slope = _low_passed(t_s, align.apply(v), p_true)
    return Comparison(
        t_s=t_s,
        p=aligned,
        p_true=p_true,
        rpy=rpy + np.array([0.0, 0.0, yaw]),
        rpy_true=angles,
        v=smooth,
        v_true=slope,
        tilt_error_rad=tilt,
    )


def _link_motion(
    estimate: Estimate, robot: RobotModel, link: str | None, rows: NDArray[np.int64]
) -> tuple[Array, Array, Array]:
    """Returns orientation (m, 3, 3), position and velocity (m, 3) of a link at these samples."""
    model = robot.pin_model
    name = robot.base_link if link is None else link
    try:
        frame, data = frame_id(model, name), model.createData()
    except ValueError:
        names = [frame.name for frame in model.frames]
        raise ConfigError(
            f"{robot.name} has no link '{name}'{did_you_mean(name, names)}: check --truth-link"
        ) from None
    R, p, v = np.zeros((len(rows), 3, 3)), np.zeros((len(rows), 3)), np.zeros((len(rows), 3))
    for k, i in enumerate(rows):
        pin.forwardKinematics(model, data, estimate.q[i], estimate.v[i])
        pose = pin.updateFramePlacement(model, data, frame)
        R[k], p[k] = pose.rotation, pose.translation
        v[k] = pin.getFrameVelocity(model, data, frame, pin.LOCAL_WORLD_ALIGNED).linear
    return R, p, v


def _low_passed(t_s: Array, v: Array, p_true: Array) -> tuple[Array, Array]:
    """Returns the mean velocity in a window of 0.1 s around each sample, estimated and true (m, 3).

    True velocities are differences of true positions. Both are NaN where the samples in the window span less
    than half or more than 1.5 times 0.1 s, and so in all of a log below 20 Hz.
    """
    first = np.searchsorted(t_s, t_s - 0.5 * _SMOOTHING_S)
    last = np.searchsorted(t_s, t_s + 0.5 * _SMOOTHING_S, side="right") - 1
    span = t_s[last] - t_s[first]
    whole = (span > 0.5 * _SMOOTHING_S) & (span < 1.5 * _SMOOTHING_S)
    step = np.diff(t_s, prepend=t_s[0])[:, None]
    mean = 0.5 * (v + np.vstack((v[:1], v[:-1])))
    travelled = np.cumsum(mean * step, axis=0)
    safe = np.where(whole, span, np.nan)[:, None]
    smooth: Array = (travelled[last] - travelled[first]) / safe
    slope: Array = (p_true[last] - p_true[first]) / safe
    return smooth, slope


def _rms(errors: Array) -> list[float]:
    values: list[float] = np.sqrt((errors**2).mean(axis=0)).tolist()
    return values


def _degrees(angles: Array) -> float | None:
    known = angles[np.isfinite(angles)]
    return float(np.rad2deg(np.sqrt((known**2).mean()))) if len(known) else None


def _sin_cos(angles: Array) -> tuple[Array, Array]:
    return np.sin(angles), np.cos(angles)
