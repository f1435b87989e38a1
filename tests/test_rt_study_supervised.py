"""Tasks in child processes: a crash or a hang is a result, and costs one task."""

from __future__ import annotations

import os
import time
from typing import Any

import pytest

from kilohertz.rt.study.supervised import CRASHED, HUNG, close_children, supervised

pytestmark = pytest.mark.host
HERE = __name__
PATIENCE_S = 60.0


def double(value: Any) -> Any:
    return 2 * value


def crash(value: Any) -> None:
    os.abort()


def leave(value: Any) -> None:
    print("farewell", flush=True)
    os._exit(value)


def hang(value: Any) -> None:
    time.sleep(1e6)


def test_a_task_is_answered_a_crash_told_and_the_next_task_answered() -> None:
    try:
        assert supervised(f"{HERE}:double", 21, PATIENCE_S) == ("", 42)
        status, log = supervised(f"{HERE}:crash", None, PATIENCE_S)
        assert status == CRASHED
        assert "SIGABRT" in log
        status, log = supervised(f"{HERE}:leave", 3, PATIENCE_S)
        assert (status, "status 3" in log, "farewell" in log) == (CRASHED, True, True)
        assert supervised(f"{HERE}:double", 2, PATIENCE_S) == ("", 4)
    finally:
        close_children()


def test_a_task_that_hangs_is_ended_and_its_log_says_where() -> None:
    try:
        assert supervised(f"{HERE}:double", 1, PATIENCE_S)[0] == ""
        status, log = supervised(f"{HERE}:hang", None, 0.5)
        assert status == HUNG
        assert "no answer within 0.5 s" in log
        assert "hang" in log
    finally:
        close_children()
