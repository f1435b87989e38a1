from pathlib import Path

import numpy as np
import pytest

from robots.mjcf import actuator_limits
from robots.model_file import ModelFileError

ARM = """<mujoco><worldbody>{}</worldbody><actuator>
  <motor joint="a" gear="2" ctrlrange="-10 10"/>
  <position joint="b" kp="100" forcerange="-5 8" gear="3"/>
  <position joint="c" kp="100" ctrlrange="-1 1"/>
  <motor joint="d" ctrlrange="-9 9"/>
</actuator></mujoco>"""
BODY = '<body pos="0.1 0 0"><joint name="{}" type="hinge" {}/><geom size="0.1" mass="1"/>{}</body>'


def arm() -> str:
    body = ""
    for name, more in (("e", ""), ("d", 'actuatorfrcrange="-4 4"'), ("c", ""), ("b", ""), ("a", "")):
        body = BODY.format(name, more, body)
    return ARM.format(body)


def test_a_limit_is_the_smallest_of_range_force_and_gear(tmp_path: Path) -> None:
    path = tmp_path / "arm.xml"
    path.write_text(arm())
    limits = actuator_limits(path, ("e", "d", "c", "b", "a"))
    # e has no actuator; d is limited by the joint; c by nothing, as a servo's command is no torque.
    np.testing.assert_allclose(limits, [np.inf, 4.0, np.inf, 15.0, 20.0])


def test_what_mujoco_cannot_read_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "arm.xml"
    path.write_text("<mujoco><worldbody><body/></worldbody></mujoco>".replace("body/", "bdoy/"))
    with pytest.raises(ModelFileError, match="MuJoCo cannot read it") as caught:
        actuator_limits(path, ())
    assert len(str(caught.value).splitlines()) == 1


def test_joints_that_the_two_readers_do_not_share_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "arm.xml"
    path.write_text(arm())
    with pytest.raises(ModelFileError, match="differ in the joints 'e', 'f'"):
        actuator_limits(path, ("a", "b", "c", "d", "f"))
