"""One step from sensors to command: deterministic, and safe whatever the sensors say."""

import functools

import numpy as np
import pytest
from bodies import robot
from control_runs import ignore, new_brain, run
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sim_runs import simulate

from kilohertz.controller.brain import STAGES, Brain
from kilohertz.controller.gains.schema import load_gains
from kilohertz.controller.problem.soles import com_height
from kilohertz.controller.safety.ladder import DAMPING, GRAVITY, LAST_GOOD
from kilohertz.controller.supervision.request import make_request, soft_stop
from kilohertz.estimators.floating_base import FloatingBaseEstimator

pytestmark = pytest.mark.closed_loop

NOISY = {"noise": "default", "delay_ms": 2.0}
STAND = make_request(robot("g1"), "stand", {})
STOP = soft_stop(robot("g1"))


def check_commands(result):
    """Every command is finite, within the torque limits, and no faster than the guard lets it be."""
    limit = result.sim.robot.torque_limit_Nm
    assert np.isfinite(result.command).all()
    assert (np.abs(result.tau) <= limit).all()
    assert (np.abs(np.diff(result.tau, axis=0)) <= 0.1 * limit + 1e-9).all()


class Still:
    """An estimator that says what the test says."""

    def __init__(self, model):
        self.q, self.v = np.array(model.q_nominal), np.zeros(model.nv)
        self.q_O = self.q
        self.contact = np.ones(len(model.contacts), dtype=bool)
        self.doubt = np.zeros(1)

    def reset(self, sensors):
        pass

    def update(self, sensors, planned_contact, dt_s):
        self.dt_s = dt_s


@pytest.fixture
def still():
    """A brain of the G1 that believes to be at rest, its estimator and a good sample."""
    model = robot("g1")
    estimator, sensors = Still(model), model.new_sensor_row()
    sensors.contact_force_N[:] = np.nan
    brain = Brain(model, load_gains(model), estimator)
    brain.reset(sensors)
    return brain, estimator, sensors


def step(brain, sensors, request=STAND):
    sensors.seq[0] += 1
    sensors.t_s[0] += 1e-3
    return brain.step(sensors, request, None, ignore)


def test_the_same_rows_give_the_same_bits():
    """What a run has recorded goes through a fresh brain: every command is the same to the last bit."""
    recorded = run(
        "g1",
        1.0,
        ((0.0, "stand", {}), (0.3, "sway", {"amplitude_m": 0.03, "period_s": 1.5})),
        estimator="default",
        plant="default",
        sensors=NOISY,
        events=[{"at_s": 0.5, "push": {"link": "torso_link", "impulse_Ns": [0, 5, 0], "duration_s": 0.1}}],
    )
    model, gains = robot("g1"), load_gains(robot("g1"))
    brain = Brain(model, gains, FloatingBaseEstimator(model, gains.estimator))
    sensors = model.new_sensor_row()
    sensors.data[:] = recorded.rows[0]
    brain.reset(sensors)
    for k, row in enumerate(recorded.rows):
        sensors.data[:] = row
        out = brain.step(sensors, recorded.requests[k], gains, ignore)
        np.testing.assert_array_equal(out.command.data, recorded.command[k], err_msg=f"tick {k}")


def test_the_output_is_one_object_and_its_arrays_stay(still):
    brain, _, sensors = still
    first = step(brain, sensors)
    command, tau = first.command.data, first.tau
    second = step(brain, sensors)
    assert second is first
    assert second.command.data is command
    assert second.tau is tau


def test_every_stage_is_marked_once_in_order(still):
    brain, _, sensors = still
    marks = []
    brain.step(sensors, STAND, None, marks.append)
    assert marks == list(range(len(STAGES)))


def test_a_command_answers_its_sample(still):
    brain, _, sensors = still
    for k in range(1, 4):
        out = step(brain, sensors)
        assert out.command.seq[0] == k
        assert out.command.t_s[0] == sensors.t_s[0]


@pytest.mark.parametrize("field", ["seq", "t_s", "q", "v", "tau", "gyro", "accel"])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_two_bad_samples_are_bridged_and_the_third_ends_in_damping(field, bad):
    if field == "tau" and np.isnan(bad):
        pytest.skip("a torque may be unknown")

    def spoil(tick, sensors, brain):
        if tick in (50, 51, 100, 101, 102):
            getattr(sensors, field)[-1] = bad

    result = run("g1", 0.2, estimator="default", sensors=NOISY, change=spoil)
    check_commands(result)
    assert set(result.state[:102]) == {"active"}
    assert (result.rung[:102] == 0).all(), "the first clean sample is solved"
    assert set(result.state[102:]) == {"damping"}
    assert result.brain.output.reason == "3 sensor samples in a row are not finite"
    model = robot("g1")
    kd = result.command[103:, -2 * model.na : -model.na]
    assert (kd > 0.0).all(), "a robot never goes limp"


def test_a_force_sensor_that_is_not_there_is_no_fault():
    def silence(tick, sensors, brain):
        sensors.contact_force_N[:] = np.nan

    result = run("talos", 0.1, change=silence)
    assert set(result.state) == {"active"}


def test_unknown_torques_are_no_fault():
    def silence(tick, sensors, brain):
        sensors.tau[:] = np.nan

    result = run("g1", 0.3, estimator="default", sensors=NOISY, change=silence)
    assert set(result.state) == {"active"}


@pytest.mark.long
@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 95), st.floats(allow_nan=True, allow_infinity=True, width=64)), max_size=40
    )
)
@example([(0, 0.0), (34, 31.0), (18, 8.0)])  # a joint that seems to be beyond its limit
def test_no_sample_makes_a_command_that_is_not_finite(spoiled):
    """Any number in any field, tick after tick."""
    model, gains = robot("g1"), load_gains(robot("g1"))
    brain = BRAINS.setdefault("g1", Brain(model, gains, FloatingBaseEstimator(model, gains.estimator)))
    good = at_rest()
    sensors = model.new_sensor_row()
    sensors.data[:] = good
    brain.reset(sensors)
    before = None
    for k, (index, value) in enumerate(spoiled):
        sensors.data[:] = good
        sensors.seq[0], sensors.t_s[0] = k, 1e-3 * k
        sensors.data[index % len(good)] = value
        out = brain.step(sensors, STAND, gains, ignore)
        assert np.isfinite(out.command.data).all()
        assert (np.abs(out.tau) <= model.torque_limit_Nm).all()
        if before is not None:
            assert (np.abs(out.tau - before) <= 0.1 * model.torque_limit_Nm + 1e-9).all()
        before = out.tau.copy()


BRAINS = {}


@functools.cache
def at_rest():
    sim, sensors = simulate("g1"), robot("g1").new_sensor_row()
    sim.read(sensors)
    return sensors.data.copy()


def test_requested_damping_is_latched_until_the_next_reset(still):
    brain, _, sensors = still
    assert step(brain, sensors).state == "active"
    damp = make_request(robot("g1"), "damp", {})
    out = step(brain, sensors, damp)
    assert (out.state, out.reason, out.rung) == ("damping", "damping was asked for", DAMPING)
    for _ in range(20):
        out = step(brain, sensors, make_request(robot("g1"), "stand", {}))
        assert out.state == "damping"
    np.testing.assert_array_equal(out.command.tau_ff, 0.0)
    np.testing.assert_array_equal(out.command.kp, 0.0)
    assert (out.command.kd > 0.0).all()
    brain.reset(sensors)
    assert step(brain, sensors).state == "active"
    assert brain.output.reason == ""


def test_torque_fades_out_as_damping_fades_in_and_neither_is_a_step():
    def damp(tick, sensors, brain):
        if tick == 50:
            brain._damp("the test says so")

    result = run("g1", 0.1, change=damp)
    check_commands(result)
    assert np.abs(result.tau[49]).max() > 5.0
    np.testing.assert_array_equal(result.tau[70:], 0.0)
    na = robot("g1").na
    kd = result.command[:, -2 * na : -na]
    assert (np.diff(kd[49:70], axis=0) > 0.0).all()
    assert (np.diff(kd[70:], axis=0) == 0.0).all()
    assert (kd[70] > 0.0).all()


@pytest.mark.parametrize(("doubt", "state"), [(0.99, "active"), (1.01, "damping"), (np.nan, "damping")])
def test_a_diverged_estimate_ends_in_damping(still, doubt, state):
    brain, estimator, sensors = still
    step(brain, sensors)
    estimator.doubt[0] = doubt
    out = step(brain, sensors)
    assert out.state == state
    assert ("diverged" in out.reason) == (state == "damping")


def test_two_samples_with_a_joint_jump_are_bridged_and_the_third_ends_in_damping():
    def spoil(tick, sensors, brain):
        if tick in (50, 51, 100, 101, 102):
            sensors.q[3] += 0.3

    result = run("g1", 0.2, estimator="default", sensors=NOISY, change=spoil)
    check_commands(result)
    assert set(result.state[:102]) == {"active"}
    assert set(result.state[102:]) == {"damping"}
    assert result.brain.output.reason.endswith(f"the encoder of {robot('g1').joint_names[3]} jumps")


def test_a_gyroscope_that_stops_to_measure_is_noticed():
    def freeze(tick, sensors, brain):
        if tick >= 150:
            sensors.gyro[:] = 0.01

    result = run("g1", 0.25, estimator="default", sensors=NOISY, change=freeze)
    assert set(result.state[:190]) == {"active"}
    assert result.state[-1] == "damping"
    assert result.brain.output.reason == "the gyroscope is frozen: its value has stopped changing"


def test_a_fall_is_noticed_before_the_robot_lies_and_is_braked():
    push = {"at_s": 0.1, "push": {"link": "torso_link", "impulse_Ns": [0, 30, 0], "duration_s": 0.1}}
    result = run("g1", 1.5, events=[push])
    check_commands(result)
    noticed = int(np.argmax(result.state == "damping"))
    assert 100 < noticed < 1e3 * (result.sim.fell_at_s or 1.5)
    assert result.brain.output.reason.startswith("a fall")
    assert set(result.state[noticed:]) == {"damping"}
    kp = result.command[noticed:, 2 + 2 * 29 : 2 + 3 * 29]
    assert (kp > 0.0).all(), "springs pull it together; it is not let drop"


@pytest.mark.parametrize(
    ("change", "word"),
    [({3: np.sin(0.5), 6: np.cos(0.5)}, "tilted"), ({2: 10.0}, "")],
    ids=["tilted", "high"],
)
def test_a_fall_is_seen_in_the_state(still, change, word):
    brain, estimator, sensors = still
    step(brain, sensors)
    for index, value in change.items():
        estimator.q[index] = value
    out = step(brain, sensors)
    assert (out.state == "damping") == bool(word)
    assert word in out.reason


@pytest.mark.parametrize(("jump_s", "dt_s"), [(3600.0, 3e-3), (-3600.0, 0.5e-3), (0.0, 1e-3), (5e-4, 1.5e-3)])
def test_a_jump_of_the_clock_is_no_jump_of_state_or_torque(still, jump_s, dt_s):
    brain, estimator, sensors = still
    for _ in range(5):
        before = step(brain, sensors).tau.copy()
    sensors.t_s[0] += jump_s
    out = step(brain, sensors)
    assert estimator.dt_s == pytest.approx(dt_s)
    np.testing.assert_allclose(out.tau, before, atol=0.1)
    step(brain, sensors)
    assert estimator.dt_s == pytest.approx(1e-3)


@pytest.mark.parametrize("late_s", [[0.0, 3e-3, 2e-3, 1e-3], [2e-3, 1e-3, 0.0, 1e-4], [0.0, 9e-4, 0.0, 3e-4]])
def test_samples_that_are_stamped_late_and_in_bursts_do_not_make_time_pass_faster(still, late_s):
    brain, estimator, sensors = still
    for _ in range(5):
        step(brain, sensors)
    start_s, passed_s = sensors.t_s[0], 0.0
    for tick in range(400):
        sensors.t_s[0] = start_s + 1e-3 * tick + late_s[tick % 4]
        step(brain, sensors)
        passed_s += estimator.dt_s
    assert passed_s == pytest.approx(0.4, abs=4e-3)


def test_without_solutions_the_ladder_is_descended_within_torque_limits():
    def refuse(tick, sensors, brain):
        if tick == 20:
            brain.body.solve = brain.body.solve_softened = lambda: False

    result = run("g1", 0.2, change=refuse)
    check_commands(result)
    assert (result.rung[:20] == 0).all()
    assert (result.rung[20:25] == LAST_GOOD).all()
    assert (result.rung[25:75] == GRAVITY).all()
    assert (result.rung[75:] == DAMPING).all()
    assert result.brain.output.reason.startswith("no solution of the whole-body problem")
    model = robot("g1")
    kp = result.command[25:75, 2 + 2 * model.na : 2 + 3 * model.na]
    assert (kp > 0.0).all(), "a posture spring helps gravity compensation"
    assert not result.sim.fell


def test_a_few_ticks_without_solution_do_not_make_the_robot_fall():
    def refuse(tick, sensors, brain):
        if tick == 100:
            brain.body.solve = brain.body.solve_softened = lambda: False
        if tick == 110:
            del brain.body.solve, brain.body.solve_softened

    result = run("g1", 1.0, change=refuse)
    check_commands(result)
    assert set(result.state) == {"active"}
    assert (result.rung[110:] == 0).all()
    assert result.com_error_m[-1] < 5e-3


def test_requests_count_when_they_are_new(still):
    brain, _, sensors = still
    sway = make_request(robot("g1"), "sway", {"amplitude_m": 0.03, "period_s": 2.0})
    taken = []
    brain.motion.take = taken.append
    for request in (STAND, STAND, sway, sway, STAND):
        step(brain, sensors, request)
    assert taken == [STAND, sway, STAND]


def test_reported_wrenches_carry_the_weight_and_the_zero_moment_point_is_under_the_soles(still):
    brain, _, sensors = still
    for _ in range(10):
        out = step(brain, sensors)
    model = robot("g1")
    assert out.w_F[:, 2].sum() == pytest.approx(9.81 * model.mass_kg, rel=0.02)
    assert np.abs(out.zmp_des - out.p_WS[:2]).max() < 0.05
    np.testing.assert_allclose(out.p_WC, brain.body.arrays.kin.p_WC)


def test_an_arm_has_a_brain_too():
    brain = new_brain(simulate("ur5"))
    sensors = robot("ur5").new_sensor_row()
    brain.reset(sensors)
    out = step(brain, sensors, make_request(robot("ur5"), "stand", {}))
    assert (out.state, out.rung) == ("active", 0)
    assert out.hand_active.all()


def test_a_soft_stop_ends_idle_as_soon_as_the_robot_is_at_rest():
    sim = simulate("g1", plant="default", sensors=NOISY)
    brain, sensors = new_brain(sim, "default"), sim.robot.new_sensor_row()
    sim.read(sensors)
    brain.reset(sensors)
    assert brain.output.state == "armed"
    states = []
    for tick in range(2500):
        sim.read(sensors)
        out = brain.step(sensors, STAND if tick < 500 else STOP, None, ignore)
        states.append(out.state)
        if out.state == "idle":
            break
        sim.write(out.command)
    assert states[:500] == ["active"] * 500
    assert set(states[500:-1]) == {"soft_stop"}
    assert states[-1] == "idle"
    assert len(states) - 500 < 1700
    assert out.p_WC[2] < 0.8 * com_height(sim.robot)


def test_a_robot_that_is_stopped_may_still_fall_and_is_then_damped(still):
    brain, estimator, sensors = still
    assert step(brain, sensors, STOP).state == "soft_stop"
    estimator.q[3:7] = [0.6, 0.0, 0.0, 0.8]
    out = step(brain, sensors, STOP)
    assert out.state == "damping"
    assert "tilted" in out.reason


def test_other_gains_come_into_force_and_what_cannot_change_is_refused(still):
    brain, _, sensors = still
    weight = brain.body.weight("com").copy()
    gains = load_gains(robot("g1"))
    lighter = gains.model_copy(update={"com": gains.com.model_copy(update={"weight": gains.com.weight / 2})})
    # They wait until there is motion at rest to compare them with.
    for _ in range(3000):
        sensors.seq[0] += 1
        sensors.t_s[0] += 1e-3
        brain.step(sensors, STAND, lighter, ignore)
    np.testing.assert_allclose(brain.body.weight("com"), weight / 2, rtol=1e-9)
    fixed = gains.model_copy(update={"solver": "exact" if gains.solver == "osqp" else "osqp"})
    with pytest.raises(ValueError, match="solver cannot change while the robot runs"):
        brain.step(sensors, STAND, fixed, ignore)
    with pytest.raises(TypeError, match="Gains or a GainsRow, not Brain"):
        brain.step(sensors, STAND, brain, ignore)


@pytest.mark.parametrize("solver", ["osqp", "exact"])
def test_after_a_reset_the_same_samples_give_the_same_bits(solver):
    model = robot("g1")
    gains = load_gains(model).model_copy(update={"solver": solver})
    brain = Brain(model, gains, FloatingBaseEstimator(model, gains.estimator))
    sensors, commands = model.new_sensor_row(), []
    for _ in range(2):
        sensors.data[:] = at_rest()
        brain.reset(sensors)
        commands.append([step(brain, sensors).command.data.copy() for _ in range(30)])
        for row in commands[-1]:
            row[0] = 0.0  # the running number of the command
    np.testing.assert_array_equal(*commands)
