"""Tools and force-torque sensors in robot.yaml: what they add to the model, and what is refused."""

import numpy as np
import pinocchio as pin
import pytest
from bodies import robot
from wrist_robots import TOOL, WRIST, arm

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.description import content_of
from kilohertz.robots.model.robot_model import RobotModel


def load(folder, name="panda", tool=TOOL, wrist=WRIST):
    return RobotModel.load(arm(folder, name, tool, wrist))


def refusal(folder, **words):
    with pytest.raises(ConfigError) as caught:
        load(folder, **words)
    return str(caught.value)


def gravity(model, q):
    return pin.computeGeneralizedGravity(model.pin_model, model.pin_model.createData(), q)


def test_a_robot_without_the_words_is_as_before():
    plain = robot("panda")
    assert plain.wrists == ()
    assert plain.hands[0].tool is None
    assert [name for name, _ in plain.new_sensor_row().fields][-1] == "contact_force_N"
    assert plain.new_sensor_row().wrist.size == 0
    # The hash of its configuration is over the keys that it had before.
    assert set(content_of(plain.description)["hands"]["hand"]) == {"link", "p_LH_m", "rpy_LH_rad"}


def test_the_tool_is_part_of_the_model_and_its_point_that_of_the_hand(tmp_path):
    plain, tooled = robot("panda"), load(tmp_path)
    assert tooled.mass_kg == pytest.approx(plain.mass_kg + 0.8)
    assert tooled.config_sha256 != plain.config_sha256
    q = plain.q_nominal
    data = plain.pin_model.createData()
    pin.framesForwardKinematics(plain.pin_model, data, q)
    mount = data.oMf[plain.hands[0].frame_id]
    point = tooled.nominal_point(tooled.hands[0].frame_id)
    np.testing.assert_allclose(point, mount.act(np.array([0, 0, 0.1])), atol=1e-12)
    # Its weight acts at its centre of mass.
    pin.computeJointJacobians(plain.pin_model, data, q)
    J = pin.getFrameJacobian(
        plain.pin_model, data, plain.hands[0].frame_id, pin.ReferenceFrame.LOCAL_WORLD_ALIGNED
    )
    arm_W = mount.rotation @ [0.01, 0.0, 0.05]
    force = np.array([0.0, 0.0, 0.8 * 9.81])
    expected = J.T @ np.r_[force, np.cross(arm_W, force)]
    np.testing.assert_allclose(gravity(tooled, q) - gravity(plain, q), expected, atol=1e-9)


def test_a_sensor_before_the_tool_carries_the_tool_alone(tmp_path):
    wrist = load(tmp_path).wrists[0]
    assert wrist.mass_kg == pytest.approx(0.8)
    np.testing.assert_allclose(wrist.p_HC, [0.01, 0, -0.05], atol=1e-12)
    np.testing.assert_allclose(wrist.X_HS.translation, [0, 0, -0.1], atol=1e-12)
    np.testing.assert_allclose(wrist.inertia_H, np.diag([0.002, 0.002, 0.001]), atol=1e-12)
    assert wrist.every_ms == 1


def test_a_sensor_on_the_flange_also_carries_the_gripper(tmp_path):
    model = load(tmp_path, wrist="{link: panda_link8, p_LS_m: [0, 0, 0.02], rate_hz: 250}")
    wrist = model.wrists[0]
    assert wrist.mass_kg == pytest.approx(0.8 + 0.73 + 2 * 0.015)
    assert wrist.every_ms == 4
    # The flange is 0.1034 m before the tool centre point of the gripper.
    np.testing.assert_allclose(wrist.X_HS.translation, [0, 0, 0.02 - 0.1034 - 0.1], atol=1e-9)


def test_a_sensor_row_has_six_numbers_for_each_sensor(tmp_path):
    row = load(tmp_path).new_sensor_row()
    assert row.fields[-1] == ("wrist", 6)
    row.wrist[:] = 1.0
    assert row.data[-6:].sum() == 6.0


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"tool": "{mass_kg: 0}"}, "tool.mass_kg"),
        ({"tool": "{mass_kg: 1, inertia_kgm2: [1, 2]}"}, "should hold 3 moments"),
        ({"tool": "{mass_kg: 1, inertia_kgm2: [1, 1, 3]}"}, "is not the inertia of a body"),
        ({"tool": "{mass: 1}"}, "mass"),
        ({"wrist": "{link: panda_lnk8}"}, "'panda_lnk8' is not a link of the model"),
        ({"wrist": "{link: panda_link0}"}, "with only fixed joints behind: 'panda_joint1' moves"),
        ({"wrist": "{link: panda_leftfinger}"}, "should be 'panda_hand_tcp', or a link before it"),
        ({"wrist": "{rate_hz: 333}"}, "rate_hz"),
        ({"wrist": "{noise_N: -1}"}, "noise_N"),
    ],
    ids=[
        "massless",
        "two-moments",
        "no-body",
        "misspelt",
        "unknown-link",
        "joints-behind",
        "beside",
        "rate",
        "noise",
    ],
)
def test_what_no_tool_or_sensor_has_is_refused_with_file_and_line(tmp_path, words, sentence):
    text = refusal(tmp_path, **words)
    assert sentence in text
    assert "robot.yaml:8:" in text


def test_a_robot_on_legs_has_no_such_sensor(tmp_path):
    text = (robot("g1").folder / "robot.yaml").read_text()
    assert "right_hand: {link" in text
    (tmp_path / "robot.yaml").write_text(text.replace("right_hand: {link", "right_hand: {wrist: {}, link"))
    with pytest.raises(
        ConfigError, match=r"hands\.right_hand\.wrist: is for arms on a fixed base: remove it"
    ):
        RobotModel.load(tmp_path)
