"""Decodes the bytes that a terminal sends into key events.

Terminals send a key again and again while it is held, and nothing when it is released. A terminal that has
the kitty keyboard protocol reports releases too, if it is asked to.

Source: "Comprehensive keyboard handling in terminals", https://sw.kovidgoyal.net/kitty/keyboard-protocol/
"""

from __future__ import annotations

import re
from dataclasses import dataclass

PRESS, REPEAT, RELEASE = "press", "repeat", "release"
"""Kinds of a key event. A terminal that does not report releases sends every repeat as a press."""
FOCUS_OUT = "focus out"
"""The terminal has lost the keyboard: a release would not be reported."""
REPORTS_RELEASES = "reports releases"
"""The terminal has the kitty keyboard protocol."""
ALIVE = "alive"
"""Answer of the terminal to the question whether it is alive."""
CTRL_C = "ctrl+c"
CTRL_D = "ctrl+d"

_SEQUENCE = re.compile(
    rb"\x1b\[(?P<csi>[0-?]*)[ -/]*(?P<final>[@-~])|\x1bO(?P<ss3>.)|\x1b(?P<alt>[^\[O])|(?P<byte>[^\x1b])",
    re.DOTALL,
)
_ARROWS = {b"A": "up", b"B": "down", b"C": "right", b"D": "left"}
_KINDS = {1: PRESS, 2: REPEAT, 3: RELEASE}
_CTRL, _LOCKS, _SHIFT = 4, 64 + 128, 1
_LONGEST_SEQUENCE = 64
_LAST_CHARACTER = 0xD7FF


@dataclass(frozen=True)
class KeyEvent:
    """An event of the keyboard, or an answer of the terminal.

    Attributes:
        kind: PRESS, REPEAT or RELEASE of `key`; or FOCUS_OUT, REPORTS_RELEASES or ALIVE.
        key: a character in lower case, `up`, `down`, `left`, `right`, CTRL_C or CTRL_D; "" for the other
            kinds.
    """

    kind: str
    key: str = ""


class KeyDecoder:
    """Decodes the bytes of a terminal, which may be split anywhere.

    Pasted text is not taken for keys, if the terminal marks it (bracketed paste).
    """

    def __init__(self) -> None:
        self._rest = b""
        self._pasting = False

    def feed(self, data: bytes) -> list[KeyEvent]:
        """Returns the events in the next bytes.

        Args:
            data: bytes as the terminal sent them.
        """
        data, at = self._rest + data, 0
        events = []
        while at < len(data):
            match = _SEQUENCE.match(data, at)
            if match is None:
                break  # a sequence that has not arrived completely
            at = match.end()
            event = self._event(match)
            if event is not None and not self._pasting:
                events.append(event)
        self._rest = data[at:] if len(data) - at <= _LONGEST_SEQUENCE else b""
        return events

    def _event(self, match: re.Match[bytes]) -> KeyEvent | None:
        if match["byte"] is not None:
            return _character(match["byte"][0])
        if match["ss3"] is not None:
            return _named(_ARROWS.get(match["ss3"]), PRESS)
        if match["alt"] is not None:
            return None
        parameters, final = match["csi"], match["final"]
        if final == b"~" and parameters in (b"200", b"201"):
            self._pasting = parameters == b"200"
            return None
        return _control(parameters, final)


def _control(parameters: bytes, final: bytes) -> KeyEvent | None:
    """Returns the event of a control sequence; None for one that means nothing here."""
    if final == b"u" and parameters.startswith(b"?"):
        return KeyEvent(REPORTS_RELEASES)
    if final == b"O" and not parameters:
        return KeyEvent(FOCUS_OUT)
    if final == b"n" and parameters == b"0":
        return KeyEvent(ALIVE)
    if final not in (b"u", *_ARROWS):
        return None
    # code:others ; 1 + modifiers : kind ; text
    code_part, _, rest = parameters.partition(b";")
    modifiers_part, _, kind_part = rest.partition(b";")[0].partition(b":")
    code = _number(code_part.partition(b":")[0])
    modifiers = (_number(modifiers_part) - 1) & ~_LOCKS
    kind = _KINDS.get(_number(kind_part))
    if kind is None:
        return None
    if final != b"u":
        return _named(_ARROWS[final], kind) if modifiers in (0, _SHIFT) else None
    if code > _LAST_CHARACTER:
        return None
    key = chr(code).lower()
    if modifiers == _CTRL and key in "cd":
        return KeyEvent(kind, CTRL_C if key == "c" else CTRL_D)
    return _named(key if key.isprintable() else None, kind) if modifiers in (0, _SHIFT) else None


def _character(byte: int) -> KeyEvent | None:
    if byte == 3:
        return KeyEvent(PRESS, CTRL_C)
    if byte == 4:
        return KeyEvent(PRESS, CTRL_D)
    return KeyEvent(PRESS, chr(byte).lower()) if 32 <= byte < 127 else None


def _named(key: str | None, kind: str) -> KeyEvent | None:
    return KeyEvent(kind, key) if key is not None else None


def _number(digits: bytes) -> int:
    """Returns the number of a parameter; 1 for one that is left out, which is the default of all of them."""
    return int(digits) if digits.isdigit() else 1
