"""Models that users have: each is read alike by MuJoCo and by pinocchio, or refused for the true reason."""

from pathlib import Path

import numpy as np
import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.scenario import default_scenario_name, load_scenario
from kilohertz.sim.world import build_world

CASES = Path(__file__).parents[2] / "shared" / "cases"

pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason="the collected models are not on this computer")


@pytest.mark.parametrize(
    ("case", "note"),
    [
        ("01-gravcomp", "gravity compensation (gravcomp) of upper, fore, tool is ignored"),
        ("06-contact-pair", "the contact pairs of the file are left out"),
        ("07-scene-first", "table: a body that is not part of the robot is left out"),
        ("09-include", ""),
        ("15-mimic", "joint 'grip_mimic' (line 12) follows joint 'grip' (mimic): they are not controlled"),
        ("24-mjcf-defaults/compiler-after", ""),
        ("24-mjcf-defaults/default-after", ""),
        ("24-mjcf-defaults/frame", ""),
        ("24-mjcf-defaults/included", ""),
        ("24-mjcf-defaults/inline", ""),
        ("24-mjcf-defaults/mocap", "target: a body that is not part of the robot is left out"),
        ("refarm", ""),
    ],
)
def test_a_model_is_read_alike_by_both_and_what_is_ignored_is_said(case: str, note: str) -> None:
    robot = RobotModel.load(CASES / case)
    # The check of parity inside compares poses, masses and dynamics of both readings.
    world = build_world(robot, load_scenario(default_scenario_name(robot), robot), 0)
    assert any(each.startswith(note) for each in world.notes) if note else world.notes == ()


@pytest.mark.parametrize(
    ("case", "limits"),
    [
        ("24-mjcf-defaults/inline", (1.2, 1.2, 1.2)),
        ("24-mjcf-defaults/included", (1.2, 1.2, 1.2)),
        ("24-mjcf-defaults/default-after", (1.2, 1.2, 1.2)),
        ("24-mjcf-defaults/compiler-after", (3.0, 2.5, 2.8)),
    ],
)
def test_limits_hold_wherever_the_file_gives_their_defaults(case: str, limits: tuple[float, ...]) -> None:
    robot = RobotModel.load(CASES / case)
    np.testing.assert_allclose(robot.position_upper_rad, limits, atol=1e-9)
    np.testing.assert_allclose(robot.position_lower_rad, np.negative(limits), atol=1e-9)
    assert (robot.armature_kgm2 > 0.0).all()


def test_limits_of_a_joint_with_a_reference_are_those_of_the_file() -> None:
    robot = RobotModel.load(CASES / "refarm")
    np.testing.assert_allclose(robot.position_upper_rad, 3.0)
    np.testing.assert_allclose(robot.position_lower_rad, -3.0)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ("07-scene-first/ball", "has 2 root bodies with joints, such as 'base' and 'ball'"),
        ("12-missing-inertial", "link 'fore' (line 5) is moved by a joint but has no mass"),
        ("13-triangle", "link 'fore' (line 5) has principal moments 0.01, 0.02, 0.09 kg m^2"),
        ("33-urdf/balance", "link 'fore' (line 5) has principal moments 0.01, 0.02, 0.09 kg m^2"),
        ("33-urdf/pointmass", "link 'fore' (line 5) is moved by a joint but has no moments of inertia"),
        ("14-limits/comma", "joint 'j2' (line 8): lower='-2,5' should be a finite number"),
        ("14-limits/degrees", "joint 'j2' (line 8): lower='-143' is more than two turns"),
        ("14-limits/inf", "joint 'j2' (line 8): lower='-inf' should be a finite number"),
        ("14-limits/nolower", "joint 'j2' (line 8) lacks 'lower' and 'upper'"),
        ("14-limits/swapped", "joint 'j2' (line 8): lower=2.5 is above upper=-2.5: swap them"),
        ("14-limits/xacro", "is xacro: expand it first"),
        ("33-urdf/xacro", "is xacro: expand it first"),
        ("fivebar", "(connect) couples joints, which the controller's model cannot have"),
        (
            "mimicarm",
            "joint 'j3' (line 8) follows joint 'j2' (mimic), which the controller's model cannot",
        ),
        ("springarm", "joint 'j2' has a spring (stiffness 30)"),
        ("tworoots", "has 2 root bodies with joints, such as 'l0' and 'r0'"),
    ],
)
def test_a_model_that_cannot_be_used_is_refused_for_the_true_reason(case: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        RobotModel.load(CASES / case)
    assert reason in str(caught.value)
    assert str(caught.value).startswith(str(CASES / case / "robot.yaml"))


@pytest.mark.parametrize(
    "case", ["12-missing-inertial", "13-triangle", "33-urdf/balance", "33-urdf/pointmass"]
)
def test_impossible_inertias_are_mended_on_request(tmp_path: Path, case: str) -> None:
    for file in (CASES / case).iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    with (tmp_path / "robot.yaml").open("a") as file:
        file.write("\nrepair_inertia: true\n")
    (note,) = RobotModel.load(tmp_path).notes
    assert note.startswith("link 'fore' (line 5)")
    assert note.endswith("(repair_inertia)")
