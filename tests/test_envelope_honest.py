"""The shipped controller never leaves the robot's envelope, not even in a fall, and is hardly clipped."""

from __future__ import annotations

import pytest

import kilohertz as khz

pytestmark = pytest.mark.closed_loop

# The first command after the drives held the robot by themselves may find the torque of a noisy damper.
FIRST_PERIODS = 1


@pytest.mark.long
@pytest.mark.parametrize(
    ("robot", "scenario", "seconds", "clipped"),
    [
        ("g1", "stand", 3.0, 0),
        ("g1", "walk", 5.0, 0),
        ("g1", "squat", 4.0, 0),
        ("panda", None, 6.0, FIRST_PERIODS),
        ("ur5", None, 6.0, FIRST_PERIODS),
        ("g1", "fall", 4.0, 1000),
    ],
)
def test_an_honest_controller_keeps_to_the_envelope(robot, scenario, seconds, clipped):
    with khz.Simulation(robot, scenario=scenario) as sim:
        while sim.t_s < seconds:
            state = sim.step()
        envelope = sim._simulated.drives.envelope
    assert envelope.reason == ""
    assert envelope.clipped <= clipped
    assert bool(state.fell) == (scenario == "fall")
