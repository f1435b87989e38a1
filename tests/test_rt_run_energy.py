from __future__ import annotations

import numpy as np
import pytest
from test_rt_run_summary import scenario, yaw
from toy_run import toy_robot, toy_tick

from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.rt.loop.trace import Trace
from kilohertz.rt.run.energy import energy_figures
from kilohertz.sim.scenario_schema import Command

WALK = (
    Command.model_validate({"at_s": 0, "stand": {}}),
    Command.model_validate({"at_s": 1, "walk": {"velocity_m_s": [0.5, 0.0]}}),
    Command.model_validate({"at_s": 13, "stand": {}}),
)
PERIOD_S = 0.05


def walked(change=lambda t_s, output, estimator, truth: None, robot=None, speed_m_s=0.5):
    robot = robot or toy_robot()
    trace = Trace(robot, ticks=320)
    for t_s in PERIOD_S * np.arange(320):
        rows = toy_tick(t_s=t_s, tau=(4.0, -8.0))
        rows[2].v[0] = speed_m_s
        change(t_s, *rows)
        trace.record(*rows)
    return energy_figures(trace, robot, scenario(commands=WALK))


def test_cost_of_transport_is_the_power_of_walking_over_weight_and_speed():
    def change(t_s, output, estimator, truth):
        truth.v[6:] = [2.0, 1.0]

    power_W = 4.0 * 2.0 + 0.5 * 4.0**2 + 0.25 * 8.0**2
    figures = walked(change)
    assert figures["cost_of_transport"] == pytest.approx(power_W / (40.0 * GRAVITY_M_S2 * 0.5))
    assert figures["electrical_J"] == pytest.approx(power_W * 319 * PERIOD_S)
    assert figures["mechanical_J"] == pytest.approx(8.0 * 319 * PERIOD_S)


def test_swaying_covers_no_distance_and_a_curve_does():
    def sway(t_s, output, estimator, truth):
        truth.v[1] = 0.4 * np.sin(2.0 * np.pi * t_s)

    def curve(t_s, output, estimator, truth):
        truth.q[3:7] = yaw(0.5 * t_s)

    straight = walked()["cost_of_transport"]
    assert walked(sway)["cost_of_transport"] == pytest.approx(straight, rel=1e-3)
    assert walked(curve)["cost_of_transport"] == pytest.approx(straight)


def test_standing_before_and_after_the_walk_does_not_count():
    def change(t_s, output, estimator, truth):
        if not 3.0 <= t_s < 13.0:
            truth.tau[:] = 1000.0

    assert walked(change)["cost_of_transport"] == pytest.approx(walked()["cost_of_transport"])


def test_stepping_on_the_spot_has_no_cost_of_transport():
    figures = walked(speed_m_s=0.01)
    assert figures["cost_of_transport"] is None
    assert figures["electrical_J"] > 0.0


def test_without_motor_constants_there_is_only_mechanical_work():
    robot = toy_robot()
    robot.description.copper_loss_W_Nm2 = {"hip_joint": 0.5}
    figures = walked(robot=robot)
    assert figures["electrical_J"] is None
    assert figures["cost_of_transport"] is None
    assert figures["mechanical_J"] == 0.0


def test_a_robot_that_measures_no_torques_has_no_figures():
    def change(t_s, output, estimator, truth):
        truth.tau[:] = np.nan

    assert walked(change) == {"mechanical_J": None, "electrical_J": None, "cost_of_transport": None}


def test_where_the_true_state_is_not_known_the_velocities_are_those_of_the_estimate():
    def change(t_s, output, estimator, truth):
        truth.known = False
        truth.v[6:] = np.nan
        estimator.v[6:] = [2.0, 0.0]

    assert walked(change)["mechanical_J"] == pytest.approx(8.0 * 319 * PERIOD_S)


def test_a_run_without_a_tick_has_no_figures():
    figures = energy_figures(Trace(toy_robot(), ticks=1), toy_robot(), scenario(commands=WALK))
    assert figures == {"mechanical_J": None, "electrical_J": None, "cost_of_transport": None}
