from __future__ import annotations

import dataclasses
import io
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from kilohertz.rt.host.realtime import HostState, Measure
from kilohertz.rt.loop.histogram import LatencyHistogram
from kilohertz.rt.run.session import RunPlan, Session
from kilohertz.rt.show import screen
from kilohertz.sim.scenario_schema import Scenario

pytestmark = pytest.mark.closed_loop


def shown(*renderables):
    console = Console(file=io.StringIO(), width=110, highlight=False)
    for renderable in renderables:
        console.print(renderable)
    return console.file.getvalue()


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    path = tmp_path_factory.mktemp("screen") / "scenario.yaml"
    commands = [{"at_s": 0, "stand": {}}, {"at_s": 0.1, "damp": {}}]
    path.write_text(json.dumps({"name": "short", "duration_s": 0.2, "commands": commands}))
    return Session(RunPlan("panda", str(path), seed=7)).run()


def test_the_screen_shows_commands_outcome_and_figures(result):
    console = Console(file=io.StringIO(), width=110)
    screen.print_run(console, result, 1.26)
    text = console.file.getvalue()
    for part in (
        "panda · short",
        "after 1.3 s of set-up",
        "seed 7",
        "0.1 s  damp",
        "done",
        "to damping",
        "qp.solved",
        "latency",
    ):
        assert part in text


def test_a_command_without_values_is_not_truncated():
    scenario = Scenario(name="still", duration_s=1.0).in_order()
    assert shown(screen.scenario_table(scenario)).split() == ["0", "s", "stand"]


def test_figures_are_shown_with_their_names_in_the_json(result):
    text = shown(screen.figures_table(result.summary))
    figures = result.summary["torque"]["peak_fraction"]
    line = next(line for line in text.splitlines() if "torque.peak_fraction" in line)
    assert f"{figures:.3g}" in line


def test_of_many_events_the_last_are_shown_and_the_others_counted(result):
    events = [{"t_s": 0.1 * k, "kind": "gains", "text": f"number {k};"} for k in range(15)]
    text = shown(screen.verdict(dataclasses.replace(result, events=events)))
    assert "3 earlier events are left out here: all are in --json" in text
    assert "number 2;" not in text
    assert "number 3;" in text
    assert "left out" not in shown(screen.verdict(dataclasses.replace(result, events=events[:12])))


def gains_set(generation, **fields):
    torque = {"effort": 0.123, "chatter_Nm": 0.5, "torque_margin": 0.04, "without_solution": 0.0}
    usual = {"verdict": {"state": "accepted"}, "tracking": {"com_rms_m": 0.0072}, "torque": torque}
    return {"generation": generation, "in_force_s": 2.5} | usual | fields


def test_each_set_of_gains_is_shown_with_its_figures():
    sets = [gains_set(0, verdict=None), gains_set(1, tracking={"com_rms_m": None})]
    first, second = shown(screen.gains_table({"gains_sets": sets})).splitlines()[1:]
    assert " ".join(first.split()) == "0 at the start 2.50 s 7.2 mm 12.3 % 0.5 Nm/ms 4 %"
    assert " ".join(second.split()) == "1 accepted 2.50 s - 12.3 % 0.5 Nm/ms 4 %"
    lines = shown(screen.gains_table({"gains_sets": [gains_set(k) for k in range(20)]})).splitlines()
    assert lines[1].split() == ["...", "8", "more", "in", "--json"]
    assert lines[2].split()[0] == "8"


def test_figures_that_a_run_did_not_produce_are_not_shown(result):
    text = shown(screen.figures_table(result.summary))
    assert "com_rms_m" not in text
    assert "None" not in text


def test_every_figure_of_the_summary_has_a_label(result):
    """But for those of each joint, which would be 29 lines of G1."""
    for section in ("tracking", "estimation", "qp", "torque", "energy", "payload"):
        for name in result.summary[section]:
            assert (name in screen._LABELS) == (not name.endswith("_by_joint"))


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=30))
@settings(max_examples=30, deadline=None)
def test_the_bars_count_every_tick(durations_ns):
    histogram = LatencyHistogram()
    for duration_ns in durations_ns:
        histogram.record(duration_ns)
    lines = [line for line in shown(screen.tick_bars(histogram)).splitlines() if "█" in line]
    counts = [int(line.split("█")[0].split()[-1].replace(",", "")) for line in lines]
    assert sum(counts) == len(durations_ns)


def test_without_ticks_there_are_no_bars():
    assert "█" not in shown(screen.tick_bars(LatencyHistogram()))


def test_a_stage_that_was_not_measured_is_left_out():
    measured = {"p50": 1.0, "p90": 2.0, "p99": 3.0, "p99.9": 4.0, "max": 5.0}
    text = shown(screen.latency_table({"tick": measured, "wake": dict.fromkeys(measured)}))
    assert "tick" in text
    assert "wake" not in text


def test_a_refused_request_is_shown_with_its_remedy():
    refused = Measure("FIFO priority 80", False, "Operation not permitted", "ask for it")
    text = shown(screen.host_lines(HostState(1, (Measure("locked memory", True, "granted"), refused)), 2))
    assert "2 deadline misses on core 1" in text
    assert "not granted: FIFO priority 80 (Operation not permitted); ask for it" in text
    assert "locked memory" not in text
