"""Joints of a URDF that follow another are locked in a gripper and refused in an arm."""

import xml.etree.ElementTree as ET

import pytest

from kilohertz.robots.model.coupled_joints import Locks
from kilohertz.robots.model.mimic import lock_followers
from kilohertz.robots.model.model_error import ModelFileError

LINKS = {"base": 5.0, "arm": 2.0, "left": 0.05, "right": 0.05}
JOINT = (
    '<joint name="{}" type="{}"><parent link="{}"/><child link="{}"/>'
    '<limit lower="0.01" upper="0.04" effort="1" velocity="1"/>{}</joint>\n'
)


def urdf(mimic: str = '<mimic joint="grip" multiplier="-2" offset="0.1"/>', kind: str = "prismatic") -> str:
    links = "".join(
        f'<link name="{name}"><inertial><mass value="{mass}"/></inertial></link>\n'
        for name, mass in LINKS.items()
    )
    joints = JOINT.format("shoulder", "revolute", "base", "arm", "")
    joints += JOINT.format("grip", kind, "arm", "left", "") + JOINT.format(
        "other", "prismatic", "arm", "right", mimic
    )
    return f'<robot name="r">\n{links}{joints}</robot>'


def lock(text: str, *named: str, locked: dict[str, float] | None = None, **posture: float) -> Locks:
    return lock_followers(ET.fromstring(text), text, locked or {}, posture, named)


def test_a_gripper_is_locked_at_its_nominal_position_with_what_follows_it() -> None:
    locks = lock(urdf(), "arm", grip=0.03)
    assert locks.positions == pytest.approx({"grip": 0.03, "other": 0.1 - 2.0 * 0.03})
    (note,) = locks.notes
    assert note.startswith("joint 'other' (line 8) follows joint 'grip' (mimic): they are not controlled")
    assert "grip: 0.03, other: 0.04" in note


def test_without_a_nominal_position_the_limit_next_to_zero_is_taken() -> None:
    assert lock(urdf()).positions == pytest.approx({"grip": 0.01, "other": 0.08})


def test_a_follower_of_a_locked_joint_is_locked_with_it() -> None:
    locks = lock(urdf(), "left", locked={"grip": 0.02})
    assert locks.positions == pytest.approx({"other": 0.06})
    assert locks.notes == ("joint 'other' (line 8) follows joint 'grip' and is locked with it",)
    assert lock(urdf(kind="fixed")).positions == pytest.approx({"other": 0.1})


def test_a_follower_that_robot_yaml_locks_leaves_the_other_joint_alone() -> None:
    assert lock(urdf(), locked={"other": 0.02}) == Locks({}, ())


def test_a_follower_of_a_follower_is_locked_with_both() -> None:
    text = urdf().replace(
        "</robot>",
        JOINT.format("third", "prismatic", "arm", "tip", '<mimic joint="other" multiplier="0.5"/>')
        + '<link name="tip"/></robot>',
    )
    assert lock(text, grip=0.03).positions == pytest.approx({"grip": 0.03, "other": 0.04, "third": 0.02})


@pytest.mark.parametrize(
    ("text", "named", "expected"),
    [
        (urdf(), "right", "moves link 'right': lock what is not controlled with locked_joints_rad: {grip:"),
        (urdf().replace('value="0.05"', 'value="3"'), "arm", "moves 6 kg"),
        (urdf('<mimic joint="none"/>'), "arm", "follows joint 'none' (mimic), which does not exist"),
        (urdf('<mimic joint="other"/>'), "arm", "joint 'other' follows itself"),
        (urdf('<mimic joint="grip" offset="1,5"/>'), "arm", "offset='1,5' should be a finite number"),
    ],
)
def test_a_coupling_that_the_controller_cannot_have_is_refused(text: str, named: str, expected: str) -> None:
    with pytest.raises(ModelFileError) as caught:
        lock(text, named)
    assert expected in str(caught.value)
