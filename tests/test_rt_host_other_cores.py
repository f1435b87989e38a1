"""A process beside the loop leaves the loop's core."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kilohertz.rt.host.other_cores import NO_CORE

pytestmark = [pytest.mark.host, pytest.mark.quiet]

PROGRAM = (
    "import os, sys; from kilohertz.rt.host.other_cores import leave_core;"
    "leave_core(int(sys.argv[1])); print(os.sched_getscheduler(0), *sorted(os.sched_getaffinity(0)))"
)


def after_leaving(core: int) -> list[int]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(core)], capture_output=True, text=True, check=True
    )
    return [int(word) for word in done.stdout.split()]


def test_the_core_of_the_loop_is_left_if_there_is_another_one() -> None:
    cores = os.sched_getaffinity(0)
    loops = min(cores)
    assert after_leaving(loops) == [os.SCHED_OTHER, *sorted(cores - {loops} or cores)]
    assert after_leaving(NO_CORE) == [os.SCHED_OTHER, *sorted(cores)]
