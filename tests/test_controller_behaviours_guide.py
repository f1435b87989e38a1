"""Requests for `guide`: walls and limits, and what is refused."""

import numpy as np
import pytest
from bodies import robot

from kilohertz.controller.behaviours.base import BehaviourError
from kilohertz.controller.supervision.request import make_request


def test_a_wall_is_a_unit_normal_and_its_distance_from_the_origin():
    wall = {"p_WO_m": [0.5, 1.0, 2.0], "normal": [3, 0, 0]}
    payload = make_request(robot("panda"), "guide", {"walls": [wall]}).payload
    np.testing.assert_allclose(payload["walls"][:4], [1, 0, 0, 0.5])
    assert payload["n_walls"][0] == 1.0
    assert payload["speed_m_s"][0] == 0.5


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("g1", {"hand": "left_hand"}, "stands on legs"),
        ("panda", {"walls": [{"p_WO_m": [0, 0, 0], "normal": [0, 0, 0]}]}, "no direction"),
        ("panda", {"walls": [{"p_WO_m": [0, 0, 0], "normal": [0, 0, 1]}] * 7}, "walls"),
        ("panda", {"speed_m_s": 0}, "speed_m_s"),
    ],
)
def test_what_cannot_be_done_is_refused(name, given, said):
    with pytest.raises(BehaviourError, match=said):
        make_request(robot(name), "guide", given)
