"""The process that runs tasks ends with the one that gives them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.host


def test_it_answers_in_order_and_ends_when_the_pipe_is_closed() -> None:
    tasks, give = os.pipe()
    take, answers = os.pipe()
    process = subprocess.Popen(
        [sys.executable, "-m", "kilohertz.rt.study.child", str(tasks), str(answers)],
        pass_fds=(tasks, answers),
    )
    os.close(tasks)
    os.close(answers)
    with os.fdopen(take) as file:
        for value in (3, 4):
            line = json.dumps({"function": "math:sqrt", "argument": value * value})
            os.write(give, line.encode() + b"\n")
            assert json.loads(file.readline()) == value
        os.close(give)
        assert process.wait(60.0) == 0
