"""A gamepad moves the robot only while a shoulder button is held, and is released when it is unplugged."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.drive.gamepad import DEAD_ZONE, Gamepad, Sticks, deflection, of_sticks
from kilohertz.rt.drive.speeds import LEFT, STILL, TURN_RAD_M

FULL, SPEED_M_S = 32767, 0.4


def test_without_the_dead_mans_switch_nothing_moves() -> None:
    assert of_sticks(Sticks(FULL, FULL, FULL, held=False), SPEED_M_S) == STILL
    assert of_sticks(Sticks(0, 0, 0, held=True), SPEED_M_S) == STILL


def test_sticks_point_where_the_robot_goes() -> None:
    # A stick pushed forward has a negative y, one pushed to the left a negative x.
    assert of_sticks(Sticks(0, -FULL, 0, held=True), SPEED_M_S) == pytest.approx((0.4, 0.0, 0.0))
    assert of_sticks(Sticks(-FULL, 0, 0, held=True), SPEED_M_S) == pytest.approx((0.0, 0.4 * LEFT, 0.0))
    assert of_sticks(Sticks(0, 0, -FULL, held=True), SPEED_M_S) == pytest.approx((0, 0, 0.4 * TURN_RAD_M))


def test_the_dead_zone_ends_without_a_jump_and_full_deflection_is_full() -> None:
    edge = round(DEAD_ZONE * FULL)
    assert deflection(edge - 1) == deflection(-edge + 1) == 0.0
    assert 0.0 < deflection(edge + 40) < 2e-3
    assert deflection(FULL) == 1.0
    assert deflection(-32768) == -1.0
    values = [deflection(raw) for raw in range(-32768, 32768, 97)]
    assert values == sorted(values)


def test_without_pygame_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(ConfigError, match=r"kilohertz\[drive\]"):
        Gamepad()


class VirtualPad:
    """A gamepad that SDL makes in this process; mapping and hot-plugging are those of a real one."""

    AXES, BUTTONS, HATS = 6, 15, 1
    GAME_CONTROLLER = 1

    def __init__(self, library: Any) -> None:
        self._sdl = library
        self._sdl.SDL_JoystickOpen.restype = ctypes.c_void_p
        self.index = library.SDL_JoystickAttachVirtual(
            self.GAME_CONTROLLER, self.AXES, self.BUTTONS, self.HATS
        )
        assert self.index >= 0
        self._pad = ctypes.c_void_p(library.SDL_JoystickOpen(self.index))

    def axis(self, number: int, value: int) -> None:
        assert self._sdl.SDL_JoystickSetVirtualAxis(self._pad, number, ctypes.c_int16(value)) == 0

    def button(self, number: int, down: bool) -> None:
        assert self._sdl.SDL_JoystickSetVirtualButton(self._pad, number, ctypes.c_uint8(down)) == 0

    def unplug(self) -> None:
        assert self._sdl.SDL_JoystickDetachVirtual(self.index) == 0


@pytest.fixture
def sdl() -> Any:
    pygame = pytest.importorskip("pygame", reason="pip install 'kilohertz[drive]'")
    found = list((Path(pygame.__file__).parents[1] / "pygame_ce.libs").glob("libSDL2-2*"))
    if not found:
        pytest.skip("this pygame-ce does not bring its own SDL")
    return ctypes.CDLL(str(found[0]))


@pytest.fixture
def gamepad(sdl: Any) -> Iterator[Gamepad]:
    pad = Gamepad()
    yield pad
    pad.close()


def settled(gamepad: Gamepad) -> Sticks | None:
    """SDL hands events on through its queue: what was set now is read by the next look."""
    gamepad.read()
    return gamepad.read()


LEFT_SHOULDER, RIGHT_SHOULDER = 9, 10


def test_a_gamepad_is_read_and_one_that_is_unplugged_is_released(sdl: Any, gamepad: Gamepad) -> None:
    assert gamepad.read() is None
    assert gamepad.name == ""
    pad = VirtualPad(sdl)
    assert settled(gamepad) == Sticks(0, 0, 0, held=False)
    assert gamepad.name
    pad.axis(0, -1000)
    pad.axis(1, -20000)
    pad.axis(2, 30000)
    assert settled(gamepad) == Sticks(-1000, -20000, 30000, held=False)
    for button in (LEFT_SHOULDER, RIGHT_SHOULDER):
        pad.button(button, True)
        assert settled(gamepad) == Sticks(-1000, -20000, 30000, held=True)
        pad.button(button, False)
        assert settled(gamepad) == Sticks(-1000, -20000, 30000, held=False)
    pad.button(LEFT_SHOULDER, True)
    pad.unplug()
    assert settled(gamepad) is None
    again = VirtualPad(sdl)
    again.button(LEFT_SHOULDER, True)
    assert settled(gamepad) == Sticks(0, 0, 0, held=True)
    again.unplug()
    assert settled(gamepad) is None
