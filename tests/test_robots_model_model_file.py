import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.robots.model.model_file import ModelFileError, find_model, read_model

INERTIA = '<inertia ixx="1" iyy="1" izz="1" ixy="0" ixz="0" iyz="0"/>'
LINK = f'<link name="{{}}"><inertial><mass value="1"/>{INERTIA}</inertial></link>'
LIMIT = '<limit effort="5" velocity="2" lower="-1" upper="2"/>'


def urdf(*parts: str, links: str = "ab") -> str:
    return "<robot name='r'>" + "".join(LINK.format(name) for name in links) + "".join(parts) + "</robot>"


def joint(name: str, kind: str, parent: str, child: str, inside: str = LIMIT) -> str:
    return (
        f'<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/>'
        f'<origin xyz="0.1 0.2 0.3" rpy="0.4 -0.5 0.6"/><axis xyz="0 0.6 0.8"/>{inside}</joint>'
    )


def read(
    tmp_path: Path, text: str, locked: dict[str, float] | None = None, floating: bool = False
) -> ET.Element:
    path = tmp_path / "r.urdf"
    path.write_text(text)
    return ET.fromstring(read_model(path, locked or {}, floating).text)


def test_a_model_is_found_beside_its_description_and_in_a_package(tmp_path: Path) -> None:
    (tmp_path / "r.urdf").write_text("x")
    assert find_model("r.urdf", tmp_path) == (tmp_path / "r.urdf").resolve()
    found = find_model("example-robot-data:g1_description/urdf/g1_29dof_rev_1_0.urdf", tmp_path)
    assert found.name == "g1_29dof_rev_1_0.urdf"
    assert found.is_file()


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("nothing.urdf", "there is no file"),
        (".", "there is no file"),
        ("no-such-package:a.urdf", "'no-such-package', which is not installed"),
        (":a.urdf", "which is not installed"),
        ("example-robot-data:no/such.urdf", "holds no file 'no/such.urdf'"),
    ],
)
def test_a_model_that_is_not_there_is_refused(tmp_path: Path, reference: str, expected: str) -> None:
    with pytest.raises(ModelFileError, match=expected):
        find_model(reference, tmp_path)


def test_a_continuous_joint_becomes_revolute_without_limits(tmp_path: Path) -> None:
    root = read(tmp_path, urdf(joint("j", "continuous", "a", "b", '<limit effort="5" velocity="2"/>')))
    found = root.find("joint")
    assert found is not None
    assert found.get("type") == "revolute"
    limit = found.find("limit")
    assert limit is not None
    assert limit.get("effort") == "5"
    model = pin.buildModelFromXML(ET.tostring(root, encoding="unicode"))
    assert (model.nq, model.nv) == (1, 1)


@pytest.mark.parametrize(("kind", "position"), [("revolute", 0.7), ("prismatic", 0.05), ("continuous", -2.0)])
def test_a_locked_joint_holds_its_link_where_the_joint_would(
    tmp_path: Path, kind: str, position: float
) -> None:
    text = urdf(joint("j", kind.replace("continuous", "revolute"), "a", "b"))
    free = pin.buildModelFromXML(text)
    data = free.createData()
    pin.framesForwardKinematics(free, data, np.array([position]))
    expected = data.oMf[free.getFrameId("b")]
    locked = pin.buildModelFromXML(
        ET.tostring(read(tmp_path, urdf(joint("j", kind, "a", "b")), {"j": position}), encoding="unicode")
    )
    data = locked.createData()
    pin.framesForwardKinematics(locked, data, np.zeros(0))
    assert locked.nv == 0
    np.testing.assert_allclose(data.oMf[locked.getFrameId("b")].homogeneous, expected.homogeneous, atol=1e-14)


def test_a_floating_root_joint_is_left_to_the_reader(tmp_path: Path) -> None:
    text = urdf(joint("float", "floating", "world", "a", ""), joint("j", "revolute", "a", "b"))
    text = text.replace("<robot name='r'>", "<robot name='r'><link name='world'/>")
    root = read(tmp_path, text, floating=True)
    assert [found.get("name") for found in root.findall("joint")] == ["j"]
    assert [found.get("name") for found in root.findall("link")] == ["a", "b"]
    with pytest.raises(ModelFileError, match="of type 'floating'"):
        read(tmp_path, text, floating=False)


def test_of_elements_that_are_repeated_the_first_is_used_with_a_note(tmp_path: Path) -> None:
    text = urdf(joint("j", "revolute", "a", "b")).replace("<axis", '<axis xyz="0 0 1"/><axis', 1)
    path = tmp_path / "arm.urdf"
    path.write_text(text)
    file = read_model(path, {}, floating=False)
    assert file.notes == ("joint 'j' (line 1) has 2 <axis>, of which the first is used (xyz=\"0 0 1\")",)
    axes = ET.fromstring(file.text).findall("joint/axis")
    assert [axis.get("xyz") for axis in axes] == ["0 0 1"]


def test_blanks_around_numbers_lose_no_mass(tmp_path: Path) -> None:
    text = urdf(joint("j", "revolute", "a", "b")).replace('mass value="1"', 'mass value="1 "')
    text = text.replace('xyz="0.1 0.2 0.3"', 'xyz=" 0.1\t0.2  0.3 "').replace('effort="5"', 'effort=" 5 "')
    path = tmp_path / "arm.urdf"
    path.write_text(text)
    model = pin.buildModelFromXML(read_model(path, {}, floating=False).text)
    assert [inertia.mass for inertia in model.inertias] == [1.0, 1.0]
    assert model.upperEffortLimit[0] == 5.0
    np.testing.assert_array_equal(model.jointPlacements[1].translation, [0.1, 0.2, 0.3])


def test_negative_friction_and_an_endless_wheel_can_be_read(tmp_path: Path) -> None:
    limit = '<limit lower="-1000000" upper="1000000" effort="3" velocity="2"/>'
    text = urdf(joint("j", "revolute", "a", "b", limit + '<dynamics friction="-0.2" damping="0.1"/>'))
    path = tmp_path / "arm.urdf"
    path.write_text(text)
    model = pin.buildModelFromXML(read_model(path, {}, floating=False).text)
    assert (model.lowerPositionLimit[0], model.upperPositionLimit[0]) == (-1e6, 1e6)


def test_mesh_paths_are_absolute_where_the_mesh_is_there(tmp_path: Path) -> None:
    (tmp_path / "meshes").mkdir()
    (tmp_path / "meshes" / "a.stl").write_text("")
    (tmp_path / "my meshes").mkdir()
    (tmp_path / "my meshes" / "b.stl").write_text("")
    visuals = "".join(
        f'<link name="{name}"><visual><geometry><mesh filename="{file}"/></geometry></visual></link>'
        for name, file in (
            ("c", "meshes/a.stl"),
            ("d", "package://anything/meshes/a.stl"),
            ("e", f"package://{tmp_path.name}/meshes/a.stl"),
            ("f", f"file://{tmp_path}/meshes/a.stl"),
            ("h", "my%20meshes/b.stl"),
            ("g", "meshes/none.stl"),
        )
    )
    joints = "".join(joint(f"j{name}", "fixed", "a", name) for name in "bcdefhg")
    root = read(tmp_path, urdf(visuals, joints))
    here = str((tmp_path / "meshes" / "a.stl").resolve())
    assert [mesh.get("filename") for mesh in root.iter("mesh")] == [
        *[here] * 4,
        str((tmp_path / "my meshes" / "b.stl").resolve()),
        "meshes/none.stl",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is not valid XML"),
        ("<robot>", "is not valid XML"),
        ("hello", "is not valid XML"),
        ("<sdf/>", "its root tag is <sdf>"),
        ("<robot name='r'/>", "should have one root link, not none"),
        (urdf(), "should have one root link, not 'a', 'b'"),
        (urdf(joint("j", "planar", "a", "b")), "of type 'planar', which cannot be controlled"),
        (urdf(joint("j", "revolut", "a", "b")), "of type 'revolut'"),
        (
            urdf(joint("j", "revolute", "a", "c")),
            "joint 'j' .line 1. refers to link 'c', which does not exist: correct it, or add <link",
        ),
        (
            urdf(joint("j", "revolute", "a", "b")).replace('<axis xyz="0 0.6 0.8"/>', "<axis/>"),
            "the axis of joint 'j' .line 1. lacks 'xyz'",
        ),
        (urdf(joint("j", "revolute", "a", "b", "")), "the limit of joint 'j' .line 1. lacks 'effort'"),
        (
            urdf(joint("j", "revolute", "a", "b"), joint("j", "revolute", "b", "c"), links="abc"),
            "joint 'j' is defined twice",
        ),
        (
            urdf(joint("j", "revolute", "a", "b")).replace('ixy="0" ', ""),
            "the inertia of link 'a' .line 1. lacks 'ixy'",
        ),
        (
            urdf(joint("j", "revolute", "a", "b")).replace('velocity="2"', 'velocity="fast"'),
            "the limit of joint 'j' .line 1.: 'fast' should be a finite number",
        ),
        (urdf(links="aa"), "link 'a' is defined twice"),
        (urdf(joint("j", "revolute", "a", "b"), joint("k", "revolute", "b", "a")), "form a loop"),
        (
            urdf(joint("j", "revolute", "b", "c"), joint("k", "revolute", "c", "b"), links="abc"),
            "is part of a loop of joints",
        ),
        (
            urdf(joint("j", "revolute", "a", "c"), joint("k", "revolute", "b", "c"), links="abc"),
            "is the child of two joints",
        ),
        (urdf(joint("j", "revolute", "a", "b")).replace("0.1 0.2 0.3", "0.1 0.2"), "should be three numbers"),
        (
            urdf(joint("j", "revolute", "a", "b")).replace("0.4 -0.5", "x -0.5"),
            "'x' should be a finite number",
        ),
        (
            urdf(joint("j", "revolute", "a", "b")).replace('mass value="1"', 'mass value="nan"'),
            "the mass of link 'a' .line 1.: 'nan' should be",
        ),
    ],
)
def test_a_broken_model_is_refused_in_a_sentence(tmp_path: Path, text: str, expected: str) -> None:
    with pytest.raises(ModelFileError, match=expected) as caught:
        read(tmp_path, text)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize(
    ("limit", "expected"),
    [
        (
            'lower="-inf" upper="inf"',
            "the limit of joint 'j' (line 1): lower='-inf' should be a finite number",
        ),
        ('lower="-2,5" upper="2"', "lower='-2,5' should be a finite number (with a decimal point"),
        ("", "the limit of joint 'j' (line 1) lacks 'lower' and 'upper'"),
        ('lower="2" upper="-2"', "the limit of joint 'j' (line 1): lower=2 is above upper=-2: swap them"),
        ('lower="0" upper="143"', "upper='143' is more than two turns"),
        ('lower="${-a}" upper="2"', "is xacro: expand it first"),
    ],
)
def test_a_limit_that_is_no_angle_is_refused(tmp_path: Path, limit: str, expected: str) -> None:
    path = tmp_path / "arm.urdf"
    path.write_text(
        '<robot name="r"><link name="a"/><link name="b"/><joint name="j" type="revolute">'
        '<parent link="a"/>'
        f'<child link="b"/><limit {limit} effort="1" velocity="1"/></joint></robot>'
    )
    with pytest.raises(ModelFileError) as caught:
        read_model(path, {}, floating=False)
    assert expected in str(caught.value)
