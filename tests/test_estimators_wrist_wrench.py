"""The wrench on a hand from its force-torque sensor: offset, weight, inertia, and a sensor that fails."""

from __future__ import annotations

import numpy as np
import pytest
from control_runs import new_brain
from sim_runs import scenario
from wrist_robots import WRIST, arm

import kilohertz as khz
from kilohertz.controller.supervision.request import make_request
from kilohertz.estimators.wrist_wrench import LIVE, SILENT, TARING
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.run.brain_setup import no_mark
from kilohertz.sim.simulated_robot import SimulatedRobot

pytestmark = pytest.mark.closed_loop

PLANT = {"joint_friction_Nm": 0.5, "joint_damping_Nms": 0.5, "model_error": 0.05}
SENSORS = {"noise": {"encoder_rad": 1e-5, "velocity_rad_s": 2e-3}, "delay_ms": 1}
CIRCLE = {"radius_m": 0.08, "period_s": 1.2, "plane": "xz"}
PUSH_N = (3.0, -4.0, 5.0)


class Moving:
    """An arm with a sensor that draws circles; records the true and the estimated wrench on its hand."""

    def __init__(self, folder, seconds, wrist=WRIST, estimator="default", spoil=None, **fields):
        robot = RobotModel.load(arm(folder, "panda", wrist=wrist))
        fields = {"plant": PLANT, "sensors": SENSORS, **fields}
        sim = SimulatedRobot(robot, scenario(**fields), 3)
        self.brain = brain = new_brain(sim, estimator)
        row = robot.new_sensor_row()
        sim.read(row)
        brain.reset(row)
        request = make_request(robot, "stand", {}, 0.0)
        requests = {400: make_request(robot, "circle", CIRCLE, 0.4)}
        n = round(1e3 * seconds)
        self.w_H, self.true_H, self.felt, self.remarks = np.zeros((n, 6)), np.zeros((n, 3)), [], []
        for tick in range(n):
            request = requests.get(tick, request)
            sim.read(row)
            if spoil is not None:
                spoil(tick, row.wrist)
            output = brain.step(row, request, None, no_mark)
            self.true_H[tick] = sim.truth.R_WH[0].T @ sim.truth.f_WH[0]
            self.w_H[tick] = output.w_H[0]
            self.felt.append(bool(output.felt[0]))
            if output.remark and output.remark not in self.remarks:
                self.remarks.append(output.remark)
            sim.write(output.command)

    @property
    def state(self):
        return self.brain.motion.wrists[0].state


@pytest.mark.long
def test_a_moving_tool_is_not_felt_and_a_push_is_felt_within_1_N_and_0_1_Nm(tmp_path):
    push = {"hand": "hand", "force_N": PUSH_N, "rise_s": 0.2, "hold_s": 2.0}
    run = Moving(tmp_path, 2.6, events=[{"at_s": 1.6, "hand_push": push}])
    # The hand accelerates with up to 2.2 m/s^2 and turns nothing; the mass of the tool is up to 5 % wrong.
    free = run.w_H[700:1600]
    assert np.abs(free[:, :3]).max() < 1.0
    assert np.abs(free[:, 3:]).max() < 0.1
    pushed = slice(1900, 2600)
    assert np.abs(run.w_H[pushed, :3] - run.true_H[pushed]).max() < 1.0
    # A force on the point of the hand has no moment about it.
    assert np.abs(run.w_H[pushed, 3:]).max() < 0.1
    assert run.felt[300:] == [True] * 2300
    assert run.felt[:240] == [False] * 240


def test_without_errors_the_estimate_is_exact(tmp_path):
    run = Moving(
        tmp_path, 1.2, "{}", "truth", plant="exact", sensors={"noise": "none", "delay_ms": 0},
        events=[{"at_s": 0.5, "hand_push": {"hand": "hand", "force_N": PUSH_N, "rise_s": 0, "hold_s": 5}}],
    )  # fmt: skip
    assert np.abs(run.w_H[650:, :3] - run.true_H[650:]).max() < 0.1
    assert np.abs(run.w_H[650:, 3:]).max() < 0.01


@pytest.mark.parametrize("fault", ["NaN", "Inf", "frozen"])
def test_a_sensor_that_fails_is_told_once_and_the_observer_takes_over_without_a_jump(tmp_path, fault):
    kept = np.zeros(6)

    def spoil(tick, wrist):
        if tick < 900:
            kept[:] = wrist
        elif fault == "frozen":
            wrist[:] = kept
        else:
            wrist[tick % 6] = float(fault)

    run = Moving(tmp_path, 1.6, spoil=spoil)
    assert len(run.remarks) == 1
    assert run.remarks[0].startswith("the wrist sensor of 'hand' sends ")
    assert run.remarks[0].endswith("the disturbance observer tells the wrench on the hand from now on")
    assert not run.felt[-1]
    at = run.felt.index(False, 300)
    assert at - 900 <= (202 if fault == "frozen" else 22)
    assert np.isfinite(run.w_H).all()
    assert np.abs(run.w_H[at] - run.w_H[at - 1])[:3].max() < 3.0


def test_a_sensor_that_is_silent_from_the_start_is_not_used(tmp_path):
    run = Moving(tmp_path, 0.3, spoil=lambda tick, wrist: wrist.fill(np.nan))
    assert run.state == SILENT
    assert len(run.remarks) == 1
    assert not any(run.felt)


def test_some_values_that_are_lost_do_no_harm(tmp_path):
    run = Moving(tmp_path, 0.8, spoil=lambda tick, wrist: wrist.fill(np.nan) if tick % 50 > 40 else None)
    assert run.state == LIVE
    assert run.remarks == []
    assert np.abs(run.w_H[400:, :3]).max() < 1.0


def test_a_start_measures_the_offset_anew(tmp_path):
    run = Moving(tmp_path, 0.4)
    bias = run.brain.motion.wrists[0].bias.copy()
    assert np.abs(bias).max() > 0.5
    run.brain.motion.start()
    assert run.state == TARING
    assert not run.brain.motion.wrists[0].bias.any()


def test_the_summary_tells_the_measured_wrench_without_a_calibration(tmp_path):
    push = {"hand": "hand", "force_N": PUSH_N, "rise_s": 0.1, "hold_s": 2.0}
    events = [{"at_s": 0.5, "hand_push": push}]
    content = {"name": "push", "duration_s": 1.0, "plant": PLANT, "sensors": SENSORS, "events": events}
    result = khz.simulate(str(arm(tmp_path, "ur5")), scenario=content, seed=2)
    wrench = result.summary["hand_wrench"]["hand"]
    assert np.linalg.norm(wrench["force_N"]) == pytest.approx(np.linalg.norm(PUSH_N), abs=1.0)
    assert np.linalg.norm(wrench["moment_Nm"]) < 0.1
    assert result.summary["payload"]["mass_kg"] is None
