"""The smallest distance between two parts of a robot never exceeds that of its meshes."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import bodies
import coal
import numpy as np
import pinocchio as pin
import pytest

from kilohertz.robots.clearance import clearance as module
from kilohertz.robots.clearance.clearance import clearance, clearance_of

BOX_ARM = """<robot name="boxes">
  <link name="base"><collision><origin xyz="0 0 0.1"/><geometry><box size="0.1 0.1 0.2"/></geometry></collision></link>
  <link name="upper"><inertial><mass value="2"/><inertia ixx="0.01" iyy="0.01" izz="0.01" ixy="0" ixz="0" iyz="0"/></inertial>
    <collision><origin xyz="0.2 0 0"/><geometry><box size="0.3 0.06 0.06"/></geometry></collision></link>
  <link name="bare"><inertial><mass value="1"/><inertia ixx="0.01" iyy="0.01" izz="0.01" ixy="0" ixz="0" iyz="0"/></inertial></link>
  <link name="lower"><inertial><mass value="1"/><inertia ixx="0.01" iyy="0.01" izz="0.01" ixy="0" ixz="0" iyz="0"/></inertial>
    <collision><origin xyz="0.2 0 0"/><geometry><sphere radius="0.05"/></geometry></collision></link>
  <joint name="j1" type="revolute"><parent link="base"/><child link="upper"/><origin xyz="0 0 0.3"/><axis xyz="0 1 0"/>
    <limit lower="-2" upper="2" effort="50" velocity="3"/></joint>
  <joint name="j2" type="revolute"><parent link="upper"/><child link="bare"/><origin xyz="0.4 0 0"/><axis xyz="0 1 0"/>
    <limit lower="-3" upper="3" effort="50" velocity="3"/></joint>
  <joint name="j3" type="revolute"><parent link="bare"/><child link="lower"/><axis xyz="0 1 0"/>
    <limit lower="-3" upper="3" effort="50" velocity="3"/></joint>
</robot>
"""  # noqa: E501


def box_arm(folder: Path, more: str = "") -> bodies.RobotModel:
    (folder / "boxes.urdf").write_text(BOX_ARM)
    (folder / "robot.yaml").write_text(
        "robot: boxes\nmodel: boxes.urdf\nbase: fixed\nhands: {hand: {link: lower, p_LH_m: [0.2, 0, 0]}}\n"
        "posture_rad: {j1: 0.0}\n" + more
    )
    return bodies.RobotModel.load(folder)


@pytest.mark.parametrize("name", ["panda", "g1"])
def test_the_meshes_of_kept_pairs_are_never_nearer_than_their_capsules(name: str) -> None:
    robot = bodies.robot(name)
    found = clearance_of(robot)
    model = robot.pin_model
    geometry = pin.buildGeomFromUrdfString(model, robot.urdf_text, pin.GeometryType.COLLISION)
    convex = {}
    for index, each in enumerate(geometry.geometryObjects):
        if isinstance(each.geometry, coal.BVHModelBase):
            each.geometry.buildConvexHull(True, "Qt")
            convex[index] = each.geometry.convex
        else:
            convex[index] = each.geometry
    placed = pin.GeometryData(geometry)
    data = model.createData()
    rng = np.random.default_rng(5)
    low, high = (np.clip(x, -np.pi, np.pi) for x in (robot.position_lower_rad, robot.position_upper_rad))
    for _ in range(6):
        q = robot.q_nominal.copy()
        q[robot.nq_base :] = rng.uniform(low, high)
        pin.updateGeometryPlacements(model, data, geometry, placed, q)
        distance, _ = found._measure(q)
        for pair, (one, other) in enumerate(found.pairs.parts.tolist()):
            mine = distance[found._pair == pair].min()
            if mine > 0.1 or mine < 0.0:
                continue
            for i, first in enumerate(geometry.geometryObjects):
                for j, second in enumerate(geometry.geometryObjects):
                    if (first.parentJoint, second.parentJoint) != (
                        found.body.joint[one],
                        found.body.joint[other],
                    ):
                        continue
                    gap = coal.distance(
                        convex[i], placed.oMg[i], convex[j], placed.oMg[j],
                        coal.DistanceRequest(), coal.DistanceResult(),
                    )  # fmt: skip
                    assert gap > mine - 0.0015


def test_links_without_geometry_are_noted_and_folding_brings_parts_together(tmp_path: Path) -> None:
    robot = box_arm(tmp_path)
    found = clearance_of(robot)
    assert "'bare'" in found.notes[0]
    far, near = clearance(robot, np.zeros(3)), clearance(robot, np.array([0.0, 1.5, 1.3]))
    assert near.distance_m < far.distance_m
    assert set(near.pair) <= set(found.body.parts)


def test_margin_and_ignored_pairs_of_the_robot_file_count(tmp_path: Path) -> None:
    robot = box_arm(tmp_path, "collision: {margin_m: 0.03, ignore: [[hand, base]]}\n")
    found = clearance_of(robot)
    named = [{found.body.parts[i], found.body.parts[j]} for i, j in found.pairs.parts.tolist()]
    assert {"hand", "base"} not in named
    assert found.pairs.least_m.max() == 0.03


def test_a_point_inside_the_body_is_found(tmp_path: Path) -> None:
    found = clearance_of(box_arm(tmp_path))
    assert found.inside(np.array([0.01, 0.02, 0.1]), "hand") == "base"
    assert found.inside(np.array([0.6, 0.0, 0.3]), "hand") == ""


def test_a_slow_fit_is_kept_on_disk_and_read_back_exactly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    robot = box_arm(tmp_path)
    monkeypatch.setattr(module, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(module, "_SLOW_S", 0.0)
    fresh = clearance_of(robot)
    assert list(tmp_path.glob("clearance_boxes_*.json"))
    monkeypatch.setattr(module, "fit_body", None)
    again = clearance_of(dataclasses.replace(robot))
    np.testing.assert_array_equal(again.body.a, fresh.body.a)
    np.testing.assert_array_equal(again.pairs.least_m, fresh.pairs.least_m)
    assert again.body.parts == fresh.body.parts
