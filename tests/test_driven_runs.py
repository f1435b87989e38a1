"""Robots that are driven by random commands keep their balance and limits, and their logs replay."""

from __future__ import annotations

from pathlib import Path

import pytest
from driven_runs import driven_run

pytestmark = pytest.mark.closed_loop


@pytest.mark.long
# An arm whose wrist turns over is driven faster than its speed limits now and then.
@pytest.mark.parametrize(("robot", "seed", "fastest"), [("g1", 4, 1.05), ("panda", 3, 1.4)])
def test_random_commands_do_no_harm_and_replay(robot: str, seed: int, fastest: float, tmp_path: Path) -> None:
    run = driven_run(robot, seed, 12.0, tmp_path)
    assert run.problem == ""
    assert run.fastest < fastest
    assert len(set(run.kinds)) >= 4
