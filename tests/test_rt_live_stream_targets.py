"""Targets are packed by name; a name or a length that is wrong is told, with the remedy."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.live import control_messages as wire
from kilohertz.rt.live.stream_targets import StreamTargets

JOINTS = ("hip", "knee")


def packed(**targets: Any) -> dict[str, Any]:
    values = StreamTargets(**targets).packed(1.0, JOINTS)
    message = wire.unpack(wire.pack("stream", *values))
    assert message is not None
    return dict(zip(wire.FIELDS["stream"], message[1], strict=True))


def test_targets_are_packed_by_name() -> None:
    assert np.frombuffer(packed(velocity_m_s=(0.3, 0.1))["velocity"]).tolist() == [0.3, 0.1, 0.0]
    assert np.frombuffer(packed(yaw_rate_rad_s=0.2)["velocity"]).tolist() == [0.0, 0.0, 0.2]
    assert np.frombuffer(packed(gaze={"pitch_rad": 0.2})["gaze"]).tolist() == [0.0, 0.2]
    assert np.frombuffer(packed(lean_rad=0)["lean"]).tolist() == [0.0]
    q = np.frombuffer(packed(posture_rad={"knee": 0.5})["posture"])
    assert math.isnan(q[0])
    assert q[1] == 0.5
    ((name, frame, p, R, v, w),) = packed(
        hands={"left_hand": {"p_WH_m": np.arange(3), "quaternion_WH": [1, 0, 0, 0], "w_WH_rad_s": [1, 2, 3]}}
    )["hands"]
    assert (name, frame, v) == ("left_hand", "world", b"")
    assert np.frombuffer(p).tolist() == [0.0, 1.0, 2.0]
    assert np.frombuffer(R).tolist() == [1.0, 0.0, 0.0, 0.0]
    assert np.frombuffer(w).tolist() == [1.0, 2.0, 3.0]
    ((name, six),) = packed(wrench={"left_hand": range(6)})["wrench"]
    assert np.frombuffer(six).tolist() == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]


def test_what_is_not_given_is_empty() -> None:
    assert not any(value for name, value in packed().items() if name != "stamp_s")


@pytest.mark.parametrize(
    ("targets", "why"),
    [
        ({"velocity_m_s": 0.3}, "velocity_m_s should be 2 numbers"),
        ({"velocity_m_s": ["fast", 0]}, "velocity_m_s should be 2 numbers"),
        ({"velocity_m_s": [0.1, 0.2, 0.3]}, "velocity_m_s should be 2 numbers"),
        ({"yaw_rate_rad_s": "left"}, "yaw_rate_rad_s should be a number"),
        ({"hands": {"left_hand": {}}}, "says no place"),
        ({"hands": {"left_hand": {"p_BH_m": [0, 0]}}}, "p_BH_m should be 3 numbers"),
        (
            {"hands": {"left_hand": {"p_BH_m": [0, 0, 0], "rpy_WH_rad": [0, 0, 0]}}},
            "did you mean 'rpy_BH_rad'",
        ),
        (
            {"hands": {"left_hand": {"p_BH_m": [0] * 3, "rpy_BH_rad": [0] * 3, "quaternion_BH": [1] * 4}}},
            "two orientations",
        ),
        ({"gaze": {"yaw": 1}}, "gaze has no 'yaw' (did you mean 'yaw_rad'?)"),
        ({"posture_rad": {"kne": 1}}, "no joint 'kne' (did you mean 'knee'?)"),
        ({"posture_rad": {"knee": None}}, "posture_rad.knee should be a number"),
        ({"wrench": {"left_hand": [0] * 5}}, "wrench.left_hand should be 6 numbers"),
        ({"lean_rad": [1, 2]}, "lean_rad should be 1 number"),
    ],
)
def test_a_wrong_name_or_length_is_told(targets: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError) as error:
        packed(**targets)
    assert why in str(error.value)
    assert "\n" not in str(error.value)
