"""Names in section `collision` of robot.yaml are those of links and hands."""

from __future__ import annotations

from kilohertz.robots.model.collision_parts import unknown_parts
from kilohertz.robots.model.description import CollisionDescription, PlaneDescription, RobotDescription


def described(collision: CollisionDescription | None) -> RobotDescription:
    hands = {"hand": {"link": "tool"}}
    return RobotDescription.model_validate(
        {"robot": "r", "model": "r.urdf", "base": "fixed", "hands": hands, "collision": collision}
    )


def test_links_and_hands_are_known_and_others_are_told() -> None:
    plane = PlaneDescription(parts=["hand", "lonk_1"], normal=(0.0, 0.0, 1.0), at_least_m=0.1)
    rules = CollisionDescription(ignore=[("link_1", "hand"), ("link_1", "none")], planes={"table": plane})
    found = list(unknown_parts(described(rules), ["base", "link_1", "tool"]))
    assert [loc for loc, _ in found] == [
        ("collision", "ignore"),
        ("collision", "planes", "table", "parts"),
    ]
    assert "'none' is neither a link nor a hand" in found[0][1]
    assert "link_1" in found[1][1]


def test_nothing_is_checked_without_the_section() -> None:
    assert not list(unknown_parts(described(None), ["base"]))
