"""A gamepad, read through pygame-ce; the robot moves only while a shoulder button is held."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.drive.speeds import STILL, Velocity, of_fractions

DEAD_ZONE = 0.15
"""Deflection up to which a stick counts as centred: worn sticks do not return to zero."""
_FULL = 32767.0
_ENVIRONMENT = {
    # There is no window: without these, pygame opens one, and reads no gamepad that has no window in focus.
    "SDL_VIDEODRIVER": "dummy",
    "SDL_JOYSTICK_ALLOW_BACKGROUND_EVENTS": "1",
    "PYGAME_HIDE_SUPPORT_PROMPT": "1",
    # SIGTERM is for the command.
    "SDL_NO_SIGNAL_HANDLERS": "1",
}


@dataclass(frozen=True)
class Sticks:
    """Positions of the sticks and the buttons of a gamepad, as its driver reports them.

    Attributes:
        left_x, left_y: left stick, -32768 to 32767, positive right and down.
        right_x: right stick, positive right.
        held: whether a shoulder button is held, the dead-man's switch.
    """

    left_x: int
    left_y: int
    right_x: int
    held: bool


def deflection(raw: int) -> float:
    """Returns the deflection of one axis in [-1, 1]: 0 in the dead zone, and continuous at its end.

    Args:
        raw: position of the axis, -32768 to 32767.
    """
    share = min(abs(raw) / _FULL, 1.0)
    return max(share - DEAD_ZONE, 0.0) / (1.0 - DEAD_ZONE) * (1.0 if raw > 0 else -1.0)


def of_sticks(sticks: Sticks, speed_m_s: float) -> Velocity:
    """Returns the velocity that a gamepad asks for: none unless a shoulder button is held.

    Args:
        sticks: positions of its sticks and buttons.
        speed_m_s: speed forward at full deflection [m/s].
    """
    if not sticks.held:
        return STILL
    x, y, turn = (deflection(raw) for raw in (sticks.left_x, sticks.left_y, sticks.right_x))
    return of_fractions(-y, -x, -turn, speed_m_s)


class Gamepad:
    """The first gamepad that is connected; one that is unplugged counts as released.

    Raises:
        ConfigError: pygame-ce is not installed.
    """

    def __init__(self) -> None:
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        try:
            import pygame
            from pygame._sdl2 import controller
        except ImportError:
            raise ConfigError(
                "a gamepad needs the package pygame-ce: pip install 'kilohertz[drive]'"
            ) from None
        self._pygame, self._controller = pygame, controller
        # Events of gamepads arrive through the queue of the display.
        pygame.display.init()
        controller.init()
        self._pad: Any = None

    @property
    def name(self) -> str:
        """Name of the gamepad; "" if none is connected."""
        return str(self._pad.name) if self._pad is not None else ""

    def read(self) -> Sticks | None:
        """Returns the present positions; None if no gamepad is connected."""
        self._pygame.event.get()
        if self._pad is not None and not self._pad.attached():
            self._pad.quit()
            self._pad = None
        if self._pad is None:
            self._pad = self._first()
        pad, pg = self._pad, self._pygame
        if pad is None:
            return None
        shoulders = (pg.CONTROLLER_BUTTON_LEFTSHOULDER, pg.CONTROLLER_BUTTON_RIGHTSHOULDER)
        return Sticks(
            left_x=pad.get_axis(pg.CONTROLLER_AXIS_LEFTX),
            left_y=pad.get_axis(pg.CONTROLLER_AXIS_LEFTY),
            right_x=pad.get_axis(pg.CONTROLLER_AXIS_RIGHTX),
            held=any(pad.get_button(button) for button in shoulders),
        )

    def _first(self) -> Any:
        for i in range(self._controller.get_count()):
            if self._controller.is_controller(i):
                return self._controller.Controller(i)
        return None

    def close(self) -> None:
        """Lets go of the gamepad."""
        self._controller.quit()
        self._pygame.display.quit()
