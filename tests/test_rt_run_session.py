from __future__ import annotations

import io
import json

import numpy as np
import pytest
from rich.console import Console

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.run.brain_setup import WARM_UP_STEPS
from kilohertz.rt.run.session import RunPlan, Session
from kilohertz.rt.show.screen import print_run

pytestmark = pytest.mark.closed_loop

# The keys of the summary that others rely on.
CONTRACT = {
    "": [
        "robot", "scenario", "seed", "duration_s", "ticks", "fell", "fell_at_s", "exit_state",
        "measured_against", "notes", "overruns", "latency_us", "qp", "estimation", "tracking", "torque",
        "energy", "payload", "hand_wrench", "events", "provenance", "gains_sets",
    ],
    "latency_us": ["tick", "read", "estimate", "kinematics", "assemble", "solve", "guard", "write", "wake"],
    "qp": [
        "solver", "solved", "softened", "fallback", "iterations_p99", "worst_dynamics_residual_Nm",
        "worst_cone_violation_N",
    ],
    "estimation": ["velocity_rms_m_s", "tilt_rms_deg", "position_drift_m"],
    "tracking": [
        "com_rms_m", "hand_rms_m", "hand_max_m", "relative_rms_m", "relative_max_m", "relative_rms_deg",
        "relative_max_deg", "mean_velocity_m_s", "yaw_rate_rad_s",
    ],
    "torque": ["peak_fraction", "saturated_joints", "peak_fraction_by_joint"],
    "energy": ["mechanical_J", "electrical_J", "cost_of_transport"],
    "payload": ["mass_kg", "p_BP_m"],
    "provenance": ["config_sha256", "model_sha256", "version", "kernel"],
}  # fmt: skip


@pytest.fixture
def scenario_file(tmp_path):
    def write(**fields):
        path = tmp_path / "scenario.yaml"
        content = {"name": "short", "duration_s": 0.2, "commands": [{"at_s": 0, "stand": {}}], **fields}
        # JSON is YAML.
        path.write_text(json.dumps(content))
        return str(path)

    return write


def run(robot, scenario, **plan):
    return Session(RunPlan(robot, scenario, **plan)).run()


@pytest.mark.parametrize("robot", ["g1", "panda"])
def test_the_summary_has_exactly_the_keys_of_the_contract(robot, scenario_file):
    summary = run(robot, scenario_file()).summary
    for section, keys in CONTRACT.items():
        assert list(summary[section] if section else summary) == keys
    for stage in CONTRACT["latency_us"]:
        assert list(summary["latency_us"][stage]) == ["p50", "p90", "p99", "p99.9", "max"]
    json.dumps(summary, allow_nan=False)


def test_every_tick_is_counted_timed_and_kept(scenario_file):
    result = run("g1", scenario_file())
    assert result.exit_code == 0
    assert result.summary["ticks"] == result.trace.rows == result.loop.latency["tick"].total == 200
    assert result.summary["duration_s"] == 0.2
    assert result.summary["qp"]["solved"] == 200
    np.testing.assert_allclose(result.trace.kept("t_s"), np.arange(200) * 1e-3, atol=1e-9)


def test_the_same_seed_gives_the_same_bits(scenario_file):
    first, second = (run("g1", scenario_file(), seed=3) for _ in range(2))
    for column in ("q_true", "v_true", "q_est", "tau", "w_F"):
        assert first.trace.kept(column).tobytes() == second.trace.kept(column).tobytes()
    assert first.summary["estimation"] == second.summary["estimation"]
    assert first.summary["provenance"] == second.summary["provenance"]


def test_another_seed_gives_another_noise(scenario_file):
    first, second = (run("g1", scenario_file(), seed=seed) for seed in (0, 1))
    assert not np.array_equal(first.trace.kept("q_est"), second.trace.kept("q_est"))


def test_the_history_shows_the_world_that_the_tick_measured(scenario_file):
    trace = run("panda", scenario_file(sensors={"noise": "none", "delay_ms": 0}, estimator="truth")).trace
    np.testing.assert_array_equal(trace.kept("q_est"), trace.kept("q_true"))
    np.testing.assert_array_equal(trace.kept("v_est"), trace.kept("v_true"))


def test_warming_up_moves_nothing(scenario_file):
    session = Session(RunPlan("g1", scenario_file()))
    assert session.link.truth.t_s == 0.0
    assert session.trace.ticks == 0


def test_a_robot_that_is_thrown_over_has_fallen_and_the_run_is_over(scenario_file):
    push = {"at_s": 0.05, "push": {"link": "trunk", "impulse_Ns": [0, 200, 0], "duration_s": 0.1}}
    result = run("g1", scenario_file(duration_s=5, events=[push]))
    summary = result.summary
    assert result.exit_code == 1
    assert summary["fell"] is True
    assert summary["fell_at_s"] < 5.0
    assert summary["ticks"] < 5000
    assert {"push", "fell"} <= {event["kind"] for event in summary["events"]}
    times = [event["t_s"] for event in summary["events"]]
    assert times == sorted(times)


def test_damping_that_was_asked_for_is_no_safety_stop(scenario_file):
    commands = [{"at_s": 0, "stand": {}}, {"at_s": 0.1, "damp": {}}]
    result = run("panda", scenario_file(commands=commands))
    assert result.summary["exit_state"] == "damping"
    assert result.exit_code == 0


def test_why_the_controller_let_go_is_told(scenario_file):
    commands = [{"at_s": 0, "stand": {}}, {"at_s": 0.1, "damp": {}}]
    result = run("panda", scenario_file(commands=commands))
    assert any("to damping: " in event["text"] for event in result.events)


def test_what_a_robot_cannot_do_is_refused_at_the_line_of_the_command(scenario_file):
    commands = [{"at_s": 0, "stand": {}}, {"at_s": 0.1, "squat": {"depth_m": 0.1, "period_s": 2}}]
    with pytest.raises(ConfigError, match=r"yaml:\d+:\d+: commands\[1\]\.squat: 'panda' is fixed"):
        Session(RunPlan("panda", scenario_file(commands=commands)))


def test_what_a_hand_cannot_do_is_refused_at_the_line_of_the_hand(scenario_file):
    walk = {"velocity_m_s": [0.3, 0.0], "hands": {"left_hand": {"p_BH_m": [0.9, 0.2, 0.2]}}}
    commands = [{"at_s": 0, "stand": {}}, {"at_s": 0.1, "walk": walk}]
    with pytest.raises(
        ConfigError, match=r"yaml:\d+:\d+: commands\[1\]\.walk\.hands\.left_hand\.p_BH_m: left_hand"
    ):
        Session(RunPlan("g1", scenario_file(commands=commands)))


def test_a_duration_replaces_that_of_the_scenario(scenario_file):
    assert run("panda", scenario_file(), duration_s=0.05).summary["ticks"] == 50


def test_the_gains_are_part_of_the_provenance(scenario_file, tmp_path):
    gains = tmp_path / "gains.yaml"
    gains.write_text("posture: {kp_per_s2: 60.0}\n")
    scenario = scenario_file()
    own, changed = run("panda", scenario), run("panda", scenario, gains=gains)
    assert own.summary["provenance"]["config_sha256"] != changed.summary["provenance"]["config_sha256"]
    assert own.summary["provenance"]["model_sha256"] == changed.summary["provenance"]["model_sha256"]


@pytest.mark.long
def test_in_real_time_each_tick_has_a_wake_up(scenario_file):
    result = run("panda", scenario_file(), realtime=True)
    assert result.loop.latency["wake"].total == 200
    assert result.summary["latency_us"]["wake"]["p50"] is not None
    assert result.summary["overruns"] == result.loop.overruns


def test_progress_is_told_in_simulated_time(scenario_file):
    told = []
    Session(RunPlan("panda", scenario_file(duration_s=0.6))).run(told.append)
    assert told == [0.0, 0.25, 0.5]


@pytest.mark.parametrize("good_ticks", [0, 50])
def test_a_fault_inside_the_tick_ends_the_run_and_still_gives_its_figures(scenario_file, good_ticks):
    session = Session(RunPlan("panda", scenario_file()))
    step, calls = session.brain.step, iter(range(WARM_UP_STEPS + good_ticks))

    def failing_step(*arguments):
        next(calls)
        return step(*arguments)

    session.brain.step = failing_step
    result = session.run()
    assert result.exit_code == 5
    assert result.summary["exit_state"] == "fault"
    assert result.summary["ticks"] == good_ticks
    assert "the tick failed" in result.events[-1]["text"]
    json.dumps(result.summary, allow_nan=False)
    print_run(Console(file=io.StringIO()), result)
