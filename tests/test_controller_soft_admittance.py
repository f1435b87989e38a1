"""A hand that moves under forces like a virtual body: its mass and damping, and a stiff wall."""

import numpy as np
import pytest
from control_runs import run
from sim_runs import robot
from wrist_robots import arm

pytestmark = pytest.mark.closed_loop


@pytest.fixture(scope="module")
def panda(tmp_path_factory):
    return str(arm(tmp_path_factory.mktemp("arm") / "panda", "panda"))


@pytest.mark.long
@pytest.mark.parametrize("axis", [0, 2])
def test_the_mass_and_the_damping_are_those_asked_for(panda, axis):
    force = np.zeros(3)
    force[axis] = 20.0
    push = {"hand": "hand", "force_N": force.tolist(), "frequency_Hz": 1, "rise_s": 0.3, "hold_s": 3}
    law = {"mass_kg": 8, "damping_Ns_m": 60}
    plan = ((0.0, "stand", {}), (0.3, "admittance", law))
    result = run(panda, 3.3, plan, events=[{"at_s": 1.3, "hand_push": push}])
    t = np.arange(2300, 3300) * 1e-3
    w = 2.0 * np.pi
    columns = np.stack([np.ones_like(t), t, t * t, np.cos(w * t), np.sin(w * t)], axis=1)
    x = np.linalg.lstsq(columns, result.hand[2300:3300, 0, axis], rcond=None)[0]
    pushed = 20.0 * np.sin(w * (t - 1.3))
    f = np.linalg.lstsq(columns, pushed, rcond=None)[0]
    ratio = (f[3] - 1j * f[4]) / (x[3] - 1j * x[4])
    assert -ratio.real / w**2 == pytest.approx(8.0, rel=0.1)
    assert ratio.imag / w == pytest.approx(60.0, rel=0.1)


def test_a_hand_that_is_pushed_on_a_stiff_wall_comes_to_rest_there(panda):
    p = robot("panda").nominal_point(robot("panda").hands[0].frame_id)
    table = {"kind": "box", "p_WO_m": [p[0], p[1], p[2] - 0.1 - 0.24], "size_m": [0.4, 0.4, 0.4]}
    push = {"hand": "hand", "force_N": [0, 0, -15], "rise_s": 0.2, "hold_s": 5}
    forces = []
    run(
        panda,
        3.5,
        ((0.0, "stand", {}), (0.3, "admittance", {"mass_kg": 8, "damping_Ns_m": 60})),
        events=[{"at_s": 1.2, "hand_push": push}],
        obstacles={"table": table | {"contact_time_s": 0.007}},
        tips={"hand": {"radius_m": 0.02}},
        change=lambda tick, row, brain: forces.append(brain.motion.w_H[0].copy()),
    )
    sizes = np.linalg.norm(np.array(forces)[:, :3], axis=1)
    assert sizes[1300:].max() > 20.0
    # The push and the wall balance: nothing is felt, and nothing chatters.
    assert sizes[3000:].max() < 3.0


def test_without_its_sensor_the_hand_comes_softly_to_rest_and_holds(panda):
    """The sensor falls silent while a person pushes a moving hand."""

    def silence(tick, row, brain):
        states.append(brain.motion.behaviour_state)
        if tick >= 1100:
            row.wrist[:] = np.nan

    states = []
    push = {"hand": "hand", "force_N": [0, 15, 0], "rise_s": 0.2, "hold_s": 0.2, "fall_s": 0.1}
    plan = ((0.0, "stand", {}), (0.1, "admittance", {"mass_kg": 8, "damping_Ns_m": 60}))
    result = run(panda, 2.0, plan, events=[{"at_s": 0.8, "hand_push": push}], change=silence)
    ended = states.index("done")
    # A sensor counts as silent after 20 ms.
    assert 1119 <= ended <= 1125
    speed = np.linalg.norm(np.diff(result.hand[:, 0], axis=0), axis=1) / 1e-3
    assert speed[1100] > 0.1
    # No jerk: neither the hand nor a joint's torque jumps when the behaviour ends.
    assert speed[ended:].max() < speed[ended] + 0.02
    assert np.abs(np.diff(result.tau[ended - 1 :], axis=0)).max() < 3.0
    still = result.hand[1900:, 0]
    assert np.ptp(still, axis=0).max() < 1e-4
    assert np.linalg.norm(still[-1] - result.hand[ended, 0]) < 0.03
    assert (result.rung == 0).all()
