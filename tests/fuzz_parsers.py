"""What a fuzzer runs on one file: the reader of its kind, and what nothing that it accepts may contain.

Every reader refuses with ConfigError and one short text. Whatever else it raises is a finding, and so is a
value that is not finite, a mass or inertia that no body has, and a key that no schema has.
"""

from __future__ import annotations

import io
import math
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from mcap.writer import CompressionType, Writer
from ruamel.yaml import YAML

from kilohertz.controller.behaviours.registry import behaviour_schemas
from kilohertz.controller.gains.schema import load_gains
from kilohertz.robots.model.description import ROBOTS_FOLDER
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.log.export import write_csv
from kilohertz.rt.log.file import LogReader
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.log.info import figures_of
from kilohertz.rt.log.row import row_type
from kilohertz.rt.log.schema import schema_text
from kilohertz.rt.offline.columns import ColumnMap, read_columns
from kilohertz.rt.offline.csv_table import read_table, table_of_text
from kilohertz.rt.offline.estimate import samples_of
from kilohertz.rt.offline.log_import import header_of, imported_row, rows_of_table, write_log
from kilohertz.sim.mujoco_robot import robot_spec
from kilohertz.sim.scenario import SCENARIO_FOLDER, load_scenario_located

URDF = """<robot name="arm">
<link name="base"><inertial><mass value="3"/><origin xyz="0 0 0.05"/>
<inertia ixx="0.02" ixy="0" ixz="0" iyy="0.02" iyz="0" izz="0.03"/></inertial>
<collision><geometry><box size="0.1 0.1 0.1"/></geometry></collision></link>
<link name="upper"><inertial><mass value="1.5"/><origin xyz="0 0 0.2" rpy="0 0.1 0"/>
<inertia ixx="0.03" ixy="0.001" ixz="0" iyy="0.03" iyz="0" izz="0.004"/></inertial>
<collision><origin xyz="0 0 0.2"/><geometry><cylinder radius="0.04" length="0.4"/></geometry>
</collision></link>
<link name="lower"><inertial><mass value="0.8"/><origin xyz="0 0 0.15"/>
<inertia ixx="0.01" ixy="0" ixz="0" iyy="0.01" iyz="0" izz="0.002"/></inertial>
<collision><geometry><sphere radius="0.05"/></geometry></collision></link>
<link name="tool"/>
<link name="finger"><inertial><mass value="0.05"/>
<inertia ixx="1e-4" ixy="0" ixz="0" iyy="1e-4" iyz="0" izz="1e-4"/></inertial></link>
<joint name="shoulder" type="revolute"><parent link="base"/><child link="upper"/><origin xyz="0 0 0.1"/>
<axis xyz="0 1 0"/><limit lower="-2" upper="2" effort="50" velocity="3"/></joint>
<joint name="elbow" type="continuous"><parent link="upper"/><child link="lower"/><origin xyz="0 0 0.4"/>
<axis xyz="0 1 0"/><limit effort="30" velocity="4"/><dynamics damping="0.1" friction="0.2"/></joint>
<joint name="wrist" type="fixed"><parent link="lower"/><child link="tool"/><origin xyz="0 0 0.3"/></joint>
<joint name="grip" type="prismatic"><parent link="tool"/><child link="finger"/><axis xyz="1 0 0"/>
<limit lower="0" upper="0.04" effort="10" velocity="0.1"/></joint>
<joint name="grip2" type="prismatic"><parent link="tool"/><child link="finger2"/><axis xyz="-1 0 0"/>
<limit lower="0" upper="0.04" effort="10" velocity="0.1"/>
<mimic joint="grip" multiplier="1" offset="0"/></joint>
<link name="finger2"><inertial><mass value="0.05"/>
<inertia ixx="1e-4" ixy="0" ixz="0" iyy="1e-4" iyz="0" izz="1e-4"/></inertial></link>
</robot>
"""
MJCF = """<mujoco model="arm">
<compiler angle="degree" autolimits="true" meshdir="."/>
<option timestep="0.001" iterations="20"/>
<size memory="1M"/>
<default><joint armature="0.05" damping="1"/><default class="big">
<geom size="0.05 0.2" type="capsule"/></default></default>
<asset><material name="m" rgba="1 0 0 1"/>
<texture name="t" type="2d" builtin="flat" width="8" height="8"/></asset>
<worldbody><light pos="0 0 3"/><geom name="floor" type="plane" size="1 1 0.1"/>
<body name="base" pos="0 0 0.1"><geom class="big" mass="2"/>
<body name="upper" pos="0 0 0.3" euler="0 10 0"><joint name="shoulder" axis="0 1 0" range="-90 90"/>
<inertial pos="0 0 0.1" mass="1.2" diaginertia="0.02 0.02 0.003"/>
<geom class="big" contype="0" conaffinity="0"/>
<frame pos="0 0 0.1"><body name="lower" pos="0 0 0.3">
<joint name="elbow" axis="0 1 0" range="-120 120" ref="10"/>
<geom type="box" size="0.04 0.04 0.15" density="500"/><site name="tip" pos="0 0 0.3"/>
<body name="finger" pos="0 0 0.3"><joint name="grip" type="slide" axis="1 0 0" range="0 0.04"/>
<geom size="0.01"/></body></body></frame></body></body>
<replicate count="2" euler="0 0 180"><geom size="0.02" pos="0.3 0 0"/></replicate></worldbody>
<equality><joint joint1="grip" polycoef="0.01 0 0 0 0"/></equality>
<tendon><fixed name="f"><joint joint="elbow" coef="1"/></fixed></tendon>
<actuator><motor name="a" joint="shoulder" ctrlrange="-40 40" gear="1"/>
<position name="b" joint="elbow" kp="100" forcerange="-20 20"/></actuator>
<sensor><jointpos joint="elbow"/></sensor>
<keyframe><key name="k" qpos="0 0.2 0.01"/></keyframe>
</mujoco>
"""
ROBOT_YAML = """robot: arm
model: model.xml
base: fixed
hands:
  hand: {link: lower, p_LH_m: [0, 0, 0.3], rpy_LH_rad: [0, 0.1, 0]}
trunk: base
posture_rad: {shoulder: 0.3, elbow: 0.5}
torque_limit_Nm: {shoulder: 40, elbow: 20}
velocity_limit_rad_s: 3
armature_kgm2: 0.05
joint_friction_Nm: 0.1
joint_damping_Nms: {elbow: 0.2}
torque_sensing: true
locked_joints_rad: {grip: 0.01}
repair_inertia: false
licence: none
"""
COLUMNS = """t_s: {column: stamp_ms, scale: 0.001}
q_JOINT: pos.JOINT
v_JOINT: {column: vel.JOINT, scale: 1.0, offset: 0.0}
tau_elbow_joint: tau3
gyro: [wx, wy, wz]
"""
JOINTS = 6


class WrongError(Exception):
    """A reader accepted what it should have refused."""


def _require_finite(value: Any, where: str = "") -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            _require_finite(inner, f"{where}.{key}")
    elif isinstance(value, list | tuple):
        for inner in value:
            _require_finite(inner, f"{where}[]")
    elif isinstance(value, float) and not math.isfinite(value):
        raise WrongError(f"{where} is {value}")


def _require_known(given: Any, understood: Any, where: str = "") -> None:
    """Refuses keys of a file that its reading has lost."""
    if isinstance(given, dict) and isinstance(understood, dict):
        for key, inner in given.items():
            if key not in understood:
                raise WrongError(f"the key {where}.{key} is not known and was accepted")
            _require_known(inner, understood[key], f"{where}.{key}")


@cache
def _robot(name: str) -> RobotModel:
    return RobotModel.load(name)


def gains(path: Path) -> None:
    found = load_gains(_robot("g1"), path).model_dump(mode="json")
    _require_finite(found)
    _require_known(YAML(typ="safe").load(path), found)


def scenario(path: Path) -> None:
    for name in ("g1", "ur5"):
        robot = _robot(name)
        found = load_scenario_located(path, robot, behaviour_schemas(robot))[0]
        _require_finite(found.model_dump(mode="python"))


def columns(path: Path) -> None:
    robot = _robot("ur5")
    for field in ("t_s", *(f"q_{joint}" for joint in robot.joint_names)):
        source = read_columns(path, robot.joint_names, ()).source(field)
        _require_finite([source.scale, source.offset])


def _model(path: Path, robot_yaml: str, model: bytes) -> None:
    folder = path.parent / "robot"
    folder.mkdir(exist_ok=True)
    (folder / "robot.yaml").write_text(robot_yaml)
    (folder / "model.xml").write_bytes(model)
    _check_model(RobotModel.load(folder))


def _check_model(robot: RobotModel) -> None:
    for name in ("torque_limit_Nm", "velocity_limit_rad_s"):
        limit = getattr(robot, name)
        if not (np.isfinite(limit) & (limit > 0.0)).all():
            raise WrongError(f"{name} is {limit}")
    if not np.isfinite(robot.q_nominal).all() or not 0.0 < robot.mass_kg < 1e6:
        raise WrongError(f"q_nominal {robot.q_nominal}, mass {robot.mass_kg}")
    if not (robot.position_lower_rad <= robot.position_upper_rad).all():
        raise WrongError("a limit is above the other")
    if not (np.isfinite(robot.armature_kgm2) & (robot.armature_kgm2 >= 0.0)).all():
        raise WrongError(f"armature_kgm2 is {robot.armature_kgm2}")
    for index, inertia in enumerate(robot.pin_model.inertias):
        moments = np.linalg.eigvalsh(np.array(inertia.inertia))
        if not (inertia.mass >= 0.0 and np.isfinite(inertia.lever).all() and np.isfinite(moments).all()):
            raise WrongError(
                f"link {index} has mass {inertia.mass}, centre {inertia.lever}, moments {moments}"
            )
        if moments[0] < -1e-6 * max(1.0, float(np.abs(moments).max())):
            raise WrongError(f"link {index} has the moments {moments}")
    for placement in robot.pin_model.jointPlacements:
        if not np.isfinite(placement.homogeneous).all():
            raise WrongError("the place of a joint is not finite")
    spec, _ = robot_spec(robot)
    try:
        spec.compile()
    except ValueError:
        return  # said by the simulation in a sentence of its own


def robot_yaml(path: Path) -> None:
    folder = path.parent / "robot"
    folder.mkdir(exist_ok=True)
    (folder / "model.xml").write_text(URDF)
    shutil.copy(path, folder / "robot.yaml")
    _check_model(RobotModel.load(folder))


def urdf(path: Path) -> None:
    _model(path, "robot: arm\nmodel: model.xml\nbase: fixed\n", path.read_bytes())


def mjcf(path: Path) -> None:
    yaml = "robot: arm\nmodel: model.xml\nbase: fixed\ntorque_limit_Nm: 20\nvelocity_limit_rad_s: 3\n"
    _model(path, yaml, path.read_bytes())


def log(path: Path) -> None:
    with LogReader(path) as reader:
        imported = "command" not in (reader.row.names or ())
        if imported:
            samples_of(reader, _robot("ur5"))
        else:
            reader.require_run()
            figures_of(reader)
    with LogReader(path) as reader:
        write_csv(reader, path.parent / "out.csv", list(reader.row.names or ()))


def csv(path: Path) -> None:
    robot = _robot("ur5")
    imported = rows_of_table(read_table(path), ColumnMap({}), robot)
    out = path.parent / "out.mcap"
    write_log(out, header_of(robot, "ur5", path, imported), imported.rows)
    with LogReader(out) as reader:
        samples = samples_of(reader, robot)
    if not (np.isfinite(samples.t_s).all() and np.isfinite(samples.sensors["q"]).all()):
        raise WrongError("a time or position is not finite")


PARSERS: dict[str, Callable[[Path], None]] = {
    "gains": gains,
    "scenario": scenario,
    "columns": columns,
    "robot": robot_yaml,
    "urdf": urdf,
    "mjcf": mjcf,
    "log": log,
    "csv": csv,
}


def _header() -> LogHeader:
    robot, path = _robot("ur5"), Path("a.csv")
    return header_of(
        robot, "ur5", path, rows_of_table(table_of_text(_csv_text(), path), ColumnMap({}), robot)
    )


def _csv_text() -> str:
    robot = _robot("ur5")
    names = [f"{field}_{joint}" for field in ("q", "v", "tau") for joint in robot.joint_names]
    lines = [",".join(["t_s", *names])]
    for i in range(40):
        q = [f"{value + 0.01 * math.sin(0.1 * i):.5f}" for value in robot.q_nominal]
        lines.append(",".join([f"{0.01 * i:.3f}", *q, *["0.01"] * JOINTS, *["1.5"] * JOINTS]))
    return "\n".join(lines) + "\n"


def _logs() -> Iterator[bytes]:
    """Yields a log of a run and an imported one, compressed and not, and without checksums."""
    robot = _robot("ur5")
    for row in (row_type(robot, live=False), imported_row(robot)):
        for compression in (CompressionType.NONE, CompressionType.ZSTD):
            out = io.BytesIO()
            writer = Writer(out, compression=compression, enable_crcs=False)
            writer.start(profile="", library="fuzz")
            writer.add_metadata("kilohertz", _header().as_text())
            tick = writer.register_schema("kilohertz/Tick", "ros2msg", schema_text(row).encode())
            ticks = writer.register_channel("/tick", "cdr", tick)
            events = writer.register_channel("/events", "json", 0)
            for i in range(5):
                cells = np.zeros(1, row)
                cells["tick"] = i
                writer.add_message(ticks, i, b"\0\1\0\0" + cells.tobytes(), i, i)
            writer.add_message(events, 9, b'{"t_s": 0.1, "kind": "push", "text": "a push"}', 9)
            writer.add_metadata("end", {"summary": '{"exit_state": "active", "measured_against": null}'})
            writer.finish()
            yield out.getvalue()


def seeds(parser: str) -> list[bytes]:
    """Returns valid files from which the inputs of a parser are made."""
    if parser == "gains":
        shipped = [path.read_bytes() for path in ROBOTS_FOLDER.glob("*/gains.yaml")]
        whole = io.StringIO()
        YAML().dump(load_gains(_robot("g1")).model_dump(mode="json"), whole)
        return [*shipped, whole.getvalue().encode()]
    if parser == "scenario":
        return [path.read_bytes() for path in sorted(SCENARIO_FOLDER.glob("*.yaml"))]
    if parser == "robot":
        return [ROBOT_YAML.encode(), *(path.read_bytes() for path in ROBOTS_FOLDER.glob("*/robot.yaml"))]
    if parser == "urdf":
        return [URDF.encode()]
    if parser == "mjcf":
        return [MJCF.encode()]
    if parser == "columns":
        return [COLUMNS.encode()]
    if parser == "csv":
        text = _csv_text().encode()
        return [text, text.replace(b",", b";"), text.replace(b"\n", b"\r\n")]
    return list(_logs())
