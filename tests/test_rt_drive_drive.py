"""What is held is streamed, zero follows a release, and every other key does what the screen says."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.rt.drive.drive import (
    KEEP_ALIVE_S,
    PERIOD_S,
    STATUS_S,
    TRAIL_S,
    Drive,
    behaviours_by_key,
    targets,
)
from kilohertz.rt.drive.gamepad import Sticks
from kilohertz.rt.drive.held_keys import FIRST_S
from kilohertz.rt.drive.key_decoder import CTRL_C, PRESS, RELEASE, REPORTS_RELEASES, KeyEvent
from kilohertz.rt.drive.speeds import Velocity
from kilohertz.rt.live.control_status import ControlEvent, ControlStatus
from kilohertz.rt.live.stream_targets import StreamTargets

STATUS = ControlStatus(
    3.0, "active", "walk", "running", (0.0, 0.0), 0.0, (0.0, 0.0), 0.0, "", "", 0, 0, 0, "", "", ""
)


class FakeClient:
    def __init__(self) -> None:
        self.events: deque[ControlEvent] = deque()
        self.behaviours = ("bow", "crouch", "damp", "jump", "reach", "squat", "stand", "walk")
        self.now_s = 0.0
        self.sent: list[tuple[float, Velocity]] = []
        self.did: list[tuple[Any, ...]] = []
        self.heard: list[float] = []
        self.lost = False
        self.refusal = ""

    def _check(self) -> None:
        if self.lost:
            raise LinkLostError("the controller does not answer")

    def stream(self, targets: StreamTargets, t_s: float | None = None) -> None:
        self._check()
        velocity = targets.packed(0.0, ())[1]
        self.sent.append((self.now_s, Velocity(*struct.unpack("<3d", velocity))))
        self.heard.append(self.now_s)

    def command(self, behaviour: str, parameters: Mapping[str, Any] | None = None) -> int:
        if self.refusal:
            raise ConfigError(self.refusal)
        self.did.append(("command", behaviour, *(parameters or {})))
        return 1

    def stop(self, how: str, reason: str) -> None:
        self.did.append(("stop", how))

    def give(self) -> None:
        self.did.append(("give",))

    def keep_alive(self) -> None:
        self._check()
        self.heard.append(self.now_s)

    def status(self) -> ControlStatus:
        self._check()
        self.heard.append(self.now_s)
        return STATUS

    def poll(self) -> None:
        self._check()

    def describe(self, behaviour: str) -> dict[str, Any]:
        return {"required": ["height_m"]} if behaviour == "jump" else {"properties": {}}


class Desk:
    """A person at a keyboard that reports releases, and a clock."""

    def __init__(self, **options: Any) -> None:
        self.client = FakeClient()
        self.drive = Drive(self.client, **options)
        self.step(KeyEvent(REPORTS_RELEASES))

    def step(self, *events: KeyEvent) -> None:
        self.client.now_s += PERIOD_S
        # The terminal is asked whether it is alive, and answers.
        self.drive.step(self.client.now_s, [KeyEvent("alive"), *events])

    def press(self, key: str) -> None:
        self.step(KeyEvent(PRESS, key))

    def release(self, key: str) -> None:
        self.step(KeyEvent(RELEASE, key))

    def wait(self, duration_s: float) -> None:
        for _ in range(round(duration_s / PERIOD_S)):
            self.step()


def test_a_velocity_is_streamed_while_a_key_is_held_then_zero_then_nothing() -> None:
    desk = Desk()
    desk.wait(1.0)
    assert desk.client.sent == []
    desk.press("w")
    start_s = desk.client.now_s
    desk.wait(2.0)
    desk.release("w")
    end_s = desk.client.now_s
    desk.wait(2.0)
    sent = desk.client.sent
    moving = [t_s for t_s, velocity in sent if velocity == (0.4, 0.0, 0.0)]
    assert moving[0] == start_s
    assert max(b - a for a, b in pairwise(moving)) < 1.0 / 20.0
    assert moving[-1] < end_s
    zeros = [t_s for t_s, velocity in sent if velocity == (0.0, 0.0, 0.0)]
    assert zeros[0] == end_s
    assert len(zeros) >= 10
    assert zeros[-1] <= end_s + TRAIL_S
    assert len(moving) + len(zeros) == len(sent)


def test_the_lease_is_kept_while_nothing_is_held() -> None:
    desk = Desk()
    desk.wait(3.0)
    heard = desk.client.heard
    assert max(b - a for a, b in pairwise(heard)) < KEEP_ALIVE_S + 2.0 * PERIOD_S
    assert desk.drive.status == STATUS
    assert len(heard) > 2.0 / STATUS_S


def test_a_terminal_that_goes_silent_stops_the_stream() -> None:
    desk = Desk()
    desk.press("w")
    for _ in range(100):
        desk.client.now_s += PERIOD_S
        desk.drive.step(desk.client.now_s, [])
    assert all(velocity.forward_m_s == 0.0 for t_s, velocity in desk.client.sent if t_s > 0.6)


def test_without_reports_of_releases_a_press_lasts_until_its_repeats_stay_away() -> None:
    client = FakeClient()
    drive = Drive(client)
    drive.step(0.0, [KeyEvent(PRESS, "d")])
    for i in range(1, 100):
        client.now_s = i * PERIOD_S
        drive.step(client.now_s, [])
    moving = [t_s for t_s, velocity in client.sent if velocity.left_m_s < 0.0]
    assert moving[-1] == pytest.approx(FIRST_S, abs=PERIOD_S + 1e-9)


def test_keys_that_command_do_so_once() -> None:
    desk = Desk(behaviours=[("bow", {}), ("squat", {"depth_m": 0.1})])
    desk.press("w")
    for key in (" ", "2", "9", "x", "g", "z"):
        desk.press(key)
        desk.wait(0.2)
        desk.release(key)
    requests = [("command", "stand"), ("command", "squat", "depth_m")]
    assert desk.client.did == [*requests, ("stop", "soft"), ("give",)]
    # The space key has let go of what was held.
    assert desk.client.sent[-1][1] == (0.0, 0.0, 0.0)


def test_the_speed_is_changed_in_steps_within_its_range() -> None:
    desk = Desk()
    for key in "+=+":
        desk.press(key)
        desk.release(key)
    assert desk.drive.speed_m_s == pytest.approx(0.7)
    for _ in range(20):
        desk.press("-")
        desk.release("-")
    assert desk.drive.speed_m_s == pytest.approx(0.1)
    desk.press("w")
    assert desk.drive.velocity.forward_m_s == pytest.approx(0.1)


def test_a_gamepad_leads_while_its_button_is_held() -> None:
    pads: list[Sticks | None] = [None]
    desk = Desk(sticks=lambda: pads[0])
    desk.press("d")
    assert desk.drive.velocity.left_m_s < 0.0
    pads[0] = Sticks(0, -32767, 0, held=True)
    desk.step()
    assert desk.drive.velocity == (0.4, 0.0, 0.0)
    pads[0] = Sticks(0, -32767, 0, held=False)
    desk.step()
    assert desk.drive.velocity.forward_m_s == 0.0
    desk.release("d")
    pads[0] = Sticks(0, -32767, 0, held=True)
    desk.step()
    pads[0] = None  # unplugged
    desk.step()
    assert desk.drive.velocity == (0.0, 0.0, 0.0)


def test_a_refusal_and_what_the_controller_tells_are_shown() -> None:
    desk = Desk(behaviours=[("bow", {})])
    desk.wait(0.2)
    desk.client.refusal = "the robot is not active"
    desk.press("1")
    desk.client.events.append(ControlEvent(4.0, "dropped", "the person 'a' holds the lease"))
    desk.step()
    assert list(desk.drive.told) == [
        (3.0, "the robot is not active"),
        (4.0, "the person 'a' holds the lease"),
    ]
    assert not desk.client.events


def test_ctrl_c_leaves() -> None:
    with pytest.raises(KeyboardInterrupt):
        Desk().press(CTRL_C)


def test_a_lost_controller_is_an_error_unless_its_run_was_ended_here() -> None:
    desk = Desk()
    desk.client.lost = True
    with pytest.raises(LinkLostError):
        desk.step()
    desk = Desk()
    desk.press("x")
    assert not desk.drive.over
    desk.client.lost = True
    desk.step()
    assert desk.drive.over


def test_one_key_requests_what_needs_no_parameters_and_does_not_damp() -> None:
    assert [name for name, _ in behaviours_by_key(FakeClient())] == ["squat", "bow", "crouch"]


def test_a_sample_has_all_components() -> None:
    _, velocity, *rest = targets(Velocity(0.1, 0.2, 0.3)).packed(0.0, ())
    assert struct.unpack("<3d", velocity) == (0.1, 0.2, 0.3)
    assert not any(rest)
