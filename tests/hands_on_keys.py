"""A person at the keyboard: runs a command in a pseudo-terminal, and holds keys as a terminal sends them."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from types import TracebackType
from typing import Any

DELAY_S, PERIOD_S = 0.5, 0.04
"""Time from a press to its first repeat, and from repeat to repeat, as desktops set them [s]."""
SIZE = struct.pack("HHHH", 50, 160, 0, 0)
_SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


class Keyboard:
    """A command in a pseudo-terminal.

    Args:
        arguments: arguments of `khz`.
        releases: whether the terminal has the kitty keyboard protocol.
        environment: further environment variables.
    """

    def __init__(self, *arguments: Any, releases: bool = False, **environment: str) -> None:
        self._releases, self._reports = releases, False
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, SIZE)
        self.mode = termios.tcgetattr(slave)
        self._slave = slave
        program = (
            # The leader of a session that opens a terminal gets it as its own: Ctrl-C becomes a signal then.
            "import os; os.close(os.open(os.ttyname(0), os.O_RDWR))\n"
            "from kilohertz.rt.cli.main import main; main()"
        )
        self.process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            stdin=slave,
            stdout=slave,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ | {"TERM": "xterm-256color", **environment},
        )
        self.shown = ""
        self._tail = b""

    def look(self, wait_s: float = 0.0) -> None:
        """Reads what the command writes, and answers as a terminal does."""
        while select.select([self.master], [], [], wait_s)[0]:
            wait_s = 0.0
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            self.shown += data.decode(errors="replace")
            # A sequence may arrive in two parts.
            for sequence, answer in ((b"\x1b[?u", b"\x1b[?0u"), (b"\x1b[5n", b"\x1b[0n")):
                asked = (self._tail + data).count(sequence)
                if asked and (self._releases or sequence != b"\x1b[?u"):
                    os.write(self.master, asked * answer)
            self._reports = self._reports or "\x1b[>11u" in self.shown
            self._tail = data[-3:] if data[-3:].rfind(b"\x1b") >= 0 else b""

    def plain(self) -> str:
        """Everything that was shown so far, without control sequences."""
        return _SEQUENCE.sub("", self.shown)

    def wait_for(self, text: str, timeout_s: float = 30.0) -> None:
        until_s = time.monotonic() + timeout_s
        while text not in self.plain():
            assert time.monotonic() < until_s, f"{text!r} is not shown: {self.plain()[-2000:]}"
            assert self.process.poll() is None, self.process.stderr and self.process.stderr.read()
            self.look(0.05)

    def wait_until_ready(self) -> None:
        """Waits until the command reads keys, with releases if the terminal has them."""
        until_s = time.monotonic() + 30.0
        while not ("\x1b[?1004h" in self.shown and self._reports == self._releases):
            assert time.monotonic() < until_s, self.plain()[-4000:]
            assert self.process.poll() is None, self.process.stderr and self.process.stderr.read()
            self.look(0.05)

    def press(self, key: str) -> None:
        os.write(self.master, self._code(key, 1) if self._reports else key.encode())

    def press_ctrl_c(self) -> None:
        os.write(self.master, b"\x1b[99;5:1u")

    def hold(self, key: str, duration_s: float) -> None:
        """Holds a key, and lets it go."""
        self.press(key)
        start_s = time.monotonic()
        next_s = DELAY_S
        while (now_s := time.monotonic() - start_s) < duration_s:
            if now_s >= next_s:
                os.write(self.master, self._code(key, 2) if self._reports else key.encode())
                next_s += PERIOD_S
            self.look(min(next_s - now_s, 0.01) if next_s > now_s else 0.0)
        if self._reports:
            os.write(self.master, self._code(key, 3))

    @staticmethod
    def _code(key: str, kind: int) -> bytes:
        return f"\x1b[{ord(key)};1:{kind}u".encode()

    def wait(self, timeout_s: float = 10.0) -> tuple[int, str]:
        """Exit status and standard error of the command."""
        until_s = time.monotonic() + timeout_s
        while self.process.poll() is None and time.monotonic() < until_s:
            self.look(0.05)
        assert self.process.stderr is not None
        return self.process.wait(0.1), self.process.stderr.read()

    def mode_now(self) -> Any:
        return termios.tcgetattr(self._slave)

    def __enter__(self) -> Keyboard:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stderr is not None
        self.process.stderr.close()
        os.close(self.master)
        os.close(self._slave)
