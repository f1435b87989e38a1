"""`Controller`: the same bits in a loop of the user's own, and an arm of the user's own in plain MuJoCo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kilohertz as khz
from kilohertz.robots.model.rows import CommandRow
from kilohertz.sim.scenario import load_scenario
from kilohertz.sim.simulated_robot import SimulatedRobot

pytestmark = pytest.mark.closed_loop

ROBOT = """
robot: toy
model: toy.xml
base: fixed
hands: {hand: {link: forearm, p_LH_m: [0.3, 0, 0]}}
posture_rad: {shoulder: 0.4, elbow: 0.8}
"""
MODEL = """
<mujoco>
  <compiler angle="radian"/>
  <option timestep="0.001" integrator="implicitfast"><flag contact="disable"/></option>
  <worldbody>
    <body name="base" pos="0 0 1">
      <geom type="box" size="0.05 0.05 0.05"/>
      <body name="turret">
        <joint name="yaw" axis="0 0 1" range="-2 2" actuatorfrcrange="-40 40" armature="0.05"/>
        <geom type="capsule" fromto="0 0 0 0 0 0.1" size="0.04" mass="1"/>
        <body name="upper" pos="0 0 0.1">
          <joint name="shoulder" axis="0 1 0" range="-2 2" actuatorfrcrange="-40 40" armature="0.05"/>
          <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.03" mass="1"/>
          <body name="forearm" pos="0.3 0 0">
            <joint name="elbow" axis="0 1 0" range="-2.5 2.5" actuatorfrcrange="-20 20" armature="0.05"/>
            <geom type="capsule" fromto="0 0 0 0.3 0 0" size="0.02" mass="0.5"/>
          </body>
        </body>
      </body>
    </body>
  </worldbody>
  <actuator>
    <motor joint="yaw"/><motor joint="shoulder"/><motor joint="elbow"/>
  </actuator>
</mujoco>
"""


@pytest.fixture
def toy(tmp_path: Path) -> Path:
    (tmp_path / "robot.yaml").write_text(ROBOT)
    (tmp_path / "toy.xml").write_text(MODEL)
    return tmp_path


def test_it_drives_an_arm_in_a_plain_mujoco_loop(toy: Path) -> None:
    import mujoco

    model = mujoco.MjModel.from_xml_path(str(toy / "toy.xml"))
    data = mujoco.MjData(model)
    # Three joints are enough for the position of the hand and not for its orientation.
    controller = khz.Controller(toy, gains={"hand": {"orientation_weight": 0.0}})
    sensors = controller.sensors()
    data.qpos[:] = controller.robot.q_nominal
    mujoco.mj_forward(model, data)
    goal = np.array([-0.05, 0.1, 0.05])
    goal += data.body("forearm").xpos + 0.3 * data.body("forearm").xmat.reshape(3, 3)[:, 0]

    def measure() -> None:
        sensors.t_s = data.time
        sensors.q = data.qpos
        sensors.v = data.qvel
        sensors.tau = data.actuator_force

    measure()
    controller.reset(sensors)
    controller.command("reach", p_WH_m=goal)
    while data.time < 3.0:
        measure()
        command = controller.step(sensors).command
        stiffness = command.kp * (command.q_des - data.qpos)
        data.ctrl[:] = command.tau_ff + stiffness + command.kd * (command.v_des - data.qvel)
        mujoco.mj_step(model, data)

    hand = data.body("forearm").xpos + 0.3 * data.body("forearm").xmat.reshape(3, 3)[:, 0]
    np.testing.assert_allclose(hand, goal, atol=2e-3)
    np.testing.assert_allclose(controller.q, data.qpos, atol=1e-3)


def test_it_runs_at_the_rate_of_the_robot(toy: Path) -> None:
    (toy / "robot.yaml").write_text(ROBOT + "rate_hz: 500\n")
    controller = khz.Controller(toy)
    assert controller._brain._dt == 0.002


def test_its_commands_are_those_of_a_simulation_bit_for_bit() -> None:
    scenario = {"name": "short", "duration_s": 1.0}
    sim = khz.Simulation("g1", 3, scenario)
    controller = khz.Controller("g1")
    robot = controller.robot
    path = khz.load_robot("g1")
    simulated = SimulatedRobot(path, load_scenario("stand", path), 3)
    row, sensors = robot.new_sensor_row(), controller.sensors()

    def measure() -> None:
        simulated.read(row)
        sensors.t_s = row.t_s.item()
        for name in ("q", "v", "tau", "gyro", "accel", "contact_force_N"):
            setattr(sensors, name, getattr(row, name))

    measure()
    controller.reset(sensors)
    controller.reset(sensors)  # a Simulation warms up twice
    for _ in range(100):
        measure()
        output = controller.step(sensors)
        state = sim.step()
        assert output.tau.tobytes() == state.tau.tobytes()
        assert controller.q.tobytes() == state.q.tobytes()
        assert (controller.contact == state.contact).all()
        assert controller.v.tobytes() == state.v.tobytes()
        simulated.write(output.command)


@pytest.fixture
def arm() -> khz.Controller:
    return khz.Controller("panda")


def at_rest(controller: khz.Controller) -> khz.Sensors:
    sensors = controller.sensors()
    zero = np.zeros(controller.robot.na)
    sensors.t_s, sensors.q, sensors.v, sensors.tau = 0.0, controller.robot.q_nominal, zero, zero
    return sensors


def test_assigning_to_a_field_copies_into_the_row(arm: khz.Controller) -> None:
    sensors = arm.sensors()
    values = np.arange(float(arm.robot.na))
    sensors.q = values
    values[:] = 9.0
    assert sensors.row.q.tolist() == list(range(arm.robot.na))
    sensors.q[0] = 5.0
    assert sensors.row.q[0] == 5.0
    sensors.t_s = 0.25
    assert (sensors.t_s, sensors.row.t_s[0]) == (0.25, 0.25)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.zeros(3), r"sensors\.q should have shape \(7,\), not \(3,\)"),
        ("here", r"sensors\.q should be numbers, not 'here'"),
    ],
)
def test_values_of_another_shape_are_refused(arm: khz.Controller, values: Any, sentence: str) -> None:
    with pytest.raises(khz.Refused, match=sentence):
        arm.sensors().q = values


def test_a_first_sample_that_is_not_complete_is_refused(arm: khz.Controller) -> None:
    sensors = arm.sensors()
    assert sensors.missing() == ["t_s", "q", "v", "tau"]
    sensors.t_s = 0.0
    with pytest.raises(khz.Refused, match="sensors lack q, v, tau: fill them"):
        arm.reset(sensors)
    assert khz.Controller("g1").sensors().missing() == ["t_s", "q", "v", "tau", "gyro", "accel"]


def test_a_step_before_the_first_sample_says_what_to_do(arm: khz.Controller) -> None:
    with pytest.raises(RuntimeError, match=r"call reset\(sensors\)"):
        arm.step(at_rest(arm))


def test_sensors_of_another_robot_are_refused(arm: khz.Controller) -> None:
    with pytest.raises(khz.Refused, match="these sensors are not those of 'panda'"):
        arm.reset(at_rest(khz.Controller("ur5")))
    row: Any = arm.robot.new_sensor_row()
    with pytest.raises(khz.Refused, match=r"sensors should come from Controller\.sensors"):
        arm.reset(row)


def test_samples_that_are_not_finite_end_in_damping_with_a_reason(arm: khz.Controller) -> None:
    sensors = at_rest(arm)
    arm.reset(sensors)
    assert arm.step(sensors).state == "active"
    sensors.q[0] = np.nan
    for _ in range(3):
        output = arm.step(sensors)
    assert output.state == "damping"
    assert "not finite" in output.reason
    assert isinstance(output.command, CommandRow)
    assert repr(arm) == "<Controller: panda, damping>"


def test_a_command_is_checked(arm: khz.Controller) -> None:
    with pytest.raises(khz.Refused, match=r"^raech: is not a known key"):
        arm.command("raech")
    with pytest.raises(khz.Refused, match=r"^walk: 'panda' is fixed"):
        arm.command("walk", velocity_m_s=[0.1, 0.0])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("pandas",), r"did you mean 'panda'"),
        (("panda", "none.yaml"), "none.yaml: does not exist"),
        (("panda", None, "best"), "solver should be osqp or exact"),
    ],
)
def test_an_argument_that_cannot_be_used_is_refused(arguments: Any, sentence: str) -> None:
    with pytest.raises(khz.Refused, match=sentence):
        khz.Controller(*arguments)


def biped() -> tuple[khz.Controller, Any]:
    controller = khz.Controller("g1")
    sensors, q = controller.sensors(), controller.robot.q_nominal[7:]
    sensors.t_s, sensors.q, sensors.v, sensors.tau = 0.0, q, 0.0 * q, 0.0 * q
    sensors.gyro, sensors.accel = np.zeros(3), np.array([0.0, 0.0, 9.81])
    controller.reset(sensors)
    return controller, sensors


def test_a_pose_from_outside_bounds_the_estimate_and_a_wild_one_does_not_move_it() -> None:
    (controller, sensors), (other, others) = biped(), biped()
    rng = np.random.default_rng(0)
    for tick in range(1, 120):
        sensors.t_s = others.t_s = 1e-3 * tick
        # Rows that repeat the last one are those of a slow bus, and are not used.
        sensors.gyro = others.gyro = 1e-3 * rng.standard_normal(3)
        # 40 mm/s that the feet do not see, as on a floor that moves.
        p = np.array([2.0, 1.0, 0.8]) + 4e-5 * max(0, tick - 40) * np.array([1.0, 0.0, 0.0])
        if tick == 100:
            p = p + 3.0
        pose = khz.OutsidePose(p_VB=p, rpy_VB=[np.nan, np.nan, 0.3], position_sd_m=1e-4, age_s=0.0)
        output = controller.step(sensors, outside_pose=pose)
        other.step(others)
        if tick == 100:
            assert output.remark.startswith("an outside pose contradicts the estimate")
    assert 1e-4 < np.linalg.norm(controller.q[:3] - other.q[:3]) < 5e-3


@pytest.mark.parametrize(
    ("pose", "sentence"),
    [
        ({"p_VB": [1.0, 2.0]}, "outside_pose.p_VB should be 3 finite numbers, not [1.0, 2.0]"),
        ({"p_VB": "here"}, "outside_pose.p_VB should be numbers, not 'here'"),
        ({"rpy_VB": [0.0, 0.0, np.inf]}, "outside_pose.rpy_VB should be 3 finite numbers"),
        ({"p_VB": [0, 0, 0], "age_s": -0.1}, "outside_pose.age_s should be a number of at least 0, not -0.1"),
        ({"p_VB": [0, 0, 0], "position_sd_m": 0.0}, "outside_pose.position_sd_m should be a number"),
    ],
)
def test_a_pose_that_cannot_be_used_is_refused(pose: dict[str, Any], sentence: str) -> None:
    controller, sensors = biped()
    with pytest.raises(khz.Refused) as refused:
        controller.step(sensors, outside_pose=khz.OutsidePose(**pose))
    assert str(refused.value).startswith(sentence)


def test_a_fixed_base_takes_no_pose_from_outside(toy: Path) -> None:
    controller = khz.Controller(toy)
    sensors, q = controller.sensors(), controller.robot.q_nominal
    sensors.t_s, sensors.q, sensors.v, sensors.tau = 0.0, q, 0.0 * q, 0.0 * q
    controller.reset(sensors)
    with pytest.raises(khz.Refused, match="fixed base"):
        controller.step(sensors, outside_pose=khz.OutsidePose(p_VB=np.zeros(3)))
