"""The nominal posture is refused with its remedy if soles are tilted, of unequal height, or swapped."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from ruamel.yaml import YAML

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.description import ROBOTS_FOLDER
from kilohertz.robots.model.posture_check import narrow_joints, support_margin_m
from kilohertz.robots.model.robot_model import RobotModel

CASES = Path(__file__).parents[2] / "shared" / "cases"


def changed(tmp_path: Path, robot: str, change: Callable[[dict], None]) -> Path:
    """Writes the folder of a shipped robot whose robot.yaml has been changed."""
    yaml = YAML()
    content = yaml.load((ROBOTS_FOLDER / robot / "robot.yaml").read_text())
    change(content)
    with (tmp_path / "robot.yaml").open("w") as file:
        yaml.dump(content, file)
    return tmp_path


def refusal(folder: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        RobotModel.load(folder)
    return str(caught.value)


def test_the_remedy_for_a_tilted_sole_levels_it(tmp_path: Path) -> None:
    def straight_ankles(content: dict) -> None:
        for side in ("left", "right"):
            del content["posture_rad"][f"{side}_ankle_pitch_joint"]

    sentence = refusal(changed(tmp_path, "g1", straight_ankles))
    assert "posture_rad: leaves left_foot 21 deg from level" in sentence
    remedies = re.findall(r"with (\w+): (-?[\d.]+) it is level", sentence)
    assert [joint for joint, _ in remedies] == ["left_ankle_pitch_joint", "right_ankle_pitch_joint"]

    def mended(content: dict) -> None:
        content["posture_rad"].update({joint: float(angle) for joint, angle in remedies})

    assert RobotModel.load(changed(tmp_path, "g1", mended)).na == 29


def test_a_lifted_foot_is_refused(tmp_path: Path) -> None:
    def lift(content: dict) -> None:
        content["posture_rad"] |= {
            "left_hip_pitch_joint": -0.65,
            "left_knee_joint": 1.4,
            "left_ankle_pitch_joint": -0.75,
        }

    assert re.search(
        r"leaves left_foot 0.\d\d m higher than right_foot", refusal(changed(tmp_path, "g1", lift))
    )


def test_swapped_feet_are_refused(tmp_path: Path) -> None:
    def swap(content: dict) -> None:
        feet = content["contacts"]
        feet["left_foot"]["link"], feet["right_foot"]["link"] = (
            feet["right_foot"]["link"],
            feet["left_foot"]["link"],
        )

    sentence = refusal(changed(tmp_path, "g1", swap))
    assert "contacts.left_foot.link" in sentence
    assert "the links of left_foot and right_foot are swapped" in sentence


def test_feet_of_one_point_show_no_direction(tmp_path: Path) -> None:
    def heels(content: dict) -> None:
        for name in ("left_foot", "right_foot"):
            content["contacts"][name]["corners_m"] = [[-0.05, 0.0, -0.03]]

    assert RobotModel.load(changed(tmp_path, "g1", heels)).na == 29


@pytest.mark.parametrize(("robot", "link"), [("g1", "pelvis"), ("panda", "panda_link0")])
def test_a_hand_on_the_base_is_refused(tmp_path: Path, robot: str, link: str) -> None:
    def on_base(content: dict) -> None:
        hands = content["hands"]
        hands[next(iter(hands))]["link"] = link

    assert "no joint moves it" in refusal(changed(tmp_path, robot, on_base))


def test_a_joint_that_hardly_moves_is_refused() -> None:
    names = ("wide", "narrow", "free")
    found = list(narrow_joints(names, np.array([-1.0, 0.1, -np.inf]), np.array([1.0, 0.104, np.inf])))
    assert len(found) == 1
    assert "locked_joints_rad: {narrow: 0.102}" in found[0][1]


def test_the_margin_is_the_distance_to_the_nearest_edge() -> None:
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    assert support_margin_m(np.array([0.3, 0.5]), square) == pytest.approx(0.3)
    assert support_margin_m(np.array([1.2, 0.5]), square) == pytest.approx(-0.2)
    assert support_margin_m(np.array([0.5, 0.0]), square[:2]) is None


@pytest.mark.parametrize(
    ("case", "sentence"),
    [
        ("broken_tilt", "posture_rad: leaves left_foot 16 deg from level"),
        ("broken_nofeet", "posture_rad: leaves left_foot 54 deg from level"),
        ("broken_wronglink", "the links of left_foot and right_foot are swapped"),
    ],
)
def test_case(case: str, sentence: str) -> None:
    folder = CASES / case
    if not (CASES / "src" / "fourier_n1" / "n1.xml").exists():
        pytest.skip("the model n1 of mujoco_menagerie is not beside the cases")
    assert sentence in refusal(folder)
