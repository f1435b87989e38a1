from __future__ import annotations

import numpy as np
import pinocchio as pin
import pytest
from telemetry_runs import robot

pytest.importorskip("trimesh")

from kilohertz.robots.model.description import shipped_robots
from kilohertz.rt.view.robot_figure import LEAST_FACES, MOST_FACES, RobotFigure


@pytest.mark.parametrize("name", shipped_robots())
def test_every_robot_that_ships_has_a_figure_that_a_browser_can_draw(name):
    figure = RobotFigure(robot(name))
    assert figure.parts
    assert sum(len(part.faces) for part in figure.parts) <= MOST_FACES + LEAST_FACES * len(figure.parts)
    for part in figure.parts:
        assert part.faces.max() < len(part.vertices)
        assert np.isfinite(part.vertices).all()
        assert 0 <= part.link < len(figure.links)


@pytest.mark.parametrize("name", ["g1", "panda"])
def test_links_contacts_and_hands_are_where_pinocchio_has_them(name):
    model = robot(name)
    figure = RobotFigure(model)
    rng = np.random.default_rng(3)
    q = pin.integrate(model.pin_model, model.q_nominal, rng.normal(0.0, 0.3, model.nv))
    figure.pose(q)
    data = model.pin_model.createData()
    pin.framesForwardKinematics(model.pin_model, data, q)
    for i, link in enumerate(figure.links):
        if i and model.pin_model.existFrame(link, pin.FrameType.BODY):
            frame = data.oMf[model.pin_model.getFrameId(link, pin.FrameType.BODY)]
            np.testing.assert_allclose(figure.p_WL[i], frame.translation, atol=1e-6)
            w, x, y, z = figure.quat_WL[i]
            np.testing.assert_allclose(pin.Quaternion(w, x, y, z).matrix(), frame.rotation, atol=1e-6)
    for i, contact in enumerate(model.contacts):
        np.testing.assert_allclose(figure.p_WF[i], data.oMf[contact.frame_id].translation, atol=1e-6)
        np.testing.assert_allclose(figure.R_WF[i], data.oMf[contact.frame_id].rotation, atol=1e-6)
    for i, hand in enumerate(model.hands):
        np.testing.assert_allclose(figure.p_WH[i], data.oMf[hand.frame_id].translation, atol=1e-6)
        np.testing.assert_allclose(figure.R_WH[i], data.oMf[hand.frame_id].rotation, atol=1e-6)


@pytest.mark.long
def test_a_robot_without_geometry_is_drawn_with_capsules_between_its_joints():
    figure = RobotFigure(robot("g1"))
    capsules = list(figure._capsules())
    assert {part.link for part in capsules} > {figure.links.index("left_knee_link")}
    knee = [part for part in capsules if part.link == figure.links.index("left_knee_link")]
    ankle = figure.p_WL[figure.links.index("left_ankle_pitch_link")]
    # The shank reaches from the knee to the ankle.
    length_m = np.linalg.norm(ankle - figure.p_WL[figure.links.index("left_knee_link")])
    assert max(np.linalg.norm(part.vertices, axis=1).max() for part in knee) == pytest.approx(
        length_m, rel=0.1
    )
