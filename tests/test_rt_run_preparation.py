"""What a plan names is read, checked and fitted together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from bodies import robot

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.run.plan import RunPlan
from kilohertz.rt.run.preparation import load_gains_of, prepare


def test_the_plan_replaces_duration_and_solver() -> None:
    ready = prepare(RunPlan("panda", "stand", duration_s=0.5, solver="exact"))
    assert (ready.scenario.duration_s, ready.gains.solver) == (0.5, "exact")
    assert ready.gains_file is None


def test_without_a_scenario_the_robot_runs_its_default() -> None:
    assert prepare(RunPlan("panda")).scenario.name == "default-arm"


def test_the_schedule_begins_at_the_first_tick() -> None:
    content = {"name": "late", "duration_s": 1.0, "commands": [{"at_s": 0.25, "damp": {}}]}
    assert [tick for tick, _ in prepare(RunPlan("panda", content)).schedule] == [0, 250]


def test_a_gains_file_is_remembered(tmp_path: Path) -> None:
    path = tmp_path / "gains.yaml"
    path.write_text("posture: {kp_per_s2: 60.0}\n")
    gains, file = load_gains_of(robot("panda"), path, None)
    assert (gains.posture.kp_per_s2, file) == (60.0, path)


def test_values_have_no_file_to_watch() -> None:
    values: dict[str, Any] = {"posture": {"kp_per_s2": 60.0}}
    gains, file = load_gains_of(robot("panda"), values, None)
    assert (gains.posture.kp_per_s2, file) == (60.0, None)
    with pytest.raises(ConfigError, match="cannot be watched: name their file"):
        load_gains_of(robot("panda"), values, None, watch=True)
