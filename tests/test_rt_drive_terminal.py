"""Keys are read from a pseudo-terminal one by one, and the terminal gets its mode back."""

from __future__ import annotations

import os
import pty
import select
import termios
from collections.abc import Iterator

import pytest

from kilohertz.rt.drive.held_keys import ASK_S
from kilohertz.rt.drive.key_decoder import ALIVE, PRESS, RELEASE, REPORTS_RELEASES, KeyEvent
from kilohertz.rt.drive.terminal import Terminal

pytestmark = pytest.mark.host


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    master, slave = pty.openpty()
    yield master, slave
    for fd in (master, slave):
        try:
            os.close(fd)
        except OSError:
            continue


def shown(master: int) -> bytes:
    return os.read(master, 4096) if select.select([master], [], [], 5.0)[0] else b""


def test_keys_are_read_at_once_and_not_echoed(ends: tuple[int, int]) -> None:
    master, slave = ends
    before = termios.tcgetattr(slave)
    with Terminal(slave, slave) as terminal:
        assert b"\x1b[?u" in shown(master)
        assert terminal.events(0.0) == []
        os.write(master, b"w")
        assert terminal.events(0.0, wait_s=5.0) == [KeyEvent(PRESS, "w")]
        os.write(master, b"\x1a")
        assert terminal.events(0.0, wait_s=5.0) == []
        assert not select.select([master], [], [], 0.0)[0]
    assert termios.tcgetattr(slave) == before
    end = shown(master)
    assert b"\x1b[?1004l" in end
    assert b"\x1b[<u" not in end


def test_a_terminal_that_can_is_asked_to_report_releases_and_whether_it_is_alive(
    ends: tuple[int, int],
) -> None:
    master, slave = ends
    with Terminal(slave, slave) as terminal:
        shown(master)
        os.write(master, b"\x1b[?0u")
        assert terminal.events(0.0, wait_s=5.0) == [KeyEvent(REPORTS_RELEASES)]
        assert shown(master) == b"\x1b[>11u"
        os.write(master, b"\x1b[119;1:3u")
        assert terminal.events(1.0, wait_s=5.0) == [KeyEvent(RELEASE, "w")]
        assert shown(master) == b"\x1b[5n"
        os.write(master, b"\x1b[0n")
        assert terminal.events(1.0 + 0.5 * ASK_S, wait_s=5.0) == [KeyEvent(ALIVE)]
        assert not select.select([master], [], [], 0.0)[0]
        terminal.events(1.0 + ASK_S)
        assert shown(master) == b"\x1b[5n"
    assert b"\x1b[<u" in shown(master)


def test_a_terminal_that_was_closed_is_the_end(ends: tuple[int, int]) -> None:
    master, slave = ends
    with Terminal(slave, slave) as terminal:
        os.close(master)
        with pytest.raises(EOFError):
            terminal.events(0.0, wait_s=5.0)
