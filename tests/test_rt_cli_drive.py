"""`khz drive` in a pseudo-terminal, against the stand-in for a loop."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from control_channel import FakeLoop, controller
from hands_on_keys import Keyboard
from typer.testing import CliRunner

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.cli.main import app
from kilohertz.rt.live.command_mailbox import SOFT_STOP
from kilohertz.rt.live.control_endpoint import control_endpoint

pytestmark = pytest.mark.host

DONE, USAGE, REFUSED, LOST, INTERRUPTED = 0, 2, 3, 4, 130


@pytest.fixture(scope="module")
def robot() -> RobotModel:
    return RobotModel.load("g1")


@pytest.fixture
def endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return control_endpoint("g1")


class Recorder:
    """What the stand-in for a loop has read in each of its ticks: time [s], age of the sample, velocity."""

    def __init__(self, loop: FakeLoop) -> None:
        self.loop = loop
        self.samples: dict[float, tuple[float, ...]] = {}
        tick = loop.tick

        def tick_and_note(mono_ns: int) -> None:
            tick(mono_ns)
            stamp_s = float(loop.streams.velocity_t_s[0])
            if stamp_s == stamp_s:
                self.samples[stamp_s] = tuple(loop.streams.velocity.tolist())

        loop.tick = tick_and_note  # type: ignore[method-assign]

    def moving(self) -> list[tuple[float, ...]]:
        return [velocity for velocity in self.samples.values() if any(velocity)]


@pytest.fixture
def recorder(robot: RobotModel, endpoint: str) -> Iterator[Recorder]:
    with controller(robot, endpoint) as loop:
        yield Recorder(loop)


def until(true: Callable[[], bool], keyboard: Keyboard, timeout_s: float = 20.0) -> None:
    end_s = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < end_s
        keyboard.look(0.02)


def still(recorder: Recorder) -> bool:
    return bool(recorder.samples) and not any(recorder.samples[max(recorder.samples)])


@pytest.mark.long
@pytest.mark.parametrize("releases", [False, True], ids=["repeats", "releases"])
def test_a_held_key_is_streamed_and_its_release_is_zero(
    recorder: Recorder, endpoint: str, releases: bool
) -> None:
    with Keyboard("drive", "--control", endpoint, releases=releases) as keyboard:
        keyboard.wait_until_ready()
        before = keyboard.mode_now()
        keyboard.hold("w", 1.5)
        until(lambda: still(recorder), keyboard)
        assert set(recorder.moving()) == {(0.4, 0.0, 0.0)}
        keyboard.hold("+", 0.1)
        keyboard.hold("e", 0.3)
        until(lambda: len(recorder.moving()) > 0 and still(recorder), keyboard)
        assert recorder.moving()[-1] == pytest.approx((0.0, 0.0, -1.25 * 0.5))
        keyboard.press("\x03") if not releases else keyboard.press_ctrl_c()
        status, text = keyboard.wait()
        assert (status, text.strip()) == (INTERRUPTED, "stopped by Ctrl-C")
        assert before != keyboard.mode_now() == keyboard.mode


def test_keys_request_and_stop(recorder: Recorder, endpoint: str) -> None:
    with Keyboard("drive", "--robot", "g1") as keyboard:
        keyboard.wait_for("1 sway, 2 squat, 3 bow, 4 sit")
        keyboard.wait_until_ready()
        keyboard.press("3")
        until(lambda: len(recorder.loop.requests) == 1, keyboard)
        keyboard.press(" ")
        until(lambda: len(recorder.loop.requests) == 2, keyboard)
        keyboard.press("x")
        until(lambda: recorder.loop.stops == [SOFT_STOP], keyboard)


@pytest.mark.parametrize("by", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_gives_the_terminal_back(recorder: Recorder, endpoint: str, by: int) -> None:
    with Keyboard("drive", "--control", endpoint) as keyboard:
        keyboard.wait_until_ready()
        keyboard.process.send_signal(by)
        assert keyboard.wait()[0] == INTERRUPTED
        assert keyboard.mode_now() == keyboard.mode


@pytest.mark.long
def test_a_controller_that_is_lost_ends_it_with_one_sentence(robot: RobotModel, endpoint: str) -> None:
    with Keyboard("drive", "--control", endpoint, "--timeout", 20) as keyboard:
        with controller(robot, endpoint):
            keyboard.wait_until_ready()
        status, text = keyboard.wait()
    assert status == LOST
    assert len(text.strip().splitlines()) == 1
    assert "does not answer" in text


def test_nobody_answers(endpoint: str) -> None:
    with Keyboard("drive", "--control", endpoint, "--timeout", 0.1) as keyboard:
        status, text = keyboard.wait(30.0)
    assert status == LOST
    assert "no controller answers" in text


def test_without_a_terminal_it_is_wrong_usage() -> None:
    result = CliRunner().invoke(app, ["drive", "--robot", "g1"])
    assert result.exit_code == USAGE
    assert "run it in a terminal" in result.stderr


def test_a_robot_that_does_not_walk_is_refused(tmp_path: Path) -> None:
    endpoint = f"ipc://{tmp_path / 'arm'}"
    with controller(RobotModel.load("panda"), endpoint), Keyboard("drive", "--control", endpoint) as keyboard:
        status, text = keyboard.wait(30.0)
    assert (status, text) == (REFUSED, "'panda' does not walk: khz drive has nothing to drive\n")


def test_a_gamepad_without_its_package_is_refused(recorder: Recorder, endpoint: str, tmp_path: Path) -> None:
    (tmp_path / "pygame.py").write_text("raise ImportError\n")
    with Keyboard("drive", "--control", endpoint, "--gamepad", PYTHONPATH=str(tmp_path)) as keyboard:
        status, text = keyboard.wait(30.0)
    assert status == REFUSED
    assert "kilohertz[drive]" in text
