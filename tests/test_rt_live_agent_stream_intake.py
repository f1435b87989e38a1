"""Samples of streams are taken or dropped as a whole, with a count and the reason."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.controller.gains.schema import StreamGains
from kilohertz.controller.upper_body.hand_targets import BASE, WORLD
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.live import control_messages as wire
from kilohertz.rt.live.agent.stream_intake import AHEAD_S, LARGEST, NEWEST_S, OLDEST_S, StreamIntake
from kilohertz.rt.live.agent.stream_limits import StreamLimits
from kilohertz.rt.live.stream_targets import StreamTargets

NAN, INF = math.nan, math.inf


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return RobotModel.load("g1")


@pytest.fixture
def intake(robot: RobotModel) -> StreamIntake:
    return StreamIntake(robot, StreamLimits(robot, StreamGains()))


def fields(robot: RobotModel, stamp_s: float = NAN, **targets: Any) -> tuple[Any, ...]:
    """The fields of a message, after a way over the wire."""
    packed = wire.pack("stream", *StreamTargets(**targets).packed(stamp_s, robot.joint_names))
    message = wire.unpack(packed)
    assert message is not None, wire.problem(packed)
    return message[1]


def test_every_stream_is_written_to_its_fields_and_no_other(intake: StreamIntake, robot: RobotModel) -> None:
    q = {"waist_yaw_joint": 0.3, "left_elbow_joint": -0.2}
    samples: list[tuple[dict[str, Any], dict[str, Any]]] = [
        ({"velocity_m_s": [0.3, 0.1], "yaw_rate_rad_s": 0.2}, {"velocity": [0.3, 0.1, 0.2]}),
        ({"gaze": {"yaw_rad": 0.1, "pitch_rad": 0.2}}, {"gaze": [0.1, 0.2]}),
        ({"com_offset_m": [0.01, 0.02, 0.03]}, {"com": [0.01, 0.02, 0.03]}),
        ({"lean_rad": 0.1}, {"lean": [0.1]}),
        ({"posture_rad": q}, {"posture_q": [q.get(name, NAN) for name in robot.joint_names]}),
    ]
    for targets, written in samples:
        intake.row.clear()
        assert intake.take(fields(robot, 5.0, **targets), 5.0) == ""
        ((field, values),) = written.items()
        np.testing.assert_array_equal(getattr(intake.row, field), values)
        name = field.removesuffix("_q")
        assert getattr(intake.row, f"{name}_t_s") == [5.0]
        used = len(values) - np.isnan(values).sum() + 1
        assert np.isfinite(intake.row.data[1:]).sum() == used
    assert (intake.received, intake.dropped) == (len(samples), 0)


def test_hands_and_wrenches_go_to_the_hand_that_is_named(intake: StreamIntake, robot: RobotModel) -> None:
    hands = {
        "right_hand": {
            "p_WH_m": [0.3, -0.2, 0.9],
            "rpy_WH_rad": [0.1, 0.2, 0.3],
            "v_WH_m_s": [1, 2, 3],
            "w_WH_rad_s": [4, 5, 6],
        },
        "left_hand": {"p_BH_m": [0.3, 0.2, 0.2]},
    }
    wrench = {"right_hand": [1, 2, 3, 4, 5, 6]}
    assert intake.take(fields(robot, 5.0, hands=hands, wrench=wrench), 5.0) == ""
    row = intake.row
    assert robot.hand_names[:2] == ("left_hand", "right_hand")
    assert row.hands_frame[:2].tolist() == [BASE, WORLD]
    np.testing.assert_array_equal(row.hands_p[:6], [0.3, 0.2, 0.2, 0.3, -0.2, 0.9])
    assert np.isnan(row.hands_R[:9]).all()
    R = pin.rpy.rpyToMatrix(np.array([0.1, 0.2, 0.3]))
    np.testing.assert_allclose(row.hands_R[9:18].reshape(3, 3), R)
    np.testing.assert_array_equal(row.hands_v[:6], [NAN, NAN, NAN, 1, 2, 3])
    np.testing.assert_array_equal(row.hands_w[:6], [NAN, NAN, NAN, 4, 5, 6])
    assert np.isnan(row.wrench_t_s[0])
    np.testing.assert_array_equal(row.wrench[6:12], wrench["right_hand"])


def test_a_quaternion_and_roll_pitch_yaw_give_the_same_rotation(
    intake: StreamIntake, robot: RobotModel
) -> None:
    rpy = np.array([0.4, -0.3, 1.2])
    quaternion = pin.Quaternion(pin.rpy.rpyToMatrix(rpy))
    wxyz = [quaternion.w, quaternion.x, quaternion.y, quaternion.z]
    target = {"p_BH_m": [0.3, 0.2, 0.2], "quaternion_BH": wxyz}
    assert intake.take(fields(robot, hands={"left_hand": target}), 1.0) == ""
    np.testing.assert_allclose(intake.row.hands_R[:9].reshape(3, 3), pin.rpy.rpyToMatrix(rpy), atol=1e-12)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"velocity_m_s": [NAN, 0.0]}, "velocity is not finite"),
    ({"velocity_m_s": [INF, 0.0]}, "velocity is not finite"),
    ({"com_offset_m": [0.0, 0.0, -INF]}, "com is not finite"),
    ({"lean_rad": 2 * LARGEST}, "lean is beyond"),
    ({"posture_rad": {"waist_yaw_joint": INF}}, "posture is not finite"),
    ({"hands": {"left_hand": {"p_BH_m": [0.0, NAN, 0.0]}}}, "hands of left_hand is not finite"),
    ({"hands": {"left_hand": {"p_BH_m": [0, 0, 0], "v_BH_m_s": [NAN, 0, 0]}}}, "left_hand is not finite"),
    ({"hands": {"left_hand": {"p_BH_m": [0, 0, 0], "quaternion_BH": [1, 1, 0, 0]}}}, "length 1.41, not 1"),
    ({"hands": {"left_hand": {"p_BH_m": [0, 0, 0], "quaternion_BH": [0, 0, 0, 0]}}}, "length 0, not 1"),
    ({"hands": {"left_hnd": {"p_BH_m": [0, 0, 0]}}}, "did you mean 'left_hand'"),
    ({"wrench": {"left_foot": [0.0] * 6}}, "no hand 'left_foot'"),
    ({"wrench": {"left_hand": [0.0] * 5 + [NAN]}}, "wrench of left_hand is not finite"),
    ({}, "of no stream"),
]


@pytest.mark.parametrize(("targets", "why"), BAD)
def test_a_bad_sample_is_dropped_as_a_whole_with_a_count_and_the_reason(
    intake: StreamIntake, robot: RobotModel, targets: dict[str, Any], why: str
) -> None:
    assert intake.take(fields(robot, 5.0, velocity_m_s=[0.1, 0.0], lean_rad=0.1), 5.0) == ""
    before = intake.row.data.copy()
    good = {"velocity_m_s": [0.5, 0.0], "lean_rad": 0.5} if targets else {}
    assert why in intake.take(fields(robot, 5.1, **(good | targets)), 5.1)
    np.testing.assert_array_equal(intake.row.data, before)
    assert (intake.received, intake.dropped) == (2, 1)
    assert why in intake.why_dropped
    if targets:
        assert intake.take(fields(robot, 5.1, **good), 5.1) == ""


def test_a_hand_that_is_named_twice_is_dropped(intake: StreamIntake, robot: RobotModel) -> None:
    hand = ("left_hand", "base", bytes(24), b"", b"", b"")
    assert "twice" in intake.take((5.0, b"", (hand, hand), b"", b"", b"", b"", ()), 5.0)
    assert "has 3 joints" in intake.take((5.0, b"", (), b"", b"", b"", bytes(24), ()), 5.0)


def test_stamps_must_be_near_the_controllers_time_and_rise(intake: StreamIntake, robot: RobotModel) -> None:
    def send(stamp_s: float, now_s: float, **targets: Any) -> str:
        return intake.take(fields(robot, stamp_s, **(targets or {"lean_rad": 0.1})), now_s)

    assert "not near" in send(5.0, 5.0 + OLDEST_S + 0.01)
    assert "not near" in send(5.0, 5.0 - NEWEST_S - 0.01)
    assert "not near" in send(1e300, 5.0)
    assert send(5.0, 5.0 + OLDEST_S - 0.01) == ""
    assert "does not rise" in send(5.0, 5.1)
    assert "does not rise" in send(4.9, 5.1)
    assert send(4.9, 5.1, velocity_m_s=[0.1, 0.0]) == ""
    assert send(NAN, 5.2) == ""
    assert intake.row.lean_t_s == [5.2]
    left, right = ({name: {"p_BH_m": [0.3, 0.2, 0.2]}} for name in ("left_hand", "right_hand"))
    assert send(5.3, 5.3, hands=left) == ""
    assert send(5.3, 5.3, hands=right) == ""
    assert "hands of left_hand does not rise" in send(5.3, 5.3, hands=left)


def test_a_clock_that_is_ahead_does_not_put_off_the_silence_of_a_stream(
    intake: StreamIntake, robot: RobotModel
) -> None:
    hands = {"left_hand": {"p_BH_m": [0.3, 0.2, 0.2]}}
    targets = {"velocity_m_s": [0.1, 0.0], "hands": hands, "wrench": {"left_hand": [0.0] * 6}}
    assert intake.take(fields(robot, 5.0 + 0.9 * NEWEST_S, **targets), 5.0) == ""
    row = intake.row
    assert [row.velocity_t_s[0], row.hands_t_s[0], row.wrench_t_s[0]] == [5.0 + AHEAD_S] * 3
    assert intake.take(fields(robot, 6.0 + 0.5 * AHEAD_S, **targets), 6.0) == ""
    assert row.velocity_t_s[0] == 6.0 + 0.5 * AHEAD_S


def test_a_sample_beyond_the_limits_is_taken_and_counted(intake: StreamIntake, robot: RobotModel) -> None:
    assert intake.take(fields(robot, 5.0, velocity_m_s=[0.3, 0.0]), 5.0) == ""
    assert intake.limited == 0
    assert intake.take(fields(robot, 5.1, velocity_m_s=[3.0, 0.0]), 5.1) == ""
    assert intake.row.velocity[0] == 3.0
    assert (intake.received, intake.limited, intake.dropped) == (2, 1, 0)
    assert intake.why_limited.startswith("velocity 3.00 forward")


def test_released_streams_are_out_of_use_and_others_stay(intake: StreamIntake, robot: RobotModel) -> None:
    targets = {
        "velocity_m_s": [0.1, 0.0],
        "hands": {"left_hand": {"p_BH_m": [0.3, 0.2, 0.2]}},
        "gaze": {"yaw_rad": 0.1},
        "com_offset_m": [0, 0, 0],
        "lean_rad": 0.1,
        "posture_rad": {"waist_yaw_joint": 0.1},
        "wrench": {"left_hand": [0.0] * 6},
    }
    for name in wire.STREAMS:
        intake.restart()
        assert intake.take(fields(robot, 5.0, **targets), 5.0) == ""
        assert intake.release((name,)) == ""
        used = {field for field, _ in intake.row.fields if np.isfinite(getattr(intake.row, field)).any()}
        used.discard("number")
        assert not {field for field in used if field.partition("_")[0] == name}
        assert {field.partition("_")[0] for field in used} == set(wire.STREAMS) - {name}
    assert intake.release(()) == ""
    assert np.isnan(intake.row.data[1:]).all()
    assert "did you mean 'hands'" in intake.release(("hand",))
