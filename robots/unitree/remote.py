"""The remote control of a Unitree robot, whose buttons each low state carries.

Source of the layout: `xRockerBtnDataStruct` in unitreerobotics/unitree_sdk2,
example/g1/low_level/gamepad.hpp.
"""

from __future__ import annotations

BYTES = 40
_BUTTONS_AT = 2
BUTTONS = (
    *("R1", "L1", "start", "select", "R2", "L2", "F1", "F2"),
    *("A", "B", "X", "Y", "up", "right", "down", "left"),
)
"""The buttons, from the lowest bit of the 16-bit number on."""
EMERGENCY = (("L1", "A"), ("L2", "B"))
"""Combinations with which the maker's own control damps; which of them depends on its version."""


def buttons(*names: str) -> int:
    """Returns the number in which these buttons are pressed."""
    return sum(1 << BUTTONS.index(name) for name in names)


_EMERGENCY = tuple((buttons(*names), "+".join(names)) for names in EMERGENCY)


def emergency(data: bytes) -> str:
    """Returns the emergency combination that is pressed, such as "L1+A"; "" for none. Hot path.

    Args:
        data: (40,) bytes of `wireless_remote`.
    """
    pressed = int.from_bytes(data[_BUTTONS_AT : _BUTTONS_AT + 2], "little")
    for combination, name in _EMERGENCY:
        if pressed & combination == combination:
            return name
    return ""


def present(data: bytes) -> bool:
    """Returns whether a remote control is connected: all bytes are zero without one."""
    return any(data)
