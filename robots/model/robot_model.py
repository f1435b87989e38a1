"""The model of a robot that the controller uses: kinematics, dynamics, limits, soles, hands and IMU."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pinocchio as pin

from kilohertz.robots.config.config_error import ConfigError, Problem
from kilohertz.robots.config.yaml_file import Positions
from kilohertz.robots.model.collision_parts import unknown_parts
from kilohertz.robots.model.contact_model import ContactModel, lowest_corner, sole_axes
from kilohertz.robots.model.description import RobotDescription, content_of, find_robot, load_description
from kilohertz.robots.model.frames import frame_id, placements, pose
from kilohertz.robots.model.hand_model import (
    HandModel,
    WristModel,
    add_tools,
    hand_models,
    wrist_problems,
)
from kilohertz.robots.model.model_error import ModelFileError
from kilohertz.robots.model.model_file import (
    UNLIMITED_RAD,
    ModelFormat,
    find_model,
    urdf_joint_names,
)
from kilohertz.robots.model.model_reading import Reading, read_robot
from kilohertz.robots.model.motion_limits import JERK_PER_ACCELERATION_PER_S, default_acceleration
from kilohertz.robots.model.pinocchio_memory import require_known_memory
from kilohertz.robots.model.posture_check import narrow_joints, posture_problems, still_hands
from kilohertz.robots.model.rows import CommandRow, SensorRow, Vector
from kilohertz.robots.model.servo import ServoModel, servo_model, servo_problems

__all__ = ["ContactModel", "HandModel", "RobotModel"]

# Model files contain 0, infinity or a round thousand where the true limit is unknown.
DUMMY_LIMIT = 1000.0
MOST_JOINTS = 200
LARGEST_MASS_KG = 1e6
LARGEST = 1e9
DEFAULT_VELOCITY_LIMIT_RAD_S = 20.0

ROOT_JOINT = 1
# Links of real robots are a few thousandths off their nominal orientation; such a link is held as it is.
ALIGNED_RAD = 0.02


@dataclass(frozen=True, eq=False)
class RobotModel:
    """The constant data of one robot: model, limits, contacts, hands and IMU.

    Joint arrays have the shape (na,) and the order of `joint_names`, which is pinocchio's.

    Attributes:
        name: name of the robot in robot.yaml.
        folder: folder of robot.yaml.
        description: content of robot.yaml.
        model_path, model_format: path and format of the model file.
        urdf_text: text from which this model and the simulator's are built; for MJCF the content of the file.
        pin_model: pinocchio model, with a free-flyer root if the base is floating, armature, and the frames
            of IMU, hands and contacts.
        floating: whether the base is floating.
        n_base, nq_base: number of entries of v and of q that belong to the base (6 and 7, or 0 and 0).
        nq, nv, na: sizes of q, of v, and of the joint arrays.
        joint_names: names of the joints that can be commanded.
        torque_limit_Nm, velocity_limit_rad_s: (na,) symmetric limits.
        acceleration_limit_rad_s2, jerk_limit_rad_s3: (na,) symmetric limits of planned motions.
        position_lower_rad, position_upper_rad: (na,) position limits; infinite for continuous joints.
        armature_kgm2: (na,) reflected rotor inertia, also in `pin_model.armature`.
        mass_kg: total mass of all moving links.
        q_nominal: (nq,) nominal posture. A floating base is level and above the origin, at the height that
            puts the lowest corner of the soles at z = 0.
        fold_rad: (na,) joint positions for a fall, with the keys "forward", "backward" and "sideways"; empty
            if robot.yaml gives none.
        contacts, hands: soles and end effectors, in the order of robot.yaml.
        trunk_frame: name of the frame that is held upright: the trunk's link, or a frame at its origin
            if the link's axes are turned in the nominal posture; None if there is no trunk.
        imu_frame_id: index of the IMU frame in the pinocchio model; None for a fixed base.
        model_sha256: SHA-256 of all files of the model (see PROTOCOL.md), in lower-case hexadecimal.
        config_sha256: SHA-256 of the content of robot.yaml, independent of its layout.
        notes: one sentence for each part of the model file that is ignored, mended or assumed.
        locked_rad: positions of the model's joints that are fixed [rad, or m for a sliding joint].
        servo: the position servos of the joints; None if the drives apply torques.
    """

    name: str
    folder: Path
    description: RobotDescription
    model_path: Path
    model_format: ModelFormat
    urdf_text: str
    pin_model: pin.Model
    floating: bool
    n_base: int
    nq_base: int
    nq: int
    nv: int
    na: int
    joint_names: tuple[str, ...]
    torque_limit_Nm: Vector
    velocity_limit_rad_s: Vector
    acceleration_limit_rad_s2: Vector
    jerk_limit_rad_s3: Vector
    position_lower_rad: Vector
    position_upper_rad: Vector
    armature_kgm2: Vector
    mass_kg: float
    q_nominal: Vector
    fold_rad: Mapping[str, Vector]
    contacts: tuple[ContactModel, ...]
    hands: tuple[HandModel, ...]
    trunk_frame: str | None
    imu_frame_id: int | None
    model_sha256: str
    config_sha256: str
    notes: tuple[str, ...]
    locked_rad: Mapping[str, float]
    servo: ServoModel | None = None

    @property
    def contact_names(self) -> tuple[str, ...]:
        """Names of the soles."""
        return tuple(contact.name for contact in self.contacts)

    @property
    def hand_names(self) -> tuple[str, ...]:
        """Names of the end effectors."""
        return tuple(hand.name for hand in self.hands)

    @property
    def wrists(self) -> tuple[WristModel, ...]:
        """Force-torque sensors of the hands, in the order of a sensor row."""
        return tuple(hand.wrist for hand in self.hands if hand.wrist is not None)

    @property
    def base_link(self) -> str:
        """Name of the link whose frame is the base frame B; only for a floating base."""
        frames = self.pin_model.frames
        return str(
            next(f.name for f in frames if f.parentJoint == ROOT_JOINT and f.type == pin.FrameType.BODY)
        )

    def nominal_point(self, frame_id: int) -> Vector:
        """(3,) origin of a frame in the world at the nominal posture [m]."""
        data = self.pin_model.createData()
        pin.framesForwardKinematics(self.pin_model, data, self.q_nominal)
        return np.array(data.oMf[frame_id].translation)

    def new_sensor_row(self) -> SensorRow:
        """Returns a new sensor row of this robot's size, filled with zeros."""
        return SensorRow(self.na, len(self.contacts), len(self.wrists))

    def new_command_row(self) -> CommandRow:
        """Returns a new command row of this robot's size, filled with zeros."""
        return CommandRow(self.na)

    @classmethod
    def load(cls, name_or_path: str | Path, *, stands: bool = True) -> RobotModel:
        """Loads a robot.

        Args:
            name_or_path: name of a shipped robot, or path of a folder that contains a robot.yaml.
            stands: whether a nominal posture on tilted soles, on soles of unequal height or on swapped feet
                is refused; a log can be read without it.

        Raises:
            ConfigError: robot.yaml or its model cannot be used; one line per problem.
            RuntimeError: the installed pinocchio keeps its results where compiled code does not expect them.
        """
        require_known_memory()
        folder = find_robot(str(name_or_path))
        description, positions = load_description(folder)
        return _Build(folder, description, positions, stands).run()


class _Build:
    """Builds one RobotModel; `problems` collects the contradictions between robot.yaml and the model file."""

    def __init__(
        self, folder: Path, description: RobotDescription, positions: Positions, stands: bool
    ) -> None:
        self.folder = folder
        self.stands = stands
        self.description = description
        self.positions = positions
        self.floating = description.base == "floating"
        self.problems: list[Problem] = []
        # Joints that are locked without being listed keep their entries in robot.yaml.
        self.locked_by_itself: set[str] = set()

    def run(self) -> RobotModel:
        description = self.description
        self.reading = reading = self._read()
        file = reading.file
        self.pin_model = model = reading.model
        n_base, nq_base = (6, 7) if self.floating else (0, 0)
        self.locked_by_itself = set(reading.locked_rad) - set(description.locked_joints_rad)
        self.joint_names = tuple(model.names)[ROOT_JOINT + self.floating :]
        self._check_model()
        self.links = [frame.name for frame in model.frames if frame.type == pin.FrameType.BODY]
        add_tools(model, description.hands)

        lower, upper = model.lowerPositionLimit[nq_base:].copy(), model.upperPositionLimit[nq_base:].copy()
        lower[lower <= -UNLIMITED_RAD] = -np.inf
        upper[upper >= UNLIMITED_RAD] = np.inf
        model.lowerPositionLimit = np.r_[model.lowerPositionLimit[:nq_base], lower]
        model.upperPositionLimit = np.r_[model.upperPositionLimit[:nq_base], upper]
        torque = self._torque_limits(model.upperEffortLimit[n_base:])
        velocity = self._velocity_limits(model.upperVelocityLimit[n_base:])
        armature = self._per_joint("armature_kgm2", model.armature[n_base:])
        model.armature = np.r_[np.zeros(n_base), armature]
        friction_free = np.zeros(len(self.joint_names))
        self._per_joint("joint_friction_Nm", friction_free)
        joint_damping = self._per_joint("joint_damping_Nms", friction_free)
        self._per_joint("copper_loss_W_Nm2", friction_free)
        self._refuse(servo_problems(description.servo, self.joint_names))
        q_nominal = np.r_[pin.neutral(model)[:nq_base], self._posture(lower, upper)]
        fold = self._fold(q_nominal[nq_base:], lower, upper)
        acceleration, jerk = self._motion_limits(q_nominal, torque)
        self._check_links()
        ConfigError.raise_if_any(self.problems)
        self._refuse(unknown_parts(description, self.links))
        self._refuse(narrow_joints(self.joint_names, lower, upper))
        root_joint = ROOT_JOINT if self.floating else 0
        hand_links = {name: hand.link for name, hand in description.hands.items()}
        self._refuse(still_hands(model, root_joint, hand_links))
        self._refuse(wrist_problems(model, description, self.links, file.format == "mjcf"))

        imu = description.imu
        imu_frame_id = None
        if imu is not None:
            imu_frame_id = self._add_frame("imu", imu.link, pose(imu.p_BI_m, imu.rpy_BI_rad))
        hands = hand_models(model, description.hands, self._add_frame)
        contacts = self._contacts(q_nominal)
        if self.stands:
            self._refuse(posture_problems(model, q_nominal, contacts))
        if self.floating:
            q_nominal[2] = -lowest_corner(model, contacts, q_nominal)
        limits = torque, velocity, acceleration, jerk, lower, upper
        for array in (*limits, armature, q_nominal, *fold.values()):
            array.setflags(write=False)
        return RobotModel(
            name=description.robot,
            folder=self.folder,
            description=description,
            model_path=file.path,
            model_format=file.format,
            urdf_text=file.text,
            pin_model=model,
            floating=self.floating,
            n_base=n_base,
            nq_base=nq_base,
            nq=model.nq,
            nv=model.nv,
            na=len(self.joint_names),
            joint_names=self.joint_names,
            torque_limit_Nm=torque,
            velocity_limit_rad_s=velocity,
            acceleration_limit_rad_s2=acceleration,
            jerk_limit_rad_s3=jerk,
            position_lower_rad=lower,
            position_upper_rad=upper,
            armature_kgm2=armature,
            mass_kg=float(pin.computeTotalMass(model)),
            q_nominal=q_nominal,
            fold_rad=fold,
            contacts=contacts,
            hands=hands,
            trunk_frame=self._trunk_frame(q_nominal),
            imu_frame_id=imu_frame_id,
            model_sha256=hashlib.sha256(file.source).hexdigest(),
            config_sha256=hashlib.sha256(
                json.dumps(content_of(description), sort_keys=True).encode()
            ).hexdigest(),
            notes=reading.notes,
            locked_rad=reading.locked_rad,
            servo=servo_model(description.servo, self.joint_names, joint_damping),
        )

    def _read(self) -> Reading:
        description = self.description
        try:
            path = find_model(description.model, self.folder)
            if description.locked_joints_rad:
                names = urdf_joint_names(path)
                self._check_joint_names("locked_joints_rad", names)
                ConfigError.raise_if_any(self.problems)
            reading = read_robot(path, description)
        except ModelFileError as error:
            raise self._unusable(str(error)) from None
        if reading.flies != self.floating:
            sentence = (
                "is 'floating', but the root body of the MJCF has another joint than a <freejoint/>"
                if self.floating
                else "is 'fixed', but the root body of the MJCF has a <freejoint/>"
            )
            raise self.positions.error(("base",), sentence, wrong="")
        return reading

    def _check_model(self) -> None:
        """Refuses a model whose joints or masses do not allow control."""
        model = self.pin_model
        for index in range(ROOT_JOINT + self.floating, model.njoints):
            if model.joints[index].nq != 1 or model.joints[index].nv != 1:
                raise self._unusable(
                    f"joint '{model.names[index]}' has {model.joints[index].nv} degrees of freedom; every "
                    "joint must have one, and a body of an MJCF file at most one joint"
                )
        if not self.joint_names:
            raise self._unusable("has no joint that can move")
        if len(self.joint_names) > MOST_JOINTS:
            raise self._unusable(
                f"has {len(self.joint_names)} joints that can move, more than {MOST_JOINTS}: lock some with "
                "locked_joints_rad"
            )
        masses = np.array([inertia.mass for inertia in model.inertias])
        if not (masses >= 0.0).all() or not masses.sum() > 0.0:
            raise self._unusable("has no mass, or a link with a negative mass")
        if not masses.sum() < LARGEST_MASS_KG:
            raise self._unusable(f"has a mass of {masses.sum():.3g} kg, more than any robot")
        places = [placement.homogeneous for placement in model.jointPlacements]
        inertias = [inertia.matrix() for inertia in model.inertias]
        if not all((np.abs(matrix) < LARGEST).all() for matrix in (*places, *inertias)):
            raise self._unusable(f"has a position or an inertia above {LARGEST:.0e}, which no robot has")

    def _refuse(self, found: Iterable[tuple[tuple[str, ...], str]]) -> None:
        """Raises an error for problems that are given as locations in robot.yaml and sentences."""
        ConfigError.raise_if_any([self.positions.problem(loc, text, wrong="") for loc, text in found])

    def _unusable(self, sentence: str) -> ConfigError:
        return self.positions.error(("model",), sentence, wrong="")

    def _check_joint_names(self, key: str, names: list[str] | tuple[str, ...]) -> None:
        value = getattr(self.description, key)
        for joint in value if isinstance(value, Mapping) else ():
            if joint not in names and joint not in self.locked_by_itself:
                sentence = "is not a joint of the model"
                if key != "locked_joints_rad" and joint in self.description.locked_joints_rad:
                    sentence = (
                        "is a locked joint, which takes no value: remove it here or in locked_joints_rad"
                    )
                self.problems.append(self.positions.problem((key, joint), sentence, names, wrong=joint))

    def _per_joint(self, key: str, default: Vector) -> Vector:
        """Returns the model's values, replaced by one number for all joints or by a value per joint."""
        value = getattr(self.description, key)
        self._check_joint_names(key, self.joint_names)
        result = np.array(default, dtype=float)
        if isinstance(value, Mapping):
            for index, joint in enumerate(self.joint_names):
                result[index] = value.get(joint, result[index])
        else:
            result[:] = value
        return result

    def _torque_limits(self, effort: Vector) -> Vector:
        if self.reading.mj_model is not None:
            from kilohertz.robots.model.mjcf import actuator_limits

            effort = actuator_limits(self.reading.mj_model, self.joint_names)
        unknown = (effort <= 0.0) | ~(effort < DUMMY_LIMIT)
        torque = self._per_joint("torque_limit_Nm", np.where(unknown, np.nan, effort))
        missing = [joint for joint, limit in zip(self.joint_names, torque, strict=True) if np.isnan(limit)]
        if missing:
            self.problems.append(
                self.positions.problem(
                    ("torque_limit_Nm",),
                    f"is needed for {_listed(missing)}: the model gives no usable effort limit",
                    wrong="",
                )
            )
        return torque

    def _velocity_limits(self, velocity: Vector) -> Vector:
        unknown = (velocity <= 0.0) | ~(velocity < DUMMY_LIMIT)
        return self._per_joint(
            "velocity_limit_rad_s", np.where(unknown, DEFAULT_VELOCITY_LIMIT_RAD_S, velocity)
        )

    def _motion_limits(self, q_nominal: Vector, torque: Vector) -> tuple[Vector, Vector]:
        default = default_acceleration(self.pin_model, q_nominal, torque)
        acceleration = self._per_joint("acceleration_limit_rad_s2", default)
        return acceleration, self._per_joint("jerk_limit_rad_s3", JERK_PER_ACCELERATION_PER_S * acceleration)

    def _posture(self, lower: Vector, upper: Vector) -> Vector:
        posture = self._per_joint("posture_rad", np.zeros(len(self.joint_names)))
        for joint, value, low, high in zip(self.joint_names, posture, lower, upper, strict=True):
            if low <= value <= high:
                continue
            given = joint in self.description.posture_rad
            loc = ("posture_rad", joint) if given else ("posture_rad",)
            sentence = (
                f"should be within the joint's limits {low:g} to {high:g}, not {value:g}"
                if given
                else f"needs a value for '{joint}': its limits {low:g} to {high:g} exclude the default 0"
            )
            self.problems.append(self.positions.problem(loc, sentence, wrong=""))
        return posture

    def _fold(self, nominal: Vector, lower: Vector, upper: Vector) -> dict[str, Vector]:
        description = self.description.fold_rad
        if description is None:
            return {}
        fold = {}
        for way, joints in description:
            fold[way] = nominal.copy()
            for joint, value in joints.items():
                loc = ("fold_rad", way, joint)
                if joint not in self.joint_names:
                    sentence = "is not a joint of the model"
                    self.problems.append(self.positions.problem(loc, sentence, self.joint_names, wrong=joint))
                    continue
                index = self.joint_names.index(joint)
                if not lower[index] <= value <= upper[index]:
                    limits = f"{lower[index]:g} to {upper[index]:g}"
                    sentence = f"should be within the joint's limits {limits}, not {value:g}"
                    self.problems.append(self.positions.problem(loc, sentence, wrong=""))
                fold[way][index] = value
        return fold

    def _check_links(self) -> None:
        description = self.description
        places = [(("contacts", name), contact.link) for name, contact in description.contacts.items()]
        places += [(("hands", name), hand.link) for name, hand in description.hands.items()]
        if description.imu is not None:
            places.append((("imu",), description.imu.link))  # type: ignore[arg-type]
        if description.gaze is not None:
            places.append((("gaze",), description.gaze.link))  # type: ignore[arg-type]
        if description.trunk is not None and description.trunk not in self.links:
            sentence = f"'{description.trunk[:80]}' is not a link of the model"
            self.problems.append(
                self.positions.problem(("trunk",), sentence, self.links, wrong=description.trunk)
            )
        for loc, link in places:
            if link not in self.links:
                self.problems.append(
                    self.positions.problem(
                        (*loc, "link"), f"'{link[:80]}' is not a link of the model", self.links, wrong=link
                    )
                )

    def _add_frame(self, name: str, link: str, pose_LF: pin.SE3) -> int:
        model = self.pin_model
        # For a name that exists (such as an MJCF site "imu"), pinocchio silently returns the old frame.
        while model.existFrame(name):
            name += "_"
        link_id = frame_id(model, link)
        frame = model.frames[link_id]
        return int(
            model.addFrame(
                pin.Frame(name, frame.parentJoint, link_id, frame.placement * pose_LF, pin.FrameType.OP_FRAME)
            )
        )

    def _trunk_frame(self, q_nominal: Vector) -> str | None:
        trunk = self.description.trunk
        if trunk is None or not self.floating:
            return trunk
        R_LB = placements(self.pin_model, q_nominal)(trunk).rotation.T
        if np.linalg.norm(pin.log3(R_LB)) < ALIGNED_RAD:
            return trunk
        frame_id = self._add_frame("trunk", trunk, pin.SE3(R_LB, np.zeros(3)))
        return str(self.pin_model.frames[frame_id].name)

    def _contacts(self, q_nominal: Vector) -> tuple[ContactModel, ...]:
        placement = placements(self.pin_model, q_nominal)
        contacts = []
        for name, contact in self.description.contacts.items():
            R_WL = placement(contact.link).rotation
            corners_L = np.array(contact.corners_m)
            p_LF = corners_L.mean(axis=0)
            R_LF = sole_axes(corners_L - p_LF, R_WL)
            corners_F = (corners_L - p_LF) @ R_LF
            corners_F.setflags(write=False)
            frame_id = self._add_frame(f"contact/{name}", contact.link, pin.SE3(R_LF, p_LF))
            contacts.append(
                ContactModel(name, contact.link, frame_id, corners_F, contact.friction, contact.force_sensor)
            )
        return tuple(contacts)


def _listed(names: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in names[:4])
    return shown if len(names) <= 4 else f"{shown} and {len(names) - 4} more joints"
