"""The states follow each other as the table says, and in no other way."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilohertz.controller.supervision.supervisor import (
    ACTIVE,
    ARM,
    ARMED,
    CONTROLLING,
    DAMPING,
    EVENTS,
    FAIL,
    IDLE,
    REST,
    SOFT_STOP,
    STATES,
    STOP,
    TICK,
    TRANSITIONS,
    Supervisor,
)


def after(*events):
    supervisor = Supervisor()
    for event in events:
        supervisor.handle(event, "why")
    return supervisor


def test_a_run_goes_from_idle_over_a_soft_stop_back_to_idle():
    states = [after(*(ARM, TICK, STOP, REST)[:n]).state for n in range(5)]
    assert states == [IDLE, ARMED, ACTIVE, SOFT_STOP, IDLE]


@pytest.mark.parametrize("before", [(), (ARM,), (ARM, TICK), (ARM, TICK, STOP)])
def test_failure_is_damping_from_every_state_and_has_a_reason(before):
    supervisor = after(*before, FAIL)
    assert (supervisor.state, supervisor.reason) == (DAMPING, "why")
    assert not supervisor.controls


@given(st.lists(st.sampled_from([event for event in EVENTS if event != ARM])))
def test_damping_is_latched_until_the_robot_is_armed_again(events):
    supervisor = after(ARM, TICK, FAIL, *events)
    assert (supervisor.state, supervisor.reason) == (DAMPING, "why")
    assert supervisor.handle(ARM)
    assert (supervisor.state, supervisor.reason) == (ARMED, "")


def test_the_table_knows_only_states_and_events_and_reaches_every_state():
    for (state, event), following in TRANSITIONS.items():
        assert state in STATES
        assert event in EVENTS
        assert following in STATES
    assert set(TRANSITIONS.values()) == set(STATES)


def test_what_is_not_in_the_table_changes_nothing():
    for state, event in itertools.product(STATES, EVENTS):
        supervisor = Supervisor()
        supervisor.state = state
        assert supervisor.handle(event) == ((state, event) in TRANSITIONS)
        assert supervisor.state == TRANSITIONS.get((state, event), state)


def test_the_controller_commands_the_joints_only_while_it_moves_the_robot():
    assert CONTROLLING == (ACTIVE, SOFT_STOP)
    assert [after(*(ARM, TICK, STOP, REST)[:n]).controls for n in range(5)] == [
        False,
        False,
        True,
        True,
        False,
    ]
