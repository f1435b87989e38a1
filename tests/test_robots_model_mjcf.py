from pathlib import Path

import mujoco
import numpy as np
import pinocchio as pin
import pytest

from kilohertz.robots.model.mjcf import actuator_limits, check_joints, compile_mjcf, place_root
from kilohertz.robots.model.model_file import ModelFileError

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
    limits = actuator_limits(compile_mjcf(path), ("e", "d", "c", "b", "a"))
    # e has no actuator; d is limited by the joint; c by nothing, as a servo's command is no torque.
    np.testing.assert_allclose(limits, [np.inf, 4.0, np.inf, 15.0, 20.0])


def test_what_mujoco_cannot_read_is_told_in_one_line(tmp_path: Path) -> None:
    path = tmp_path / "arm.xml"
    path.write_text("<mujoco><worldbody><body/></worldbody></mujoco>".replace("body/", "bdoy/"))
    with pytest.raises(ModelFileError, match="MuJoCo cannot read it") as caught:
        compile_mjcf(path)
    assert len(str(caught.value).splitlines()) == 1


def test_joints_that_the_two_readers_do_not_share_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "arm.xml"
    path.write_text(arm())
    with pytest.raises(ModelFileError, match="differ in the joints 'e', 'f'"):
        check_joints(compile_mjcf(path), ("a", "b", "c", "d", "f"))


@pytest.mark.parametrize("root_joint", ["", '<joint name="root" axis="0 0 1"/>'])
def test_a_fixed_base_stands_where_the_file_puts_it(tmp_path: Path, root_joint: str) -> None:
    path = tmp_path / "arm.xml"
    inner = BODY.format("a", "", BODY.format("b", "", "")).replace("<body ", "<body name='arm' ", 1)
    path.write_text(
        f'<mujoco><worldbody><body name="root" pos="1 2 3" euler="10 20 30">{root_joint}'
        f'<geom size="0.1"/>{inner}</body></worldbody></mujoco>'
    )
    model = compile_mjcf(path)
    pin_model = pin.buildModelFromMJCF(str(path))
    place_root(pin_model, model)
    data, pin_data = mujoco.MjData(model), pin_model.createData()
    mujoco.mj_forward(model, data)
    pin.framesForwardKinematics(pin_model, pin_data, pin.neutral(pin_model))
    for name in ("root", "arm"):
        placement = pin_data.oMf[pin_model.getFrameId(name, pin.FrameType.BODY)]
        np.testing.assert_allclose(placement.translation, data.body(name).xpos, atol=1e-12)
        np.testing.assert_allclose(placement.rotation.ravel(), data.body(name).xmat, atol=1e-12)
