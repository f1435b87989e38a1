"""Packs targets that are named as in Python and in files into the fields of a stream message."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from kilohertz.robots.config.config_error import ConfigError, did_you_mean
from kilohertz.rt.live import control_messages as wire

Targets = Mapping[str, Mapping[str, ArrayLike]]

_FRAMES = {"B": wire.BASE, "W": wire.WORLD}


@dataclass(frozen=True)
class StreamTargets:
    """One sample of any of the streams; None for a stream that the sample leaves as it is.

    Attributes:
        velocity_m_s: velocity of the walk forward and to the left [m/s].
        yaw_rate_rad_s: turning rate, positive to the left [rad/s].
        hands: target of each named hand, with F = B (level frame at the base) or W (world): `p_FH_m`, and
            optionally the orientation as `rpy_FH_rad` or `quaternion_FH` (w, x, y, z), and the velocities
            `v_FH_m_s` and `w_FH_rad_s`.
        gaze: `yaw_rad` and `pitch_rad` of the gaze, from the heading and from the horizontal.
        com_offset_m: (3,) offset of the centre of mass in heading axes [m].
        lean_rad: pitch of the trunk, positive forward [rad].
        posture_rad: angle of each named joint [rad].
        wrench: force [N] and moment [Nm] that each named hand exerts, 6 numbers in world axes.
    """

    velocity_m_s: ArrayLike | None = None
    yaw_rate_rad_s: float | None = None
    hands: Targets | None = None
    gaze: Mapping[str, float] | None = None
    com_offset_m: ArrayLike | None = None
    lean_rad: float | None = None
    posture_rad: Mapping[str, float] | None = None
    wrench: Mapping[str, ArrayLike] | None = None

    def packed(self, stamp_s: float, joints: Sequence[str]) -> tuple[Any, ...]:
        """Returns the fields of the stream message.

        Args:
            stamp_s: time of the sample on the controller's clock [s]; NaN for the time when it arrives.
            joints: names of the robot's joints.

        Raises:
            ConfigError: a name is unknown or a value has the wrong length; one sentence.
        """
        velocity = b""
        if self.velocity_m_s is not None or self.yaw_rate_rad_s is not None:
            planar = (0.0, 0.0) if self.velocity_m_s is None else self.velocity_m_s
            turn = struct.pack("<d", _number("yaw_rate_rad_s", self.yaw_rate_rad_s or 0.0))
            velocity = _block("velocity_m_s", planar, 2) + turn
        return (
            float(stamp_s),
            velocity,
            tuple(_hand(name, target) for name, target in (self.hands or {}).items()),
            _gaze(self.gaze) if self.gaze is not None else b"",
            _block("com_offset_m", self.com_offset_m, 3) if self.com_offset_m is not None else b"",
            _block("lean_rad", [self.lean_rad], 1) if self.lean_rad is not None else b"",
            _posture(self.posture_rad, joints) if self.posture_rad else b"",
            tuple((str(name), _block(f"wrench.{name}", six, 6)) for name, six in (self.wrench or {}).items()),
        )


def _hand(name: str, target: Mapping[str, ArrayLike]) -> tuple[Any, ...]:
    letter = next((letter for letter in _FRAMES if f"p_{letter}H_m" in target), None)
    if letter is None:
        raise ConfigError(f"hands.{name} says no place: give p_BH_m (at the base) or p_WH_m (in the world)")
    lengths = {
        f"p_{letter}H_m": 3,
        f"rpy_{letter}H_rad": 3,
        f"quaternion_{letter}H": 4,
        f"v_{letter}H_m_s": 3,
        f"w_{letter}H_rad_s": 3,
    }
    for key in target:
        if key not in lengths:
            raise ConfigError(
                f"hands.{name} has no '{key}'{did_you_mean(key, lengths)}; with p_{letter}H_m there are "
                f"{', '.join(lengths)}"
            )
    place, rpy, quaternion, v, w = (
        _block(f"hands.{name}.{key}", target[key], length) if key in target else b""
        for key, length in lengths.items()
    )
    if rpy and quaternion:
        raise ConfigError(
            f"hands.{name} has two orientations: give rpy_{letter}H_rad or quaternion_{letter}H"
        )
    return str(name), _FRAMES[letter], place, rpy or quaternion, v, w


def _gaze(target: Mapping[str, float]) -> bytes:
    for key in target:
        if key not in ("yaw_rad", "pitch_rad"):
            raise ConfigError(f"gaze has no '{key}'{did_you_mean(key, ('yaw_rad', 'pitch_rad'))}")
    return _block("gaze", [target.get("yaw_rad", 0.0), target.get("pitch_rad", 0.0)], 2)


def _posture(posture: Mapping[str, float], joints: Sequence[str]) -> bytes:
    q = [math.nan] * len(joints)
    for name, angle in posture.items():
        if name not in joints:
            raise ConfigError(f"posture_rad: the robot has no joint '{name}'{did_you_mean(name, joints)}")
        q[joints.index(name)] = _number(f"posture_rad.{name}", angle)
    return struct.pack(f"<{len(q)}d", *q)


def _number(what: str, value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        raise ConfigError(f"{what} should be a number, not {value!r}"[: wire.LONGEST_TEXT]) from None


def _block(what: str, values: Any, length: int) -> bytes:
    try:
        numbers = np.asarray(values, dtype="<f8")
    except (TypeError, ValueError):
        numbers = np.zeros(0)
    if numbers.shape != (length,):
        shown = repr(values)[: wire.LONGEST_NAME]
        raise ConfigError(f"{what} should be {length} number{'s' if length > 1 else ''}, not {shown}")
    return numbers.tobytes()
