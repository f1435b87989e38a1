"""The gaze range of a robot: its joints, their limits, and gaze targets as request rows."""

import numpy as np
import pytest
from bodies import robot

from kilohertz.controller.motion.behaviour_error import BehaviourError
from kilohertz.controller.supervision.request import make_request
from kilohertz.controller.upper_body.gaze_range import DIRECTION, POINT, gaze_range


def joints(name):
    within = gaze_range(robot(name))
    return [robot(name).joint_names[turn.joint] for turn in (within.yaw, within.pitch)]


def look(name, **gaze):
    return make_request(robot(name), "stand", {"gaze": gaze}).gaze


def test_a_neck_turns_the_gaze_and_where_there_is_none_the_waist():
    assert joints("g1") == ["waist_yaw_joint", "waist_pitch_joint"]
    assert joints("talos") == ["head_2_joint", "head_1_joint"]
    assert gaze_range(robot("g1")).yaw_first
    assert not gaze_range(robot("talos")).yaw_first


def test_a_point_and_a_direction_are_rows():
    np.testing.assert_array_equal(look("g1", p_WG_m=[1.0, 2.0, 0.5]), [POINT, 1.0, 2.0, 0.5])
    np.testing.assert_allclose(look("g1", yaw_rad=0.5, pitch_rad=0.2), [DIRECTION, 0.5, 0.2, 0.0])


@pytest.mark.parametrize(("yaw", "pitch"), [(0.4, 0.3), (-0.9, 0.1)])
def test_a_neck_that_nods_before_it_turns_ends_in_the_same_direction(yaw, pitch):
    _, turn, nod, _ = look("talos", yaw_rad=yaw, pitch_rad=pitch)
    x, y, z = np.cos(turn) * np.cos(nod), np.sin(turn), -np.cos(turn) * np.sin(nod)
    level = np.cos(pitch)
    np.testing.assert_allclose([x, y, z], [level * np.cos(yaw), level * np.sin(yaw), -np.sin(pitch)])


def test_a_direction_out_of_range_is_refused():
    with pytest.raises(
        BehaviourError, match=r"1\.40 rad is further than 'g1' can look; ask for -1\.00 to 1\.00"
    ) as caught:
        look("g1", yaw_rad=1.4)
    assert caught.value.loc == ("gaze", "yaw_rad")
    with pytest.raises(BehaviourError, match="'bolt' cannot look around"):
        make_request(robot("bolt"), "walk", {"velocity_m_s": [0, 0], "gaze": {"yaw_rad": 0.1}})
