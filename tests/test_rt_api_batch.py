"""`simulate`: a whole run in one call, its arguments checked when they are given."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kilohertz as khz
from kilohertz.rt.run.session import RunPlan, Session

pytestmark = pytest.mark.closed_loop

SHORT = {"duration_s": 0.1, "commands": [{"at_s": 0, "stand": {}}]}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"robot": "g2"}, r"no robot 'g2' \(did you mean 'g1'\?\)"),
        ({"robot": 3}, "robot should be a robot's name or the path of its folder, not 3"),
        ({"scenario": "wlak"}, r"scenario 'wlak' .*\(did you mean 'walk'\?\)"),
        ({"scenario": "nowhere/walk.yaml"}, "nowhere/walk.yaml: does not exist"),
        ({"scenario": 3}, "scenario should be a scenario's name"),
        ({"scenario": SHORT | {"grund": {}}}, r"grund: is not a known key \(did you mean 'ground'\?\)"),
        ({"scenario": SHORT | {"duration_s": "a"}}, "duration_s: should be a number, not 'a'"),
        ({"seed": -1}, "seed should be a whole number of at least 0, not -1"),
        ({"seed": 1.5}, "seed should be a whole number of at least 0, not 1.5"),
        ({"duration_s": 0.0}, "duration_s should be a number above 0"),
        ({"duration_s": float("nan")}, "duration_s should be a number above 0"),
        ({"duration_s": "long"}, "duration_s should be a number above 0"),
        ({"solver": "osqb"}, r"solver should be osqp or exact, not 'osqb' \(did you mean 'osqp'\?\)"),
        ({"gains": "nowhere.yaml"}, "nowhere.yaml: does not exist"),
        ({"gains": 3}, "gains should be the path of a gains file, or a dict of values, not 3"),
        ({"gains": {"com": {"wieght": 1.0}}}, r"com.wieght: is not a known key \(did you mean 'weight'\?\)"),
        ({"gains": {"com": {"weight": -1.0}}}, "com.weight: should be greater than 0, not -1"),
        ({"log": 3}, "log should be the path of a folder, not 3"),
    ],
)
def test_an_argument_that_cannot_be_used_is_refused_in_a_sentence(
    arguments: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(khz.Refused, match=sentence):
        khz.simulate(**{"robot": "panda", "scenario": SHORT, **arguments})


def test_what_the_robot_cannot_do_is_refused_with_its_key() -> None:
    scenario = {"duration_s": 1.0, "commands": [{"at_s": 0, "squat": {"depth_m": 0.1, "period_s": 2.0}}]}
    with pytest.raises(ValueError, match=r"^commands\[0\]\.squat: 'panda' is fixed to the ground"):
        khz.simulate("panda", scenario)


@pytest.mark.long
def test_it_is_the_run_of_the_command_bit_for_bit(tmp_path: Path) -> None:
    run = khz.simulate("g1", "stand", seed=3, duration_s=0.1)
    session = Session(RunPlan("g1", "stand", 0.1, 3)).run()
    assert run.history["tau_ff"].tobytes() == session.trace.kept("tau").tobytes()
    assert run.history["q_true"].tobytes() == session.trace.kept("q_true").tobytes()
    for section in ("qp", "estimation", "tracking", "torque", "provenance"):
        assert run.summary[section] == session.summary[section]


@pytest.mark.long
def test_a_file_and_its_content_give_the_same_run(tmp_path: Path) -> None:
    content = {"name": "short", "duration_s": 0.1, "sensors": {"noise": "none"}}
    path = tmp_path / "short.yaml"
    path.write_text(json.dumps(content))
    runs = [khz.simulate("panda", source) for source in (content, path, str(path))]
    for run in runs[1:]:
        assert run.history["tau_ff"].tobytes() == runs[0].history["tau_ff"].tobytes()
        assert run.summary["scenario"] == "short"


def test_a_scenario_without_name_or_duration_takes_them_from_the_call() -> None:
    run = khz.simulate("panda", {"commands": [{"at_s": 0, "stand": {}}]}, duration_s=0.05)
    assert (run.summary["scenario"], run.summary["ticks"]) == ("unnamed", 50)


def test_a_loaded_robot_and_numpy_numbers_are_taken() -> None:
    robot = khz.load_robot("panda")
    reach = {"at_s": 0, "reach": {"offset_m": np.array([0.0, 0.05, 0.0])}}
    run = khz.simulate(robot, {"duration_s": 0.05, "commands": [reach]}, seed=np.int64(2))
    assert run.robot.name == "panda"
    assert run.exit_code == 0


@pytest.mark.long
def test_gains_from_a_dict_replace_some_of_the_robots_own(tmp_path: Path) -> None:
    path = tmp_path / "gains.yaml"
    path.write_text("posture: {kp_per_s2: 60.0}\n")
    own, file, values = (
        khz.simulate("panda", SHORT, gains=gains).summary["provenance"]["config_sha256"]
        for gains in (None, path, {"posture": {"kp_per_s2": 60.0}})
    )
    assert own != file == values


def test_the_solver_is_the_one_asked_for() -> None:
    assert khz.simulate("panda", SHORT, solver="exact").summary["qp"]["solver"] == "exact"


def test_it_runs_in_a_thread_beside_the_main_one() -> None:
    runs: list[khz.RunResult] = []
    thread = threading.Thread(target=lambda: runs.append(khz.simulate("panda", SHORT)))
    thread.start()
    thread.join()
    assert runs[0].exit_code == 0
