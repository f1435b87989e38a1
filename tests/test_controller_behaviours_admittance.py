"""Requests for `admittance`: what they hold, and what is refused."""

import numpy as np
import pytest
from bodies import robot
from wrist_robots import arm

from kilohertz.controller.behaviours.base import BehaviourError
from kilohertz.controller.supervision.request import make_request
from kilohertz.robots.model.robot_model import RobotModel


@pytest.fixture(scope="module")
def feeling(tmp_path_factory):
    return RobotModel.load(str(arm(tmp_path_factory.mktemp("arm") / "panda", "panda")))


def test_one_number_counts_for_all_axes_and_the_hand_keeps_its_orientation_unless_told(feeling):
    payload = make_request(feeling, "admittance", {"mass_kg": [5, 6, 7], "damping_Ns_m": 30}).payload
    law = payload["law"].reshape(3, 6)
    np.testing.assert_allclose(law[0, :3], [5, 6, 7])
    np.testing.assert_allclose(law[1, :3], 30.0)
    assert payload["turns"][0] == 0.0
    turning = make_request(feeling, "admittance", {"inertia_kgm2": 0.2, "frame": "hand"}).payload
    np.testing.assert_allclose(turning["law"].reshape(3, 6)[0, 3:], 0.2)
    assert turning["turns"][0] == turning["own_axes"][0] == 1.0


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("g1", {"hand": "left_hand"}, "stands on legs"),
        ("fr3_duo", {"hand": "left_hand"}, "several hands"),
        ("panda", {}, "has no force-torque sensor at its wrist"),
        ("panda", {"mass_kg": 0}, "mass_kg"),
    ],
)
def test_what_cannot_be_done_is_refused(name, given, said):
    with pytest.raises(BehaviourError, match=said):
        make_request(robot(name), "admittance", given)
