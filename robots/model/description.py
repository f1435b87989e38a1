"""The schema of `robot.yaml`, and the search for the folder of a robot."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, Field

from kilohertz.robots.config.config_error import ConfigError, Problem, did_you_mean
from kilohertz.robots.config.yaml_file import Config, Positions, load_yaml_located

ROBOTS_FOLDER = Path(__file__).resolve().parents[1]
ROBOT_FILE = "robot.yaml"
IGNORE_SPRINGS = "ignore_springs"
"""Key of robot.yaml that a refusal of a weak spring names as its remedy."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
# The messages of the wire protocol have the same limit for names.
LONGEST_NAME = 80
# A support polygon narrower than this spans no area.
THINNEST_SOLE_M = 1e-3
# The corners of a sole may be this far from a plane.
PLANARITY_M = 5e-3


def _is_name(text: str) -> str:
    if len(text) > LONGEST_NAME:
        raise ValueError(f"should have at most {LONGEST_NAME} characters, not {len(text)}")
    if not NAME.fullmatch(text):
        raise ValueError(f"should be a name of letters, digits, '_', '-' and '.', not '{text[:40]}'")
    return text


def _is_angle(value: float) -> float:
    if abs(value) > 2.0 * np.pi:
        raise ValueError(f"should be an angle between -2 pi and 2 pi rad, not {value:g}")
    return value


def _is_near(value: float) -> float:
    if abs(value) > 10.0:
        raise ValueError(f"should be a length between -10 and 10 m, not {value:g}")
    return value


def _is_direction(vector: tuple[float, float, float]) -> tuple[float, float, float]:
    if not sum(x * x for x in vector) > 1e-6:
        raise ValueError("should be a direction, not a vector of zeros")
    return vector


Name = Annotated[str, AfterValidator(_is_name)]
Angle = Annotated[float, AfterValidator(_is_angle)]
Length = Annotated[float, AfterValidator(_is_near)]
# No limit, inertia or friction of a robot's joint is larger.
LARGEST = 1e6
USUAL_HZ = 1000
Positive = Annotated[float, Field(gt=0.0, le=LARGEST)]
NotNegative = Annotated[float, Field(ge=0.0, le=LARGEST)]
Point = tuple[Length, Length, Length]
Rpy = tuple[Angle, Angle, Angle]


class ImuDescription(Config):
    """The pose of the IMU frame I on a link B.

    Attributes:
        link: link B that carries the IMU.
        p_BI_m: position of I in B [m].
        rpy_BI_rad: roll, pitch and yaw of I in B [rad].
    """

    link: str
    p_BI_m: Point = (0.0, 0.0, 0.0)
    rpy_BI_rad: Rpy = (0.0, 0.0, 0.0)


def _is_sole(corners: list[Point]) -> list[Point]:
    points = np.array(corners)
    distances = np.linalg.norm(points[:, None] - points[None], axis=2) + np.eye(len(points))
    if distances.min() < THINNEST_SOLE_M:
        raise ValueError("should not hold the same corner twice")
    if len(points) >= 3:
        # Singular values of the centred points: extent along the sole's length, width and normal.
        extents = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)
        if extents[1] < THINNEST_SOLE_M:
            raise ValueError(
                "should span an area: all corners are on one line (give two corners for a line contact)"
            )
        if len(points) > 3 and extents[2] > PLANARITY_M:
            raise ValueError("should lie in one plane, as a sole does")
    return corners


class ContactDescription(Config):
    """A sole, given by the corners of its support polygon.

    Attributes:
        link: link that carries the sole.
        corners_m: corners in the frame of the link [m]; one corner is a point foot, two are an edge.
        friction: Coulomb coefficient that the controller may use.
        force_sensor: whether the robot measures the normal force of this contact.
    """

    link: str
    corners_m: Annotated[list[Point], Field(min_length=1, max_length=16), AfterValidator(_is_sole)]
    friction: Annotated[float, Field(gt=0.0, le=5.0)]
    force_sensor: bool = False


def _is_inertia(moments: list[float]) -> list[float]:
    if len(moments) not in (3, 6):
        raise ValueError(f"should hold 3 moments (xx, yy, zz) or 6 (and xy, xz, yz), not {len(moments)}")
    xx, yy, zz, xy, xz, yz = (*moments, 0.0, 0.0, 0.0)[:6]
    principal = np.linalg.eigvalsh([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    rounding = 1e-9 * max(1.0, abs(principal[2]))
    if principal[0] < -rounding or principal[2] > principal[0] + principal[1] + rounding:
        raise ValueError(
            "is not the inertia of a body: its principal moments should be positive, and none larger than "
            "the sum of the other two"
        )
    return moments


class ToolDescription(Config):
    """A tool that is mounted on a hand, in the frame M that `p_LH_m` and `rpy_LH_rad` of the hand give.

    The frame of the hand then lies at the tool point T: this is what `reach`, `circle` and `wipe` move.

    Attributes:
        mass_kg: mass of the tool.
        p_MC_m: position of its centre of mass in M [m].
        inertia_kgm2: moments of inertia about its centre of mass in the axes of M: xx, yy, zz, and if they
            are not 0, xy, xz, yz; by default the tool is a point.
        p_MT_m: position of the tool point T in M [m].
        rpy_MT_rad: roll, pitch and yaw of T in M [rad].
    """

    mass_kg: Positive
    p_MC_m: Point = (0.0, 0.0, 0.0)
    inertia_kgm2: Annotated[list[float], AfterValidator(_is_inertia)] = Field(default=[0.0, 0.0, 0.0])
    p_MT_m: Point = (0.0, 0.0, 0.0)
    rpy_MT_rad: Rpy = (0.0, 0.0, 0.0)


class WristDescription(Config):
    """A force-torque sensor S between the arm and what a hand carries.

    It measures the wrench that what is mounted behind it exerts on the arm, about S in the axes of S: the
    forces on the tool, and its weight.

    Attributes:
        link: link L on which the sensor is mounted; it carries the links that follow on the way to the hand,
            and the tool. By default the link of the hand, so that it carries the tool alone.
        p_LS_m: position of S in L [m].
        rpy_LS_rad: roll, pitch and yaw of S in L [rad].
        noise_N, noise_Nm: standard deviations of each sample of a simulated sensor.
        bias_N, bias_Nm: standard deviations of its offset, which is drawn once per run.
        rate_hz: number of samples per second.
    """

    link: str | None = None
    p_LS_m: Point = (0.0, 0.0, 0.0)
    rpy_LS_rad: Rpy = (0.0, 0.0, 0.0)
    noise_N: NotNegative = 0.1
    noise_Nm: NotNegative = 0.005
    bias_N: NotNegative = 2.0
    bias_Nm: NotNegative = 0.1
    rate_hz: Literal[1000, 500, 250, 200, 125, 100] = 1000


class HandDescription(Config):
    """The pose of an end effector's frame H on a link L.

    Attributes:
        link: link L that carries the end effector.
        p_LH_m: position of H in L [m].
        rpy_LH_rad: roll, pitch and yaw of H in L [rad].
        tool: a tool that is mounted there; H then lies at the tool point.
        wrist: a force-torque sensor before the tool.
    """

    link: str
    p_LH_m: Point = (0.0, 0.0, 0.0)
    rpy_LH_rad: Rpy = (0.0, 0.0, 0.0)
    tool: ToolDescription | None = None
    wrist: WristDescription | None = None


class GazeDescription(Config):
    """The position of the eyes E on a link L (the trunk or a head); they look along the x axis of L.

    Attributes:
        link: link L that carries the eyes.
        p_LE_m: position of E in L [m].
    """

    link: str
    p_LE_m: Point = (0.0, 0.0, 0.0)


class PlaneDescription(Config):
    """A half-space of the base frame that parts of the robot do not leave.

    Attributes:
        parts: hands or links that are kept in the half-space, with all that is rigidly connected to them.
        normal: direction into the half-space, in the base frame (the world for a fixed base).
        at_least_m: smallest coordinate along the normal, from the origin of the base frame [m].
    """

    parts: Annotated[list[str], Field(min_length=1)]
    normal: Annotated[Point, AfterValidator(_is_direction)]
    at_least_m: Length


class CollisionDescription(Config):
    """Rules by which the robot keeps clear of its own body.

    Attributes:
        margin_m: distance that is kept between two parts of the robot [m].
        ignore: pairs of links (or hands) that may touch each other.
        planes: planes by name, which parts of the robot do not cross.
    """

    margin_m: Annotated[float, Field(ge=0.0, le=0.2)] = 0.01
    ignore: list[tuple[str, str]] = Field(default_factory=list)
    planes: dict[Name, PlaneDescription] = Field(default_factory=dict)


class ServoDescription(Config):
    """The position servos of a robot with `drives: position`.

    A servo applies the torque stiffness (q_des - q) - damping v, within the joint's torque limit.

    Attributes:
        stiffness_Nm_rad: torque per position error; one number, or a value per joint.
        damping_Nms_rad: torque per velocity, against it; one number, or a value per joint.
        counts_per_turn: resolution of the servos' encoders and of the positions that they are sent, such as
            4096; without it they are not quantised.
        lead_rad: largest distance of a commanded position from the measured one, which bounds how far a joint
            that was blocked moves when it is set free.
    """

    stiffness_Nm_rad: Positive | dict[str, Positive]
    damping_Nms_rad: NotNegative | dict[str, NotNegative]
    counts_per_turn: Annotated[int, Field(ge=16, le=2**32)] | None = None
    lead_rad: Annotated[float, Field(ge=0.005, le=1.0)] = 0.1


class FoldDescription(Config):
    """Joint positions to which the robot folds in a fall, for each direction of the fall.

    Folding lowers the body while the legs can still brake it, and protects the head and the hands from the
    impact. Joints that are left out go to the nominal posture.

    Attributes:
        forward: joint positions for a fall forward, by joint [rad].
        backward: joint positions for a fall backward, by joint [rad].
        sideways: joint positions for a fall to either side, by joint [rad].
    """

    forward: dict[str, float] = Field(default_factory=dict)
    backward: dict[str, float] = Field(default_factory=dict)
    sideways: dict[str, float] = Field(default_factory=dict)


class RobotDescription(Config):
    """The content of `robot.yaml`.

    Values by joint are in the joint's own unit: rad and Nm, or m and N for a sliding joint.

    Attributes:
        robot: name of the robot.
        model: URDF or MJCF file, relative to robot.yaml, or PACKAGE:path inside an installed data package.
        base: "floating" if the root link moves freely, "fixed" if it is fixed to the world.
        imu: pose of the IMU; required for a floating base, not allowed for a fixed one.
        contacts: soles by name; required for a floating base, not allowed for a fixed one.
        hands: end effectors by name.
        trunk: link of the main body, to which scenarios apply pushes and payloads; by default the IMU's link.
        gaze: position of the eyes; by default the origin of the trunk's frame.
        posture_rad: nominal joint positions; a joint that is left out is at 0.
        fold_rad: joint positions for a fall; if left out, the robot falls in its posture with damped joints.
        torque_limit_Nm: replaces the model's torque limits; one number, or a value per joint.
        velocity_limit_rad_s: replaces the model's velocity limits; one number, or a value per joint.
        acceleration_limit_rad_s2: largest accelerations of planned motions; one number, or a value per joint;
            by default what the torque limit leaves in the least favourable posture.
        jerk_limit_rad_s3: largest jerks of planned motions; one number, or a value per joint; by default the
            acceleration limit over 5 ms.
        armature_kgm2: reflected rotor inertia; one number, or a value per joint.
        joint_friction_Nm: dry friction of the real joints, where known.
        joint_damping_Nms: viscous friction of the real joints, where known.
        copper_loss_W_Nm2: loss in the windings of the joints' motors over the squared torque of the joint,
            R / (N Kt)^2, for the energy figures of a run; one number, or a value per joint.
        rate_hz: rate at which the robot sends its state and takes commands: 1000, 500, 250 or 200 Hz.
        torque_sensing: whether the robot measures joint torques; if not, those it sends are ignored.
        drives: "torque" if the drives apply torques, "position" if they are servos that take positions only.
        servo: gains and resolution of the servos; required for `drives: position`, not allowed otherwise.
        locked_joints_rad: joints that are fixed at a position and removed from the model.
        repair_inertia: whether impossible inertias of a URDF's links are mended, with a note for each.
        ignore_springs: whether springs of an MJCF file's joints that are weaker than the joints' motors are
            left out of controller and simulation, with a note.
        forward_rad: direction in which the robot faces: angle about the z axis of the URDF's root link, from
            its x axis. The base frame is the frame of the root link, turned by this angle.
        collision: distance that parts of the robot keep from each other, pairs that may touch, and planes.
        licence: licence of the model.
    """

    robot: Name
    model: Annotated[str, Field(min_length=1)]
    base: Literal["floating", "fixed"]
    imu: ImuDescription | None = None
    contacts: dict[Name, ContactDescription] = Field(default_factory=dict)
    hands: dict[Name, HandDescription] = Field(default_factory=dict)
    trunk: str | None = None
    gaze: GazeDescription | None = None
    posture_rad: dict[str, float] = Field(default_factory=dict)
    fold_rad: FoldDescription | None = None
    torque_limit_Nm: Positive | dict[str, Positive] = Field(default_factory=dict)
    velocity_limit_rad_s: Positive | dict[str, Positive] = Field(default_factory=dict)
    acceleration_limit_rad_s2: Positive | dict[str, Positive] = Field(default_factory=dict)
    jerk_limit_rad_s3: Positive | dict[str, Positive] = Field(default_factory=dict)
    armature_kgm2: NotNegative | dict[str, NotNegative] = Field(default_factory=dict)
    joint_friction_Nm: NotNegative | dict[str, NotNegative] = Field(default_factory=dict)
    joint_damping_Nms: NotNegative | dict[str, NotNegative] = Field(default_factory=dict)
    copper_loss_W_Nm2: NotNegative | dict[str, NotNegative] = Field(default_factory=dict)
    rate_hz: Literal[1000, 500, 250, 200] = 1000
    torque_sensing: bool = True
    drives: Literal["torque", "position"] = "torque"
    servo: ServoDescription | None = None
    locked_joints_rad: dict[str, float] = Field(default_factory=dict)
    repair_inertia: bool = False
    ignore_springs: bool = False
    forward_rad: Angle = 0.0
    collision: CollisionDescription | None = None
    licence: str = ""


def content_of(description: RobotDescription) -> dict[str, Any]:
    """Returns the content of a robot.yaml; without keys that were added later, its hash stays the same."""
    later = (
        "repair_inertia",
        "ignore_springs",
        "forward_rad",
        "servo",
        "acceleration_limit_rad_s2",
        "jerk_limit_rad_s3",
        "collision",
        "copper_loss_W_Nm2",
    )
    added = {key for key in later if not getattr(description, key)}
    if description.drives == "torque":
        added.add("drives")
    if description.rate_hz == USUAL_HZ:
        added.add("rate_hz")
    content = description.model_dump(mode="json", exclude=added)
    for hand in content["hands"].values():
        for key in [key for key in ("tool", "wrist") if hand[key] is None]:
            del hand[key]
    return content


def load_description(folder: Path) -> tuple[RobotDescription, Positions]:
    """Reads the `robot.yaml` of a folder, and the position of each of its keys.

    Raises:
        ConfigError: the file cannot be used; the error lists every problem of the file.
    """
    description, positions = load_yaml_located(folder / ROBOT_FILE, RobotDescription)
    problems = []
    if description.base == "floating":
        if description.imu is None:
            problems.append(positions.problem(("imu",), "is missing: a floating base needs an IMU"))
        if not description.contacts:
            sentence = "is missing: a floating base needs at least one sole"
            problems.append(positions.problem(("contacts",), sentence))
    else:
        for key in ("imu", "contacts"):
            if getattr(description, key):
                sentence = "is not used for a fixed base: remove it"
                problems.append(positions.problem((key,), sentence))
    problems += _problems_of_drives(description, positions)
    ConfigError.raise_if_any(problems)
    return description, positions


def _problems_of_drives(description: RobotDescription, positions: Positions) -> Iterator[Problem]:
    if description.drives == "torque":
        if description.servo is not None:
            yield positions.problem(("servo",), "is used for `drives: position` only: add that, or remove it")
    elif description.base == "floating":
        yield positions.problem(
            ("drives",), "position is not supported for a floating base: it needs torques"
        )
    elif description.servo is None:
        sentence = "is missing: servos need stiffness_Nm_rad and damping_Nms_rad"
        yield positions.problem(("servo",), sentence)


def shipped_robots() -> list[str]:
    """Returns the sorted names of the robots that are shipped with Kilohertz."""
    return sorted(path.parent.name for path in ROBOTS_FOLDER.glob(f"*/{ROBOT_FILE}"))


MODEL_SUFFIXES = (".urdf", ".xml", ".mjcf")


def find_robot(name_or_path: str) -> Path:
    """Finds the folder of a robot.

    Args:
        name_or_path: name of a shipped robot, or path of a folder or of its `robot.yaml`.

    Raises:
        ConfigError: there is no such robot, or the folder contains no `robot.yaml`.
    """
    shipped = shipped_robots()
    if name_or_path in shipped:
        return ROBOTS_FOLDER / name_or_path
    path = Path(name_or_path)
    try:
        if name_or_path and path.is_dir():
            if (path / ROBOT_FILE).exists():
                return path
            raise ConfigError(
                Problem(
                    f"the folder holds no {ROBOT_FILE}: `khz robot new MODEL` writes one for a model", path
                )
            )
        if path.name == ROBOT_FILE and path.is_file():
            return path.parent
        if path.suffix.lower() in MODEL_SUFFIXES and path.is_file():
            raise ConfigError(
                Problem(f"is a model and no robot's folder: `khz robot new {path}` writes one for it", path)
            )
    except (OSError, ValueError):
        pass  # the text is not a valid path
    raise ConfigError(
        f"there is no robot '{name_or_path[:200]}'{did_you_mean(name_or_path, shipped)}: give the path of a "
        f"folder that holds a {ROBOT_FILE}, or one of {', '.join(shipped)}"
    )
