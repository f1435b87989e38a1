from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from toy_run import toy_robot, toy_tick

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.loop.trace import Trace
from kilohertz.rt.run import summary
from kilohertz.sim.scenario_schema import Command, Event, Push, Scenario


def scenario(*pushes_at_s, commands=(), duration_s=10.0):
    events = tuple(
        Event(at_s=t, push=Push(link="torso", impulse_Ns=(0, 8, 0), duration_s=0.5)) for t in pushes_at_s
    )
    return Scenario(name="toy", duration_s=duration_s, events=events, commands=commands)


def trace_of(times_s, change=lambda t_s, output, estimator, truth: None, robot=None, **tick):
    trace = Trace(robot or toy_robot(), ticks=len(times_s))
    for t_s in times_s:
        rows = toy_tick(t_s=t_s, **tick)
        change(t_s, *rows)
        trace.record(*rows)
    return trace


def yaw(angle_rad):
    return np.array([0.0, 0.0, math.sin(angle_rad / 2), math.cos(angle_rad / 2)])


def test_tracking_leaves_out_the_first_two_seconds_and_a_push_with_two_seconds_after_it():
    times_s = np.array([0.0, 1.999, 2.0, 4.999, 5.0, 5.5, 7.499, 7.5, 9.0])
    counted = summary.settled(times_s, scenario(5.0))
    assert times_s[counted].tolist() == [2.0, 4.999, 7.5, 9.0]


def test_com_error_is_measured_from_the_stance_feet_on_both_sides():
    def change(t_s, output, estimator, truth):
        # The controller believes to be 5 m away: no tracking error by itself.
        output.p_WS[:] = [5.0, 0.1, 0.0]
        output.p_WC_des[:] = [5.03, 0.1, 0.7]
        truth.p_WF[:] = [[0.0, 0.1, 0.0], [0.0, -0.1, 0.0]]
        truth.p_WC[:] = truth.p_WR[:] = [0.0, 0.04, 0.7]

    trace = trace_of([2.5, 3.0], change)
    figures = summary.tracking_figures(trace, toy_robot(), scenario())
    assert figures["com_rms_m"] == pytest.approx(0.05)


def test_with_a_payload_all_of_it_is_balanced_and_the_robot_stays_as_high():
    def change(t_s, output, estimator, truth):
        output.p_WC_des[:], output.p_RC[:] = [0.03, 0.0, 0.76], [0.02, 0.0, 0.06]
        truth.p_WC[:], truth.p_WR[:] = [0.0, 0.0, 0.74], [-0.03, 0.0, 0.66]

    figures = summary.tracking_figures(trace_of([2.5, 3.0], change), toy_robot(), scenario())
    assert figures["com_rms_m"] == pytest.approx(0.05)


def test_com_rms_is_over_ticks_of_the_squared_length():
    def change(t_s, output, estimator, truth):
        output.p_WC_des[:] = [3.0, 4.0, 0.0] if t_s < 3 else [0.0, 0.0, 0.0]

    figures = summary.tracking_figures(trace_of([2.5, 3.5], change), toy_robot(), scenario())
    assert figures["com_rms_m"] == pytest.approx(math.sqrt((25.0 + 0.0) / 2.0))


def test_ticks_that_the_controller_did_not_drive_do_not_count_as_tracking():
    figures = summary.tracking_figures(trace_of([2.5], state="damping"), toy_robot(), scenario())
    assert figures["com_rms_m"] is None


def test_hand_error_of_a_fixed_base_is_in_the_world_and_counts_only_while_asked():
    robot = toy_robot(floating=False, nq=2, nv=2, n_base=0)

    def change(t_s, output, estimator, truth):
        estimator.q, estimator.v, truth.q, truth.v = np.zeros(2), np.zeros(2), np.zeros(2), np.zeros(2)
        output.p_WH_des[0] = [0.0, 0.0, t_s - 2.0]
        output.hand_active[:] = t_s < 4.5

    figures = summary.tracking_figures(trace_of([2.0, 3.0, 4.0, 5.0], change, robot), robot, scenario())
    assert figures["hand_rms_m"] == {"hand": pytest.approx(math.sqrt((0 + 1 + 4) / 3))}
    assert figures["hand_max_m"] == {"hand": pytest.approx(2.0)}
    assert figures["com_rms_m"] is None


def test_a_hand_that_was_never_asked_anything_has_no_figure():
    figures = summary.tracking_figures(trace_of([3.0]), toy_robot(), scenario())
    assert figures["hand_rms_m"] == {"hand": None}
    assert figures["hand_max_m"] == {"hand": None}


def test_velocity_error_is_in_the_axes_of_the_world():
    def change(t_s, output, estimator, truth):
        # Both turned by 90 deg about z: the base's x is the world's y.
        estimator.q[3:7] = truth.q[3:7] = yaw(math.pi / 2)
        truth.v[:3] = [1.0, 0.0, 0.0]
        estimator.v[:3] = [1.2, 0.0, -0.1]

    figures = summary.estimation_figures(trace_of([1.0, 2.0], change), floating=True)
    np.testing.assert_allclose(figures["velocity_rms_m_s"], [0.0, 0.2, 0.1], atol=1e-12)


def test_heading_is_no_tilt():
    def change(t_s, output, estimator, truth):
        estimator.q[3:7] = yaw(0.7)

    figures = summary.estimation_figures(trace_of([1.0], change), floating=True)
    assert figures["tilt_rms_deg"] == pytest.approx(0.0, abs=1e-9)


@given(st.floats(-1.5, 1.5))
@settings(deadline=None)
def test_tilt_is_the_angle_of_a_roll(angle_rad):
    def change(t_s, output, estimator, truth):
        estimator.q[3:7] = [math.sin(angle_rad / 2), 0.0, 0.0, math.cos(angle_rad / 2)]

    figures = summary.estimation_figures(trace_of([1.0], change), floating=True)
    assert figures["tilt_rms_deg"] == pytest.approx(abs(math.degrees(angle_rad)), abs=1e-6)


def test_drift_is_how_far_the_position_error_moved_after_the_first_second():
    def change(t_s, output, estimator, truth):
        truth.q[0] = t_s
        estimator.q[0] = 1.1 * t_s + 7.0

    figures = summary.estimation_figures(trace_of([0.5, 1.0, 3.0], change), floating=True)
    np.testing.assert_allclose(figures["position_drift_m"], [0.2, 0.0, 0.0], atol=1e-12)


@pytest.mark.parametrize(("floating", "times_s"), [(False, [2.0]), (True, [0.5])])
def test_estimation_figures_that_were_not_produced_are_none(floating, times_s):
    figures = summary.estimation_figures(trace_of(times_s), floating)
    assert figures == {"velocity_rms_m_s": None, "tilt_rms_deg": None, "position_drift_m": None}


def test_walking_speed_is_seen_along_the_heading_once_the_gait_has_settled():
    commands = (
        Command.model_validate({"at_s": 0, "stand": {}}),
        Command.model_validate({"at_s": 2, "walk": {"velocity_m_s": (0.4, 0.0)}}),
        Command.model_validate({"at_s": 9, "stand": {}}),
    )

    def change(t_s, output, estimator, truth):
        truth.q[3:7] = yaw(1.0)
        truth.v[:6] = [0.3, 0.05, 0.0, 0.0, 0.0, 0.1] if 4 <= t_s < 9 else [9.0] * 6

    trace = trace_of([1.0, 3.9, 4.0, 8.9, 9.0], change)
    figures = summary.walking_figures(trace, scenario(commands=commands), floating=True)
    np.testing.assert_allclose(figures["mean_velocity_m_s"], [0.3, 0.05])
    assert figures["yaw_rate_rad_s"] == pytest.approx(0.1)


def test_a_robot_that_never_walked_has_no_walking_speed():
    commands = (Command.model_validate({"at_s": 0, "stand": {}}),)
    figures = summary.walking_figures(trace_of([3.0]), scenario(commands=commands), floating=True)
    assert figures == {"mean_velocity_m_s": None, "yaw_rate_rad_s": None}


def test_a_joint_is_saturated_when_at_its_limit_in_more_than_one_tick_of_a_hundred():
    def change(t_s, output, estimator, truth):
        truth.tau[0] = 10.0 if t_s < 1 else 0.0  # 1 of 100
        truth.tau[1] = -19.99 if t_s < 2 else 5.0  # 2 of 100

    figures = summary.torque_figures(trace_of(np.arange(100.0), change), ["hip_joint", "knee_joint"])
    assert figures == {
        "peak_fraction": pytest.approx(1.0),
        "saturated_joints": ["knee_joint"],
        "peak_fraction_by_joint": {"hip_joint": pytest.approx(1.0), "knee_joint": pytest.approx(0.9995)},
    }


def test_every_rung_of_the_ladder_is_counted_once():
    trace = Trace(toy_robot(), ticks=10)
    for rung, iterations in ((0, 25), (0, 50), (0, 25), (1, 75), (2, 0), (3, 0), (4, 0)):
        trace.record(*toy_tick(rung=rung, iterations=iterations, residual=1e-3, cone=2e-3))
    figures = summary.qp_figures(trace, "osqp")
    assert (figures["solved"], figures["softened"], figures["fallback"]) == (3, 1, 3)
    assert figures["iterations_p99"] == 75
    assert figures["worst_dynamics_residual_Nm"] == 1e-3
    assert figures["worst_cone_violation_N"] == 2e-3


@given(
    st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1),
    st.tuples(*[st.floats(-10, 10)] * 3),
)
@settings(deadline=None)
def test_rotation_keeps_lengths_and_agrees_with_pinocchio(quaternion, vector):
    import pinocchio as pin

    unit = np.array(quaternion) / np.linalg.norm(quaternion)
    turned = summary.rotate(unit[None], np.array(vector))[0]
    np.testing.assert_allclose(turned, pin.Quaternion(unit).matrix() @ vector, atol=1e-9)


def test_the_relative_pose_of_two_hands_counts_from_shortly_after_the_command():
    duo = RobotModel.load("fr3_duo")
    commands = [Command.model_validate({"at_s": at_s, "dual": {}}) for at_s in (0.0, 3.0)]
    commands.append(Command.model_validate({"at_s": 5.0, "stand": {}}))
    commands_given = scenario(commands=tuple(commands))
    trace = Trace(duo, ticks=9)
    trace.rows = 9
    trace.t_s[:] = [0.0, 0.6, 1.0, 2.0, 2.5, 3.5, 4.5, 5.5, 6.0]
    trace.state[:] = trace.state_index("active")
    trace.q_true[:] = duo.q_nominal
    # The last joint of one arm turns its hand only; what is before 2 s, or after the last command, does not
    # count.
    last = duo.joint_names.index("right_fr3_joint7")
    trace.q_true[:, last] += np.radians([5.0, 0.0, 9.0, 0.0, 1.0, 0.0, 1.0, 9.0, 9.0])
    figures = summary.relative_pose_figures(trace, duo, commands_given)
    assert figures["relative_max_deg"] == pytest.approx(1.0)
    assert figures["relative_rms_deg"] == pytest.approx(math.sqrt(2 / 4))
    assert figures["relative_max_m"] == pytest.approx(0.0, abs=1e-9)
    nothing = summary.relative_pose_figures(trace, duo, scenario())
    assert set(nothing.values()) == {None}
