"""Jobs of hands as rows; what a hand cannot do is refused, and where that was asked is known."""

import numpy as np
import pinocchio as pin
import pytest
from bodies import robot

from kilohertz.controller.motion.behaviour_error import BehaviourError
from kilohertz.controller.supervision.request import make_request
from kilohertz.controller.upper_body.hand_targets import BASE, FREE, WORLD

TRAY = {"p_BH_m": [0.3, 0.15, 0.1], "rpy_BH_rad": [0.0, 0.0, 0.2]}


def walk(name="g1", **hands):
    return make_request(robot(name), "walk", {"velocity_m_s": [0.3, 0.0], "hands": hands})


def test_every_hand_that_is_named_has_its_place_in_the_row():
    hand_targets = walk(left_hand=TRAY, right_hand={"p_WH_m": [1.0, -0.2, 0.9]}).hand_targets
    assert (hand_targets[:2, 0] == [BASE, WORLD]).all()
    np.testing.assert_array_equal(hand_targets[0, 1:4], TRAY["p_BH_m"])
    np.testing.assert_allclose(hand_targets[0, 4:].reshape(3, 3), pin.rpy.rpyToMatrix(*TRAY["rpy_BH_rad"]))
    np.testing.assert_array_equal(hand_targets[1, 1:4], [1.0, -0.2, 0.9])
    assert np.isnan(hand_targets[1, 4:]).all()


def test_a_hand_of_which_nothing_is_said_is_free():
    assert (walk().hand_targets[:, 0] == FREE).all()
    assert walk(right_hand=TRAY | {"p_BH_m": [0.3, -0.15, 0.1]}).hand_targets[0, 0] == FREE


@pytest.mark.parametrize(
    ("hands", "loc", "words"),
    [
        ({"third_hand": TRAY}, ("hands", "third_hand"), "has no hand 'third_hand'; it has left_hand"),
        ({"left_hand": {"p_BH_m": [0.9, 0.1, 0.2]}}, ("hands", "left_hand", "p_BH_m"), "does not get there"),
        ({"left_hand": {"p_WH_m": [0.9, 0.1]}}, ("hands", "left_hand", "p_WH_m"), "should have 3 entries"),
        (
            {"left_hand": TRAY | {"rpy_BH_rad": [0.0, 0.0, np.pi]}},
            ("hands", "left_hand", "p_BH_m"),
            "turned as asked; the nearest is",
        ),
    ],
)
def test_what_a_hand_cannot_do_is_refused_where_it_is_asked(hands, loc, words):
    with pytest.raises(BehaviourError, match=words) as caught:
        walk(**hands)
    assert caught.value.loc == loc


def test_a_robot_without_hands_is_told_so():
    with pytest.raises(BehaviourError, match="it has none"):
        walk("bolt", left_hand=TRAY)
