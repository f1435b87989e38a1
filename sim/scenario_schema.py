"""The schema of a scenario file: commands to the robot, events, ground, model errors and sensor errors.

The schema checks everything that does not depend on the robot; `kilohertz.sim.scenario` checks the rest.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Mapping
from types import GenericAlias
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, create_model, model_validator

from kilohertz.robots.config.config_error import did_you_mean
from kilohertz.robots.config.yaml_file import Config
from kilohertz.sim.surroundings_schema import (
    GantryPlan,
    HandLead,
    HandPush,
    Obstacles,
    SharedLoad,
    Tip,
    WristFault,
)

# No mass, impulse, noise or length of a scenario is larger; the simulation computes without overflow.
LARGEST = 1e6
_Component = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
Vector3 = Annotated[tuple[_Component, _Component, _Component], Field(description="x, y, z")]
Positive = Annotated[float, Field(gt=0, le=LARGEST)]
NotNegative = Annotated[float, Field(ge=0, le=LARGEST)]
Friction = Annotated[float, Field(gt=0, le=3, description="Coulomb coefficient of the ground")]


class Flat(Config):
    """An endless horizontal plane."""

    kind: Literal["flat"]
    friction: Friction = 0.8


class Slope(Config):
    """An endless tilted plane through the origin."""

    kind: Literal["slope"]
    pitch_deg: float = Field(default=0.0, ge=-30, le=30, description="> 0: the plane rises towards +x")
    roll_deg: float = Field(default=0.0, ge=-30, le=30, description="> 0: the plane rises towards +y")
    friction: Friction = 0.8


class Blocks(Config):
    """A floor of square blocks of random height around a flat start area."""

    kind: Literal["blocks"]
    size_m: float = Field(default=0.3, ge=0.1, le=2.0, description="side length of a block")
    height_m: float = Field(
        default=0.02,
        ge=0.0,
        le=0.3,
        description="largest height of a block; heights are distributed uniformly",
    )
    seed: int = Field(default=0, ge=0)
    friction: Friction = 0.8


class Stairs(Config):
    """A flight of steps in the direction +x, which begins half a metre ahead of the start.

    Attributes:
        rise_m: height of each step; negative for stairs that go down.
        tread_m: depth of each step.
        count: number of steps.
        landing_m: depth of the last step, the landing.
        and_back: whether a second flight follows the landing and returns to the height of the start.
        friction: Coulomb coefficient of the ground.
    """

    kind: Literal["stairs"]
    rise_m: float = Field(ge=-0.3, le=0.3)
    tread_m: float = Field(ge=0.1, le=2.0)
    count: int = Field(ge=1, le=100)
    landing_m: float = Field(default=4.0, ge=0.1, le=20.0)
    and_back: bool = False
    friction: Friction = 0.8


Ground = Annotated[Flat | Slope | Blocks | Stairs, Field(discriminator="kind")]


class Plant(Config):
    """Differences between the simulated robot and the model that the controller uses.

    Attributes:
        joint_friction_Nm: dry friction of every joint [Nm].
        joint_damping_Nms: viscous friction of every joint [Nms/rad].
        model_error: largest relative error of each link's mass and, independently, of its inertia.
        com_error_m: largest error of each link's centre of mass, per axis [m].
        follow_robot: whether the friction values of robot.yaml are used where given, and friction and damping
            are reduced for weak joints.
    """

    joint_friction_Nm: NotNegative = 0.0
    joint_damping_Nms: NotNegative = 0.0
    model_error: float = Field(default=0.0, ge=0, le=0.5)
    com_error_m: float = Field(default=0.0, ge=0, le=0.2)
    follow_robot: ClassVar[bool] = False


class DefaultPlant(Plant):
    """The default plant: joint friction that the controller's model does not contain."""

    joint_friction_Nm: NotNegative = 0.2
    joint_damping_Nms: NotNegative = 0.05
    follow_robot: ClassVar[bool] = True


def _plant_by_name(value: Any) -> Any:
    if isinstance(value, str):
        named = {"default": DefaultPlant(), "exact": Plant()}
        if value not in named:
            raise ValueError(
                f"should be default, exact or a map (joint_friction_Nm: ...), not '{value}'"
                + did_you_mean(value, named)
            )
        return named[value]
    return value


class Noise(Config):
    """Standard deviations of the sensor errors, per sample at 1 kHz; the biases are drawn once per run.

    Attributes:
        gyro_rad_s, gyro_bias_rad_s: noise and bias of each gyroscope axis.
        accel_m_s2, accel_bias_m_s2: noise and bias of each accelerometer axis.
        encoder_rad, velocity_rad_s: noise of each joint's position and velocity.
        torque_Nm: noise of each joint's torque; at most 1 % of the joint's torque limit is applied.
        encoder_step_rad: resolution of the encoders, which report whole multiples of it; 0 for no
            quantisation.
        contact_force_N: noise of each contact force sensor, if the robot has such sensors.
    """

    gyro_rad_s: NotNegative = 0.0
    gyro_bias_rad_s: NotNegative = 0.0
    accel_m_s2: NotNegative = 0.0
    accel_bias_m_s2: NotNegative = 0.0
    encoder_rad: NotNegative = 0.0
    velocity_rad_s: NotNegative = 0.0
    torque_Nm: NotNegative = 0.0
    encoder_step_rad: NotNegative = 0.0
    contact_force_N: NotNegative = 0.0

    def scaled(self, scale: float) -> Noise:
        """Returns the noise with every standard deviation times `scale`; biases and resolution are kept."""
        names = ("gyro_rad_s", "accel_m_s2", "encoder_rad", "velocity_rad_s", "torque_Nm", "contact_force_N")
        return self.model_copy(update={name: scale * getattr(self, name) for name in names})


DEFAULT_NOISE = Noise(
    gyro_rad_s=0.01,
    gyro_bias_rad_s=0.005,
    accel_m_s2=0.1,
    accel_bias_m_s2=0.05,
    encoder_rad=1e-4,
    velocity_rad_s=0.02,
    torque_Nm=0.1,
    contact_force_N=1.0,
)


def _noise_by_name(value: Any) -> Any:
    if isinstance(value, str):
        named = {"default": DEFAULT_NOISE, "none": Noise()}
        if value not in named:
            raise ValueError(
                f"should be default, none or a map (gyro_rad_s: ...), not '{value}'"
                + did_you_mean(value, named)
            )
        return named[value]
    return value


def _whole_milliseconds(value: Any) -> Any:
    if isinstance(value, float) and not value.is_integer():
        raise ValueError("should be a whole number of milliseconds, because the simulation step is 1 ms")
    return value


class OutsidePose(Config):
    """Measurement of the base's pose from outside the robot, such as motion capture or a camera."""

    rate_hz: float = Field(default=30.0, gt=0, le=1000, description="number of poses per second [Hz]")
    delay_ms: Annotated[float, BeforeValidator(_whole_milliseconds)] = Field(
        default=50.0, ge=0, le=500, description="time from the measurement to its use"
    )
    position_m: float | None = Field(
        default=0.005,
        ge=0,
        le=10,
        description="SD of each component of the position [m]; null for no position",
    )
    tilt_rad: float | None = Field(
        default=None, ge=0, le=3, description="SD of roll and pitch [rad]; null, the default, for neither"
    )
    yaw_rad: float | None = Field(
        default=0.01, ge=0, le=3, description="SD of the yaw [rad]; null for no yaw"
    )
    wild_share: float = Field(
        default=0.0, ge=0, le=1, description="fraction of the poses that are wrong by metres"
    )


class Sensors(Config):
    """Sensor errors, the delay of sensors, bus and drives, and what the driver makes of the measured values.

    The driver tells the controller the latest values that it has, at 1 kHz. The drives' own control uses the
    measured values themselves: they are not held, lost, limited or stamped late.
    """

    noise: Annotated[Noise, BeforeValidator(_noise_by_name)] = DEFAULT_NOISE
    noise_scale: float = Field(
        default=1.0,
        ge=0,
        le=1000,
        description="factor on the standard deviations of `noise`; biases and encoder resolution are kept",
    )
    delay_ms: Annotated[float, BeforeValidator(_whole_milliseconds)] = Field(
        default=2.0, ge=0, le=50, description="time from a sensor sample to the torque that answers it"
    )
    encoder_rate_Hz: float | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="rate at which joint positions, velocities and torques are sampled, at a random phase; "
        "between two samples the driver repeats the last one with new time stamps; without it 1000",
    )
    velocity_from: Literal["sensor", "encoder"] = Field(
        default="sensor",
        description="`encoder`: the joint velocity is the difference of two encoder samples, as quantised, "
        "divided by the time between them, and has no noise of its own",
    )
    imu_rate_Hz: float | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="rate at which the IMU is sampled, as `encoder_rate_Hz` is for the joints",
    )
    imu_rpy_rad: Vector3 = Field(
        default=(0.0, 0.0, 0.0),
        description="roll, pitch and yaw by which the IMU is mounted off the axes that robot.yaml declares",
    )
    gyro_range_rad_s: Positive | None = Field(
        default=None, description="largest value of each gyro axis; larger ones are clipped; without it none"
    )
    accel_range_m_s2: float | None = Field(
        default=None,
        ge=10,
        description="largest value of each accelerometer axis; larger ones are clipped; without it none",
    )
    drop_fraction: float = Field(
        default=0.0,
        ge=0,
        le=0.9,
        description="fraction of the samples of the joints, and likewise but independently of the IMU, that "
        "are lost on their bus; the driver then repeats the previous values with a new time stamp",
    )
    jitter_ms: float = Field(
        default=0.0,
        ge=0,
        le=5,
        description="largest time by which the driver stamps a sample late; each lateness is random, and "
        "stamps keep the order of the samples",
    )
    outside_pose: OutsidePose | None = Field(
        default=None, description="pose of a floating base that is measured from outside; null for none"
    )

    def direct(self) -> bool:
        """Returns whether the controller is told every measured value as it is, at 1 kHz."""
        errors = {"noise", "noise_scale", "delay_ms", "outside_pose"}
        return self.model_dump(exclude=errors) == Sensors().model_dump(exclude=errors)


def _empty_for_null(value: Any) -> Any:
    return {} if value is None else value


def _sole_key(names: Iterable[str], given: Mapping[str, Any], what: str) -> str:
    keys = [name for name in given if given[name] is not None]
    if len(keys) != 1:
        found = f"it has {' and '.join(keys)}" if keys else "it has none"
        raise ValueError(f"an entry is at_s and exactly one {what} of {', '.join(names)}; {found}")
    return keys[0]


class Command(Config):
    """One request to the controller: a time and exactly one behaviour.

    The simulation does not know behaviours: `scenario_type` makes a type that does of their schemas; this one
    takes any name and keeps the parameters as they are.
    """

    model_config = ConfigDict(extra="allow")

    at_s: NotNegative

    @model_validator(mode="after")
    def _one_behaviour(self) -> Command:
        self._given()
        return self

    def _given(self) -> tuple[str, Any]:
        declared = [name for name in type(self).model_fields if name != "at_s"]
        given = {name: getattr(self, name) for name in declared}
        given |= {name: {} if value is None else value for name, value in (self.model_extra or {}).items()}
        key = _sole_key(declared or ["the robot's behaviours"], given, "behaviour")
        return key, given[key]

    @property
    def kind(self) -> str:
        """The behaviour's key in the file, such as `sway`."""
        return self._given()[0]

    @property
    def params(self) -> dict[str, Any]:
        """The behaviour's values, without those left out that have no default."""
        parameters = self._given()[1]
        if isinstance(parameters, Config):
            return parameters.model_dump(exclude_none=True)
        return dict(parameters)


@functools.lru_cache(maxsize=16)
def _command_type(behaviours: tuple[tuple[str, type[Config]], ...]) -> type[Command]:
    fields: dict[str, Any] = {
        name: (Annotated[schema | None, BeforeValidator(_empty_for_null)], None)
        for name, schema in behaviours
    }
    strict = create_model("Command", __base__=Command, __doc__=Command.__doc__, **fields)
    strict.model_config["extra"] = "forbid"
    strict.model_rebuild(force=True)
    return strict


@functools.lru_cache(maxsize=16)
def _scenario_type(behaviours: tuple[tuple[str, type[Config]], ...]) -> type[Scenario]:
    commands: Any = GenericAlias(tuple, (_command_type(behaviours), ...))
    fields: dict[str, Any] = {"commands": (commands, ())}
    return create_model("Scenario", __base__=Scenario, __doc__=Scenario.__doc__, **fields)


def scenario_type(behaviours: Mapping[str, type[Config]]) -> type[Scenario]:
    """Schema of a scenario whose commands are these behaviours.

    Args:
        behaviours: schema of the parameters of each, by name.
    """
    return _scenario_type(tuple(behaviours.items()))


class Push(Config):
    """A push: a constant force at a link's centre of mass.

    Attributes:
        link: link to push; see `kilohertz.sim.scenario`.
        impulse_Ns: impulse of the whole push, in world axes.
        duration_s: duration of the push.
    """

    link: str
    impulse_Ns: Vector3
    duration_s: Positive = 0.1


class Payload(Config):
    """A payload that is fixed to a link from the time of the event to the end of the run.

    The payload is a solid ball with the density of lead, so that a light payload is small.

    Attributes:
        link: link that carries the payload; see `kilohertz.sim.scenario`.
        mass_kg: mass of the payload.
        p_LP_m: position of the payload in the frame of the link.
    """

    link: str
    mass_kg: Positive
    p_LP_m: Vector3 = (0.0, 0.0, 0.0)

    @property
    def inertia_kgm2(self) -> float:
        """Moment of inertia of the ball about any axis through its centre."""
        return solid_ball_inertia(self.mass_kg)


def solid_ball_inertia(mass_kg: float, density_kg_m3: float = 11340.0) -> float:
    """Moment of inertia of a solid ball about its centre [kg m^2]: 2/5 m r^2."""
    radius_m: float = (3.0 * mass_kg / (4.0 * math.pi * density_kg_m3)) ** (1.0 / 3.0)
    return 0.4 * mass_kg * radius_m * radius_m


class Event(Config):
    """An event of the run: a time, and one of a push, a load, what people do to a hand, or a fault."""

    at_s: NotNegative
    push: Push | None = None
    payload: Payload | None = None
    hand_push: HandPush | None = None
    hand_lead: HandLead | None = None
    wrist_fault: WristFault | None = None
    shared_load: SharedLoad | None = None

    @model_validator(mode="after")
    def _one_event(self) -> Event:
        names = ("push", "payload", "hand_push", "hand_lead", "wrist_fault", "shared_load")
        _sole_key(names, {name: getattr(self, name) for name in names}, "event")
        return self


class SizedFor(Config):
    """The robot for which the numbers of a scenario are meant; for a smaller robot they are scaled down.

    Attributes:
        mass_kg: its mass.
        size_m: nominal height of its centre of mass; for an arm the length of the arm.
    """

    mass_kg: Positive
    size_m: Positive


def _is_one_line(value: str) -> str:
    if not value.isprintable():
        raise ValueError("should be one line of printable characters")
    return value


class Scenario(Config):
    """The content of a scenario file; `kilohertz.sim.scenario.load_scenario` checks it against a robot.

    Attributes:
        name: name of the scenario.
        duration_s: duration of the run.
        ground: terrain of the run.
        plant: model errors and friction: `default`, `exact` (none) or a map.
        commands: requests to the controller, by time.
        events: pushes, payloads and people who push or lead a hand, by time.
        sized_for: robot for which commands and pushes are meant; they are scaled down to a smaller robot.
        obstacles: fixed boxes and planes near an arm, by name.
        tips: balls with which the hands of an arm touch obstacles, by name of the hand.
        gantry: gantry from which a robot on legs hangs at the start; None for a robot that stands.
        sensors: sensor errors and delay.
        estimator: `default`, or `truth` to give the true state to the controller.
    """

    name: Annotated[str, AfterValidator(_is_one_line)] = Field(min_length=1)
    duration_s: float = Field(gt=0, le=86400)
    ground: Ground = Flat(kind="flat")
    plant: Annotated[Plant, BeforeValidator(_plant_by_name)] = DefaultPlant()
    commands: tuple[Command, ...] = ()
    events: tuple[Event, ...] = ()
    sized_for: SizedFor | None = None
    obstacles: Obstacles = Field(default={})
    tips: dict[str, Tip] = Field(default={})
    gantry: GantryPlan | None = None
    sensors: Sensors = Sensors()
    estimator: Literal["default", "truth"] = "default"

    def in_order(self) -> Scenario:
        """Returns the scenario sorted by time; it begins with `stand` if no command is given for 0 s."""
        commands = sorted(self.commands, key=lambda command: command.at_s)
        if not commands or commands[0].at_s > 0:
            (command_type, _) = get_args(type(self).model_fields["commands"].annotation)
            commands.insert(0, command_type.model_validate({"at_s": 0.0, "stand": {}}))
        events = sorted(self.events, key=lambda event: event.at_s)
        return self.model_copy(update={"commands": tuple(commands), "events": tuple(events)})

    def with_duration(self, duration_s: float) -> Scenario:
        """Returns the scenario with another duration; commands and events after the new end are removed.

        Raises:
            ValueError: duration_s is not positive and finite.
        """
        if not (math.isfinite(duration_s) and duration_s > 0):
            raise ValueError(f"the duration of a run must be longer than 0 s and finite, not {duration_s} s")
        return self.model_copy(
            update={
                "duration_s": float(duration_s),
                "commands": tuple(c for c in self.commands if c.at_s < duration_s),
                "events": tuple(e for e in self.events if e.at_s < duration_s),
            }
        )
