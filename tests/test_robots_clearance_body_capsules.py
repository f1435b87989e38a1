"""The capsules of a robot are on its joints, cover its geometry and have the names of its hands and links."""

from __future__ import annotations

import bodies
import numpy as np
import pinocchio as pin

from kilohertz.robots.clearance.body_capsules import body_shapes
from kilohertz.robots.clearance.clearance import clearance_of


def test_every_point_of_an_arm_is_inside_a_capsule_of_its_part() -> None:
    robot = bodies.robot("panda")
    body = clearance_of(robot).body
    data = robot.pin_model.createData()
    pin.framesForwardKinematics(robot.pin_model, data, robot.q_nominal)
    a, b = body.ends(data)
    for link, shapes in body_shapes(robot).items():
        part = body.index(link)
        assert part is not None
        pose = data.oMf[robot.pin_model.getBodyId(link)]
        for shape in shapes:
            points = shape.points_L @ pose.rotation.T + pose.translation
            outside = np.full(len(points), np.inf)
            for i in range(body.first[part], body.first[part + 1]):
                axis = b[i] - a[i]
                along = np.clip((points - a[i]) @ axis / max(axis @ axis, 1e-12), 0.0, 1.0)
                gap = np.linalg.norm(points - a[i] - along[:, None] * axis, axis=1) - body.radius_m[i]
                outside = np.minimum(outside, gap)
            assert outside.max() < 1e-6


def test_parts_are_named_after_hands_and_links_and_soles_are_part_of_them() -> None:
    body = clearance_of(bodies.robot("g1")).body
    assert {"left_hand", "right_hand", "torso_link", "pelvis"} <= set(body.parts)
    assert body.index("left_rubber_hand") == body.index("left_hand")
    assert body.index("left_ankle_roll_link") is not None
    assert body.index("no_such_link") is None
    assert len(body.part_of) == len(body.radius_m)
