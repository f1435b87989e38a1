"""The keyboard of the terminal in which a command runs."""

from __future__ import annotations

import math
import os
import select
import termios
from types import TracebackType

from kilohertz.rt.drive.held_keys import ASK_S
from kilohertz.rt.drive.key_decoder import REPORTS_RELEASES, KeyDecoder, KeyEvent

_BEGIN = b"\x1b[?1004h\x1b[?2004h\x1b[?u"
"""Asks for reports of lost focus, for marks around pasted text, and whether releases can be reported."""
_REPORT_RELEASES = b"\x1b[>11u"
"""Asks for an unambiguous report of each press, repeat and release of every key (1 + 2 + 8)."""
_NO_RELEASES, _END = b"\x1b[<u", b"\x1b[?2004l\x1b[?1004l"
_ARE_YOU_ALIVE = b"\x1b[5n"
_MOST_BYTES = 4096


class Terminal:
    """Reads keys one by one, without showing them, for the duration of a `with` block.

    Args:
        keyboard: file descriptor that the keys are read from.
        screen: file descriptor that the terminal shows.

    Raises:
        EOFError: in `events`: the terminal was closed.
    """

    def __init__(self, keyboard: int = 0, screen: int = 1) -> None:
        self._keyboard, self._screen = keyboard, screen
        self._decoder = KeyDecoder()
        self._asked_s = -math.inf
        self._reports_releases = False

    def __enter__(self) -> Terminal:
        self._before = termios.tcgetattr(self._keyboard)
        mode = termios.tcgetattr(self._keyboard)
        mode[3] &= ~(termios.ECHO | termios.ICANON)
        # Ctrl-Z would leave the terminal in this mode, with the command still holding the lease.
        mode[6][termios.VSUSP] = b"\0"
        mode[6][termios.VMIN], mode[6][termios.VTIME] = b"\1", b"\0"
        termios.tcsetattr(self._keyboard, termios.TCSAFLUSH, mode)
        self._write(_BEGIN)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._write((_NO_RELEASES if self._reports_releases else b"") + _END)
            termios.tcsetattr(self._keyboard, termios.TCSAFLUSH, self._before)
        except (OSError, termios.error):
            return  # a terminal that was closed has no mode

    def events(self, now_s: float, wait_s: float = 0.0) -> list[KeyEvent]:
        """Returns the events since the last call.

        Args:
            now_s: present time [s].
            wait_s: longest time to wait for one [s].

        Raises:
            EOFError: the terminal was closed.
        """
        if self._reports_releases and now_s - self._asked_s >= ASK_S:
            self._asked_s = now_s
            self._write(_ARE_YOU_ALIVE)
        if not select.select([self._keyboard], [], [], max(wait_s, 0.0))[0]:
            return []
        try:
            data = os.read(self._keyboard, _MOST_BYTES)
        except OSError:
            data = b""
        if not data:
            raise EOFError("the terminal was closed")
        events = self._decoder.feed(data)
        if not self._reports_releases and any(event.kind == REPORTS_RELEASES for event in events):
            self._reports_releases = True
            self._write(_REPORT_RELEASES)
        return events

    def _write(self, data: bytes) -> None:
        while data:
            data = data[os.write(self._screen, data) :]
