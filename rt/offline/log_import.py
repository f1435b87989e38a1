"""Imports a CSV log of another controller: checks it, and writes it in the format of our logs."""

from __future__ import annotations

import platform
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import llvmlite.binding as llvm
import numpy as np
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from kilohertz.controller.gains.schema import load_gains
from kilohertz.robots.config.config_error import ConfigError, Problem, did_you_mean
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.log.header import LogHeader, libraries
from kilohertz.rt.log.schema import schema_text
from kilohertz.rt.log.writer import LogWriter
from kilohertz.rt.offline import motion_checks, unit_checks
from kilohertz.rt.offline.columns import CONTACT, JOINT, JOINT_FIELDS, VECTORS, ColumnMap, Source
from kilohertz.rt.offline.csv_table import Table
from kilohertz.rt.offline.findings import Findings, accepted_findings
from kilohertz.rt.offline.signals import causal_velocity
from kilohertz.rt.offline.stance import Signals
from kilohertz.rt.offline.stance_checks import check_stance
from kilohertz.rt.run.summary import config_sha256, version

Array = NDArray[np.float64]

IMPORTED = "import"
"""Field `pace` of the header of an imported log."""
PERIOD_NS = 1000
"""Unit of the field `tick` of an imported log, whose samples are not periodic [ns]."""
_UNIX_S = 1e8
_TIME_NAME = re.compile(r"^#? ?t$|time|stamp|clock")
_OTHER_QUANTITY = re.compile(
    r"vel|speed|dq|qd|^v[_./]|tau|torque|eff|curr|des|ref|target|cmd|command|acc|temp"
)
_LONG_GAP_S = 0.5
_UNIT_LENGTH = 0.05


@dataclass(frozen=True)
class Imported:
    """A log from elsewhere in our units.

    Attributes:
        rows: (n,) rows of type `imported_row`.
        notes: sentences about what was ignored, assumed or looks wrong.
    """

    rows: NDArray[Any]
    notes: tuple[str, ...]


def imported_row(robot: RobotModel) -> np.dtype[Any]:
    """Returns the row type of an imported log: time, sensors, and the truth where known (else NaN).

    `truth.p_WT` is the position of the tracked link T in the world of the truth [m], and `truth.rpy_WT` its
    roll, pitch and yaw [rad], R = Rz(yaw) Ry(pitch) Rx(roll). `outside` is the pose of the base, measured
    from outside, that came with this sample, in the same angles; the estimator uses it.
    """
    sensors = [(name, "<f8", (n,)) for name, n in robot.new_sensor_row().fields if n]
    truth = [("p_WT", "<f8", (3,)), ("rpy_WT", "<f8", (3,))]
    outside = [("p_VB", "<f8", (3,)), ("rpy_VB", "<f8", (3,))]
    return np.dtype([("tick", "<i8"), ("sensors", sensors), ("truth", truth), ("outside", outside)])


class _Columns:
    """Takes the quantities of a robot out of a table, and remembers which columns were used."""

    def __init__(self, table: Table, columns: ColumnMap, robot: RobotModel) -> None:
        self.table, self.columns, self.robot = table, columns, robot
        self.used: set[str] = set()

    def find(self, field: str, name: str = "", pattern: str = JOINT) -> Array | None:
        """(n,) values of a quantity; None if the table does not have it.

        Raises:
            ConfigError: the `--columns` file names a column that the table does not have.
        """
        source = self.columns.source(field, name, pattern)
        if source.column in self.table.names:
            self.used.add(source.column)
            values: Array = self.table.column(source.column)
            for other in source.others:
                if other not in self.table.names:
                    raise self._missing(replace(source, column=other))
                self.used.add(other)
                values = values + self.table.column(other)
            return values * source.scale + source.offset
        if self.columns.says(field, name):
            raise self._missing(source)
        return None

    def need(self, field: str, name: str = "") -> Array:
        """(n,) values of a quantity that must be there."""
        values = self.find(field, name)
        if values is None:
            raise self._missing(self.columns.source(field, name), f"{field}_{name}" if name else field)
        return values

    def _missing(self, source: Source, ours: str = "") -> ConfigError:
        unused = [name for name in self.table.names if name not in self.used]
        # The column of another joint is no misspelt name of this one.
        others = {
            self.columns.source(field, joint).column
            for field in JOINT_FIELDS
            for joint in self.robot.joint_names
        }
        hint = did_you_mean(source.column, set(unused) - others)
        remedy = f": add it, or name theirs with {ours} in a --columns file" if ours else ""
        pattern = self._pattern(unused) if ours[:2] == "q_" else ""
        if pattern:
            return self._problem(
                f"has no column '{source.column}': give q_JOINT: {pattern} in a --columns file, if '"
                f"{pattern.replace(JOINT, self.robot.joint_names[0])}' and so on are the joint positions"
            )
        if self.columns.path is not None and not ours:
            remedy = f", which {self.columns.path} asks for"
        if ours == "t_s" and not hint:
            hint = next((f" (is it '{name}'?)" for name in unused if _TIME_NAME.search(name.lower())), "")
        return self._problem(f"has no column '{source.column}'{remedy}{hint}")

    def _problem(self, sentence: str) -> ConfigError:
        return ConfigError(Problem(sentence, self.table.path, 1, 1))

    def _pattern(self, unused: list[str]) -> str:
        """Returns the pattern with JOINT that names an unused column for every joint; "" if there is none."""
        names = self.robot.joint_names
        found = [name.replace(names[0], JOINT) for name in unused if names[0] in name]
        whole = [
            pattern for pattern in found if all(pattern.replace(JOINT, name) in unused for name in names)
        ]
        positions = [p for p in whole if not _OTHER_QUANTITY.search(p.replace(JOINT, "").lower())]
        return min(positions, key=len, default="")

    def stack(self, field: str, names: tuple[str, ...], pattern: str = JOINT) -> Array:
        """(n, len(names)) values of a quantity of each joint or contact; NaN where it is unknown."""
        out = np.full((len(self.table.values), len(names)), np.nan)
        for i, name in enumerate(names):
            values = self.find(field, name, pattern)
            if values is not None:
                out[:, i] = values
        return out

    def vector(self, name: str, needed: bool) -> Array:
        """(n, 3) values of a vector, or 4 of a quaternion; NaN if it is not there and not needed."""
        parts = [self.find(part) for part in VECTORS[name]]
        if all(part is None for part in parts) and not needed:
            return np.full((len(self.table.values), len(parts)), np.nan)
        return np.stack([self.need(part) for part in VECTORS[name]], axis=1)

    def angles(self, name: str) -> Array:
        """(n, 3) roll, pitch and yaw; NaN where they are not there; the yaw may be there alone."""
        parts = [self.find(part) for part in VECTORS[name]]
        if (parts[0] is None) != (parts[1] is None):
            self.need(VECTORS[name][0 if parts[0] is None else 1])
        unknown = np.full(len(self.table.values), np.nan)
        return np.stack([unknown if part is None else part for part in parts], axis=1)


def rows_of_table(
    table: Table,
    columns: ColumnMap,
    robot: RobotModel,
    accept: Sequence[str] = (),
) -> Imported:
    """Returns a table's samples as rows of a log, in our units.

    Args:
        table: the file.
        columns: where each quantity is.
        robot: the robot.
        accept: names of the findings that do not refuse the log, see `findings.NAMES`; they become notes.

    Raises:
        ConfigError: a quantity is missing, unknown, or contradicts another one; file, line and remedy.
    """
    findings = Findings(table, accepted_findings(accept))
    take = _Columns(table, columns, robot)
    t_s = take.need("t_s")
    unit_checks.check_times(findings, t_s)
    rows = np.zeros(len(t_s), imported_row(robot))
    sensors = rows["sensors"]
    rows["tick"] = np.rint((t_s - t_s[0]) * (1e9 / PERIOD_NS))
    sensors["seq"][:, 0], sensors["t_s"][:, 0] = np.arange(len(t_s)), t_s
    q = np.stack([take.need("q", joint) for joint in robot.joint_names], axis=1)
    unit_checks.refuse_unknown(table, [f"q_{joint}" for joint in robot.joint_names], q)
    notes = [*table.notes, *_gaps(table, t_s), *unit_checks.check_positions(findings, robot, q)]
    sensors["q"] = q
    notes += _take_velocities(findings, take, robot, t_s, q, sensors)
    sensors["tau"] = take.stack("tau", robot.joint_names)
    if robot.floating:
        for name in ("gyro", "accel"):
            sensors[name] = take.vector(name, needed=True)
            unit_checks.refuse_unknown(table, VECTORS[name], sensors[name])
        notes += unit_checks.check_imu(findings, robot, sensors["gyro"], sensors["accel"], q)
        notes += motion_checks.check_gyro(findings, robot, t_s, q, sensors["gyro"])
    if robot.contacts:
        sensors["contact_force_N"] = take.stack("force", robot.contact_names, CONTACT)
        notes += unit_checks.check_forces(findings, robot, sensors["contact_force_N"])
    if robot.wrists:
        sensors["wrist"] = np.nan
    _take_poses(findings, take, rows)
    if robot.floating:
        forces_N = sensors["contact_force_N"] if robot.contacts else np.zeros((len(t_s), 0))
        signals = Signals(t_s, q, sensors["gyro"], sensors["accel"], forces_N)
        notes += check_stance(findings, robot, signals, rows["truth"]["rpy_WT"])
    return Imported(rows, tuple(findings.finish() + notes + _what_is_not_used(take, table, robot)))


def _take_poses(findings: Findings, take: _Columns, rows: NDArray[Any]) -> None:
    """Writes the truth and the poses from outside, and checks their units."""
    truth, outside, sensors = rows["truth"], rows["outside"], rows["sensors"]
    outside["p_VB"] = outside["rpy_VB"] = np.nan
    if take.robot.floating:
        outside["p_VB"], outside["rpy_VB"] = take.vector("outside", False), take.angles("outside_rpy")
    truth["p_WT"], truth["rpy_WT"] = take.vector("truth", False), _true_angles(findings, take)
    for name, angles in (("truth", truth["rpy_WT"]), ("outside", outside["rpy_VB"])):
        if np.nanmax(np.abs(angles), initial=0.0) > 2.5 * np.pi:
            row = int(np.nanargmax(np.nanmax(np.abs(angles), axis=1, initial=0.0)))
            findings.refuse(
                "truth-unit",
                row,
                f"{name} angles exceed a turn, as if in degrees: give them a scale in --columns",
            )
    if take.robot.floating:
        t_s = sensors["t_s"][:, 0]
        unit_checks.check_truth(findings, t_s, truth["p_WT"], truth["rpy_WT"], sensors["gyro"])


def _gaps(table: Table, t_s: Array) -> list[str]:
    """Returns a note about the longest gap, if it is long."""
    dt = np.diff(t_s)
    long = np.flatnonzero(dt > max(_LONG_GAP_S, 5.0 * float(np.median(dt))))
    if not len(long):
        return []
    worst = int(dt.argmax())
    return [
        f"{len(long)} gaps in time; the longest is {dt[worst]:.3g} s, before line {table.lines[worst + 1]}"
    ]


def _true_angles(findings: Findings, take: _Columns) -> Array:
    """(n, 3) true roll, pitch and yaw [rad], from angles or from a quaternion.

    Raises:
        ConfigError: a quaternion has not length 1, or its parts are in another order.
    """
    quat = take.vector("truth_quat", False)
    if np.isnan(quat).all():
        return take.vector("truth_rpy", False)
    known = np.isfinite(quat).all(axis=1)
    size = np.linalg.norm(quat[known], axis=1)
    off = np.flatnonzero(np.abs(size - 1.0) > _UNIT_LENGTH)
    if len(off):
        raise take.table.problem(
            int(np.flatnonzero(known)[off[0]]),
            f"truth_qw, truth_qx, truth_qy and truth_qz have length {size[off[0]]:.3g} instead of 1: check "
            "the columns, and remove the numbers where the truth was lost",
        )
    R = Rotation.from_quat(quat[known][:, [1, 2, 3, 0]])
    out = np.full((len(quat), 3), np.nan)
    out[known] = np.unwrap(R.as_euler("ZYX")[:, ::-1], axis=0)
    return out


def _take_velocities(
    findings: Findings, take: _Columns, robot: RobotModel, t_s: Array, q: Array, sensors: NDArray[Any]
) -> list[str]:
    """Writes the joint velocities, differentiated where they are not measured; returns notes."""
    v = take.stack("v", robot.joint_names)
    whole = np.isnan(v).all(axis=0)
    names = [f"v_{joint}" for joint in robot.joint_names]
    unit_checks.refuse_unknown(take.table, [names[j] for j in np.flatnonzero(~whole)], v[:, ~whole])
    notes = []
    if whole.any():
        joints = load_gains(robot).estimator.joints
        v[:, whole] = causal_velocity(t_s, q[:, whole], joints.accel_rad_s2, joints.accel_time_s)
        notes.append(f"{whole.sum()} of {robot.na} joint velocities are differentiated from the positions")
    sensors["v"] = v
    if whole.all():
        return notes
    return notes + motion_checks.check_velocities(findings, robot, t_s, q, v)


def _what_is_not_used(take: _Columns, table: Table, robot: RobotModel) -> list[str]:
    locked = {
        take.columns.source(field, joint).column
        for field in JOINT_FIELDS
        for joint in robot.description.locked_joints_rad
    }
    others = [name for name in table.names if name not in take.used and name not in locked]
    notes = []
    if len(others):
        notes.append(
            f"{len(others)} columns are not used: {', '.join(others[:8])}{' ...' * (len(others) > 8)}"
        )
    return notes


def header_of(robot: RobotModel, folder: str, source: Path, imported: Imported) -> LogHeader:
    """Returns the header of an imported log.

    Args:
        robot: the robot.
        folder: name of a shipped robot, or path of a robot's folder.
        source: the file that was imported.
        imported: its samples.
    """
    gains = load_gains(robot)
    start_s = float(imported.rows["sensors"]["t_s"][0, 0])
    return LogHeader(
        robot=str(Path(folder).absolute()) if Path(folder).exists() else folder,
        robot_name=robot.name,
        joint_names=list(robot.joint_names),
        contact_names=list(robot.contact_names),
        hand_names=list(robot.hand_names),
        torque_limit_Nm=robot.torque_limit_Nm.tolist(),
        scenario={"name": source.name, "estimator": "default", "notes": list(imported.notes)},
        seed=0,
        pace=IMPORTED,
        gains=gains.model_dump(mode="json"),
        live=False,
        requests=[],
        version=version(),
        libraries=libraries(),
        config_sha256=config_sha256(robot, gains),
        model_sha256=robot.model_sha256,
        machine={
            "processor": llvm.get_host_cpu_name(),
            "kernel": f"{platform.system()} {platform.release()}",
        },
        # Times since the start of the clock of a robot, and not since 1970, count from 1970 in a viewer.
        started_ns=round(start_s * 1e9) if start_s > _UNIX_S else 0,
        clock_ns=0,
        period_ns=PERIOD_NS,
    )


def write_log(path: Path, header: LogHeader, rows: NDArray[Any]) -> None:
    """Writes rows to a new log file; an existing file is replaced.

    Raises:
        ConfigError: the file cannot be written.
    """
    try:
        path.unlink(missing_ok=True)
        writer = LogWriter(path, header, schema_text(rows.dtype))
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror}") from None
    cells = rows.view(np.int64).reshape(len(rows), -1)
    writer.add(np.arange(len(rows)), rows["tick"], cells)
    writer.close(None)
    if writer.errno:
        raise ConfigError(f"{path} could not be written completely: is the disk full?")
