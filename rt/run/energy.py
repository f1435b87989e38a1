"""Energy figures of a run: mechanical work, electrical energy and cost of transport."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.loop.trace import Trace
from kilohertz.rt.run.summary import active, heading_velocity
from kilohertz.sim.scenario_schema import Scenario

SETTLING_S = 2.0
"""Time after a command to walk in which the gait settles; it does not count for the cost of transport."""
SHORTEST_M = 0.5
"""A shorter distance has no cost of transport: it would be that of stepping on the spot."""


def energy_figures(trace: Trace, robot: RobotModel, scenario: Scenario) -> dict[str, float | None]:
    """Returns the work of the motors in the whole run, and the cost of transport of its walking.

    The cost of transport is the electrical energy over weight and distance, m g d, of all ticks from 2 s
    after a command to walk until the next command. Figures that are not known are None: without measured
    torques all of them, without motor constants the electrical ones, without walking the cost of transport.

    Args:
        trace: history of the run.
        robot: model of the robot.
        scenario: scenario of the run.
    """
    return {
        "mechanical_J": _known(trace.energy.mechanical_J) if trace.ticks else None,
        "electrical_J": _known(trace.energy.electrical_J) if trace.ticks else None,
        "cost_of_transport": _cost_of_transport(trace, robot, scenario) if robot.floating else None,
    }


def _cost_of_transport(trace: Trace, robot: RobotModel, scenario: Scenario) -> float | None:
    t_s, electrical_J = trace.kept("t_s"), trace.kept("electrical_J")
    driven = active(trace)
    energy_J = distance_m = 0.0
    for start_s, end_s in _walks(scenario):
        counted: NDArray[np.intp] = np.flatnonzero((t_s >= start_s) & (t_s < end_s) & driven)
        if len(counted) < 2:
            continue
        energy_J += float(electrical_J[counted[-1]] - electrical_J[counted[0]])
        velocity = heading_velocity(trace, counted)
        # The mean over heading axes: swaying from foot to foot covers no distance, a curve does.
        distance_m += float(np.hypot(*velocity.mean(axis=0)) * (t_s[counted[-1]] - t_s[counted[0]]))
    if distance_m < SHORTEST_M:
        return None
    return _known(energy_J / (robot.mass_kg * GRAVITY_M_S2 * distance_m))


def _walks(scenario: Scenario) -> list[tuple[float, float]]:
    """Returns start and end of each walk, without the time in which its gait settles [s]."""
    starts_s = [command.at_s for command in scenario.commands] + [math.inf]
    pairs = zip(scenario.commands, itertools.pairwise(starts_s), strict=True)
    return [(start + SETTLING_S, end) for command, (start, end) in pairs if command.kind == "walk"]


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None
