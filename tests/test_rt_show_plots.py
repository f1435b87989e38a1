from __future__ import annotations

import math

import numpy as np
import pytest
from PIL import Image
from toy_run import toy_robot, toy_tick

from kilohertz.rt.loop.histogram import LatencyHistogram
from kilohertz.rt.loop.trace import ESTIMATE, Trace
from kilohertz.rt.show import plots
from kilohertz.sim.scenario_schema import Event, Push, Scenario

SCENARIO = Scenario(
    name="toy", duration_s=1.0, events=(Event(at_s=0.01, push=Push(link="torso", impulse_Ns=(0, 8, 0))),)
)


def toy_trace(robot, rows=40, hand=False):
    trace = Trace(robot, ticks=max(rows, 1))
    for row in range(rows):
        output, estimator, truth = toy_tick(t_s=row * 1e-3, tau=(row * 0.1, -1.0))
        if not robot.floating:
            estimator.q, estimator.v, truth.q, truth.v = (np.zeros(robot.na) for _ in range(4))
        output.hand_active[:] = hand
        truth.p_WC[2] = 0.7
        truth.p_WR[2] = 0.7
        truth.p_WF[:] = [[0.0, 0.1, 0.0], [0.0, -0.1, 0.0]]
        truth.normal_force_N[:] = truth.contact_force_W[:, 2] = [100.0, 300.0]
        truth.cop_W[:] = truth.p_WF
        trace.record(output, estimator, truth)
    return trace


def stages(ticks=1000):
    tick = LatencyHistogram()
    for number in range(ticks):
        tick.record(150_000 + 50 * number)
    return {"tick": tick, "solve": tick}


def names(folder):
    return sorted(path.stem for path in folder.iterdir())


@pytest.mark.long
@pytest.mark.closed_loop
def test_all_plots_of_a_biped_are_written(tmp_path):
    robot = toy_robot()
    written = plots.write_plots(
        tmp_path, toy_trace(robot, hand=True), robot, SCENARIO, stages(), realtime=True
    )
    assert names(tmp_path) == ["balance", "contact_forces", "estimation", "hands", "latency", "torques"]
    assert [path.stem for path in written] == [
        "latency",
        "balance",
        "estimation",
        "contact_forces",
        "torques",
        "hands",
    ]
    for path in written:
        with Image.open(path) as image:
            assert image.width >= 800
            assert len(set(image.convert("L").resize((64, 64)).tobytes())) > 10


def test_an_arm_has_no_balance_plot(tmp_path):
    robot = toy_robot(floating=False, nq=2, nv=2, n_base=0, contacts=())
    trace = toy_trace(robot, hand=True)
    plots.write_plots(tmp_path, trace, robot, SCENARIO, stages(), realtime=False)
    assert names(tmp_path) == ["hands", "latency", "torques"]


def test_a_hand_without_a_target_is_not_plotted(tmp_path):
    robot = toy_robot(floating=False, nq=2, nv=2, n_base=0, contacts=())
    plots.write_plots(tmp_path, toy_trace(robot), robot, SCENARIO, stages(), realtime=False)
    assert names(tmp_path) == ["latency", "torques"]


def test_a_run_that_ended_at_once_has_no_plots(tmp_path):
    robot = toy_robot()
    nothing = {"tick": LatencyHistogram()}
    assert (
        plots.write_plots(tmp_path, toy_trace(robot, rows=1), robot, SCENARIO, nothing, realtime=False) == []
    )


@pytest.mark.parametrize("mass_kg", [0.4, 40.0])
def test_footholds_are_found_whatever_the_robot_weighs(mass_kg):
    robot = toy_robot(mass_kg=mass_kg)
    trace = Trace(robot, ticks=600)
    for row in range(600):
        output, estimator, truth = toy_tick(t_s=row * 1e-3)
        truth.normal_force_N[row // 200 % 2] = 9.81 * mass_kg
        trace.record(output, estimator, truth)
    assert [contact for contact, _ in plots.footholds(trace, robot)] == [0, 1, 0]


def test_while_damping_no_reference_is_plotted():
    robot, trace = toy_robot(), Trace(toy_robot(), ticks=40)
    for row in range(40):
        output, estimator, truth = toy_tick(t_s=row * 1e-3, state="active" if row < 20 else "damping")
        truth.p_WC[2] = truth.p_WR[2] = 0.7
        trace.record(output, estimator, truth)
    figure = plots.balance_figure(trace, robot, SCENARIO, "toy")
    reference = next(line for line in figure.axes[1].lines if line.get_linestyle() == "--").get_ydata()
    assert np.isfinite(reference[:20]).all()
    assert np.isnan(reference[20:]).all()


def test_the_centre_of_pressure_is_the_force_weighted_mean():
    cop = plots.center_of_pressure(toy_trace(toy_robot()))
    np.testing.assert_allclose(cop[0], [0.0, (100 * 0.1 - 300 * 0.1) / 400, 0.0], atol=1e-12)


def test_in_flight_there_is_no_centre_of_pressure():
    trace = Trace(toy_robot(), ticks=1)
    output, estimator, truth = toy_tick()
    truth.cop_W[:] = np.nan
    trace.record(output, estimator, truth)
    assert np.isnan(plots.center_of_pressure(trace)).all()


def test_pendulum_frequency_is_that_of_the_height_over_the_feet():
    assert plots.pendulum_frequency(toy_trace(toy_robot()))[0] == pytest.approx(math.sqrt(9.81 / 0.7))


@pytest.mark.closed_loop
def test_without_a_true_state_all_plots_but_that_of_the_estimate_are_drawn_and_say_so(tmp_path):
    robot = toy_robot()
    trace = toy_trace(robot)
    trace.against, trace.forces_measured = ESTIMATE, False
    trace.tau_true[:] = trace.peak_torque_fraction[:] = np.nan
    drawn = plots.write_plots(tmp_path, trace, robot, SCENARIO, stages(), realtime=True)
    assert [path.stem for path in drawn] == ["latency", "balance", "contact_forces", "torques"]
    title = plots.balance_figure(trace, robot, SCENARIO, "toy").legends[0].get_texts()
    assert "CoM, estimated" in [text.get_text() for text in title]
