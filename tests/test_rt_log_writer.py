"""The writer of logs: it locks its file, and needs few modules, so that the recorder starts at once."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from toy_log import SCHEMA, toy_header, toy_rows

from kilohertz.rt.log.folder import being_written
from kilohertz.rt.log.writer import CHUNK_ROWS, LogWriter


def test_a_log_is_locked_while_it_is_written(tmp_path):
    path = tmp_path / "toy.mcap"
    writer = LogWriter(path, toy_header(), SCHEMA)
    assert being_written(path)
    rows = toy_rows(CHUNK_ROWS)
    writer.add(np.arange(len(rows)), rows[:, 0], rows)
    assert writer.size == path.stat().st_size
    writer.close(None)
    assert not being_written(path)


@pytest.mark.host
def test_the_recorder_imports_no_controller():
    code = (
        "import sys, kilohertz.rt.log.recorder, kilohertz.rt.log.sinks; "
        "print([name for name in ('numba', 'pinocchio', 'mujoco', 'scipy') if name in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"
