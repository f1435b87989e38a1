from __future__ import annotations

import sys

import pytest
from bodies import robot

from kilohertz.rt.bench.bytecodes import (
    HAND,
    STANDING,
    WALKING,
    BytecodeCounter,
    bytecodes_line,
    bytecodes_per_step,
    motions,
)

# Bytecodes per step on the G1, by Python version; at most 3 % more are allowed.
GATES = {
    (3, 11): {
        ("sway", "osqp"): 865,
        ("sway", "exact"): 701,
        ("walk-on", "osqp"): 822,
        ("walk-on", "exact"): 658,
    }
}
MARGIN = 0.03


def empty():
    return None


def calls_empty():
    empty()


@pytest.mark.closed_loop
@pytest.mark.skipif(sys.version_info[:2] not in GATES, reason="no gate for this Python version")
@pytest.mark.parametrize(("scenario", "solver"), GATES[3, 11])
def test_a_step_interprets_no_more_bytecodes_than_the_gate(scenario, solver):
    gate = GATES[sys.version_info[:2]][scenario, solver]
    assert bytecodes_per_step("g1", scenario, solver) <= gate * (1.0 + MARGIN)


@pytest.mark.closed_loop
def test_the_count_of_a_run_is_reproducible():
    assert len({bytecodes_per_step("panda", "default-arm", "exact", ticks=50) for _ in range(2)}) == 1


def test_bytecodes_of_called_functions_are_counted_and_those_of_others_are_not():
    own, with_callee = BytecodeCounter(empty.__code__), BytecodeCounter(calls_empty.__code__)
    for counter in (own, with_callee):
        counter.start()
        calls_empty()
        counter.stop()
        calls_empty()
    (inner,), (outer,) = own.counts, with_callee.counts
    assert inner >= 2
    assert outer > inner + 2


def test_the_trace_function_of_a_debugger_is_restored():
    before = sys.gettrace()

    def trace(frame, event, arg):
        return None

    sys.settrace(trace)
    try:
        counter = BytecodeCounter(empty.__code__)
        counter.start()
        counter.stop()
        assert sys.gettrace() is trace
    finally:
        sys.settrace(before)


def test_motions_are_those_that_a_robot_is_capable_of():
    assert list(motions(robot("g1"))) == [STANDING, WALKING]
    assert list(motions(robot("bolt"))) == [WALKING]
    assert list(motions(robot("panda"))) == [HAND]


def test_the_line_names_solver_and_motion():
    assert bytecodes_line({"osqp": {"standing": 3}}) == "bytecodes per step: 3 standing with osqp"


@pytest.mark.closed_loop
def test_a_run_that_ends_early_is_an_error(tmp_path):
    path = tmp_path / "fall.yaml"
    path.write_text(
        "name: fall\nduration_s: 9\nevents:\n"
        "  - {at_s: 0.05, push: {link: trunk, impulse_Ns: [0, 200, 0], duration_s: 0.1}}\n"
    )
    with pytest.raises(RuntimeError, match="ended before"):
        bytecodes_per_step("g1", str(path), "exact")
