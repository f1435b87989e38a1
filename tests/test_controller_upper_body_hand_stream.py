"""Streams of hands: what is estimated of a target, where targets may lie, and how a hand follows."""

from __future__ import annotations

import math

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.standing.standing import standing_tasks
from kilohertz.controller.streams.channel import SILENCE_S
from kilohertz.controller.streams.stream_row import StreamRow
from kilohertz.controller.tasks import frame_pose as pose
from kilohertz.controller.upper_body.hand_stream import HandStream
from kilohertz.controller.upper_body.hand_targets import BASE, WORLD
from kilohertz.controller.whole_body.from_gains import whole_body
from kilohertz.robots.compile.ahead import load_pending
from kilohertz.robots.model.robot_model import RobotModel

DT_S = 1e-3
PLACE = np.array([0.3, 0.2, 0.2])


class Streamed:
    """The left hand of a G1, as its stream moves it."""

    def __init__(self) -> None:
        robot = RobotModel.load("g1")
        self.row = StreamRow(robot)
        self.motion = np.zeros(pose.SIZE)
        self.views = pose.views(self.motion)
        self.kin = whole_body(robot, Gains(), standing_tasks(robot, Gains()), "exact", []).arrays.kin
        self.stream = HandStream(robot, Gains(), self.row, 0, self.motion, self.kin, DT_S)
        load_pending()

    def start(self) -> None:
        self.row.clear()
        self.stream.reset()
        self.motion[:] = 0.0
        self.views.R[:], self.views.p[:] = np.eye(3), PLACE

    def send(self, t_s: float, p: np.ndarray, R: np.ndarray | None = None, frame: int = BASE) -> None:
        self.row.number[0] += 1
        self.row.hands_t_s[0], self.row.hands_frame[0], self.row.hands_p[:3] = t_s, frame, p
        self.row.hands_R[:9] = math.nan if R is None else R.ravel()

    def read(self, t_s: float) -> bool:
        new = self.stream.read(t_s)
        if new and not self.on:
            self.stream.start()
            self.on = True
        return new

    def tick(self, t_s: float) -> bool:
        new = self.read(t_s)
        if self.on:
            self.stream.advance(DT_S)
        return new

    on = False


@pytest.fixture(scope="module")
def made() -> Streamed:
    return Streamed()


@pytest.fixture
def hand(made: Streamed) -> Streamed:
    made.start()
    made.on = False
    return made


def raised(height_m: float) -> np.ndarray:
    return PLACE + np.array([0.0, 0.0, height_m])


def moved(t_s: float) -> np.ndarray:
    return raised(0.05 * math.sin(math.pi * t_s))


@pytest.mark.parametrize("rate_Hz", [20, 50, 200, 1000])
def test_a_sine_without_velocities_is_followed(hand: Streamed, rate_Hz: int) -> None:
    errors = []
    for k in range(4000):
        t_s = k * DT_S
        if k % (1000 // rate_Hz) == 0:
            hand.send(t_s, moved(t_s))
        hand.tick(t_s)
        errors.append(hand.views.p[2] - moved(t_s)[2])
    assert np.sqrt(np.mean(np.square(errors[2000:]))) < (4e-3 if rate_Hz == 20 else 1.5e-3)


def test_stamps_that_scatter_do_not_shake_the_hand(hand: Streamed) -> None:
    rng, speeds = np.random.default_rng(0), []
    for k in range(1500):
        t_s = k * DT_S
        # Samples of 1 kHz that are read together, four at a time, arrive microseconds apart.
        for j in range(4) if k % 4 == 0 else ():
            arrival_s = t_s + 2e-5 * j + rng.uniform(0.0, 1e-5) - 1e-4
            hand.send(arrival_s, raised(0.2 * (t_s - (3 - j) * DT_S)))
            hand.read(t_s)
        hand.tick(t_s)
        speeds.append(hand.views.v[2])
    assert np.abs(np.array(speeds[800:]) - 0.2).max() < 0.03


def test_an_orientation_is_followed_and_its_rates_belong_to_it(hand: Streamed) -> None:
    axis = np.array([0.6, 0.0, 0.8])
    R_before = np.eye(3)
    for k in range(3000):
        t_s = k * DT_S
        if k % 20 == 0:
            hand.send(t_s, PLACE, pin.exp3(0.5 * math.sin(2.0 * t_s) * axis))
        hand.tick(t_s)
        R = hand.views.R.copy()
        if k > 500:
            rate = pin.log3(R @ R_before.T) / DT_S
            np.testing.assert_allclose(hand.views.w, rate, atol=2e-2)
        R_before = R
    error = pin.log3(R.T @ pin.exp3(0.5 * math.sin(2.0 * t_s) * axis))
    assert np.linalg.norm(error) < 0.03
    np.testing.assert_allclose(R.T @ R, np.eye(3), atol=1e-9)


def test_a_jump_of_a_metre_is_made_within_the_limits_and_in_reach(hand: Streamed) -> None:
    limits, v, a = Gains().stream, [], []
    for k in range(2500):
        t_s = k * DT_S
        if k % 20 == 0:
            hand.send(t_s, PLACE if k < 500 else np.array([1.3, 0.2, 0.2]))
        hand.tick(t_s)
        v.append(np.abs(hand.views.v).max())
        a.append(hand.views.a.copy())
    assert max(v) <= 1.05 * limits.hand_speed_m_s
    assert np.abs(a).max() <= limits.hand_accel_m_s2 * (1 + 1e-6)
    assert np.abs(np.diff(a, axis=0)).max() <= limits.hand_jerk_m_s3 * DT_S * (1 + 1e-6)
    # The arm of a G1 ends long before 1.3 m.
    assert 0.3 < hand.views.p[0] < 0.6
    assert np.abs(hand.views.v).max() < 1e-3


def test_no_target_lies_inside_the_body(hand: Streamed) -> None:
    for k in range(1500):
        if k % 20 == 0:
            hand.send(k * DT_S, np.array([0.0, 0.0, 0.1]))
        hand.tick(k * DT_S)
    assert math.hypot(*hand.views.p[:2]) > 0.05


def test_a_silent_stream_holds_the_hand_still(hand: Streamed) -> None:
    for k in range(2000):
        t_s = k * DT_S
        if k % 20 == 0 and k < 1000:
            hand.send(t_s, moved(t_s))
        hand.tick(t_s)
        if k == 1000 + round(SILENCE_S * 1000) + 250:
            held = hand.views.p.copy()
        assert not hand.stream.rests or k > 1000 + round(SILENCE_S * 1000)
    assert hand.stream.rests
    np.testing.assert_allclose(hand.views.p, held, atol=1e-3)
    assert np.abs(hand.views.v).max() < 1e-4


def test_a_stream_that_was_put_aside_leads_again_after_a_silence(hand: Streamed) -> None:
    hand.send(0.0, PLACE)
    assert hand.tick(0.0)
    hand.stream.put_aside()
    hand.send(0.02, PLACE)
    assert not hand.tick(0.02)
    assert not hand.tick(0.02 + SILENCE_S + 0.001)
    hand.send(0.3, PLACE)
    assert hand.tick(0.3)


def test_a_target_in_the_world_is_not_bounded_by_the_reach_from_the_base(hand: Streamed) -> None:
    hand.send(0.0, np.array([5.0, 0.0, 1.0]), frame=WORLD)
    assert hand.tick(0.0)
    assert not hand.stream.in_base
    for k in range(1, 90):
        hand.tick(k * DT_S)
    assert hand.views.v[0] > 0.2


def test_a_hand_whose_joints_come_close_to_their_speed_limits_slows_down(hand: Streamed) -> None:
    robot = RobotModel.load("g1")
    joint = robot.joint_names.index("left_elbow_joint")

    def fastest(part: float) -> float:
        hand.start()
        hand.on = False
        hand.kin.v[:] = 0.0
        hand.kin.v[robot.n_base + joint] = part * robot.velocity_limit_rad_s[joint]
        speeds = []
        for k in range(400):
            if k % 20 == 0:
                hand.send(k * DT_S, raised(0.3))
            hand.tick(k * DT_S)
            speeds.append(np.abs(hand.views.v).max())
        hand.kin.v[:] = 0.0
        return max(speeds)

    full = Gains().stream.hand_speed_m_s
    assert fastest(0.0) > 0.7 * full
    assert fastest(0.6) == pytest.approx(full * (0.7 - 0.6) / (0.7 - 0.35), rel=0.1)
    assert fastest(1.2) < 0.1 * full


def test_a_hand_with_an_orientation_stays_where_it_was_led_when_its_stream_is_released(
    hand: Streamed,
) -> None:
    R = pin.rpy.rpyToMatrix(0.2, 0.1, -0.3)
    for k in range(1000):
        hand.send(k * DT_S, raised(0.05), R)
        hand.tick(k * DT_S)
    # What a release writes.
    for name in ("hands_t_s", "hands_frame", "hands_p", "hands_R", "hands_v", "hands_w"):
        getattr(hand.row, name)[:] = math.nan
    for k in range(1000, 2000):
        hand.tick(k * DT_S)
        assert np.isfinite(hand.motion).all()
    np.testing.assert_allclose(hand.views.p, raised(0.05), atol=2e-3)
    np.testing.assert_allclose(hand.views.R, R, atol=1e-2)
