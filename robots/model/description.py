"""`robot.yaml`: what the robot is, and where the folders that hold one are found."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import AfterValidator, Field

from kilohertz.robots.config.config_error import ConfigError, Problem, did_you_mean
from kilohertz.robots.config.yaml_file import Config, Positions, load_yaml_located

ROBOTS_FOLDER = Path(__file__).resolve().parents[1]
ROBOT_FILE = "robot.yaml"

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
# A support polygon flatter than this has no inside; one that is less planar is not a sole.
THINNEST_SOLE_M = 1e-3
PLANARITY_M = 5e-3


def _is_name(text: str) -> str:
    if not NAME.fullmatch(text):
        raise ValueError(f"should be a name of letters, digits, '_', '-' and '.', not '{text[:40]}'")
    return text


def _is_angle(value: float) -> float:
    if abs(value) > 2.0 * np.pi:
        raise ValueError(f"should be an angle in rad, at most 2 pi, not {value:g}")
    return value


def _is_near(value: float) -> float:
    if abs(value) > 10.0:
        raise ValueError(f"should be a length in m, at most 10, not {value:g}")
    return value


Name = Annotated[str, AfterValidator(_is_name)]
Angle = Annotated[float, AfterValidator(_is_angle)]
Length = Annotated[float, AfterValidator(_is_near)]
Positive = Annotated[float, Field(gt=0.0)]
NotNegative = Annotated[float, Field(ge=0.0)]
Point = tuple[Length, Length, Length]
Rpy = tuple[Angle, Angle, Angle]


class ImuDescription(Config):
    """The IMU frame I on a link B."""

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
            raise ValueError("should span an area: all corners are on one line (give two for a line contact)")
        if len(points) > 3 and extents[2] > PLANARITY_M:
            raise ValueError("should lie in one plane, as a sole does")
    return corners


class ContactDescription(Config):
    """A sole: its support polygon in the frame of a link. One corner: a point foot; two: an edge."""

    link: str
    corners_m: Annotated[list[Point], Field(min_length=1, max_length=16), AfterValidator(_is_sole)]
    friction: Annotated[float, Field(gt=0.0, le=5.0)]
    force_sensor: bool = False


class HandDescription(Config):
    """An end effector: frame H on a link L."""

    link: str
    p_LH_m: Point = (0.0, 0.0, 0.0)
    rpy_LH_rad: Rpy = (0.0, 0.0, 0.0)


class GazeDescription(Config):
    """The eyes E, on a link L that looks along its x axis: the trunk, or a head."""

    link: str
    p_LE_m: Point = (0.0, 0.0, 0.0)


class FoldDescription(Config):
    """How the robot folds when it falls, by where the fall goes; joints left out go to the nominal posture.

    Folding lowers the body while the legs can still brake it, and keeps head and hands out of the way.
    """

    forward: dict[str, float] = Field(default_factory=dict)
    backward: dict[str, float] = Field(default_factory=dict)
    sideways: dict[str, float] = Field(default_factory=dict)


class RobotDescription(Config):
    """The content of `robot.yaml`.

    Maps by joint are in the joint's own unit: rad and Nm, or m and N for a sliding joint.

    Attributes:
        robot: name.
        model: URDF or MJCF, relative to the file, or PACKAGE:path inside an installed data package.
        base: whether the root link flies or is bolted to the world.
        imu: floating base only.
        contacts: the soles by name; floating base only.
        hands: the end effectors by name.
        trunk: link of the main body, which is pushed and loaded in tests; by default the IMU's.
        gaze: the eyes; by default in the trunk's frame.
        posture_rad: nominal joint positions; joints left out are 0.
        fold_rad: joint positions to fold to in a fall; left out, the robot falls damped as it stands.
        torque_limit_Nm: overrides the model's; one number or per joint.
        velocity_limit_rad_s: overrides the model's; one number or per joint.
        armature_kgm2: reflected rotor inertia; one number or per joint.
        joint_friction_Nm: dry friction of the real joints, as far as it is known.
        joint_damping_Nms: viscous friction of the real joints, as far as it is known.
        locked_joints_rad: joints that are held at a position and leave the model.
        licence: of the model.
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
    armature_kgm2: NotNegative | dict[str, NotNegative] = Field(default_factory=dict)
    joint_friction_Nm: NotNegative | dict[str, NotNegative] = Field(default_factory=dict)
    joint_damping_Nms: NotNegative | dict[str, NotNegative] = Field(default_factory=dict)
    locked_joints_rad: dict[str, float] = Field(default_factory=dict)
    licence: str = ""


def load_description(folder: Path) -> tuple[RobotDescription, Positions]:
    """Reads the `robot.yaml` of a folder, and where each of its keys stands.

    Raises:
        ConfigError: with every problem of the file.
    """
    description, positions = load_yaml_located(folder / ROBOT_FILE, RobotDescription)
    problems = []
    if description.base == "floating":
        if description.imu is None:
            problems.append(positions.problem(("imu",), "is missing: a floating base needs one"))
        if not description.contacts:
            problems.append(positions.problem(("contacts",), "is missing: a floating base needs a sole"))
    else:
        for key in ("imu", "contacts"):
            if getattr(description, key):
                sentence = "has no meaning for a fixed base: remove it"
                problems.append(positions.problem((key,), sentence))
    ConfigError.raise_if_any(problems)
    return description, positions


def shipped_robots() -> list[str]:
    """The names of the robots that ship, sorted."""
    return sorted(path.parent.name for path in ROBOTS_FOLDER.glob(f"*/{ROBOT_FILE}"))


def find_robot(name_or_path: str) -> Path:
    """The folder of a robot that ships, by name, or of the user's own, by path.

    Raises:
        ConfigError: there is no such robot, or the folder holds no `robot.yaml`.
    """
    shipped = shipped_robots()
    if name_or_path in shipped:
        return ROBOTS_FOLDER / name_or_path
    path = Path(name_or_path)
    try:
        if name_or_path and path.is_dir():
            if (path / ROBOT_FILE).exists():
                return path
            raise ConfigError(Problem(f"the folder holds no {ROBOT_FILE}", path))
        if path.name == ROBOT_FILE and path.is_file():
            return path.parent
    except (OSError, ValueError):
        pass  # not a path at all
    raise ConfigError(
        f"there is no robot '{name_or_path[:200]}'{did_you_mean(name_or_path, shipped)}: give the path of a "
        f"folder that holds a {ROBOT_FILE}, or one of {', '.join(shipped)}"
    )
