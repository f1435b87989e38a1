"""`Simulation`: step by step, with the bits of a whole run, and independent of its neighbours."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import kilohertz as khz

pytestmark = pytest.mark.closed_loop

SQUAT = {
    "name": "squat",
    "duration_s": 0.4,
    "commands": [{"at_s": 0, "stand": {}}, {"at_s": 0.1, "squat": {"depth_m": 0.05, "period_s": 2.0}}],
    "events": [{"at_s": 0.2, "push": {"link": "trunk", "impulse_Ns": [1.0, 2.0, 0.0]}}],
}


def bits(states: list[khz.State]) -> bytes:
    return b"".join(
        array.tobytes() for s in states for array in (s.q, s.v, s.tau, s.w_F, s.truth.q, s.truth.v)
    )


@pytest.fixture
def sim() -> khz.Simulation:
    return khz.Simulation("panda", seed=1)


def test_a_simulation_of_a_scenario_is_the_run_of_it_bit_for_bit() -> None:
    run = khz.simulate("g1", SQUAT, seed=3)
    sim = khz.Simulation("g1", 3, SQUAT)
    history = run.history
    for tick in range(400):
        state = sim.step()
        assert state.t_s == history["t_s"][tick]
        for ours, name in (
            (state.q, "q"), (state.tau, "tau_ff"), (state.p_WC, "p_WC"), (state.w_F, "w_F"),
            (state.truth.q, "q_true"), (state.truth.v, "v_true"), (state.truth.p_WC, "p_WC_true"),
        ):  # fmt: skip
            assert ours.tobytes() == history[name][tick].tobytes(), (name, tick)
    assert list(sim.events) == [event for event in run.events if event["kind"] == "push"]


@pytest.mark.long
def test_two_simulations_taken_in_turns_give_the_bits_of_each_alone() -> None:
    def start() -> list[khz.Simulation]:
        return [khz.Simulation("g1", seed=1), khz.Simulation("g1", seed=2, solver="exact")]

    alone = [bits([sim.step() for _ in range(60)]) for sim in start()]
    together: list[list[khz.State]] = [[], []]
    pair = start()
    for _ in range(60):
        for sim, states in zip(pair, together, strict=True):
            states.append(sim.step())
    assert [bits(states) for states in together] == alone
    assert alone[0] != alone[1]


def test_a_push_is_that_of_a_scenario_at_the_same_time() -> None:
    push = {"link": "trunk", "impulse_Ns": [0.0, 2.0, 0.0], "duration_s": 0.02}
    planned = khz.Simulation("g1", 0, {"events": [{"at_s": 0.03, "push": push}]})
    pushed = khz.Simulation("g1", 0, {})
    states: list[list[khz.State]] = [[], []]
    for tick in range(80):
        if tick == 30:
            pushed.push("trunk", np.array([0.0, 2.0, 0.0]), 0.02)
        states[0].append(planned.step())
        states[1].append(pushed.step())
    assert bits(states[0]) == bits(states[1])
    assert list(planned.events) == list(pushed.events)
    unpushed = khz.Simulation("g1", 0, {})
    assert bits([unpushed.step() for _ in range(80)]) != bits(states[1])


def test_each_step_moves_the_world_by_one_period(sim: khz.Simulation) -> None:
    before = sim.step()
    assert (before.t_s, sim.t_s) == (0.0, 0.001)
    state = sim.step()
    assert (state.t_s, sim.t_s) == (0.001, 0.002)
    assert not np.array_equal(before.truth.q, state.truth.q)


def test_a_state_that_is_kept_stays_as_it_is(sim: khz.Simulation) -> None:
    states = [sim.step() for _ in range(3)]
    kept = bits(states)
    for _ in range(20):
        sim.step()
    assert bits(states) == kept


def test_a_state_has_the_shapes_it_documents() -> None:
    sim = khz.Simulation("g1")
    robot, state = sim.robot, sim.step()
    assert (state.q.shape, state.v.shape, state.tau.shape) == ((robot.nq,), (robot.nv,), (robot.na,))
    assert (state.p_WC.shape, state.contact.shape, state.w_F.shape) == ((3,), (2,), (2, 6))
    assert state.contact.dtype == np.bool_
    assert state.truth.contact_force_W.shape == (2, 3)
    assert (state.behaviour_state, state.reason, state.remark, state.fell) == ("active", "", "", False)


def test_an_arm_has_no_centre_of_mass_to_balance(sim: khz.Simulation) -> None:
    state = sim.step()
    assert np.isnan(state.p_WC).all()
    assert np.isfinite(state.truth.p_WC).all()


def test_a_command_takes_the_place_of_all_that_the_scenario_would_command() -> None:
    sim = khz.Simulation("panda", 0, {"commands": [{"at_s": 0.02, "damp": {}}]})
    sim.step()
    sim.command("reach", offset_m=[0.0, 0.05, 0.0])
    reached = khz.Simulation("panda", 0, {})
    reached.step()
    reached.command("reach", offset_m=[0.0, 0.05, 0.0])
    states, expected = ([one.step() for _ in range(60)] for one in (sim, reached))
    assert states[-1].behaviour_state == "active"
    assert bits(states) == bits(expected)
    assert np.abs(states[-1].p_WH_des - states[0].p_WH_des).max() > 1e-4


@pytest.mark.parametrize(
    ("behaviour", "params", "sentence"),
    [
        ("raech", {}, r"^raech: is not a known key \(did you mean 'reach'\?\)$"),
        ("reach", {"ofset_m": [0, 0, 0]}, r"^reach\.ofset_m: is not a known key \(did you mean 'offset_m'"),
        ("circle", {"radius_m": -1, "period_s": 2}, r"^circle\.radius_m: should be greater than 0, not -1$"),
        ("walk", {"velocity_m_s": [0.2, 0.0]}, "^walk: 'panda' is fixed to the ground: it cannot walk"),
    ],
)
def test_a_command_that_cannot_be_done_is_refused_and_changes_nothing(
    sim: khz.Simulation, behaviour: str, params: dict[str, Any], sentence: str
) -> None:
    untouched = khz.Simulation("panda", seed=1)
    with pytest.raises(khz.Refused, match=sentence):
        sim.command(behaviour, **params)
    assert bits([sim.step() for _ in range(5)]) == bits([untouched.step() for _ in range(5)])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("panda_link_7", [0, 0, 1]), r"^link: 'panda_link_7' is not a link of panda \(did you mean"),
        (("trunk", [0, 1]), "^impulse_Ns: should have 3 entries, not 2$"),
        (("trunk", [0, 0, np.nan]), r"^impulse_Ns\[2\]: should be a finite number"),
        (("trunk", [0, 0, 1], 0.0), "^duration_s: should be greater than 0, not 0"),
    ],
)
def test_a_push_that_cannot_be_is_refused(
    sim: khz.Simulation, arguments: tuple[Any, ...], sentence: str
) -> None:
    with pytest.raises(khz.Refused, match=sentence):
        sim.push(*arguments)


def test_after_a_fall_it_goes_on() -> None:
    sim = khz.Simulation("g1")
    sim.push("trunk", [0.0, 150.0, 0.0])
    while not sim.fell:
        assert sim.t_s < 3.0
        state = sim.step()
    assert state.fell
    assert sim.fell_at_s == pytest.approx(sim.t_s)
    before_s = sim.t_s
    state = [sim.step() for _ in range(100)][-1]
    assert sim.t_s == pytest.approx(before_s + 0.1)
    assert state.behaviour_state == "damping"
    assert state.reason


def test_time_goes_on_where_the_simulation_diverged(sim: khz.Simulation) -> None:
    sim.step()
    sim._simulated._data.qvel[:] = np.nan
    for _ in range(5):
        sim.step()
    assert sim.fell
    assert sim.t_s == pytest.approx(0.006)


def test_a_reset_is_a_new_simulation() -> None:
    first = khz.Simulation("g1", seed=1)
    new = bits([first.step() for _ in range(30)])
    first.push("trunk", [0.0, 20.0, 0.0])
    first.command("damp")
    for _ in range(30):
        first.step()
    first.reset()
    assert (first.t_s, first.fell, list(first.events)) == (0.0, False, [])
    assert bits([first.step() for _ in range(30)]) == new
    first.reset(seed=2)
    assert bits([first.step() for _ in range(30)]) != new
    with pytest.raises(khz.Refused, match="seed should be a whole number"):
        first.reset(seed=-1)


def test_a_closed_simulation_says_so() -> None:
    with khz.Simulation("panda") as sim:
        sim.step()
    sim.close()
    for use in (sim.step, lambda: sim.command("stand"), lambda: sim.push("trunk", [0, 0, 1]), sim.reset):
        with pytest.raises(RuntimeError, match="this simulation is closed: make a new one"):
            use()
    assert repr(sim) == "<Simulation: panda, interactive, 0.001 s, closed>"


def test_a_robot_on_point_feet_steps_in_place_until_it_is_commanded() -> None:
    sim = khz.Simulation("bolt")
    closed = [sim.step().contact.sum() for _ in range(1500)]
    assert not sim.fell
    assert min(closed) < 2


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"robot": "pando"}, r"no robot 'pando' \(did you mean 'panda'"),
        ({"scenario": "stnad"}, r"did you mean 'stand'"),
        ({"solver": "qp"}, "solver should be osqp or exact"),
        ({"seed": "1"}, "seed should be a whole number"),
        ({"gains": "none.yaml"}, "none.yaml: does not exist"),
    ],
)
def test_an_argument_that_cannot_be_used_is_refused(arguments: dict[str, Any], sentence: str) -> None:
    with pytest.raises(khz.Refused, match=sentence):
        khz.Simulation(**{"robot": "panda", **arguments})
