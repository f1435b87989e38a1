"""Schema of gains.yaml: every number that a user may tune, with unit, range and default.

The defaults are relative to the robot's mass, weight and torque limits, so that a new robot stands with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field

from kilohertz.controller.gains.bounds import Bounds
from kilohertz.controller.gains.names import misfits
from kilohertz.estimators.config import EstimatorGains
from kilohertz.robots.config.config_error import Problem
from kilohertz.robots.config.user_file import read_user_file
from kilohertz.robots.config.yaml_file import MAX_BYTES, Config, ConfigError, Positions, load_yaml_located
from kilohertz.robots.model.robot_model import RobotModel


class CentreOfMassGains(Config):
    """Tracking of the centre of mass: control of the DCM horizontally, spring and damper vertically."""

    dcm_gain_per_s: float = Field(
        default=8.0, gt=0, le=30, description="horizontal: rate at which the DCM error decays"
    )
    dcm_integral_per_s: float = Field(
        default=4.0, ge=0, le=10, description="horizontal: rate at which a constant offset is taken out"
    )
    height_kp_per_s2: float = Field(default=100.0, gt=0, le=1000, description="vertical stiffness per mass")
    height_kd_per_s: float = Field(default=20.0, gt=0, le=100, description="vertical damping per mass")
    height_ki_per_s3: float = Field(default=300.0, ge=0, le=1000, description="vertical integral gain")
    weight: float = Field(default=50.0, gt=0, le=1e4, description="[cost] / [m/s2]^2")


class OrientationGains(Config):
    """Tracking of a link's orientation."""

    kp_per_s2: float = Field(
        default=150.0, gt=0, le=5000, description="stiffness: angular acceleration per orientation error"
    )
    kd_per_s: float = Field(
        default=22.0, gt=0, le=200, description="damping: angular acceleration per angular velocity error"
    )
    ki_per_s3: float = Field(
        default=150.0, ge=0, le=2000, description="integral gain on tilt; removes a constant lean"
    )
    weight: float = Field(default=2.0, ge=0, le=1e4, description="[cost] / [rad/s2]^2")


class PostureGains(Config):
    """Pull of the joints towards the nominal posture in the directions that other tasks leave free."""

    kp_per_s2: float = Field(
        default=50.0, gt=0, le=5000, description="stiffness: joint acceleration per position error"
    )
    kd_per_s: float = Field(
        default=10.0, gt=0, le=200, description="damping: joint acceleration per velocity"
    )
    weight: float = Field(
        default=0.05, gt=0, le=1e3, description="[cost] / [rad/s2]^2, joints that carry no contact"
    )
    leg_weight: float = Field(
        default=1e-3,
        gt=0,
        le=1e3,
        description="[cost] / [rad/s2]^2, joints between base and contacts: the other tasks decide them",
    )


class AngularMomentumGains(Config):
    """Damping of the angular momentum about the centre of mass."""

    kp_per_s: float = Field(
        default=5.0, ge=0, le=100, description="rate at which the angular momentum is damped"
    )
    weight: float = Field(
        default=0.5, ge=0, le=1e3, description="[cost] / [m/s2]^2: torque over (mass * height)"
    )


class HandGains(Config):
    """Tracking of a hand's pose."""

    kp_per_s2: float = Field(
        default=400.0,
        gt=0,
        le=10000,
        description="stiffness: acceleration per pose error; 1600 for a robot with a fixed base",
    )
    kd_per_s: float = Field(
        default=40.0,
        gt=0,
        le=500,
        description="damping: acceleration per velocity error; 80 for a robot with a fixed base",
    )
    weight: float = Field(default=10.0, gt=0, le=1e4, description="[cost] / [m/s2]^2")
    orientation_weight: float = Field(
        default=1.0,
        ge=0,
        le=1e4,
        description="[cost] / [rad/s2]^2; for an arm of fewer than six joints times 1e-4",
    )
    speed_m_s: float = Field(default=0.25, gt=0, le=3, description="peak speed of a reach")


class SwingGains(Config):
    """Tracking of the swing foot."""

    kp_per_s2: float = Field(
        default=600.0, gt=0, le=10000, description="stiffness: acceleration per position error"
    )
    kd_per_s: float = Field(
        default=45.0, gt=0, le=500, description="damping: acceleration per velocity error"
    )
    orientation_kp_per_s2: float = Field(
        default=2000.0,
        gt=0,
        le=10000,
        description="stiffness of the sole's orientation; ankle friction tilts a light foot by about "
        "20 rad/s2 over this",
    )
    orientation_kd_per_s: float = Field(
        default=80.0, gt=0, le=500, description="damping of the sole's orientation"
    )
    weight: float = Field(
        default=5.0, gt=0, le=1e4, description="[cost] / [m/s2]^2: well below that of the centre of mass"
    )
    orientation_weight: float = Field(
        default=0.3,
        ge=0,
        le=1e4,
        description="[cost] / [rad/s2]^2: low, as a far foothold matters more than a level sole",
    )


class WalkGains(Config):
    """Walking; values that are left out follow from the robot's size."""

    height: float = Field(
        default=0.9, gt=0.5, le=1, description="height of the centre of mass over its nominal height"
    )
    step_s: float | None = Field(default=None, gt=0.1, le=3, description="duration of the single support")
    shortest_step_s: float | None = Field(
        default=None, gt=0.05, le=3, description="shortest duration of the single support"
    )
    double_support_s: float = Field(
        default=0.06,
        gt=0.01,
        le=1,
        description="duration of the double support for a centre of mass at 0.6 m; scales with the square "
        "root of its height",
    )
    width_m: float | None = Field(default=None, gt=0, le=1, description="sideways distance of the feet")
    clearance_m: float | None = Field(
        default=None, gt=0, le=0.5, description="height of the apex of the swing foot"
    )
    descent_m_s: float = Field(
        default=0.4, gt=0, le=2, description="speed of descent of a foot that has found no ground in time"
    )
    late_s: float = Field(
        default=0.12, ge=0, le=1, description="how long that foot descends before the step ends anyway"
    )
    early: float = Field(
        default=0.6, gt=0, le=1, description="part of the step after which a touch-down ends it"
    )
    sole_use: float = Field(
        default=0.88, gt=0, le=1, description="part of a sole that the zero-moment point may use"
    )
    dcm_gain_per_s: float = Field(default=5.0, gt=0, le=30, description="rate at which the DCM error decays")
    heading_weight: float = Field(
        default=0.5, ge=0, le=1e4, description="[cost] / [rad/s2]^2: yaw of base and trunk"
    )
    spin_weight: float = Field(
        default=20.0,
        ge=0,
        le=1e5,
        description="[cost] / [m/s2]^2: yaw moment over (mass * half sole); makes the arms swing",
    )
    arm_weight: float = Field(
        default=0.01, gt=0, le=1e3, description="[cost] / [rad/s2]^2: posture of joints that carry no contact"
    )
    swing: SwingGains = SwingGains()


class StandGains(Config):
    """Standing, and the condition under which the robot steps to keep its balance."""

    steps: bool = Field(
        default=True, description="whether a push that soles cannot take is answered by steps"
    )
    step_margin: float = Field(
        default=0.0,
        ge=-0.1,
        le=0.1,
        description="capture point inside the edge of the soles, < 0 outside, as it begins to step: over the "
        "height of the centre of mass",
    )


class ContactGains(Config):
    """Limits and weights of the contact forces, and damping of the soles' motion."""

    damping_per_s: float = Field(
        default=20.0, ge=0, le=200, description="a sole's velocity is driven to zero at this rate"
    )
    least_load: float = Field(default=0.02, ge=0, le=0.5, description="least normal force over weight")
    largest_load: float = Field(default=2.0, gt=0.5, le=10, description="largest normal force over weight")
    force_weight: float = Field(default=0.01, gt=0, le=100, description="[cost] / [force/mass, m/s2]^2")
    moment_weight: float = Field(
        default=0.05, gt=0, le=100, description="[cost] / [moment/(mass * half sole), m/s2]^2"
    )


class LimitGains(Config):
    """Barriers that keep joints inside their limits."""

    position_per_s2: float = Field(
        default=900.0,
        gt=0,
        le=10000,
        description="largest joint acceleration per distance from the position limit",
    )
    damping_per_s: float = Field(
        default=60.0,
        gt=0,
        le=500,
        description="less this times the velocity; no overshoot if its square is at least 4 position_per_s2",
    )
    velocity_per_s: float = Field(
        default=50.0,
        gt=0,
        le=1000,
        description="largest joint acceleration per distance from the velocity limit",
    )
    largest_rad_s2: float = Field(
        default=300.0,
        gt=0,
        le=1e4,
        description="largest acceleration that a barrier demands away from its limit",
    )


class GuardGains(Config):
    """Torque guard, which limits every torque before it is sent to the drives."""

    torque_rate_per_s: float = Field(
        default=100.0, gt=0, le=2000, description="largest change of a torque, in torque limits a second"
    )
    damping_speed_rad_s: float = Field(
        default=10.0, gt=0, le=100, description="joint speed at which damping takes the full torque limit"
    )


class FallGains(Config):
    """Conditions under which balance counts as lost, and the folding of the limbs during a fall."""

    tilt_deg: float = Field(default=45.0, gt=5, le=90, description="tilt of the base that counts as a fall")
    lowest: float = Field(
        default=0.5,
        gt=0.1,
        lt=1,
        description="height of the centre of mass over its nominal one: lower is a fall",
    )
    reach: float = Field(
        default=0.1,
        ge=0,
        le=2,
        description="capture point out of the soles over the height of the centre of mass: a fall",
    )
    fold_s: float = Field(default=0.2, gt=0.01, le=2, description="time to fold")
    hold_s: float = Field(default=0.9, gt=0.1, le=10, description="time until the fold goes soft")
    stiffness_per_rad: float = Field(
        default=2.0, gt=0, le=20, description="spring, in torque limits a radian"
    )
    speed_rad_s: float = Field(
        default=15.0, gt=0, le=100, description="joint speed at which the damper takes the whole torque limit"
    )
    rest_stiffness: float = Field(
        default=0.1, ge=0, le=1, description="share of the spring that is left on the ground"
    )


class StreamGains(Config):
    """Limits on the motion of references that another program streams to the running controller."""

    hand_speed_m_s: float = Field(default=0.8, gt=0, le=5, description="speed of a hand")
    hand_accel_m_s2: float = Field(default=4.0, gt=0, le=100, description="acceleration of a hand")
    hand_jerk_m_s3: float = Field(default=100.0, gt=0, le=5000, description="jerk of a hand")
    hand_speed_rad_s: float = Field(default=2.0, gt=0, le=20, description="angular velocity of a hand")
    hand_accel_rad_s2: float = Field(default=10.0, gt=0, le=500, description="its angular acceleration")
    hand_jerk_rad_s3: float = Field(default=250.0, gt=0, le=2e4, description="its angular jerk")
    com_speed_m_s: float = Field(default=0.1, gt=0, le=1, description="speed of the centre of mass")
    com_accel_m_s2: float = Field(default=0.3, gt=0, le=5, description="its acceleration")
    com_jerk_m_s3: float = Field(default=3.0, gt=0, le=100, description="its jerk")
    lean_speed_rad_s: float = Field(default=0.5, gt=0, le=5, description="angular velocity of the trunk")
    lean_accel_rad_s2: float = Field(default=2.0, gt=0, le=50, description="its angular acceleration")
    lean_jerk_rad_s3: float = Field(default=20.0, gt=0, le=1000, description="its angular jerk")
    joint_speed: float = Field(
        default=0.3, gt=0, le=0.9, description="speed of a joint, relative to its speed limit"
    )
    joint_accel_rad_s2: float = Field(default=10.0, gt=0, le=200, description="acceleration of a joint")
    joint_jerk_rad_s3: float = Field(default=200.0, gt=0, le=1e4, description="jerk of a joint")
    wrench_N: float = Field(default=50.0, ge=0, le=1000, description="force that a hand exerts")
    wrench_Nm: float = Field(default=5.0, ge=0, le=100, description="moment that a hand exerts")


class CollisionGains(Config):
    """Detection of collisions of an arm, and its reaction, which lasts until the next request."""

    reaction: Literal["none", "stop", "retract", "float"] = Field(
        default="none",
        description="none: collisions are not looked for; stop: the hand stops and is soft; retract: it "
        "moves back the way it came; float: it gives way to every force",
    )
    least: float = Field(
        default=0.03,
        gt=0,
        le=1,
        description="smallest sudden torque that is a collision, as a fraction of the torque limit",
    )
    model_error: float = Field(
        default=0.15,
        ge=0,
        le=1,
        description="fraction of the torque of the accelerations by which that torque must be larger",
    )
    retract_m: float = Field(default=0.05, gt=0, le=0.5, description="way back of a hand that retracts")


class StanceGains(Config):
    """Desired load of one sole while the robot stands; the centre of mass moves to where it is possible."""

    share: float | None = Field(default=None, gt=0, lt=1, description="part of the weight that it carries")
    cop_m: tuple[float, float] | None = Field(
        default=None, description="centre of pressure from the middle of the sole, along x and y of the sole"
    )
    share_weight: float = Field(default=1.0, gt=0, le=1e4, description="[cost] / [force/mass, m/s2]^2")
    cop_weight: float = Field(
        default=1.0, gt=0, le=1e4, description="[cost] / [moment/(mass * half sole), m/s2]^2"
    )


class Gains(Config):
    """All gains of a robot, as in gains.yaml."""

    solver: Literal["osqp", "exact"] = Field(default="osqp", description="solver of the quadratic program")
    com: CentreOfMassGains = CentreOfMassGains()
    base: OrientationGains = OrientationGains()
    trunk: OrientationGains = OrientationGains()
    posture: PostureGains = PostureGains()
    angular_momentum: AngularMomentumGains = AngularMomentumGains()
    hand: HandGains = HandGains()
    stand: StandGains = StandGains()
    walk: WalkGains = WalkGains()
    contact: ContactGains = ContactGains()
    stance: dict[str, StanceGains] = Field(
        default={}, description="by name of the contact, such as left_foot: {share: 0.7, cop_m: [0.02, 0.0]}"
    )
    limits: LimitGains = LimitGains()
    inequalities: Bounds = Bounds()
    guard: GuardGains = GuardGains()
    fall: FallGains = FallGains()
    stream: StreamGains = StreamGains()
    collision: CollisionGains = CollisionGains()
    estimator: EstimatorGains = EstimatorGains()


ARM_DEFAULTS = {"kp_per_s2": 1600.0, "kd_per_s": 80.0}
"""Defaults of `hand` for a robot with a fixed base.

An arm on a firm base can be stiffer than the hand of a robot that balances. Twice these gains, and twice the
rate of the disturbance observer, are stable with 3 ms of delay.
"""


def gains_path(robot: RobotModel) -> Path | None:
    """Returns the path of gains.yaml in the robot's folder; None if there is no such file."""
    path = robot.folder / "gains.yaml"
    return path if path.exists() else None


def load_gains(robot: RobotModel, path: Path | None = None) -> Gains:
    """Loads gains from a file, or from the robot's own gains.yaml, or returns the defaults.

    Args:
        robot: the robot that the gains belong to.
        path: file to load; None for the robot's own gains.yaml, if it has one.

    Raises:
        ConfigError: the file has errors; the message gives line and remedy of each.
    """
    path = path or gains_path(robot)
    return suited(robot, Gains()) if path is None else load_gains_located(robot, path)[0]


def load_gains_located(robot: RobotModel, path: Path) -> tuple[Gains, Positions]:
    """Loads gains from a file, with the positions of its keys; raises the same errors as `load_gains`."""
    gains, positions = load_yaml_located(path, Gains)
    require_fit(robot, gains, positions)
    return suited(robot, gains), positions


def suited(robot: RobotModel, gains: Gains) -> Gains:
    """Returns the gains with the defaults of the robot's kind for all values that were left out.

    A robot with a fixed base takes those of `ARM_DEFAULTS`, unless it has position servos: a soft servo is
    slower than these, and its positions, integrated, need no disturbance observer.
    """
    if robot.floating:
        return gains
    if robot.servo is not None:
        estimator, arm = gains.estimator, gains.estimator.arm
        rate = {"disturbance_per_s": 0.0} if "disturbance_per_s" not in arm.model_fields_set else {}
        arm = arm.model_copy(update=rate)
        return gains.model_copy(update={"estimator": estimator.model_copy(update={"arm": arm})})
    given = gains.hand.model_fields_set
    hand = {name: value for name, value in ARM_DEFAULTS.items() if name not in given}
    return gains.model_copy(update={"hand": gains.hand.model_copy(update=hand)})


def require_fit(robot: RobotModel, gains: Gains, positions: Positions) -> None:
    """Checks that every contact, joint and frame that the gains name exists on the robot.

    Raises:
        ConfigError: a name does not exist, or the shares of the weight do not fit; one line per key.
    """
    shares = {name: stance.share for name, stance in gains.stance.items()}
    ConfigError.raise_if_any(
        positions.problem(*finding) for finding in misfits(robot, shares, gains.inequalities)
    )


def unfinished(path: Path) -> Problem | None:
    """Returns a problem if a file does not end with a newline: a number at its end may be incomplete.

    Such YAML is legal, and some editors write it. At the start of a robot it is therefore only a warning,
    which the operator can check. The gains of a running robot are not changed to those of such a file.

    Args:
        path: path of the file.

    Returns:
        The problem; None if the file is complete, ends with a comment or cannot be read.
    """
    try:
        text = read_user_file(path, MAX_BYTES)
    except ConfigError:
        return None
    last = text.rpartition(b"\n")[2].strip()
    if not last or last.startswith(b"#"):
        return None
    return Problem(
        "the file ends within this line: is all of it there? End it with a newline",
        path,
        text.count(b"\n") + 1,
        1,
    )
