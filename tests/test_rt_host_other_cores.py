from __future__ import annotations

import os
import subprocess
import sys

import pytest

from kilohertz.rt.host.other_cores import NO_CORE

PROGRAM = (
    "import os, sys; from kilohertz.rt.host.other_cores import leave_core;"
    "leave_core(int(sys.argv[1])); print(*sorted(os.sched_getaffinity(0)), os.sched_getscheduler(0))"
)


@pytest.mark.host
@pytest.mark.parametrize("core", ["last", NO_CORE])
def test_a_process_leaves_the_loops_core_if_there_is_another(core):
    cores = os.sched_getaffinity(0)
    left = max(cores) if core == "last" else core
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(left)], capture_output=True, text=True, check=True
    )
    expected = sorted(cores - {left} or cores)
    assert done.stdout.split() == [*map(str, expected), str(os.SCHED_OTHER)]
