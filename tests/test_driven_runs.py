"""Robots that are driven by random commands keep their balance and limits, and their logs replay."""

from __future__ import annotations

from pathlib import Path

import pytest
from driven_runs import driven_run

pytestmark = pytest.mark.closed_loop


@pytest.mark.parametrize(("robot", "seed"), [("g1", 4), ("panda", 1)])
def test_random_commands_do_no_harm_and_replay(robot: str, seed: int, tmp_path: Path) -> None:
    run = driven_run(robot, seed, 12.0, tmp_path)
    assert run.problem == ""
    assert len(set(run.kinds)) >= 4
