"""Every request is a row of numbers; what a robot cannot do is refused in a sentence."""

import numpy as np
import pinocchio as pin
import pytest
from bodies import robot

from kilohertz.controller.request import (
    CIRCLE,
    DAMP,
    FOOTSTEPS,
    REACH,
    SIT,
    SQUAT,
    STAND,
    SWAY,
    WALK,
    make_request,
    soft_stop,
)

GOOD = (
    ("damp", {}, DAMP),
    ("stand", {}, STAND),
    ("sway", {"amplitude_m": 0.02, "period_s": 2.0, "axis": "x"}, SWAY),
    ("squat", {"depth_m": 0.1, "period_s": 3.0}, SQUAT),
    ("reach", {"hand": "right_hand", "offset_m": [0.1, 0, 0]}, REACH),
    ("circle", {"hand": "right_hand", "radius_m": 0.05, "period_s": 2.0, "plane": "xz"}, CIRCLE),
    ("sit", {}, SIT),
    ("walk", {"velocity_m_s": [0.2, 0.05], "yaw_rate_rad_s": 0.1}, WALK),
)


@pytest.mark.parametrize(("kind", "params", "code"), GOOD, ids=[kind for kind, *_ in GOOD])
def test_every_kind_makes_a_row(kind, params, code):
    row = make_request(robot("g1"), kind, params, at_s=1.5)
    assert row.behaviour[0] == code
    assert row.at_s[0] == 1.5


def test_a_row_carries_what_was_asked_and_nothing_else():
    sway = make_request(robot("g1"), "sway", {"amplitude_m": 0.02, "period_s": 2.0, "axis": "x"})
    assert (sway.amplitude_m[0], sway.period_s[0], sway.axes[0]) == (0.02, 2.0, 0)
    squat = make_request(robot("g1"), "squat", {"depth_m": 0.1, "period_s": 3.0})
    assert (squat.amplitude_m[0], squat.period_s[0]) == (0.1, 3.0)
    circle = make_request(robot("g1"), "circle", {"hand": "right_hand", "radius_m": 0.05, "period_s": 2.0})
    assert (circle.hand[0], *circle.axes) == (1, 1, 2)
    walk = make_request(robot("g1"), "walk", {"velocity_m_s": [0.2, 0.05], "yaw_rate_rad_s": 0.1})
    np.testing.assert_array_equal(walk.velocity, [0.2, 0.05, 0.1])
    for row in (sway, squat, circle, walk):
        assert np.isnan(np.r_[row.p_WH, row.R_WH, row.offset]).all()


def test_a_reach_carries_place_and_orientation():
    rpy, p = [0.1, 0.2, 0.3], [0.3, -0.2, 0.9]
    row = make_request(robot("g1"), "reach", {"hand": "left_hand", "p_WH_m": p, "rpy_WH_rad": rpy})
    np.testing.assert_array_equal(row.p_WH, p)
    np.testing.assert_allclose(row.R_WH.reshape(3, 3), pin.rpy.rpyToMatrix(*rpy))
    assert np.isnan(row.offset).all()


def test_the_first_hand_is_meant_where_none_is_named():
    assert make_request(robot("panda"), "reach", {"offset_m": [0, 0, 0.1]}).hand[0] == 0


def test_rows_of_the_same_request_are_the_same_bits():
    rows = [make_request(robot("g1"), "sway", {"amplitude_m": 0.02, "period_s": 2.0}).data for _ in range(2)]
    np.testing.assert_array_equal(*rows)
    assert len(rows[0]) == sum(length for _, length in make_request(robot("g1"), "stand", {}).fields)


def step(foot, x, y, z=0.0, yaw=0.0):
    return {"foot": f"{foot}_foot", "p_SF_m": [x, y, z], "yaw_rad": yaw}


def test_footsteps_are_rows_of_contact_place_and_heading():
    steps = [step("right", 0.2, -0.1, 0.05, -0.1), step("left", 0.3, 0.1)]
    row = make_request(robot("g1"), "footsteps", {"steps": steps})
    assert row.behaviour[0] == FOOTSTEPS
    np.testing.assert_array_equal(row.route(), [[1, 0.2, -0.1, 0.05, -0.1], [0, 0.3, 0.1, 0, 0]])


def test_too_many_footsteps_are_refused():
    with pytest.raises(ValueError, match="at most 40, not 41; split them up"):
        make_request(robot("g1"), "footsteps", {"steps": [step("left", 0.1, 0.1)] * 41})


REFUSED = (
    ("g1", "walk", {}, "'walk' needs two numbers as velocity_m_s, not None"),
    (
        "g1",
        "walk",
        {"velocity_m_s": [2.5, 0]},
        "2.50 m/s forward is faster than 'g1' can walk; ask for at most",
    ),
    ("g1", "walk", {"velocity_m_s": [-2, 0]}, "2.00 m/s backward is faster than 'g1' can walk"),
    ("g1", "walk", {"velocity_m_s": [0, 1]}, "1.00 m/s sideways is faster than 'g1' can walk"),
    ("g1", "walk", {"velocity_m_s": [0, 0], "yaw_rate_rad_s": -5.0}, "5.00 rad/s as a turn is faster"),
    ("g1", "walk", {"velocity_m_s": [0, 0], "yaw_rate_rad_s": float("nan")}, "ask for at most"),
    ("bolt", "footsteps", {"steps": [step("left", 0.05, 0.03)]}, "has point feet and cannot stand still"),
    ("g1", "footsteps", {"steps": [{"foot": "paw", "p_SF_m": [0, 0, 0]}]}, "'paw' is no foot of 'g1'"),
    ("g1", "footsteps", {"steps": []}, "footsteps are 1 to 40, not 0"),
    ("ur5", "walk", {"velocity_m_s": [0.1, 0]}, "'ur5' is fixed to the ground: it cannot walk"),
    (
        "g1",
        "dance",
        {},
        "there is no behaviour 'dance'; there are damp, stand, sway, squat, reach, circle, walk, sit, "
        "footsteps",
    ),
    (
        "panda",
        "sway",
        {"amplitude_m": 0.02, "period_s": 2.0},
        "'panda' is fixed to the ground: it cannot sway",
    ),
    ("ur5", "squat", {"depth_m": 0.1, "period_s": 2.0}, "'ur5' is fixed to the ground: it cannot squat"),
    (
        "g1",
        "sway",
        {"amplitude_m": 0.5, "period_s": 2.0},
        "would tip 'g1' over its soles; ask for at most 0.",
    ),
    ("g1", "sway", {"amplitude_m": 0.05, "period_s": 0.3}, "or a longer period_s"),
    ("g1", "sway", {"amplitude_m": 0.05}, "'sway' needs period_s, a number above 0, not None"),
    ("g1", "sway", {"amplitude_m": -0.05, "period_s": 1.0}, "'sway' needs amplitude_m, a number above 0"),
    (
        "g1",
        "sway",
        {"amplitude_m": 0.01, "period_s": 2.0, "axis": "z"},
        "'sway' knows no axis 'z'; there are x, y",
    ),
    ("g1", "squat", {"depth_m": 0.1, "period_s": 0.0}, "'squat' needs period_s, a number above 0, not 0.0"),
    ("g1", "squat", {"depth_m": 0.6, "period_s": 3.0}, "a squat of 0.60 m is too deep for 'g1'"),
    (
        "g1",
        "squat",
        {"depth_m": float("nan"), "period_s": 3.0},
        "'squat' needs depth_m, a number above 0, not nan",
    ),
    (
        "g1",
        "reach",
        {"hand": "tail", "offset_m": [0, 0, 0]},
        "'g1' has no hand 'tail'; it has left_hand, right_hand",
    ),
    ("bolt", "reach", {"offset_m": [0, 0, 0]}, "'bolt' has no hands in its robot.yaml"),
    ("g1", "reach", {"p_WH_m": [0.1, float("nan"), 0]}, "'reach' needs three numbers as p_WH_m"),
    ("g1", "reach", {"offset_m": [0.1, 0]}, "'reach' needs three numbers as offset_m"),
    ("g1", "circle", {"radius_m": 0.1, "period_s": 0}, "'circle' needs period_s, a number above 0, not 0"),
    (
        "g1",
        "circle",
        {"radius_m": "big", "period_s": 1},
        "'circle' needs radius_m, a number above 0, not big",
    ),
    ("g1", "circle", {"radius_m": 0.1, "period_s": 1, "plane": "zz"}, "no plane 'zz'; there are xy, xz, yz"),
    ("g1", "circle", {"radius_m": 5, "period_s": 60}, "too large for left_hand, whose arm is 0.53 m long"),
    ("g1", "circle", {"radius_m": 0.1, "period_s": 0.02}, "needs more than 2 times gravity's acceleration"),
    ("g1", "squat", {"depth_m": 0.1, "period_s": 0.05}, "ask for a period_s of at least 0.63"),
    ("panda", "reach", {"p_WH_m": [3, 0, 0.5]}, "hand does not get there; the nearest is [0."),
)


@pytest.mark.parametrize(("name", "kind", "params", "sentence"), REFUSED)
def test_what_cannot_be_done_is_refused_in_a_sentence(name, kind, params, sentence):
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the sentence is compared below
        make_request(robot(name), kind, params)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_largest_sway_that_is_offered_is_accepted():
    with pytest.raises(ValueError, match="ask for at most") as caught:
        make_request(robot("g1"), "sway", {"amplitude_m": 1.0, "period_s": 2.0})
    offered = float(str(caught.value).split("at most ")[1].split(" m")[0])
    make_request(robot("g1"), "sway", {"amplitude_m": offered - 1e-3, "period_s": 2.0})


def test_an_arm_reaches_positions_sampled_from_its_joint_space():
    model, rng = robot("panda"), np.random.default_rng(0)
    data = model.pin_model.createData()
    for _ in range(20):
        q = rng.uniform(0.9 * model.position_lower_rad, 0.9 * model.position_upper_rad)
        pin.framesForwardKinematics(model.pin_model, data, q)
        place = data.oMf[model.hands[0].frame_id].translation
        assert make_request(model, "reach", {"p_WH_m": place.tolist()}).p_WH == pytest.approx(place)


@pytest.mark.parametrize(("name", "behaviour"), [("g1", SIT), ("talos", SIT), ("bolt", WALK), ("ur5", STAND)])
def test_the_request_after_a_stop_is_one_in_which_the_robot_can_rest(name, behaviour):
    request = soft_stop(robot(name))
    assert request.behaviour[0] == behaviour
    assert not request.velocity.any()
