"""Requests for `impedance`: what they hold, and what is refused."""

import numpy as np
import pytest
from bodies import robot

from kilohertz.controller.behaviours.base import BehaviourError
from kilohertz.controller.supervision.request import make_request


def test_one_number_is_the_stiffness_of_all_axes():
    payload = make_request(robot("panda"), "impedance", {"stiffness_N_m": 300}).payload
    np.testing.assert_array_equal(payload["stiffness"], [300, 300, 300, 50, 50, 50])
    assert np.isnan(payload["p_WH"]).all()
    assert np.isnan(payload["R_WH"]).all()
    given = {"stiffness_N_m": [1, 2, 3], "stiffness_Nm_rad": [4, 5, 6], "frame": "hand"}
    payload = make_request(robot("panda"), "impedance", given).payload
    np.testing.assert_array_equal(payload["stiffness"], [1, 2, 3, 4, 5, 6])
    assert payload["frame"][0] == 1.0


def test_a_pose_is_that_of_reach():
    p = robot("ur5").nominal_point(robot("ur5").hands[0].frame_id)
    payload = make_request(robot("ur5"), "impedance", {"offset_m": [0, 0, 0.05]}).payload
    np.testing.assert_allclose(payload["p_WH"], p + np.array([0, 0, 0.05]))
    turned = make_request(robot("ur5"), "impedance", {"rpy_WH_rad": [0, 0, 0]}).payload
    np.testing.assert_allclose(turned["R_WH"].reshape(3, 3), np.eye(3), atol=1e-15)


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("g1", {"hand": "left_hand"}, "stands on legs"),
        ("panda", {"hand": "foot"}, "is not a hand"),
        ("panda", {"p_WH_m": [3, 0, 0]}, "does not get there"),
        ("panda", {"stiffness_N_m": 1e6}, "stiffness_N_m"),
        ("panda", {"stifness_N_m": 100}, "did you mean"),
    ],
)
def test_what_cannot_be_done_is_refused(name, given, said):
    with pytest.raises(BehaviourError, match=said):
        make_request(robot(name), "impedance", given)
