"""Requests for `wipe`: what they hold, and what is refused."""

import numpy as np
import pytest
from bodies import robot

from kilohertz.controller.behaviours.base import BehaviourError
from kilohertz.controller.supervision.request import make_request


def test_the_normal_becomes_a_unit_vector():
    payload = make_request(robot("panda"), "wipe", {"normal": [0, 3, 4], "force_N": 5}).payload
    np.testing.assert_allclose(payload["normal"], [0, 0.6, 0.8])
    assert payload["force_N"][0] == 5.0


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("g1", {"hand": "left_hand"}, "stands on legs"),
        ("ur5", {"normal": [0, 0, 0]}, "no direction"),
        ("ur5", {"force_N": 0}, "force_N"),
    ],
)
def test_what_cannot_be_done_is_refused(name, given, said):
    with pytest.raises(BehaviourError, match=said):
        make_request(robot(name), "wipe", given)
