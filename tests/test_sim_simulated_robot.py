"""Physics that no simulation may break, and events that happen as the scenario says."""

import numpy as np
import pinocchio as pin
import pytest
from sim_runs import ROBOTS, SURFACE_FEET, holding_command, random_command, robot, run, simulate

from kilohertz.sim.scenario_schema import Push

pytestmark = pytest.mark.closed_loop

GRAVITY = np.array([0.0, 0.0, -9.81])
TERRAINS = (
    {"kind": "flat"},
    {"kind": "slope", "pitch_deg": 8.0},
    {"kind": "slope", "pitch_deg": -6.0, "roll_deg": 5.0},
    {"kind": "blocks", "height_m": 0.03},
    {"kind": "stairs", "rise_m": 0.15, "tread_m": 0.3, "count": 4},
)


def lifted(name, height_m=5.0, **fields):
    """A robot in the air, its drives damping, as if it had just been let go."""
    sim = simulate(name, **fields)
    sim.world.data.qpos[2] += height_m
    sim.close()
    sim.advance()
    return sim


def test_a_falling_robot_accelerates_with_gravity_whatever_its_joints_do():
    sim = lifted("g1")
    rng = np.random.default_rng(0)
    sim.world.data.qvel[6:] = rng.normal(size=sim.robot.na)
    sim.advance()
    start = sim.truth.v_WC.copy()
    run(sim, 0.3)
    np.testing.assert_allclose((sim.truth.v_WC - start) / 0.3, GRAVITY, atol=2e-3)


def test_momentum_is_conserved_without_gravity():
    sim = lifted("g1")
    sim.world.model.opt.gravity[:] = 0.0
    rng = np.random.default_rng(0)
    sim.world.data.qvel[:] = 0.5 * rng.normal(size=sim.robot.nv)
    sim.advance()
    start = sim.truth.v_WC.copy()
    assert np.linalg.norm(start) > 0.1
    run(sim, 0.5)
    np.testing.assert_allclose(sim.truth.v_WC, start, atol=2e-3)


@pytest.mark.parametrize("name", SURFACE_FEET)
@pytest.mark.parametrize("ground", TERRAINS, ids=lambda ground: ground["kind"])
def test_soles_carry_the_weight_of_a_robot_at_rest(name, ground):
    sim = simulate(name, ground=ground)
    forces = []
    for _ in range(1000):
        sim.advance()
        forces.append(sim.truth.contact_force_W.sum(axis=0))
    np.testing.assert_allclose(np.mean(forces, axis=0), -sim.truth.mass_kg * GRAVITY, atol=0.01 * 9.81 * 90)
    assert not sim.fell


@pytest.mark.parametrize("name", SURFACE_FEET)
@pytest.mark.parametrize("ground", TERRAINS, ids=lambda ground: ground["kind"])
def test_a_run_starts_at_rest_with_its_weight_on_the_ground(name, ground):
    sim = simulate(name, ground=ground)
    truth = sim.truth
    np.testing.assert_array_equal(truth.v, 0.0)
    assert truth.contact_force_W[:, 2].sum() == pytest.approx(truth.mass_kg * 9.81, rel=0.02)
    height = [sim.world.terrain.height_at(x, y) for x, y, _ in truth.p_WF]
    np.testing.assert_allclose(truth.p_WF[:, 2], height, atol=2e-3)


def test_the_centre_of_pressure_is_below_the_centre_of_mass_at_rest():
    sim = simulate("g1")
    run(sim, 0.5)
    truth = sim.truth
    cop = truth.normal_force_N @ truth.cop_W / truth.normal_force_N.sum()
    np.testing.assert_allclose(cop[:2], truth.p_WC[:2], atol=2e-3)


@pytest.mark.parametrize("impulse_Ns", [(9.0, 0.0, 0.0), (0.0, -14.0, 0.0), (1.0, 2.0, 3.0)])
def test_a_push_changes_the_momentum_by_its_impulse(impulse_Ns):
    push = {"link": "trunk", "impulse_Ns": impulse_Ns, "duration_s": 0.1}
    sim = lifted("g1", events=[{"at_s": 0.05, "push": push}])
    run(sim, 0.02)
    start, from_s = sim.truth.v_WC.copy(), sim.t_s
    run(sim, 0.2)
    gained = (sim.truth.v_WC - start - GRAVITY * (sim.t_s - from_s)) * sim.truth.mass_kg
    np.testing.assert_allclose(gained, impulse_Ns, atol=0.05)
    assert not sim.world.data.xfrc_applied.any()
    assert [event["kind"] for event in sim.events if event["kind"] == "push"] == ["push"]


def test_a_push_lasts_as_long_as_it_says():
    push = {"link": "pelvis", "impulse_Ns": (5.0, 0.0, 0.0), "duration_s": 0.025}
    sim = simulate("g1", events=[{"at_s": 0.01, "push": push}])
    forces = []
    for _ in range(60):
        sim.advance()
        forces.append(float(sim.world.data.xfrc_applied[:, 0].sum()))
    # After tick n the force of step n + 1 is set.
    pushed = np.flatnonzero(forces) + 1
    np.testing.assert_array_equal(pushed, np.arange(10, 35))
    np.testing.assert_allclose(np.array(forces)[pushed - 1], 200.0)


def test_a_payload_adds_its_weight_when_it_comes():
    payload = {"link": "trunk", "mass_kg": 6.0, "p_LP_m": (0.0, 0.0, 0.1)}
    sim = simulate("g1", events=[{"at_s": 0.3, "payload": payload}])
    model = sim.world.model
    before = sim.truth.mass_kg
    run(sim, 0.29)
    assert sim.truth.mass_kg == before
    run(sim, 1.2)
    assert sim.truth.mass_kg == pytest.approx(before + 6.0)
    weights = []
    for _ in range(300):
        sim.advance()
        weights.append(sim.truth.normal_force_N.sum())
    assert np.mean(weights) == pytest.approx((before + 6.0) * 9.81, rel=0.01)
    # What MuJoCo derives from masses is that of a model that had it from the start.
    whole = simulate("g1", events=[{"at_s": 0.0, "payload": payload}]).world.model
    np.testing.assert_allclose(model.body_subtreemass, whole.body_subtreemass, rtol=1e-12)
    np.testing.assert_allclose(model.dof_invweight0, whole.dof_invweight0, rtol=1e-9)
    np.testing.assert_allclose(model.body_invweight0, whole.body_invweight0, rtol=1e-9)


def test_a_payload_hangs_where_it_was_said_to_hang():
    place, kg = np.array([0.1, -0.05, 0.2]), 8.0
    sim = simulate("g1", events=[{"at_s": 0.0, "payload": {"link": "trunk", "mass_kg": kg, "p_LP_m": place}}])
    model, data = sim.robot.pin_model, sim.robot.pin_model.createData()
    pin.framesForwardKinematics(model, data, sim.truth.q)
    p_WP = data.oMf[model.getFrameId("torso_link")].act(place)
    moment = sim.truth.mass_kg * sim.truth.p_WC - sim.robot.mass_kg * sim.truth.p_WR
    np.testing.assert_allclose(moment / kg, p_WP, atol=1e-6)


def test_a_payload_from_the_start_is_carried_from_the_start():
    payload = {"link": "hands", "mass_kg": 4.0}
    sim = simulate("g1", events=[{"at_s": 0.0, "payload": payload}])
    assert sim.truth.mass_kg == pytest.approx(robot("g1").mass_kg + 4.0)
    assert sim.truth.normal_force_N.sum() == pytest.approx(sim.truth.mass_kg * 9.81, rel=1e-3)
    assert [event["text"] for event in sim.events] == [f"2 kg on {hand.link}" for hand in robot("g1").hands]


def commanded_bits(seed, ticks=150):
    sim = simulate(
        "g1",
        seed,
        plant={
            "joint_friction_Nm": 0.2,
            "joint_damping_Nms": 0.05,
            "model_error": 0.05,
            "com_error_m": 0.005,
        },
        sensors={"noise": "default", "delay_ms": 2.0},
        ground={"kind": "blocks"},
        events=[{"at_s": 0.05, "push": {"link": "trunk", "impulse_Ns": (0.0, 5.0, 0.0)}}],
    )
    row = sim.robot.new_sensor_row()
    rng = np.random.default_rng(9)
    bits = []
    for tick in range(ticks):
        sim.read(row)
        sim.write(random_command(sim, rng, tick))
        bits.append(np.concatenate([row.data, sim.truth.q, sim.truth.v, sim.truth.normal_force_N]))
    return np.array(bits)


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    first = commanded_bits(1)
    np.testing.assert_array_equal(first, commanded_bits(1))
    assert np.nanmax(np.abs(first - commanded_bits(2))) > 1e-3


@pytest.mark.parametrize("name", ROBOTS)
def test_every_robot_can_be_read_and_commanded(name):
    sim = simulate(name, plant="default", sensors={"noise": "default", "delay_ms": 2.0})
    row = sim.robot.new_sensor_row()
    command = holding_command(sim)
    for tick in range(200):
        assert sim.read(row)
        assert row.seq[0] == tick
        command.seq[0] = tick
        sim.write(command)
    assert sim.refused_commands == 0
    assert not sim.fell
    assert np.abs(sim.truth.q[sim.robot.nq_base :] - sim.robot.q_nominal[sim.robot.nq_base :]).max() < 0.02


@pytest.mark.parametrize("impulse_Ns", [(40.0, 0.0, 0.0), (-40.0, 0.0, 0.0), (0.0, 50.0, 0.0)])
def test_a_robot_that_is_pushed_over_has_fallen_and_lies_on_its_body(impulse_Ns):
    push = {"link": "trunk", "impulse_Ns": impulse_Ns}
    sim = simulate("g1", events=[{"at_s": 0.0, "push": push}])
    run(sim, 3.0)
    assert sim.fell
    assert 0.2 < sim.fell_at_s < 3.0
    assert [event["kind"] for event in sim.events] == ["push", "fell"]
    trunk = sim.world.data.xpos[sim.world.trunk]
    assert 0.02 < trunk[2] < 0.4


def test_an_arm_does_not_fall():
    sim = simulate("panda")
    sim.close()
    run(sim, 0.5)
    assert not sim.fell


def test_a_diverged_simulation_stops_counts_as_a_fall_and_leaves_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sim = simulate("g1")
    sim.world.data.qvel[10] = np.nan
    sim.advance()
    assert sim.fell
    assert sim.events[-1]["text"] == "the simulation diverged"
    at = sim.t_s
    sim.advance()
    assert sim.t_s == at
    assert list(tmp_path.iterdir()) == []


def test_legs_do_not_pass_through_each_other():
    sim = simulate("g1")
    command = holding_command(sim)
    command.tau_ff[:] = 0.0
    names = list(sim.robot.joint_names)
    command.q_des[names.index("left_hip_roll_joint")] = -0.5
    command.q_des[names.index("right_hip_roll_joint")] = 0.5
    sim.world.data.qpos[2] += 1.0
    sim.world.model.opt.gravity[:] = 0.0
    for tick in range(800):
        command.seq[0] = tick
        sim.write(command)
    left, right = sim.truth.p_WF
    assert left[1] - right[1] > 0.03


def test_a_push_of_the_moment_has_exactly_its_impulse_and_an_unknown_link_is_refused():
    sim = lifted("g1", plant="exact", sensors={"noise": "none"})
    sim.world.model.opt.gravity[:] = 0.0
    sim.advance()
    start = sim.truth.v_WC.copy()
    sim.push(Push(link="trunk", impulse_Ns=(0.0, 6.0, 0.0), duration_s=0.05))
    run(sim, 0.1)
    np.testing.assert_allclose(sim.truth.mass_kg * (sim.truth.v_WC - start), [0.0, 6.0, 0.0], atol=0.03)
    assert [event["text"] for event in sim.events if event["kind"] == "push"] == [
        "torso_link by [0, 6, 0] Ns in 50 ms"
    ]
    with pytest.raises(ValueError, match=r"'torso' is not a link of g1 \(did you mean 'torso_link'"):
        sim.push(Push(link="torso", impulse_Ns=(0.0, 6.0, 0.0)))
