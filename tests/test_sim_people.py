"""Forces of people on hands: their course over time, and their work in the simulation."""

import numpy as np
import pytest
from sim_runs import robot, scenario, simulate

from kilohertz.sim.people import People

STEP_S = 1e-3


def people(**event):
    return People(robot("panda"), scenario(events=[event]).events, STEP_S)


def test_a_push_rises_stays_and_falls():
    force = people(
        at_s=1.0, hand_push={"hand": "hand", "force_N": [10, 0, 0], "rise_s": 1, "hold_s": 2, "fall_s": 0.5}
    )
    p = np.zeros((1, 3))
    seen = {}
    for tick in range(5000):
        text = force.update(tick * STEP_S, p)
        assert bool(text) == (tick == 1000)
        seen[tick] = force.force_W[0, 0]
    assert [seen[tick] for tick in (999, 1500, 2500, 4250, 4500)] == pytest.approx([0, 5, 10, 5, 0])


def test_a_person_pushes_to_and_fro_at_a_frequency():
    push = {"hand": "hand", "force_N": [10, 0, 0], "frequency_Hz": 0.5, "rise_s": 1, "hold_s": 3, "fall_s": 1}
    force = people(at_s=0.0, hand_push=push)
    p, seen = np.zeros((1, 3)), []
    for tick in range(5000):
        force.update(tick * STEP_S, p)
        seen.append(force.force_W[0, 0])
    assert [seen[tick] for tick in (250, 1500, 2500, 4000)] == pytest.approx([2.5 * 0.5**0.5, -10, 10, 0])


def test_a_person_who_leads_a_hand_pulls_with_a_limited_force():
    lead = people(
        at_s=0.0, hand_lead={"hand": "hand", "velocity_m_s": [0.1, 0, 0], "duration_s": 3, "most_N": 15}
    )
    p = np.zeros((1, 3))
    sizes = []
    for tick in range(2000):
        lead.update(tick * STEP_S, p)
        sizes.append(lead.force_W[0, 0])
    # The hand does not follow.
    assert max(sizes) == pytest.approx(15.0, abs=1e-9)
    assert sizes[-1] == pytest.approx(15.0, abs=0.1)
    follows = people(at_s=0.0, hand_lead={"hand": "hand", "velocity_m_s": [0.1, 0, 0], "duration_s": 3})
    for tick in range(2000):
        follows.update(tick * STEP_S, p)
        p[0, 0] += STEP_S * 0.1 * min(1.0, tick * STEP_S / 0.5)
    assert abs(follows.force_W[0, 0]) < 1.0


def test_a_push_accelerates_the_arm_as_the_jacobian_says():
    sim = simulate(
        "panda",
        events=[{"at_s": 0.0, "hand_push": {"hand": "hand", "force_N": [0, 7, 0], "rise_s": 0}}],
    )
    import mujoco

    J = np.zeros((3, 7))
    mujoco.mj_jacSite(sim.world.model, sim.world.data, J, None, sim.world.hand_sites[0])
    np.testing.assert_allclose(sim.world.data.qfrc_applied, J.T @ [0, 7, 0], atol=1e-9)
    assert sim.events[0]["kind"] == "push"
    sim.advance()
    np.testing.assert_allclose(sim.truth.f_WH, [[0, 7, 0]])
