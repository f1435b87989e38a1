"""The behaviour `dual`: what a request holds, what is refused, and a load between two hands."""

import numpy as np
import pytest
from bodies import robot
from control_runs import run

from kilohertz.controller.behaviours.base import BehaviourError
from kilohertz.controller.supervision.request import make_request


def test_what_is_left_out_is_told_as_nan():
    payload = make_request(robot("fr3_duo"), "dual", {}).payload
    assert all(np.isnan(payload[name]).all() for name in ("middle", "turn", "squeeze_N"))


def test_the_target_is_that_of_the_middle_between_the_hands():
    model = robot("fr3_duo")
    payload = make_request(model, "dual", {"offset_m": [0.05, 0, 0.1], "squeeze_N": 12}).payload
    middle = 0.5 * sum(model.nominal_point(hand.frame_id) for hand in model.hands)
    np.testing.assert_allclose(payload["middle"] - middle, [0.05, 0, 0.1])
    assert payload["squeeze_N"][0] == 12.0


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("g1", {}, "stands on legs"),
        ("panda", {}, "has 1 hands"),
        ("fr3_duo", {"offset_m": [2, 0, 0]}, "does not get there"),
        ("fr3_duo", {"radius_m": 0.5, "period_s": 0.5}, "period_s"),
        ("fr3_duo", {"squeeze_N": -1}, "squeeze_N"),
    ],
)
def test_what_cannot_be_done_is_refused(name, given, said):
    with pytest.raises(BehaviourError, match=said):
        make_request(robot(name), "dual", given)


@pytest.mark.closed_loop
def test_hands_that_are_forced_against_each_other_give_way():
    load = {"hands": ["left_hand", "right_hand"], "mass_kg": 4, "misfit_m": [0, 0.001, 0]}
    active = []
    result = run(
        "fr3_duo",
        2.2,
        ((0.0, "dual", {"squeeze_N": 0}), (1.5, "stand", {})),
        events=[{"at_s": 0.9, "shared_load": load}],
        change=lambda tick, row, brain: active.append(brain.motion._internal.active),
    )
    f = result.sim.truth.f_WH
    # The load is carried, and is not dropped by `stand`; without the control the hands press with 100 N.
    assert f[:, 2].sum() == pytest.approx(-4 * 9.81, abs=0.5)
    assert abs(0.5 * (f[0, 1] - f[1, 1])) < 3.0
    assert active[-1]
    assert np.abs(result.hand[-1] - result.hand_des[-1]).max() < 1e-3
