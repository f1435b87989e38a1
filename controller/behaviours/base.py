"""Base class of behaviours: the parameters of a behaviour, its requirements, and how it moves the robot.

A behaviour is one class in one file: a subclass of `Behaviour` with a `name`. Its file lies in this folder,
in the folder `behaviours` beside a robot's robot.yaml, or in another distribution that names it in the
entry-point group `kilohertz.behaviours`. Scenarios, the documentation and every other place that lists
behaviours read them from the registry.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Protocol

import numpy as np
from pydantic import Field, model_validator

from kilohertz.controller.motion.behaviour_error import BehaviourError
from kilohertz.robots.config.yaml_file import Config
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector

if TYPE_CHECKING:
    from kilohertz.controller.gains.schema import Gains
    from kilohertz.controller.joint_motion.joint_lead import JointLead
    from kilohertz.controller.motion.posture_reference import PostureReference
    from kilohertz.controller.motion.remarks import Remarks
    from kilohertz.controller.soft.internal_force import InternalForce
    from kilohertz.controller.soft.soft_arm import SoftArm
    from kilohertz.controller.upper_body.hands import Hands
    from kilohertz.controller.walking.walking import Walking
    from kilohertz.controller.whole_body.whole_body import Task, WholeBody
    from kilohertz.estimators.wrist_wrench import WristWrench

Vector3 = Annotated[tuple[float, float, float], Field(description="x, y, z")]
Positive = Annotated[float, Field(gt=0)]
Payload = Mapping[str, Vector]
"""Numbers of a request, as vectors by name of field."""

__all__ = [
    "Behaviour",
    "BehaviourError",
    "BehaviourParameters",
    "Context",
    "GazeTarget",
    "HandTarget",
    "Legs",
    "Payload",
    "Positive",
    "UpperBodyParameters",
    "Vector3",
]


class Legs(enum.Enum):
    """What the legs do during a behaviour.

    STAND: all soles stay where they are; the behaviour writes a `PostureReference` each tick.
    STEP: the robot walks.
    KEEP: the robot comes to rest on its soles and keeps its present posture.
    RELEASE: the joints are damped; there is no other control.
    """

    STAND = "stand"
    STEP = "step"
    KEEP = "keep"
    RELEASE = "release"


class BehaviourParameters(Config):
    """Parameters of a behaviour, as in a scenario; names carry units, and unknown names are errors."""


class HandTarget(Config):
    """A pose that a hand holds during another behaviour.

    Attributes:
        p_BH_m: position relative to the robot's base, in a level frame along its heading [m].
        rpy_BH_rad: orientation in that frame, as roll, pitch and yaw [rad]; free if left out.
        p_WH_m: position in the world [m].
        rpy_WH_rad: orientation in the world, as roll, pitch and yaw [rad]; free if left out.
    """

    p_BH_m: Vector3 | None = None
    rpy_BH_rad: Vector3 | None = None
    p_WH_m: Vector3 | None = None
    rpy_WH_rad: Vector3 | None = None

    @model_validator(mode="after")
    def _one_frame(self) -> HandTarget:
        if (self.p_BH_m is None) == (self.p_WH_m is None):
            raise ValueError("say where: exactly one of p_BH_m and p_WH_m")
        if (self.rpy_WH_rad if self.p_WH_m is None else self.rpy_BH_rad) is not None:
            raise ValueError(
                "say place and orientation in the same frame: p_BH_m, rpy_BH_rad or p_WH_m, rpy_WH_rad"
            )
        return self


class GazeTarget(Config):
    """Where the robot looks during another behaviour.

    Attributes:
        p_WG_m: point in the world at which the robot looks [m].
        yaw_rad: yaw of the gaze from the robot's heading, positive to the left, instead of a point [rad].
        pitch_rad: pitch of the gaze from the horizontal, positive down, instead of a point [rad].
    """

    p_WG_m: Vector3 | None = None
    yaw_rad: float | None = None
    pitch_rad: float | None = None

    @model_validator(mode="after")
    def _one_goal(self) -> GazeTarget:
        if (self.p_WG_m is None) == (self.yaw_rad is None and self.pitch_rad is None):
            raise ValueError("say where to: p_WG_m, or yaw_rad and pitch_rad")
        return self


class UpperBodyParameters(BehaviourParameters):
    """Parameters of a behaviour that accepts additional targets for hands and gaze.

    Attributes:
        hands: target of each named hand; while walking, hands without a target swing.
        gaze: gaze target; while walking, the robot looks straight ahead if it is left out.
    """

    hands: dict[str, HandTarget] | None = None
    gaze: GazeTarget | None = None


class Calibrates(Protocol):
    """Moves the joints of an arm one by one, and calibrates the estimate of its hand's load meanwhile."""

    def begin(self) -> Vector:
        """Begins a calibration.

        Returns:
            (n,) reference of the joint positions [rad], initially the present ones; to be written each tick.
        """
        ...

    def end(self, completed: bool) -> None:
        """Ends the calibration; the hand holds its pose again.

        Args:
            completed: whether the motion was completed; if not, nothing is learnt from it.
        """
        ...


@dataclass(frozen=True)
class Context:
    """The parts of the controller that a behaviour may use.

    Attributes:
        robot: the robot.
        gains: gains that the controller was made with.
        body: the whole-body controller, with the kinematics and with the references by task name.
        hands: references of the hands.
        remarks: sentences to the operator about requests that could not be met.
        walking: the walking controller; None for a robot that does not walk.
        joints: planned motions of the joints of an arm; None for other robots.
        calibration: estimator of the load of the hand, and motion of the joints to calibrate it; None for a
            robot that has none.
        begin_walk: function that starts to walk on the given (n, 5) footsteps, or for None on steps that the
            controller chooses; for behaviours with `Legs.STEP`.
        soft: the soft hand of an arm on a fixed base; None for a robot on legs or without hands.
        w_H: (6,) estimated force [N] and moment [Nm] on the hand of an arm with one hand, in its axes; else
            None.
        wrist: force-torque sensor of the hand of such an arm; None without.
        internal: control of the force between the hands of an arm robot with two hands; else None.
    """

    robot: RobotModel
    gains: Gains
    body: WholeBody
    hands: Hands
    remarks: Remarks
    walking: Walking | None
    begin_walk: Callable[[Vector | None], None]
    soft: SoftArm | None = None
    w_H: Vector | None = None
    joints: JointLead | None = None
    calibration: Calibrates | None = None
    wrist: WristWrench | None = None
    internal: InternalForce | None = None


class Behaviour:
    """Base class of a behaviour, such as standing, walking or bowing, that can be requested of a robot.

    A request carries the numbers of `fields`, which `write` fills outside the tick. Each `Brain` has its own
    object of the class. `start`, `advance` and `done` run inside the tick: they must not allocate growing
    memory, raise exceptions or do I/O.

    Args:
        context: the parts of the controller that the behaviour may use.

    Attributes:
        name: name of the behaviour in scenarios and from Python.
        Parameters: schema of its parameters.
        fields: name and length of each vector of numbers in a request for the behaviour.
        legs: what the legs do, see `Legs`.
        fixed_base: whether a robot that is bolted to the ground can do it.
        works_on_points: whether a robot on point feet, which cannot stand still, can do it.
        joins_walk: whether a walking robot can begin the behaviour without coming to rest first.
        frees_hands: whether hands without a target are released to swing.
        softens: whether the behaviour makes a hand soft, see `kilohertz.controller.soft`.
        yields: whether forces move a hand that is not soft; then they are not learnt as friction.
        least_hands: number of hands that the robot must have.
        feels: whether the robot must have a force-torque sensor at a wrist.
        hangs: whether a gantry may carry the robot during the behaviour, see `kilohertz.controller.tethered`.
        done: whether the behaviour has ended by itself; the robot then stands.
    """

    name: ClassVar[str]
    Parameters: ClassVar[type[BehaviourParameters]] = BehaviourParameters
    fields: ClassVar[tuple[tuple[str, int], ...]] = ()
    legs: ClassVar[Legs] = Legs.STAND
    fixed_base: ClassVar[bool] = False
    works_on_points: ClassVar[bool] = False
    joins_walk: ClassVar[bool] = False
    frees_hands: ClassVar[bool] = False
    softens: ClassVar[bool] = False
    yields: ClassVar[bool] = False
    least_hands: ClassVar[int] = 0
    feels: ClassVar[bool] = False
    hangs: ClassVar[bool] = False

    def __init__(self, context: Context) -> None:
        self.context = context
        self.done = False

    @classmethod
    def check(cls, robot: RobotModel, parameters: Any) -> None:
        """Checks that this robot can do the behaviour with these parameters.

        Args:
            robot: the robot.
            parameters: an object of `Parameters`.

        Raises:
            BehaviourError: the robot cannot do it; one sentence with the remedy, and the parameter concerned.
        """

    @classmethod
    def write(cls, robot: RobotModel, parameters: Any, payload: Payload) -> None:
        """Writes the numbers of a request; by default, each field takes the parameter of the same name.

        Args:
            robot: the robot.
            parameters: an object of `Parameters` that `check` has accepted.
            payload: output: vectors by name of field, initially zero; the field `plan_start`, if the
                behaviour has it, holds the state of the joints in which the behaviour begins.

        Raises:
            BehaviourError: as `check`, for what only the state of the robot decides.
        """
        for name, _ in cls.fields:
            payload[name][:] = np.asarray(getattr(parameters, name), dtype=np.float64)

    @classmethod
    def tasks(cls, robot: RobotModel, gains: Gains) -> list[Task]:
        """Returns the tasks that the behaviour needs in addition to those of standing, walking and hands.

        They are off until `context.body.switch(name, True)` is called.
        """
        return []

    def start(self, payload: Payload) -> None:
        """Begins the behaviour; called once for each request.

        Args:
            payload: numbers of the request, by name of field.
        """

    def advance(self, t_s: float, reference: PostureReference) -> None:
        """Writes the references for one tick.

        Args:
            t_s: time since `start` [s].
            reference: output for `Legs.STAND`: offset of the centre of mass and lean of the trunk with their
                derivatives, initially zero. The caller smooths the change from one behaviour to another.
        """
