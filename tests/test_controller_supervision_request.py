"""Every request is a row of numbers; what a robot cannot do is refused in a sentence."""

import numpy as np
import pinocchio as pin
import pytest
from bodies import robot

from kilohertz.controller.behaviours.base import BehaviourError
from kilohertz.controller.behaviours.registry import load_behaviours
from kilohertz.controller.joint_motion.body_geometry import body_geometry
from kilohertz.controller.supervision.request import (
    behaviour_id,
    make_request,
    request_from_numbers,
    same_motion,
    soft_stop,
)
from kilohertz.robots.config.config_error import ConfigError

GOOD = (
    ("damp", {}),
    ("stand", {}),
    ("sway", {"amplitude_m": 0.02, "period_s": 2.0, "axis": "x"}),
    ("squat", {"depth_m": 0.1, "period_s": 3.0}),
    ("reach", {"hand": "right_hand", "offset_m": [0.1, 0, 0]}),
    ("circle", {"hand": "right_hand", "radius_m": 0.05, "period_s": 2.0, "plane": "xz"}),
    ("sit", {}),
    ("walk", {"velocity_m_s": [0.2, 0.05], "yaw_rate_rad_s": 0.1}),
)


@pytest.mark.parametrize(("kind", "params"), GOOD, ids=[kind for kind, *_ in GOOD])
def test_every_kind_makes_a_row_that_its_numbers_give_again(kind, params):
    row = make_request(robot("g1"), kind, params, at_s=1.5)
    assert row.kind.name == kind
    assert row.behaviour[0] == behaviour_id(kind)
    assert (row.at_s[0], row.stop[0]) == (1.5, 0.0)
    again = request_from_numbers(robot("g1"), row.data.tolist())
    assert again.kind is row.kind
    np.testing.assert_array_equal(again.data, row.data)


def test_recorded_numbers_of_another_version_are_refused_by_name():
    row = make_request(robot("g1"), "squat", {"depth_m": 0.1, "period_s": 3.0})
    with pytest.raises(ConfigError, match="'squat' has other parameters"):
        request_from_numbers(robot("g1"), row.data[:-1].tolist())
    for unknown in ([], [123.0, 0.0, 0.0]):
        with pytest.raises(ConfigError, match="not installed here"):
            request_from_numbers(robot("g1"), unknown)


def test_a_row_carries_what_was_asked():
    sway = make_request(robot("g1"), "sway", {"amplitude_m": 0.02, "period_s": 2.0, "axis": "x"}).payload
    assert (sway["amplitude_m"][0], sway["period_s"][0], sway["axis"][0]) == (0.02, 2.0, 0)
    squat = make_request(robot("g1"), "squat", {"depth_m": 0.1, "period_s": 3.0}).payload
    assert (squat["depth_m"][0], squat["period_s"][0]) == (0.1, 3.0)
    asked = {"hand": "right_hand", "radius_m": 0.05, "period_s": 2.0}
    circle = make_request(robot("g1"), "circle", asked).payload
    assert (circle["hand"][0], *circle["axes"]) == (1, 1, 2)
    walk = make_request(robot("g1"), "walk", {"velocity_m_s": np.array([0.2, 0.05]), "yaw_rate_rad_s": 0.1})
    np.testing.assert_array_equal(walk.payload["velocity"], [0.2, 0.05, 0.1])


def test_a_reach_carries_place_and_orientation():
    rpy, p = [0.1, 0.2, 0.3], [0.3, -0.2, 0.9]
    asked = {"hand": "left_hand", "p_WH_m": p, "rpy_WH_rad": rpy}
    payload = make_request(robot("g1"), "reach", asked).payload
    np.testing.assert_array_equal(payload["p_WH"], p)
    np.testing.assert_allclose(payload["R_WH"].reshape(3, 3), pin.rpy.rpyToMatrix(*rpy))


@pytest.mark.parametrize("name", ["panda", "ur5"])
def test_an_offset_is_from_where_the_hand_is_at_the_nominal_posture(name):
    model = robot(name)
    data = model.pin_model.createData()
    pin.framesForwardKinematics(model.pin_model, data, model.q_nominal)
    start = data.oMf[model.hands[0].frame_id].translation
    payload = make_request(model, "reach", {"offset_m": [0, 0, -0.05]}).payload
    np.testing.assert_allclose(payload["p_WH"], start - np.array([0, 0, 0.05]), atol=1e-12)
    assert np.isnan(payload["R_WH"]).all()


def test_the_only_hand_is_meant_where_none_is_named():
    assert make_request(robot("panda"), "reach", {"offset_m": [0, 0, 0.1]}).payload["hand"][0] == 0


def test_rows_of_the_same_request_are_the_same_bits():
    rows = [make_request(robot("g1"), "sway", {"amplitude_m": 0.02, "period_s": 2.0}).data for _ in range(2)]
    np.testing.assert_array_equal(*rows)


def step(foot, x, y, z=0.0, yaw=0.0):
    return {"foot": f"{foot}_foot", "p_SF_m": [x, y, z], "yaw_rad": yaw}


def test_footsteps_are_rows_of_contact_place_and_heading():
    steps = [step("right", 0.2, -0.1, 0.05, -0.1), step("left", 0.3, 0.1)]
    payload = make_request(robot("g1"), "footsteps", {"steps": steps}).payload
    assert payload["n_footsteps"][0] == 2
    rows = payload["footsteps"].reshape(-1, 5)[:2]
    np.testing.assert_array_equal(rows, [[1, 0.2, -0.1, 0.05, -0.1], [0, 0.3, 0.1, 0, 0]])


def test_too_many_footsteps_are_refused():
    with pytest.raises(ValueError, match="at most 40, not 41; split them up"):
        make_request(robot("g1"), "footsteps", {"steps": [step("left", 0.1, 0.1)] * 41})


LEFT = {"hand": "left_hand"}
REFUSED = (
    ("g1", "walk", {}, "'walk': velocity_m_s is missing"),
    (
        "g1",
        "walk",
        {"velocity_m_s": [2.5, 0]},
        "2.50 m/s forward is faster than 'g1' can walk; ask for at most",
    ),
    ("g1", "walk", {"velocity_m_s": [-2, 0]}, "2.00 m/s backward is faster than 'g1' can walk"),
    ("g1", "walk", {"velocity_m_s": [0, 1]}, "1.00 m/s sideways is faster than 'g1' can walk"),
    ("g1", "walk", {"velocity_m_s": [0, 0], "yaw_rate_rad_s": -5.0}, "5.00 rad/s as a turn is faster"),
    ("g1", "walk", {"velocity_m_s": [0, 0], "yaw_rate_rad_s": float("nan")}, "should be a finite number"),
    ("bolt", "footsteps", {"steps": [step("left", 0.05, 0.03)]}, "has point feet and cannot stand still"),
    ("g1", "footsteps", {"steps": [{"foot": "paw", "p_SF_m": [0, 0, 0]}]}, "'paw' is not a foot of g1"),
    ("g1", "footsteps", {"steps": []}, "'footsteps': steps should have at least 1 entry, not 0"),
    ("ur5", "walk", {"velocity_m_s": [0.1, 0]}, "'ur5' is fixed to the ground: it cannot walk"),
    (
        "g1",
        "juggle",
        {},
        f"there is no behaviour 'juggle'; there are {', '.join(load_behaviours())}",
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
    ("g1", "sway", {"amplitude_m": 0.05}, "'sway': period_s is missing"),
    (
        "g1",
        "sway",
        {"amplitude_m": -0.05, "period_s": 1.0},
        "amplitude_m should be greater than 0, not -0.05",
    ),
    (
        "g1",
        "sway",
        {"amplitude_m": 0.01, "period_s": 2.0, "axis": "z"},
        "'sway': axis should be 'x' or 'y', not 'z'",
    ),
    ("g1", "squat", {"depth_m": 0.1, "period_s": 0.0}, "'squat': period_s should be greater than 0, not 0.0"),
    ("g1", "squat", {"depth_m": 0.6, "period_s": 3.0}, "a squat of 0.60 m is too deep for 'g1'"),
    (
        "g1",
        "squat",
        {"depth_m": float("nan"), "period_s": 3.0},
        "'squat': depth_m should be a finite number",
    ),
    (
        "g1",
        "reach",
        {"hand": "tail", "offset_m": [0, 0, 0]},
        "'tail' is not a hand of g1",
    ),
    ("bolt", "reach", {"offset_m": [0, 0, 0]}, "'bolt' has no hands in its robot.yaml"),
    ("g1", "reach", {"p_WH_m": [0.1, float("nan"), 0]}, "'reach': p_WH_m[1] should be a finite number"),
    ("g1", "reach", {"offset_m": [0.1, 0]}, "'reach': offset_m should have 3 entries, not 2"),
    ("g1", "circle", {"radius_m": 0.1, "period_s": 0}, "'circle': period_s should be greater than 0, not 0"),
    (
        "g1",
        "circle",
        {"radius_m": "big", "period_s": 1},
        "'circle': radius_m should be a number, not 'big'",
    ),
    (
        "g1",
        "circle",
        {"radius_m": 0.1, "period_s": 1, "plane": "zz"},
        "plane should be 'xy', 'xz' or 'yz', not 'zz'",
    ),
    (
        "g1",
        "circle",
        {"hand": "left_hand", "radius_m": 5, "period_s": 60},
        "too large for left_hand, whose arm is 0.53 m long",
    ),
    (
        "g1",
        "circle",
        {"hand": "left_hand", "radius_m": 0.1, "period_s": 0.02},
        "needs more than 2 times gravity's acceleration",
    ),
    ("g1", "squat", {"depth_m": 0.1, "period_s": 0.05}, "ask for a period_s of at least 0.63"),
    ("g1", "circle", {"radius_m": 0.1, "period_s": 2}, "is missing, and g1 has not exactly one hand"),
    ("g1", "wlak", {}, "there is no behaviour 'wlak' (did you mean 'walk'?)"),
    (
        "g1",
        "walk",
        {"velocity": [0, 0]},
        "velocity is not a known key (did you mean 'velocity_m_s'?)",
    ),
    ("panda", "reach", {"p_WH_m": [3, 0, 0.5]}, "hand does not get there; the nearest is [0."),
)


@pytest.mark.parametrize(("name", "kind", "params", "sentence"), REFUSED)
def test_what_cannot_be_done_is_refused_in_a_sentence(name, kind, params, sentence):
    with pytest.raises(BehaviourError) as caught:
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
        if not body_geometry(model).free(q):
            continue
        pin.framesForwardKinematics(model.pin_model, data, q)
        place = data.oMf[model.hands[0].frame_id].translation
        assert make_request(model, "reach", {"p_WH_m": place.tolist()}).payload["p_WH"] == pytest.approx(
            place
        )


@pytest.mark.parametrize(
    ("name", "behaviour"), [("g1", "sit"), ("talos", "sit"), ("bolt", "walk"), ("ur5", "stand")]
)
def test_a_robot_that_is_to_stop_does_what_it_can_rest_in(name, behaviour):
    request = soft_stop(robot(name))
    assert request.kind.name == behaviour
    assert request.stop[0] == 1.0
    if behaviour == "walk":
        assert not request.payload["velocity"].any()


def test_requests_of_a_stream_are_the_same_motion_and_other_requests_are_not():
    model = robot("g1")

    def walk(forward_m_s, **more):
        return make_request(model, "walk", {"velocity_m_s": [forward_m_s, 0.0], **more})

    assert same_motion(walk(0.3), walk(0.34))
    assert not same_motion(None, walk(0.3))
    assert not same_motion(walk(0.3), walk(0.4))
    hand = {"hands": {"left_hand": {"p_BH_m": [0.3, 0.2, 0.2]}}}
    assert same_motion(walk(0.3, **hand), walk(0.3, **hand))
    assert not same_motion(walk(0.3), walk(0.3, **hand))
    assert not same_motion(walk(0.3), make_request(model, "stand", {}))
    assert not same_motion(make_request(model, "stand", {}), make_request(model, "stand", {}, stop=True))
