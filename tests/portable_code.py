"""Machine code for any x86-64 processor, beside that for this one: an emulated computer runs it too."""

from __future__ import annotations

import os
import subprocess
import sys

from kilohertz.robots.compile.cached_entry import cache_folder

ROBOT = "ur5"
PORTABLE = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "KILOHERTZ_CACHE": str(cache_folder())}
RUN = "from kilohertz.rt.cli.main import main; main()"


def compile_portable() -> subprocess.CompletedProcess[str]:
    """Compiles what a run of `ROBOT` needs, unless it is in the cache; it takes some minutes."""
    words = [sys.executable, "-c", RUN, "sim", ROBOT, "--realtime", "--duration", "0.01", "--no-log"]
    return subprocess.run(words, env=os.environ | PORTABLE, capture_output=True, text=True, check=False)
