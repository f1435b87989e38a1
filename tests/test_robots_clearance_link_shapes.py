"""Shapes of links are where the model puts them."""

from __future__ import annotations

from pathlib import Path

import bodies
import mujoco
import numpy as np
import pytest

from kilohertz.robots.clearance.link_shapes import Shape, link_shapes, visual_shapes
from kilohertz.robots.model.robot_model import RobotModel


def test_the_collision_geometry_of_a_shipped_robot_is_read() -> None:
    shapes = link_shapes(bodies.robot("ur5"))
    forearm = np.vstack([shape.points_L for shape in shapes["forearm_link"]])
    assert 0.3 < np.ptp(forearm[:, 2]) < 0.6


def test_visual_geometry_is_read_for_some_links_only() -> None:
    shapes = visual_shapes(bodies.robot("ur5"), {"forearm_link"})
    assert set(shapes) == {"forearm_link"}


def test_every_kind_of_geometry_of_an_mjcf_file_has_its_extent(tmp_path: Path) -> None:
    sizes = {"sphere": "0.02", "ellipsoid": "0.02 0.03 0.05", "capsule": "0.02 0.05", "cylinder": "0.02 0.05"}
    sizes["box"] = "0.02 0.03 0.05"
    bodies = "".join(
        f'<body name="{kind}"><joint name="j_{kind}"/><geom type="{kind}" size="{size}" mass="1"/></body>'
        for kind, size in sizes.items()
    )
    inertial = '<inertial pos="0 0 0" mass="1" diaginertia="1 1 1"/><joint name="j"/>'
    (tmp_path / "r.xml").write_text(
        f'<mujoco><worldbody><body name="root">{inertial}{bodies}</body></worldbody></mujoco>'
    )
    (tmp_path / "robot.yaml").write_text("robot: r\nmodel: r.xml\nbase: fixed\ntorque_limit_Nm: 1.0\n")
    shapes = link_shapes(RobotModel.load(tmp_path))
    assert set(shapes) == set(sizes)
    model = mujoco.MjModel.from_xml_path(str(tmp_path / "r.xml"))
    for geom, half in enumerate(model.geom_aabb[:, 3:]):
        (shape,) = shapes[model.body(model.geom_bodyid[geom]).name]
        extent = [shape.touching(axis)[:, i].max() for i, axis in enumerate(np.eye(3))]
        np.testing.assert_allclose(extent, half, atol=1e-9)


def test_a_shape_can_be_moved_and_touched() -> None:
    shape = Shape(np.array([[1.0, 0.0, 0.0]]), 0.1)
    turn = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    moved = shape.moved(turn, np.array([0.0, 0.0, 2.0]))
    np.testing.assert_allclose(moved.points_L, [[0.0, 1.0, 2.0]], atol=1e-12)
    assert moved.touching(np.array([0.0, 0.0, -1.0]))[0, 2] == pytest.approx(1.9)
