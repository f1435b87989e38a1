"""Samples of streams are taken or dropped as a whole; velocities are estimated where a client gives none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.controller.upper_body.hand_targets import BASE, WORLD
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.live import control_messages as wire
from kilohertz.rt.live.agent.stream_intake import LARGEST, NEWEST_S, OLDEST_S, StreamIntake
from kilohertz.rt.live.stream_targets import StreamTargets

NAN, INF = math.nan, math.inf


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return RobotModel.load("g1")


@pytest.fixture
def intake(robot: RobotModel) -> StreamIntake:
    return StreamIntake(robot)


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
        assert np.isfinite(intake.row.data).sum() == used
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
    np.testing.assert_array_equal(row.hands_v[:6], [0, 0, 0, 1, 2, 3])
    np.testing.assert_array_equal(row.hands_w[:6], [0, 0, 0, 4, 5, 6])
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


@pytest.mark.parametrize("rate_hz", [20, 50, 200, 1000])
def test_the_velocities_of_a_moving_target_are_estimated(
    intake: StreamIntake, robot: RobotModel, rate_hz: int
) -> None:
    w = np.array([0.0, 0.0, 0.8])
    for i in range(rate_hz // 2):
        t_s = 10.0 + i / rate_hz
        p = [0.3 + 0.1 * math.sin(math.pi * t_s), 0.2, 0.2]
        target = {"p_BH_m": p, "rpy_BH_rad": w * t_s}
        assert intake.take(fields(robot, t_s, hands={"left_hand": target}), t_s) == ""
    v_true = 0.1 * math.pi * math.cos(math.pi * t_s)
    # A backward difference over h lags by h/2; the target accelerates with 1 m/s2.
    lag_s = 0.5 * (max(1 / rate_hz, 0.006) + 1 / rate_hz)
    assert intake.row.hands_v[0] == pytest.approx(v_true, abs=1.1 * lag_s)
    np.testing.assert_allclose(intake.row.hands_w[:3], w, atol=1e-9)


def test_stamps_that_scatter_by_a_millisecond_do_not_make_the_velocity_jump(
    intake: StreamIntake, robot: RobotModel
) -> None:
    rng, worst = np.random.default_rng(0), 0.0
    for i in range(500):
        t_s = i * 1e-3
        # Samples that are read together arrive microseconds apart.
        arrival_s = 10.0 + (i // 4) * 4e-3 + (i % 4) * 2e-5 + rng.uniform(0.0, 1e-5)
        target = {"p_BH_m": [0.3 + 0.2 * t_s, 0.2, 0.2]}
        assert intake.take(fields(robot, hands={"left_hand": target}), arrival_s) == ""
        if i > 20:
            worst = max(worst, abs(intake.row.hands_v[0] - 0.2))
    assert worst < 0.11


def test_a_motion_begins_at_rest_after_a_pause_in_another_frame_and_with_another_client(
    intake: StreamIntake, robot: RobotModel
) -> None:
    def send(t_s: float, x: float, frame: str = "B") -> float:
        target = {f"p_{frame}H_m": [x, 0.2, 0.2]}
        assert intake.take(fields(robot, t_s, hands={"left_hand": target}), t_s) == ""
        return float(intake.row.hands_v[0])

    assert send(1.0, 0.0) == 0.0
    assert send(1.02, 0.01) == pytest.approx(0.5)
    assert send(1.04, 0.02, "W") == 0.0
    assert send(1.06, 0.03, "W") == pytest.approx(0.5)
    assert send(1.40, 0.30, "W") == 0.0
    intake.restart()
    assert send(1.38, 0.30, "W") == 0.0


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
        assert not {field for field in used if field.partition("_")[0] == name}
        assert {field.partition("_")[0] for field in used} == set(wire.STREAMS) - {name}
    assert intake.release(()) == ""
    assert np.isnan(intake.row.data).all()
    assert "did you mean 'hands'" in intake.release(("hand",))
