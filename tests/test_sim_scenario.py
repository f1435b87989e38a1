"""Scenarios fit the robot that is to run them, or say what does not."""

import numpy as np
import pinocchio as pin
import pytest
from sim_runs import ROBOTS, robot

from kilohertz.controller.behaviours.registry import behaviour_schemas
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.scenario import (
    attachments,
    default_scenario_name,
    find_scenario,
    load_scenario,
    shipped_scenarios,
    trunk_link,
)

ARMS_ONLY = {"admittance", "default-arm", "circle", "reach", "impedance", "wipe", "handguide", "collision"}
# No shipped arm has the sensor that admittance needs.
FOR_ARMS = {*ARMS_ONLY, "stand", "payload-hands"} - {"admittance"}
FOR_BIPEDS = set(shipped_scenarios()) - {*ARMS_ONLY, "default-arms", "dual"}
DEFAULTS = {"panda": "default-arm", "ur5": "default-arm", "bolt": "default-points"}


def refusal(tmp_path, name, text):
    path = tmp_path / "s.yaml"
    path.write_text("name: x\nduration_s: 10\n" + text)
    with pytest.raises(ConfigError) as caught:
        load_scenario(str(path), robot(name), behaviour_schemas(robot(name)))
    return str(caught.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize("name", ROBOTS)
def test_every_shipped_scenario_that_suits_a_robot_loads_for_it(name):
    suited = FOR_BIPEDS if robot(name).floating else FOR_ARMS
    if not robot(name).hands:
        suited = suited - {"payload-hands", "payload", "carry"}
    if name != "g1":
        suited = suited - {"stairs"}  # laid out for its legs
    for scenario in sorted(suited):
        loaded = load_scenario(scenario, robot(name), behaviour_schemas(robot(name)))
        assert loaded.name == scenario
        assert loaded.commands[0].at_s == 0.0


def test_the_shipped_scenarios_are_these():
    assert set(shipped_scenarios()) == {
        "default", "default-arm", "default-arms", "stand", "sway", "squat", "push-forward", "push-backward",
        "push-lateral", "payload-torso", "payload-hands", "payload", "walk", "walk-around", "push", "fall",
        "stairs", "carry", "walk-on", "default-points", "step", "circle", "reach", "impedance", "wipe",
        "handguide", "collision", "gantry", "dual", "admittance",
    }  # fmt: skip


def test_a_robot_without_a_scenario_gets_one_that_it_can_do():
    for name in ROBOTS:
        scenario = default_scenario_name(robot(name))
        assert scenario == DEFAULTS.get(name, "default")
        load_scenario(scenario, robot(name))


@pytest.mark.parametrize(
    ("hands", "expected"),
    [
        ("gripper: {link: panda_hand_tcp}", "default-arm"),
        ("left: {link: panda_leftfinger}\n  right: {link: panda_rightfinger}", "stand"),
        ("left_hand: {link: panda_leftfinger}\n  right_hand: {link: panda_rightfinger}", "default-arms"),
    ],
)
def test_an_arm_of_ones_own_gets_one_too_whatever_its_hands_are_called(tmp_path, hands, expected):
    shipped = robot("panda").folder / "robot.yaml"
    text = shipped.read_text().replace("hand: {link: panda_hand_tcp}", hands)
    (tmp_path / "robot.yaml").write_text(text)
    arm = RobotModel.load(str(tmp_path))
    assert default_scenario_name(arm) == expected
    load_scenario(expected, arm)


def test_a_misspelt_scenario_is_answered_with_the_right_one():
    with pytest.raises(ConfigError, match=r"did you mean 'squat'\?.*payload-hands"):
        find_scenario("sqaut")


def test_a_missing_file_is_named():
    with pytest.raises(ConfigError, match=r"nowhere\.yaml: does not exist"):
        load_scenario("nowhere.yaml", robot("g1"))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "events:\n - {at_s: 1, push: {link: torso, impulse_Ns: [1, 0, 0]}}",
            "s.yaml:4:21: events[0].push.link: 'torso' is not a link of g1 (did you mean 'torso_link'?)",
        ),
        (
            "events:\n - {at_s: 1, payload: {link: left_hnd, mass_kg: 1}}",
            "events[0].payload.link: 'left_hnd' is not a link of g1 (did you mean 'left_hand'?)",
        ),
        ("events:\n - {at_s: 1, push: {link: hands, impulse_Ns: [1, 0, 0]}}", "a push acts on one link"),
        (
            "events:\n - {at_s: 10, push: {link: trunk, impulse_Ns: [1, 0, 0]}}",
            "s.yaml:4:5: events[0].at_s: is at or after the end of the run (10 s)",
        ),
        ("commands:\n - {at_s: 11, stand: {}}", "commands[0].at_s: is at or after the end"),
        (
            "commands:\n - {at_s: 1, stand: {}}\n - {at_s: 1, damp: {}}",
            "s.yaml:5:5: commands[1].at_s: is the same time as commands[0]",
        ),
        ("commands:\n - {at_s: 1, walk: {}}", "s.yaml:4:14: commands[0].walk.velocity_m_s: is missing"),
    ],
)
def test_what_does_not_fit_the_robot_is_told_with_file_and_line(tmp_path, text, sentence):
    assert sentence in refusal(tmp_path, "g1", text)


def test_without_schemas_the_commands_stay_as_they_are(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("name: x\nduration_s: 9\ncommands: [{at_s: 1, dance: {wildly: true}}, {at_s: 2, damp: }]")
    commands = load_scenario(str(path), robot("panda")).commands
    assert [(command.kind, command.params) for command in commands] == [
        ("stand", {}),
        ("dance", {"wildly": True}),
        ("damp", {}),
    ]


def test_the_trunk_is_the_upper_body():
    assert trunk_link(robot("g1")) == "torso_link"
    assert trunk_link(robot("talos")) == "torso_2_link"


def test_hands_share_a_payload():
    parts = attachments(robot("g1"), "hands", (0.0, 0.0, 0.0))
    assert [part.link for part in parts] == [hand.link for hand in robot("g1").hands]
    assert sum(part.share for part in parts) == 1.0


@pytest.mark.parametrize("name", ["g1", "talos"])
def test_a_point_of_a_hand_is_in_the_hands_frame(name):
    model = robot(name)
    hand = model.hands[0]
    point_H = np.array([0.01, 0.02, 0.03])
    (part,) = attachments(model, hand.name, tuple(point_H))
    data = model.pin_model.createData()
    pin.framesForwardKinematics(model.pin_model, data, model.q_nominal)
    link = data.oMf[model.pin_model.getFrameId(part.link, pin.FrameType.BODY)]
    np.testing.assert_allclose(link.act(part.p_LP_m), data.oMf[hand.frame_id].act(point_H), atol=1e-12)
