from __future__ import annotations

import numpy as np
import pytest
from sim_runs import robot, simulate

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.arming import SAMPLES, SelfTest

ROBOT = RobotModel.load("g1")
DT_S = 1e-3


def standing(**fields):
    """Samples of a robot at rest, with what is said otherwise."""
    rng = np.random.default_rng(0)
    test = SelfTest(ROBOT, DT_S)
    for i in range(SAMPLES):
        row = ROBOT.new_sensor_row()
        row.q[:] = ROBOT.q_nominal[7:] + 1e-4 * rng.normal(size=ROBOT.na)
        row.v[:] = 0.02 * rng.normal(size=ROBOT.na)
        row.gyro[:] = 0.01 * rng.normal(size=3)
        row.accel[:] = (0.0, 0.0, 9.81)
        for name, change in fields.items():
            change(getattr(row, name), i)
        test.add(row)
    return test.problem()


def put(index, value):
    def change(field, i):
        field[index] = value

    return change


def move(field, i):
    field[5] += 0.1 * DT_S * i


def scale(factor):
    def change(field, i):
        field *= factor

    return change


def stamp(step):
    def change(field, i):
        field[0] = step * i

    return change


def test_a_robot_at_rest_is_armed():
    assert standing() is None


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"q": put(3, 5.0)}, ROBOT.joint_names[3]),
        ({"q": move}, "moves at"),
        ({"v": put(2, 0.5)}, "encoder position is constant"),
        ({"gyro": put(0, 0.5)}, "the base turns"),
        ({"accel": put(2, 9.2)}, "9.20 m/s2"),
        ({"accel": put(2, 10.4)}, "10.40 m/s2"),
        ({"accel": put(slice(None), (9.81, 0.0, 0.0))}, "tilted by 90 degrees"),
        ({"accel": put(2, -9.81)}, "tilted by 180 degrees"),
    ],
)
def test_anything_else_is_refused_with_the_reason(fields, told):
    assert told in standing(**fields)


def moving(reported):
    """Joint 5 moves at 0.1 rad/s, of which it reports some multiple."""
    return {"q": move, "v": put(5, 0.1 * reported)}


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"accel": scale(1.0 / 9.81)}, "as if in g and not in m/s2: send 9.81 times the value"),
        ({"accel": scale(1000.0 / 9.81)}, "as if in mg and not in m/s2"),
        ({"accel": scale(0.0)}, "as if gravity were removed: send the specific force"),
        ({"accel": scale(-1.0)}, "accel has the wrong sign"),
        ({"gyro": scale(np.degrees(1.0))}, "as if in deg/s and not in rad/s"),
        ({"gyro": put(0, 0.5)}, "as if in deg/s and not in rad/s: send 0.017453 times the value"),
        ({"q": scale(np.degrees(1.0))}, "as if in degrees and not in rad"),
        ({"t_s": stamp(1.0)}, "advances by 1 in a period of 0.001 s, as if in ms and not in seconds"),
        ({"t_s": stamp(1e3)}, "as if in us and not in seconds: send seconds"),
        ({"t_s": stamp(1e6)}, "as if in ns and not in seconds"),
        ({"t_s": stamp(1e-6)}, "as if in another unit and not in seconds"),
        (moving(np.degrees(1.0)), "as if in deg/s and not in rad/s: send rad/s"),
        (moving(1.0 / np.degrees(1.0)), "its position is as if in degrees and not in rad"),
        (moving(-1.0), "position and velocity have opposite signs"),
    ],
)
def test_a_wrong_unit_or_sign_is_named_with_its_remedy(fields, told):
    assert told in standing(**fields)


@pytest.mark.parametrize(
    "fields",
    [
        {"t_s": stamp(1e-3)},
        {"t_s": stamp(0.0)},
        {"t_s": stamp(1e-2)},
        {"gyro": scale(10.0)},
        {"accel": scale(0.96)},
    ],
)
def test_usual_values_are_in_no_wrong_unit(fields):
    assert standing(**fields) is None


def test_units_are_judged_while_the_robot_still_moves():
    test = SelfTest(ROBOT, DT_S)
    row = ROBOT.new_sensor_row()
    for i in range(SAMPLES):
        row.t_s[0], row.q[5], row.accel[2] = 1e-3 * i, 1e-3 * i, 9.81
        test.add(row)
    assert "moves at" in test.problem()
    assert test.unit_problem() is None
    for i in range(SAMPLES):
        row.t_s[0], row.q[5], row.accel[2] = 1e-3 * i, 1e-3 * i, 1.0
        test.add(row)
    assert "as if in g" in test.unit_problem()


def test_it_needs_a_few_samples():
    test = SelfTest(ROBOT, DT_S)
    test.add(ROBOT.new_sensor_row())
    assert "only 1 of" in test.problem()


def held(name, spoil=None):
    """The self-test of a simulated robot that its drives hold, with what is said otherwise."""
    simulated, test = simulate(name), SelfTest(robot(name), DT_S)
    row = robot(name).new_sensor_row()
    for _ in range(SAMPLES + 5):
        simulated.advance()
        simulated.read(row)
        if spoil is not None:
            spoil(row)
        test.add(row)
    return test.problem()


@pytest.mark.parametrize("name", ["g1", "talos", "ur5", "panda", "bolt"])
def test_what_holds_a_robot_has_the_right_signs(name):
    assert held(name) is None


@pytest.mark.parametrize(
    ("name", "joint"), [("ur5", "shoulder_lift_joint"), ("panda", "panda_joint4"), ("g1", "left_knee_joint")]
)
def test_a_torque_of_the_wrong_sign_is_named(name, joint):
    j = robot(name).joint_names.index(joint)

    def turn(row):
        row.tau[j] = -row.tau[j]

    told = held(name, turn)
    assert joint in told
    assert "signs" in told


@pytest.mark.parametrize("name", ["ur5", "panda"])
def test_torques_of_the_load_instead_of_the_motors_are_named(name):
    told = held(name, lambda row: np.negative(row.tau, out=row.tau))
    assert "all the opposite of those that hold the robot" in told
    assert "change its sign" in told


def test_drives_that_hold_nothing_have_no_signs():
    assert held("ur5", lambda row: row.tau.fill(0.0)) is None
