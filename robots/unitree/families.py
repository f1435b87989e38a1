"""The machines of Unitree that a bridge can command: their messages and the joint that each motor moves.

Sources, all in unitreerobotics/unitree_sdk2 and unitree_sdk2_python: the joint indices of the low-level
examples (example/g1, h1, go2), `JointIndex` in include/unitree/dds_wrapper/robots/{g1,go2}/defines.h, and the
limits of include/unitree/robot/g1/common/terminations.hpp.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

from kilohertz.robots.config.config_error import ConfigError, Problem, did_you_mean
from kilohertz.robots.unitree import messages
from kilohertz.robots.unitree.messages import Struct

COMMAND_TOPIC, STATE_TOPIC, BATTERY_TOPIC = "rt/lowcmd", "rt/lowstate", "rt/lf/bmsstate"
NO_JOINT = ""
ENABLED, ENABLED_STRONG = 0x01, 0x0A
"""Mode of a motor that follows its command; the large motors of H1 have one of their own."""


@dataclass(frozen=True)
class Family:
    """One machine: what it speaks, and which joint each of its motors moves.

    Attributes:
        name: name of the machine, for people.
        command, state: types of the low-level messages.
        motors: joint of each motor, by motor index; "" for a slot without a motor.
        parallel: joints that are driven in pairs through linkages. They are commanded on the side of the
            joints (`mode_pr` 0, "PR"), and the machine converts to its motors.
        strong: joints whose motors have the mode `ENABLED_STRONG`.
        casing_C, winding_C: temperatures of a motor at which the robot is stopped [C].
    """

    name: str
    command: Struct
    state: Struct
    motors: tuple[str, ...]
    parallel: tuple[str, ...] = ()
    strong: frozenset[str] = field(default_factory=frozenset)
    casing_C: float = 85.0
    winding_C: float = 120.0

    @property
    def hg(self) -> bool:
        """Whether the machine speaks `unitree_hg`, with `mode_pr` and `mode_machine`."""
        return self.command is messages.HG_COMMAND

    def slots(self, joints: tuple[str, ...]) -> list[int]:
        """Returns the motor index of each joint.

        Raises:
            ConfigError: the machine has no motor for a joint; the error has one line per joint.
        """
        known = [joint for joint in self.motors if joint]
        missing = [joint for joint in joints if joint not in known]
        ConfigError.raise_if_any(
            Problem(f"{self.name} has no motor for the joint '{joint}'{did_you_mean(joint, known)}")
            for joint in missing
        )
        return [self.motors.index(joint) for joint in joints]

    def mode(self, slot: int) -> int:
        """Returns the mode with which the motor of a slot follows its command; 0 for no motor."""
        joint = self.motors[slot]
        if joint == NO_JOINT:
            return 0
        return ENABLED_STRONG if joint in self.strong else ENABLED


def _joints(sides: str, parts: str) -> tuple[str, ...]:
    return tuple(f"{side}_{part}_joint" for side, part in product(sides.split(), parts.split()))


_G1_LEG = "hip_pitch hip_roll hip_yaw knee ankle_pitch ankle_roll"
_ARM = "shoulder_pitch shoulder_roll shoulder_yaw elbow"
_HAND = "wrist_roll wrist_pitch wrist_yaw"
_ANKLES = _joints("left right", "ankle_pitch ankle_roll")

G1 = Family(
    "G1",
    messages.HG_COMMAND,
    messages.HG_STATE,
    (
        *_joints("left right", _G1_LEG),
        *_joints("waist", "yaw roll pitch"),
        *_joints("left right", f"{_ARM} {_HAND}"),
    ),
    parallel=(*_ANKLES, "waist_roll_joint", "waist_pitch_joint"),
)
H1_2 = Family(
    "H1-2",
    messages.HG_COMMAND,
    messages.HG_STATE,
    (
        *_joints("left right", "hip_yaw hip_pitch hip_roll knee ankle_pitch ankle_roll"),
        "torso_joint",
        *_joints("left right", f"{_ARM} {_HAND}"),
    ),
    parallel=_ANKLES,
)
_H1_WEAK = (*_joints("left right", "ankle"), *_joints("right left", _ARM))
_H1_LEG = (*_joints("right", "hip_roll hip_pitch knee"), *_joints("left", "hip_roll hip_pitch knee"))
_H1_MIDDLE = ("torso_joint", *_joints("left right", "hip_yaw"))
H1 = Family(
    "H1",
    messages.GO_COMMAND,
    messages.GO_STATE,
    (*_H1_LEG, *_H1_MIDDLE, NO_JOINT, *_H1_WEAK),
    strong=frozenset((*_H1_LEG, *_H1_MIDDLE)),
)
GO2 = Family("Go2", messages.GO_COMMAND, messages.GO_STATE, _joints("FR FL RR RL", "hip thigh calf"))
FAMILIES = (G1, H1_2, H1, GO2)


def family_of(joints: tuple[str, ...]) -> Family:
    """Returns the machine that has a motor for every joint of a robot.

    Raises:
        ConfigError: no machine has; the error names the joints that the most similar machine lacks.
    """
    nearest = max(FAMILIES, key=lambda family: len(set(joints) & set(family.motors)))
    nearest.slots(joints)
    return nearest
