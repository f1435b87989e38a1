from __future__ import annotations

import numpy as np
import pytest
from telemetry_runs import hello_for, robot, rows_for

pytest.importorskip("viser")

from kilohertz.rt.telemetry.content import state_message
from kilohertz.rt.view.front_door import open_server
from kilohertz.rt.view.scene import (
    ARROW_M_PER_WEIGHT,
    CLOSED,
    FOOTSTEPS_KEPT,
    OPEN,
    Footprints,
    Scene,
)

pytestmark = pytest.mark.host


@pytest.fixture
def server():
    opened = open_server("127.0.0.1", 0, "0123456789abcdef", "test")
    yield opened
    opened.stop()


def state(name: str, **changes: object) -> dict:
    return state_message(rows_for(name, 1), hello_for(name), 0) | changes


def test_a_footprint_is_left_where_a_sole_comes_down():
    square = np.array([[0.1, 0.05, 0.0], [-0.1, 0.05, 0.0], [-0.1, -0.05, 0.0], [0.1, -0.05, 0.0]])
    prints = Footprints([square, square])
    turned = np.array([[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])
    places = np.array([[1.0, 0.0, 0.0], [2.0, 3.0, 0.0]])
    assert not prints.update([False, False], places, np.stack([turned, turned]))
    assert prints.update([False, True], places, np.stack([turned, turned]))
    assert not prints.update([False, True], places, np.stack([turned, turned]))
    vertices, faces = prints.mesh()
    np.testing.assert_allclose(vertices[:, :2].mean(axis=0), [2.0, 3.0], atol=1e-6)
    np.testing.assert_allclose(np.ptp(vertices, axis=0)[:2], [0.1, 0.2], atol=1e-6)
    assert faces.tolist() == [[0, 1, 2], [0, 2, 3]]
    for _ in range(2 * FOOTSTEPS_KEPT):
        prints.update([False, False], places, np.stack([turned, turned]))
        prints.update([True, False], places, np.stack([turned, turned]))
    vertices, faces = prints.mesh()
    assert len(vertices) == 4 * FOOTSTEPS_KEPT
    assert faces.max() == len(vertices) - 1


@pytest.mark.long
def test_forces_contacts_and_balance_are_where_the_message_has_them(server):
    scene = Scene(server, robot("g1"))
    weight_N = robot("g1").mass_kg * 9.81
    wrenches = [0.0, 0.0, weight_N, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    values = state("g1", w_F=wrenches, contact=[True, False], p_WC=[0.1, 0.2, 0.7])
    scene.draw(values)
    np.testing.assert_allclose(scene._forces[0].points, [[[0, 0, 0], [0, 0, ARROW_M_PER_WEIGHT]]], atol=1e-6)
    assert scene._forces[0].visible
    assert not scene._forces[1].visible
    assert [tuple(sole.color) for sole in scene._soles] == [CLOSED, OPEN]
    np.testing.assert_allclose(scene._com.position, [0.1, 0.2, 0.7])
    np.testing.assert_allclose(scene._dcm.position[:2], values["p_WD"])
    np.testing.assert_allclose(scene._soles[1].position, scene.figure.p_WF[1])
    assert [ball.visible for ball in scene._hands] == [False, True]
    np.testing.assert_allclose(scene._hands[1].position, values["p_WH_des"][3:])


@pytest.mark.long
def test_the_view_follows_the_robot_if_it_is_wanted(server):
    scene = Scene(server, robot("g1"))
    q = [3.0, -2.0, *robot("g1").q_nominal[2:]]
    scene.draw(state("g1", q=q))
    np.testing.assert_allclose(scene._world.position, [-3.0, 2.0, 0.0])
    scene.follows = False
    scene.draw(state("g1", q=q))
    np.testing.assert_allclose(scene._world.position, [0.0, 0.0, 0.0])


@pytest.mark.long
def test_what_is_not_known_is_out_of_sight(server):
    scene = Scene(server, robot("g1"))
    scene.draw(state("g1", p_WD=[np.nan, np.nan], w_F=[np.nan] * 12))
    assert scene._dcm.position[2] < -100.0
    assert not any(arrow.visible for arrow in scene._forces)


def test_one_can_see_through_the_robot_or_not(server):
    scene = Scene(server, robot("panda"))
    assert all(mesh.opacity < 1.0 for mesh, _ in scene._parts)
    scene.see_through = False
    assert all(mesh.opacity is None for mesh, _ in scene._parts)


@pytest.mark.parametrize("name", ["panda", "bolt", "g1"])
def test_robots_of_every_kind_are_drawn_and_removed(server, name):
    scene = Scene(server, robot(name))
    values = state_message(rows_for(name, 1), hello_for(name), 0)
    scene.track_steps(values)
    scene.draw(values)
    assert "references" in scene.legend
    scene.begin_run()
    scene.draw(values)
    scene.remove()


@pytest.mark.long
def test_planned_footsteps_are_drawn_as_soles(server):
    scene = Scene(server, robot("g1"))
    steps = np.full((4, 5), np.nan)
    scene.draw(state("g1", footsteps=steps.ravel().tolist()))
    assert all(sole.position[2] < -100.0 for soles in scene._planned for sole in soles)
    steps[0] = 1, 0.4, -0.1, 0.05, 0.5 * np.pi
    scene.draw(state("g1", footsteps=steps.ravel().tolist()))
    (hidden, shown), *later = scene._planned
    np.testing.assert_allclose(shown.position, [0.4, -0.1, 0.05], atol=0.01)
    np.testing.assert_allclose(shown.wxyz, [np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)], atol=1e-12)
    assert all(sole.position[2] < -100.0 for sole in (hidden, *(sole for soles in later for sole in soles)))
    steps[0, 0] = 0
    scene.draw(state("g1", footsteps=steps.ravel().tolist()))
    assert shown.position[2] < -100.0
    assert hidden.position[0] == 0.4


def test_an_arm_has_no_planned_footsteps(server):
    scene = Scene(server, robot("panda"))
    scene.draw(state("panda"))
    assert scene._planned == []
