"""Estimator, watches and noise figures over logs: simulated ones, and those of a real iCub if present."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from kilohertz.controller.gains.schema import load_gains
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.cli.log import log_app
from kilohertz.rt.offline.estimate import Samples, compare, run_estimator
from kilohertz.rt.offline.noise import examine, gains_text
from kilohertz.rt.offline.watches import controller_stop

pytest.importorskip("mcap")
ICUB = Path(__file__).resolve().parents[2] / "shared/data/icub"


def samples_at_rest(robot, n=400, accel_sd=0.1, seed=0):
    """A robot that stands still with noisy sensors, without torques, and its true pose."""
    import pinocchio as pin

    rng = np.random.default_rng(seed)
    row = robot.new_sensor_row()
    rows = np.zeros(n, np.dtype([(name, "<f8", (k,)) for name, k in row.fields if k]))
    data = robot.pin_model.createData()
    pin.framesForwardKinematics(robot.pin_model, data, robot.q_nominal)
    t_s = 1e-3 * np.arange(n)
    rows["seq"][:, 0], rows["t_s"][:, 0] = np.arange(n), t_s
    rows["q"] = robot.q_nominal[7:] + 1e-4 * rng.normal(size=(n, robot.na))
    rows["v"] = 0.02 * rng.normal(size=(n, robot.na))
    rows["tau"] = pin.computeGeneralizedGravity(robot.pin_model, data, robot.q_nominal)[6:]
    rows["gyro"] = 0.01 * rng.normal(size=(n, 3))
    rows["accel"] = data.oMf[robot.imu_frame_id].rotation.T @ [0, 0, 9.81] + accel_sd * rng.normal(
        size=(n, 3)
    )
    rows["contact_force_N"] = robot.mass_kg * 9.81 / len(robot.contacts)
    truth = np.tile(robot.q_nominal[:3], (n, 1))
    return Samples(t_s, rows, rows.view(np.float64).reshape(n, -1), truth, np.zeros((n, 3)))


@pytest.fixture(scope="module")
def g1():
    return RobotModel.load("g1")


def test_errors_are_those_of_a_turned_and_shifted_truth(g1):
    samples = samples_at_rest(g1)
    gains = load_gains(g1)
    estimate = run_estimator(samples, g1, gains)
    yaw = np.array([0.0, 0.0, 2.0])
    samples.p_WT[:] += [4.0, 5.0, 6.0]
    samples.rpy_WT[:] = yaw
    samples.p_WT[200:, 0] += 0.1
    samples.rpy_WT[200:, 0] += np.deg2rad(2.0)
    found = compare(samples, estimate, g1, None).figures()
    np.testing.assert_allclose(found["position_rms_m"], [0.1 / np.sqrt(2), 0.0, 0.0], atol=2e-3)
    assert found["tilt_rms_deg"] == pytest.approx(2.0 / np.sqrt(2), abs=0.3)
    assert found["yaw_rms_deg"] < 0.2
    with pytest.raises(ConfigError, match="did you mean 'pelvis'"):
        compare(samples, estimate, g1, "pelvsi")


def test_samples_without_truth_are_left_out(g1):
    samples = samples_at_rest(g1, n=100)
    estimate = run_estimator(samples, g1, load_gains(g1))
    samples.p_WT[:50] = np.nan
    assert len(compare(samples, estimate, g1, None).t_s) == 50
    samples.p_WT[:] = np.nan
    assert compare(samples, estimate, g1, None) is None


def test_a_robot_at_rest_is_not_stopped_and_a_wrong_gyro_is(g1):
    samples = samples_at_rest(g1)
    gains = load_gains(g1)
    assert controller_stop(samples, g1, gains) is None
    samples.sensors["gyro"][200:, 0] += 3.0
    stop = controller_stop(samples, g1, gains)
    assert stop["t_s"] > 0.2
    assert stop["reason"]


def test_noise_that_is_larger_than_the_gains_is_told_with_a_remedy(g1, tmp_path):
    gains = load_gains(g1)
    samples = samples_at_rest(g1, accel_sd=0.6, n=800)
    found = examine(samples, run_estimator(samples, g1, gains), g1, gains)
    assert found.innovation["accel"]["measured"] == pytest.approx(0.6, rel=0.1)
    assert found.innovation["accel"]["expected"] == pytest.approx(0.1, rel=0.01)
    assert any(text.startswith("accelerometer noise is 6") for text in found.verdicts)
    assert "gyro_noise_rad_s" not in found.suggested
    file = tmp_path / "gains.yaml"
    file.write_text(gains_text(g1, None, found))
    assert load_gains(g1, file).estimator.accel_noise_m_s2 == pytest.approx(0.6, rel=0.1)
    assert load_gains(g1, file).walk == gains.walk


def test_contact_thresholds_lie_between_lifted_and_loaded(g1):
    gains = load_gains(g1)
    samples = samples_at_rest(g1, n=400)
    estimate = run_estimator(samples, g1, gains)
    force = samples.sensors["contact_force_N"]
    force[:, 0] = np.where(np.arange(400) % 100 < 50, 25.0, 250.0)
    found = examine(samples, estimate, g1, gains)
    assert 25.0 < found.contact_force_N["break"] < found.contact_force_N["make"] < 250.0


@pytest.mark.parametrize("torques", [True, False])
def test_contacts_that_nothing_shows_are_told(g1, torques):
    gains, samples = load_gains(g1), samples_at_rest(g1, n=200)
    estimate = run_estimator(samples, g1, gains)
    samples.sensors["contact_force_N"][:] = np.nan
    if not torques:
        samples.sensors["tau"][:] = np.nan
    told = " ".join(examine(samples, estimate, g1, gains).verdicts)
    assert "contact forces are unknown" in told
    assert ("all contacts were taken as closed" in told) == (not torques)


COLUMNS = """
t_s: t
v_JOINT: dq_JOINT
gyro: [gx, gy, gz]
accel: [ax, ay, az]
force_left_foot: fzL
force_right_foot: fzR
truth: [gt_px, gt_py, gt_pz]
truth_rpy: [gt_roll, gt_pitch, gt_yaw]
"""
ROBOT = """
robot: icub
model: {urdf}
base: floating
imu: {{link: root_link_imu_frame}}
contacts:
  left_foot: {{link: l_sole, friction: 0.6,
    corners_m: [[0.10, 0.03, 0], [0.10, -0.03, 0], [-0.05, -0.03, 0], [-0.05, 0.03, 0]]}}
  right_foot: {{link: r_sole, friction: 0.6,
    corners_m: [[0.10, 0.03, 0], [0.10, -0.03, 0], [-0.05, -0.03, 0], [-0.05, 0.03, 0]]}}
locked_joints_rad: {{l_wrist_prosup: 0, l_wrist_pitch: 0, l_wrist_yaw: 0, r_wrist_prosup: 0, r_wrist_pitch: 0,
  r_wrist_yaw: 0}}
posture_rad: {{torso_pitch: 0.154, l_shoulder_pitch: -0.157, l_shoulder_roll: 0.436, l_elbow: 0.54,
  r_shoulder_pitch: -0.157, r_shoulder_roll: 0.436, r_elbow: 0.54, l_hip_pitch: 0.0895, l_hip_roll: 0.023,
  l_knee: -0.578, l_ankle_pitch: -0.376, l_ankle_roll: -0.024, r_hip_pitch: 0.0895, r_hip_roll: 0.023,
  r_knee: -0.578, r_ankle_pitch: -0.376, r_ankle_roll: -0.024}}
torque_limit_Nm: {{torso_pitch: 40, torso_roll: 40, torso_yaw: 40, l_shoulder_pitch: 40, l_shoulder_roll: 40,
  l_shoulder_yaw: 20, l_elbow: 20, r_shoulder_pitch: 40, r_shoulder_roll: 40, r_shoulder_yaw: 20, r_elbow: 20,
  neck_pitch: 10, neck_roll: 10, neck_yaw: 10}}
"""


@pytest.mark.long
@pytest.mark.closed_loop
@pytest.mark.skipif(not ICUB.exists(), reason="the logs of the real iCub (../shared/data/icub) are not here")
@pytest.mark.parametrize("name", ["walking", "comsin"])
def test_a_real_log_is_imported_and_estimated_from_the_command_line(name, tmp_path):
    (tmp_path / "robot.yaml").write_text(ROBOT.format(urdf=ICUB / "iCubGenova04.urdf"))
    (tmp_path / "columns.yaml").write_text(COLUMNS)
    log, out = tmp_path / "log.mcap", tmp_path / "out.json"
    csv = ICUB / f"icub_real_{name}.csv.gz"
    run = CliRunner().invoke
    options = ["--robot", str(tmp_path), "--columns", str(tmp_path / "columns.yaml"), "-o", str(log)]
    assert run(log_app, ["import", str(csv), *options]).exit_code == 0
    result = run(log_app, ["estimate", str(log), "--json", str(out), "--plot", str(tmp_path / "plots")])
    assert result.exit_code == 0, result.output
    figures = json.loads(out.read_text())
    assert figures["samples"] == {"walking": 1188, "comsin": 2004}[name]
    assert np.max(figures["position_rms_m"]) < 0.08
    assert figures["tilt_rms_deg"] < 2.0
    assert bool(figures["contact_force_N"]) == (name == "walking")
    assert (tmp_path / "plots/position.png").stat().st_size > 10_000
    refused = run(log_app, ["identify", str(log)])
    assert isinstance(refused.exception, ConfigError)
    assert "is not measured in this log" in str(refused.exception)
