"""The text of a new robot.yaml, with a comment on everything that was guessed or is missing."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from kilohertz.robots.model.rows import Vector

_FRICTION = 0.6
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./+-]*")
_YAML_WORDS = ("true", "false", "yes", "no", "on", "off", "y", "n", "null")


@dataclass(frozen=True)
class SoleText:
    """A contact of the file: its name, link, and (k, 3) corners in the frame of the link [m]."""

    name: str
    link: str
    corners_m: Vector


@dataclass(frozen=True)
class HandText:
    """A hand of the file: its name, link, and (3,) point in the frame of the link [m]."""

    name: str
    link: str
    p_LH_m: Vector


@dataclass
class RobotText:
    """The content of a new robot.yaml.

    Attributes:
        robot: name of the robot.
        model: reference to the model file.
        summary: first line of the file, without "#".
        floating: whether the base moves freely.
        imu: link of the IMU, its (3,) position [m] and (3,) roll, pitch, yaw [rad] on it.
        imu_found: whether the model names an IMU; else the link is a guess.
        trunk: link of the main body; None to leave it out.
        soles: contacts.
        hands: hands.
        posture_rad: nominal posture by joint.
        posture_from: origin of the posture, for its comment.
        locked_rad: locked joints of hands and grippers by name.
        narrow_rad: locked joints whose range in the model is too small to move, by name.
        torque_limit_Nm: guessed torque limits by joint.
        repair_inertia: whether impossible inertias of the model are mended.
        ignore_springs: whether weak springs of the model's joints are left out.
        forward_rad: direction in which the robot faces, about the z axis of its root link [rad].
        todo: further sentences for the user.
    """

    robot: str
    model: str
    summary: str
    floating: bool
    imu: tuple[str, Vector, Vector] | None = None
    imu_found: bool = True
    trunk: str | None = None
    soles: list[SoleText] = field(default_factory=list)
    hands: list[HandText] = field(default_factory=list)
    posture_rad: dict[str, float] = field(default_factory=dict)
    posture_from: str = ""
    locked_rad: dict[str, float] = field(default_factory=dict)
    narrow_rad: dict[str, float] = field(default_factory=dict)
    torque_limit_Nm: dict[str, float] = field(default_factory=dict)
    repair_inertia: bool = False
    ignore_springs: bool = False
    forward_rad: float = 0.0
    todo: list[str] = field(default_factory=list)

    def text(self) -> str:
        """Returns the content of robot.yaml."""
        lines = [
            f"# {self.summary}",
            "# Written by `khz robot new`. Lines with TODO are guesses: check them before the robot moves.",
            f"robot: {self.robot}",
            f"model: {_quoted(self.model)}",
            f"base: {'floating' if self.floating else 'fixed'}",
            "licence: ''    # TODO: licence of the model",
        ]
        if self.repair_inertia:
            lines.append("repair_inertia: true    # TODO: correct the inertias of the model instead")
        if self.ignore_springs:
            lines.append(
                "ignore_springs: true    # TODO: if the robot has springs, they disturb the controller"
            )
        if self.forward_rad:
            lines.append(
                f"forward_rad: {self.forward_rad:.6g}    # by its feet; TODO: check where the robot faces"
            )
        lines += [f"# TODO: {sentence}" for sentence in self.todo]
        lines += self._imu_lines()
        if self.trunk is not None:
            lines.append(f"trunk: {_name(self.trunk)}")
        lines += self._contact_lines()
        lines += self._hand_lines()
        if self.posture_rad:
            lines += ["", f"# {self.posture_from}", "posture_rad:"]
            lines += [f"  {_name(name)}: {_number(value)}" for name, value in self.posture_rad.items()]
        lines += self._locked_lines()
        lines += self._limit_lines()
        return "\n".join(lines) + "\n"

    def _imu_lines(self) -> list[str]:
        if self.imu is None:
            return []
        link, p_BI_m, rpy_BI_rad = self.imu
        entry = f"link: {_name(link)}"
        if np.abs(p_BI_m).max() > 1e-5:
            entry += f", p_BI_m: {_list(p_BI_m)}"
        if np.abs(rpy_BI_rad).max() > 1e-5:
            entry += f", rpy_BI_rad: {_list(rpy_BI_rad, 5)}"
        todo = (
            ""
            if self.imu_found
            else "    # TODO: the model names no IMU; this is its root link. Give link, p_BI_m, rpy_BI_rad"
        )
        return ["", f"imu: {{{entry}}}{todo}"]

    def _contact_lines(self) -> list[str]:
        if not self.soles:
            return []
        lines = [
            "",
            "# Corners of the soles: the lowest flat part of the model's geometry, in the link's frame [m].",
            "# TODO: friction of your floor; force_sensor: true for a foot that measures its load.",
            "contacts:",
        ]
        for sole in self.soles:
            lines += [f"  {sole.name}:", f"    link: {_name(sole.link)}"]
            lines.append(f"    corners_m: [{', '.join(_list(corner) for corner in sole.corners_m)}]")
            lines.append(f"    friction: {_FRICTION}")
        return lines

    def _hand_lines(self) -> list[str]:
        if not self.hands:
            return []
        lines = ["", "# TODO: check the point of each hand (p_LH_m, in the frame of its link).", "hands:"]
        for hand in self.hands:
            place = f", p_LH_m: {_list(hand.p_LH_m)}" if np.abs(hand.p_LH_m).max() > 5e-4 else ""
            lines.append(f"  {hand.name}: {{link: {_name(hand.link)}{place}}}")
        return lines

    def _locked_lines(self) -> list[str]:
        lines = []
        if self.locked_rad or self.narrow_rad:
            lines += ["", "locked_joints_rad:"]
        if self.locked_rad:
            lines.append("  # Joints of hands and grippers, which are not controlled.")
            lines += [f"  {_name(name)}: {_number(value)}" for name, value in self.locked_rad.items()]
        if self.narrow_rad:
            lines.append(
                "  # TODO: the model's limits leave these joints no range; correct the limits if they move."
            )
            lines += [f"  {_name(name)}: {_number(value)}" for name, value in self.narrow_rad.items()]
        return lines

    def _limit_lines(self) -> list[str]:
        lines = []
        if self.torque_limit_Nm:
            lines += [
                "",
                "# TODO: the model gives no usable torque limit for these joints. They are guessed from",
                "# the weight that each joint moves; replace them by those of the data sheet.",
                "torque_limit_Nm:",
            ]
            lines += [f"  {_name(name)}: {_number(value)}" for name, value in self.torque_limit_Nm.items()]
        return lines


def _name(text: str) -> str:
    """Returns a name of the model as YAML reads it back: quoted unless it is a plain word."""
    plain = _PLAIN.fullmatch(text) and text.lower() not in _YAML_WORDS
    return text if plain else json.dumps(text, ensure_ascii=False)


def _number(value: float, digits: int = 4) -> str:
    text = f"{value:.{digits}f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _list(values: Sequence[float] | Vector, digits: int = 4) -> str:
    return "[" + ", ".join(_number(float(value), digits) for value in values) + "]"


def _quoted(text: str) -> str:
    plain = all(letter.isalnum() or letter in "_./:-+" for letter in text)
    return text if plain and ": " not in text else "'" + text.replace("'", "''") + "'"
