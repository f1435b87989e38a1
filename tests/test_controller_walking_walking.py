"""Robots walk on estimated states, with noise, delay, unknown friction and an imprecise model."""

import numpy as np
import pytest
from gaits import WalkingRun

import kilohertz as khz
from kilohertz.controller.walking.gait_state import DOUBLE_SUPPORT, SWING

pytestmark = pytest.mark.closed_loop


def yaw(q: np.ndarray) -> float:
    x, y, z, w = q[3:7]
    return float(np.arctan2(2 * (w * z + x * y), 1 - 2 * (y * y + z * z)))


def test_a_g1_walks_straight_at_the_speed_that_was_asked_and_stands_again() -> None:
    run = WalkingRun("g1", seed=7)
    errors: list[np.ndarray] = []
    walk = run.request("walk", velocity_m_s=(0.5, 0.0))
    run.run(3.0, walk)
    start, t = run.sim.truth.q[:2].copy(), run.sim.t_s
    run.run(2.3, walk, lambda: errors.append(np.subtract(run.walking.xi, run.walking.xi_des)))
    way = (run.sim.truth.q[:2] - start) / (run.sim.t_s - t)
    assert run.stands
    assert way[0] == pytest.approx(0.5, rel=0.1)
    assert abs(way[1]) < 0.06
    assert abs(yaw(run.sim.truth.q)) < 0.1
    assert np.sqrt(np.mean(np.square(errors))) < 0.01
    run.run(5.0, run.request("stand"))
    assert run.stands
    assert run.walking.done
    assert np.abs(run.sim.truth.v_WC).max() < 0.05
    # All of standing is as it was.
    body, gains = run.brain.body, run.gains
    assert body.weight("base")[2] == gains.base.weight
    assert body.gain("com")[0] > 0.0


def test_a_robot_on_points_walks_where_it_is_asked_to() -> None:
    run = WalkingRun("bolt", seed=2)
    tilts: list[float] = []
    walk = run.request("walk", velocity_m_s=(0.235, 0.0))
    run.run(3.0, walk)
    start, t = run.sim.truth.q[:2].copy(), run.sim.t_s
    run.run(4.0, walk, lambda: tilts.append(tilt_deg(run)))
    way = (run.sim.truth.q[:2] - start) / (run.sim.t_s - t)
    assert run.stands
    assert way[0] == pytest.approx(0.235, rel=0.1)
    assert abs(way[1]) < 0.06
    assert abs(yaw(run.sim.truth.q)) < 0.2
    assert max(tilts) < 12.0
    assert not run.brain.output.missed


def test_point_feet_turn_the_robot_by_lateral_forces() -> None:
    run = WalkingRun("bolt", seed=1)
    run.run(3.0, run.request("walk", velocity_m_s=(0.0, 0.0), yaw_rate_rad_s=0.5))
    assert run.stands
    assert yaw(run.sim.truth.q) > 0.8


def test_a_biped_of_nothing_but_a_robot_yaml_walks() -> None:
    run = WalkingRun("alexander", seed=1)
    walk = run.request("walk", velocity_m_s=(0.3, 0.0))
    run.run(0.3, run.request("stand"))
    run.run(2.7, walk)
    start, t = run.sim.truth.q[:2].copy(), run.sim.t_s
    run.run(2.0, walk)
    way = (run.sim.truth.q[:2] - start) / (run.sim.t_s - t)
    assert run.stands
    assert way[0] == pytest.approx(0.3, rel=0.1)
    assert abs(way[1]) < 0.06
    assert tilt_deg(run) < 3.0


def test_a_push_is_caught_by_stepping() -> None:
    push = {"link": "torso_link", "impulse_Ns": [0.0, 9.0, 0.0]}
    run = WalkingRun("g1", seed=1, events=[{"at_s": 2.6, "push": push}])
    footholds: list[float] = []
    walk = run.request("walk", velocity_m_s=(0.0, 0.0))
    run.run(4.5, walk, lambda: footholds.append(run.walking.target[1]))
    assert run.stands
    # Feet went aside by more than their distance, and the robot is back to stepping.
    assert max(footholds) > 1.5 * run.walking.gait.width_m
    assert np.hypot(*np.subtract(run.walking.xi, run.walking.xi_des)) < 0.05


def tilt_deg(run: WalkingRun) -> float:
    world = run.sim.world
    return float(np.degrees(np.arccos(min(world.data.xmat[world.trunk].reshape(3, 3)[2, 2], 1.0))))


def payload_kg(run: WalkingRun) -> float:
    return float(run.brain.output.payload_kg)


@pytest.mark.parametrize(
    ("link", "kg", "place"),
    [("trunk", 10.0, [0.1, 0.0, 0.1]), ("hands", 5.0, [0.0, 0.0, 0.0]), ("right_hand", 3.0, [0.0, 0.0, 0.0])],
)
def test_an_unknown_load_is_weighed_and_carried_upright(link: str, kg: float, place: list[float]) -> None:
    run = WalkingRun(
        "g1", seed=4, events=[{"at_s": 0.0, "payload": {"link": link, "mass_kg": kg, "p_LP_m": place}}]
    )
    run.run(0.7, run.request("stand"))
    walk, tilts, errors = run.request("walk", velocity_m_s=(0.3, 0.0)), [], []
    run.run(2.3, walk)
    assert payload_kg(run) == pytest.approx(kg, rel=0.1)

    def look() -> None:
        tilts.append(tilt_deg(run))
        errors.append(np.subtract(run.walking.xi, run.walking.xi_des))

    run.run(1.5, walk, look)
    assert run.stands
    assert max(tilts) < 4.0
    assert np.sqrt(np.mean(np.square(errors))) < 0.01
    assert payload_kg(run) == pytest.approx(kg, rel=0.1)


@pytest.mark.long
@pytest.mark.parametrize("link", ["trunk", "hands"])
def test_a_load_is_picked_up_while_walking(link: str) -> None:
    load = {"link": link, "mass_kg": 5.0}
    run = WalkingRun("g1", seed=2, events=[{"at_s": 2.5, "payload": load}])
    walk, tilts = run.request("walk", velocity_m_s=(0.3, 0.0)), []
    run.run(2.5, walk)
    assert payload_kg(run) == 0.0
    run.run(2.2, walk, lambda: tilts.append(tilt_deg(run)))
    assert run.stands
    assert max(tilts) < 4.0
    assert payload_kg(run) == pytest.approx(5.0, rel=0.1)
    assert run.brain.body.carried.total_kg == pytest.approx(run.robot.mass_kg + 5.0, abs=0.7)


@pytest.mark.long
def test_a_push_is_no_load() -> None:
    push = {"link": "torso_link", "impulse_Ns": [0.0, 8.0, 0.0]}
    run = WalkingRun("g1", seed=3, events=[{"at_s": 2.75, "push": push}])
    loads: list[float] = []
    walk = run.request("walk", velocity_m_s=(0.2, 0.0))
    run.run(4.0, walk, lambda: loads.append(run.brain.body.carried.total_kg - run.robot.mass_kg))
    assert run.stands
    assert max(loads) < 0.05 * run.robot.mass_kg


@pytest.mark.long
def test_a_push_over_the_foot_that_lands_takes_two_hurried_steps() -> None:
    # The worst moment: the robot is pushed onto a foot that is about to land, and out beyond it.
    push = {"link": "torso_link", "impulse_Ns": [0.0, -8.0, 0.0]}
    run = WalkingRun("g1", seed=11, events=[{"at_s": 3.885, "push": push}])
    walk = run.request("walk", velocity_m_s=(0.0, 0.0))
    durations: list[float] = []
    run.run(6.5, walk, lambda: durations.append(run.walking.step_s))
    assert run.stands
    assert min(durations) < 0.6 * run.walking.gait.step_s
    assert np.hypot(*np.subtract(run.walking.xi, run.walking.xi_des)) < 0.05


def test_a_larger_robot_walks_with_the_same_gains() -> None:
    run = WalkingRun("talos")
    run.run(4.0, run.request("walk", velocity_m_s=(0.3, 0.0)))
    assert run.stands
    assert run.sim.truth.q[0] > 0.4


def test_the_plan_says_which_contacts_are_closed() -> None:
    run = WalkingRun("g1", seed=1)
    seen = set()

    def look() -> None:
        walking = run.walking
        if walking.phase == DOUBLE_SUPPORT:
            assert walking.planned.all()
        seen.add((walking.phase, tuple(walking.planned)))

    run.run(3.0, run.request("walk", velocity_m_s=(0.0, 0.0)), look)
    assert run.stands
    assert {(SWING, (True, False)), (SWING, (False, True)), (DOUBLE_SUPPORT, (True, True))} <= seen


def test_the_same_run_gives_the_same_bits() -> None:
    states = []
    for _ in range(2):
        run = WalkingRun("g1", seed=5)
        run.run(2.5, run.request("walk", velocity_m_s=(0.2, 0.0)))
        states.append(run.sim.truth.q.copy())
    np.testing.assert_array_equal(*states)


def test_a_slope_is_felt_and_walked() -> None:
    run = WalkingRun("g1", seed=2, ground={"kind": "slope", "pitch_deg": 10})
    walk = run.request("walk", velocity_m_s=(0.25, 0.0))
    run.run(4.0, walk)
    start, t = run.sim.truth.q[0], run.sim.t_s
    run.run(2.0, walk)
    assert run.stands
    assert (run.sim.truth.q[0] - start) / (run.sim.t_s - t) == pytest.approx(0.25, rel=0.15)
    assert run.walking._free.ground.slope[0] == pytest.approx(np.tan(np.radians(10.0)), abs=0.03)


@pytest.mark.long
def test_stairs_are_walked_on_given_footsteps_and_what_is_asked_meanwhile_waits() -> None:
    xz = [
        (0.16, 0.0),
        (0.33, 0.0),
        (0.61, 0.1),
        (0.89, 0.2),
        (1.16, 0.2),
        (1.44, 0.1),
        (1.72, 0.0),
        (1.72, 0.0),
    ]
    steps = [
        {"foot": ("left_foot", "right_foot")[i % 2], "p_SF_m": [x, 0.09 - 0.18 * (i % 2), z]}
        for i, (x, z) in enumerate(xz)
    ]
    ground = {
        "kind": "stairs",
        "rise_m": 0.1,
        "tread_m": 0.28,
        "count": 2,
        "landing_m": 0.55,
        "and_back": True,
    }
    run = WalkingRun("g1", seed=3, ground=ground)
    run.run(4.0, run.request("footsteps", steps=steps))
    assert run.walking.on_footsteps
    run.run(7.0, run.request("stand"))
    assert run.stands
    assert run.walking.done
    for foot, (x, z) in enumerate((xz[-2], xz[-1])):
        p_SF = run.sim.truth.p_WF[foot] - [0.0326, 0.0, 0.0]
        np.testing.assert_allclose(p_SF, [x, 0.09 - 0.18 * foot, z], atol=0.04)
    assert run.brain.body.reference("base")[7] == pytest.approx(0.0, abs=1e-9)


@pytest.mark.long
@pytest.mark.parametrize("seed", [0, 2])
def test_ten_stairs_are_climbed_and_descended_on_the_estimate(seed: int) -> None:
    summary = khz.simulate("g1", scenario="stairs", seed=seed).summary
    assert not summary["fell"]
    # With footholds that drift by as much as 5 cm until the last step, the robot stumbles, or just not.
    assert summary["tracking"]["com_rms_m"] < 0.025


@pytest.mark.long
def test_unknown_edges_are_stepped_on_and_over() -> None:
    # Blocks of up to 4 cm: one edge is right before a toe that leaves, others are early under a foot.
    ground = {"kind": "blocks", "size_m": 0.3, "height_m": 0.04, "seed": 8}
    run = WalkingRun("g1", seed=8, ground=ground)
    errors: list[float] = []
    walk = run.request("walk", velocity_m_s=(0.3, 0.0))
    run.run(
        6.0, walk, lambda: errors.append(np.hypot(*np.subtract(run.walking.xi, run.walking.xi_des)).item())
    )
    assert run.stands
    assert run.walking._free.roughness_m > 0.005
    assert max(errors) < 0.07
    assert tilt_deg(run) < 10.0


def test_a_step_that_ends_early_on_a_block_does_not_hurry_the_next_ones() -> None:
    ground = {"kind": "blocks", "size_m": 0.6, "height_m": 0.03, "seed": 1}
    run = WalkingRun("g1", seed=1, ground=ground)
    early: list[float] = []
    durations: list[float] = []
    phase = [DOUBLE_SUPPORT]

    def look() -> None:
        walking = run.walking
        if walking.phase == DOUBLE_SUPPORT != phase[0]:
            early.append(walking._double_support.hold_s)
        if walking.phase == SWING:
            durations.append(walking.step_s)
        phase[0] = walking.phase

    run.run(6.0, run.request("walk", velocity_m_s=(0.3, 0.0)), look)
    assert run.stands
    assert max(early) > 0.03
    assert min(durations) > 0.9 * run.walking.gait.step_s
