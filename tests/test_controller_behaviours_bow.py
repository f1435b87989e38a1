"""A bow leans the trunk by its angle and comes back, the feet stay, and the robot stands afterwards."""

import shutil
from pathlib import Path

import numpy as np
import pinocchio as pin
import pytest
from bodies import robot
from control_runs import run

from kilohertz.controller.behaviours import bow
from kilohertz.controller.behaviours.base import BehaviourError
from kilohertz.controller.behaviours.registry import behaviours_of
from kilohertz.controller.motion.posture_reference import PostureReference
from kilohertz.controller.supervision.request import make_request
from kilohertz.robots.model.robot_model import RobotModel

DT = 1e-3
ANGLE, PERIOD = 0.3, 2.0


def leaning(seconds):
    """Angle, rate, acceleration of the reference while a bow of 0.3 rad in 2 s goes on; and the bow."""
    request = make_request(robot("g1"), "bow", {"angle_rad": ANGLE, "period_s": PERIOD})
    behaviour, reference, rows = bow.Bow(None), PostureReference(), []
    behaviour.start(request.payload)
    reference.switch(behaviour)
    for _ in range(round(seconds / DT)):
        reference.advance(DT)
        rows.append(reference.lean.copy())
    return np.array(rows), behaviour


def test_the_reference_goes_there_and_back_and_is_done():
    lean, behaviour = leaning(PERIOD + 0.01)
    assert lean[:, 0].max() == pytest.approx(ANGLE, abs=1e-6)
    assert abs(int(np.argmax(lean[:, 0])) * DT - PERIOD / 2) < 2 * DT
    np.testing.assert_allclose(lean[-1], 0.0, atol=1e-9)
    assert behaviour.done


def test_rate_and_acceleration_are_its_derivatives():
    lean, _ = leaning(PERIOD)
    for order in (0, 1):
        slope = (lean[2:, order] - lean[:-2, order]) / (2 * DT)
        np.testing.assert_allclose(slope, lean[1:-1, order + 1], atol=0.01)


@pytest.mark.closed_loop
def test_a_simulated_robot_bows_with_still_feet_and_stands_again():
    plan = ((0.0, "stand", {}), (0.5, "bow", {"angle_rad": ANGLE, "period_s": PERIOD}))
    result = run(
        "g1", 3.2, plan, estimator="default", plant="default", sensors={"noise": "default", "delay_ms": 2.0}
    )
    model = robot("g1").pin_model
    data, trunk = model.createData(), model.getFrameId("torso_link")
    pitch = []
    for q in result.q[::20]:
        pin.framesForwardKinematics(model, data, q)
        pitch.append(pin.rpy.matrixToRpy(data.oMf[trunk].rotation)[1])
    assert max(pitch) == pytest.approx(ANGLE, abs=0.03)
    assert abs(pitch[-1]) < 0.02
    assert np.ptp(result.soles, axis=0).max() < 2e-3
    assert result.com_error_m[500:].max() < 0.01
    output = result.brain.output
    assert (output.state, output.behaviour, output.behaviour_state) == ("active", "bow", "done")


@pytest.mark.parametrize(
    ("name", "asked", "sentence"),
    [
        ("g1", {"angle_rad": 1.5, "period_s": 4.0}, "further than the waist of 'g1' bends; ask for at most"),
        ("g1", {"angle_rad": 0.3, "period_s": 0.2}, "is too quick; ask for a period_s of at least"),
        ("bolt", {"angle_rad": 0.3, "period_s": 2.0}, "has no joint that bends its trunk"),
        ("panda", {"angle_rad": 0.3, "period_s": 2.0}, "fixed to the ground"),
    ],
)
def test_what_a_robot_cannot_bow_is_refused(name, asked, sentence):
    with pytest.raises(BehaviourError) as caught:
        make_request(robot(name), "bow", asked)
    assert sentence in str(caught.value)


def test_the_same_file_in_a_robots_folder_is_a_behaviour_of_that_robot_only(tmp_path):
    folder = tmp_path / "mine"
    shutil.copytree(robot("g1").folder, folder)
    (folder / "behaviours").mkdir()
    text = Path(bow.__file__).read_text()
    text = text.replace('name = "bow"', 'name = "greet"').replace("class Bow", "class Greet")
    (folder / "behaviours" / "greet.py").write_text(text)
    mine = RobotModel.load(str(folder))
    request = make_request(mine, "greet", {"angle_rad": 0.2, "period_s": 2.0})
    assert request.payload["angle_rad"] == [0.2]
    assert "greet" not in behaviours_of(robot("g1"))
