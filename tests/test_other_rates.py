"""A robot that speaks at another rate than 1 kHz is controlled at its own rate."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from test_sim_server import Served

from kilohertz.robots.model.description import ROBOTS_FOLDER
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.run.session import RunPlan, Session
from kilohertz.sim.scenario import load_scenario_located
from kilohertz.sim.server import SimulatedServer

pytestmark = pytest.mark.closed_loop

LATE = {
    "name": "late",
    "duration_s": 5.0,
    "plant": {"joint_friction_Nm": 0.2, "joint_damping_Nms": 0.05},
    "sensors": {"delay_ms": 5},
    "commands": [{"at_s": 0, "stand": {}}, {"at_s": 1, "walk": {"velocity_m_s": [0.3, 0.0]}}],
}


@pytest.fixture
def slow_g1(tmp_path):
    folder = tmp_path / "g1"
    shutil.copytree(ROBOTS_FOLDER / "g1", folder)
    text = (folder / "robot.yaml").read_text()
    (folder / "robot.yaml").write_text(text.replace("base: floating", "base: floating\nrate_hz: 500", 1))
    return str(folder)


@pytest.mark.long
def test_at_500_hz_with_5_ms_of_delay_a_biped_stands_and_walks(slow_g1):
    run = Session(RunPlan(slow_g1, LATE), handle_signals=False).run()
    assert not run.fell
    assert run.exit_code == 0
    assert run.summary["ticks"] == 2500
    assert run.summary["duration_s"] == 5.0
    np.testing.assert_allclose(np.diff(run.trace.kept("t_s")), 2e-3, atol=1e-12)
    assert run.summary["tracking"]["mean_velocity_m_s"][0] == pytest.approx(0.3, abs=0.06)


@pytest.mark.long
def test_over_the_link_the_run_is_the_same_bit_for_bit(tmp_path, slow_g1):
    here = Session(RunPlan(slow_g1, LATE, 0.5), handle_signals=False).run()
    robot = RobotModel.load(slow_g1)
    world = load_scenario_located(LATE, robot)[0]
    server = SimulatedServer(robot, world, f"ipc://{tmp_path}/robot", lockstep=True)
    with Served(server) as served:
        plan = RunPlan(slow_g1, LATE, 0.5, endpoint=served.endpoint, lockstep=True)
        there = Session(plan, handle_signals=False).run()
    for column in ("q_true", "q_est", "tau"):
        np.testing.assert_array_equal(there.trace.kept(column), here.trace.kept(column), err_msg=column)
