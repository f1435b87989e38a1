"""A model file of any size and shape is read or refused by one sentence, before a library of C++ reads it."""

from __future__ import annotations

from pathlib import Path

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.model_error import ModelFileError, at_line
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.xml_file import MOST_DEPTH, MOST_ELEMENTS, read_xml

INERTIA = '<inertia ixx="0.1" ixy="0" ixz="0" iyy="0.1" iyz="0" izz="0.1"/>'
LIMIT = '<limit lower="-1" upper="1" effort="10" velocity="3"/>'


def link(name: str, mass: str = "1") -> str:
    return f'<link name="{name}"><inertial><mass value="{mass}"/>{INERTIA}</inertial></link>'


def joint(name: str, parent: str, child: str, kind: str = "revolute") -> str:
    return (
        f'<joint name="{name}" type="{kind}"><parent link="{parent}"/><child link="{child}"/>'
        f'<axis xyz="0 0 1"/>{LIMIT}</joint>'
    )


def urdf(*parts: str) -> str:
    return f"<robot name='x'>{''.join(parts)}</robot>"


def chain(n: int, kind: str) -> str:
    return "".join(link(f"l{i}") + joint(f"f{i}", f"l{i - 1}", f"l{i}", kind) for i in range(1, n + 1))


def load(folder: Path, text: str | bytes) -> RobotModel:
    (folder / "robot.yaml").write_text("robot: x\nmodel: m.urdf\nbase: fixed\n")
    (folder / "m.urdf").write_bytes(text if isinstance(text, bytes) else text.encode())
    return RobotModel.load(folder)


def test_a_robot_of_one_joint_is_read(tmp_path: Path) -> None:
    assert load(tmp_path, urdf(link("a"), link("b"), joint("j", "a", "b"))).na == 1


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (urdf("<a>" * 200_000 + "</a>" * 200_000), f"more than {MOST_DEPTH} deep"),
        (urdf("<link/>" * (MOST_ELEMENTS + 1)), f"has more than {MOST_ELEMENTS} elements"),
        (urdf(link("l0"), chain(5000, "fixed"), link("e"), joint("j", "l5000", "e")), "has 5002 links, more"),
        (urdf(link("l0"), chain(300, "revolute")), "has 300 joints that can move, more than 200"),
        ('<!DOCTYPE r [<!ENTITY a "x">]><robot name="x">&a;</robot>', "declares an entity"),
        ('<!DOCTYPE r [<!ENTITY a SYSTEM "/etc/passwd">]><robot name="x">&a;</robot>', "declares an entity"),
        (urdf(link("a"), link("b", "9" * 900_000), joint("j", "a", "b")), "'9{40}' should be a finite"),
        (urdf(link("a"), link("b", "nan"), joint("j", "a", "b")), "the mass of link 'b'.*'nan' should be"),
        (urdf(link("a"), link("b", "-1"), joint("j", "a", "b")), "a link with a negative mass"),
        (urdf(link("a"), link("b", "1e9"), joint("j", "a", "b")), "has a mass of 1e"),
        (urdf(link("a" * 300), link("b"), joint("j", "a" * 300, "b")), "a name of more than 200"),
        (urdf(link("a")) + "\0", "is not valid XML"),
        (b"<robot name='\xed\xa0\x80'/>", "is not valid XML"),
        (b"<?xml version='1.0' encoding='utf-7'?><robot/>", "is not valid XML"),
        (b"", "is not valid XML"),
        (urdf(link("base")).replace("mass value", "mass :value='2' value"), "is not valid XML"),
        (urdf(link("base"), "<gazebo:reference/>"), "is not valid XML"),
    ],
)  # fmt: skip
def test_a_hostile_model_is_refused_by_one_sentence(tmp_path: Path, text: str | bytes, sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as refused:
        load(tmp_path, text)
    assert len(str(refused.value)) < 500 + len(str(tmp_path))


def test_a_path_that_is_none_is_refused(tmp_path: Path) -> None:
    for model, sentence in (('"a\\0b"', "there is no file"), ("x" * 5000, "is no path of a file")):
        (tmp_path / "robot.yaml").write_text(f"robot: x\nmodel: {model}\nbase: fixed\n")
        with pytest.raises(ConfigError, match=sentence):
            RobotModel.load(tmp_path)


def test_a_long_chain_of_fixed_links_is_read(tmp_path: Path) -> None:
    robot = load(tmp_path, urdf(link("l0"), chain(1990, "fixed"), link("e"), joint("j", "l1990", "e")))
    assert robot.na == 1


def test_elements_within_the_limits_are_read_whole(tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_bytes("<?xml version='1.0'?><r a='1'><b>ä</b>tail</r>".encode())
    file = read_xml(tmp_path / "a.xml")
    assert (file.root.tag, file.root.get("a"), file.root[0].text, file.root[0].tail) == (
        "r",
        "1",
        "ä",
        "tail",
    )
    with pytest.raises(ModelFileError, match="is a folder, not a file"):
        read_xml(tmp_path)


def test_the_line_of_an_element_is_found_without_going_over_the_file_again_and_again() -> None:
    text = 'x\n<joint name="a"/>\n<link\n name = \'a\' />\n<link name="ab"/>'
    assert at_line(text, "link", "a") == " (line 3)"
    assert at_line(text, "joint", "a") == " (line 2)"
    assert at_line(text, "link", "ab") == " (line 5)"
    assert at_line(text, "link", "b") == at_line(text, "joint", "c") == ""
    assert at_line("<link " * 1_000_000, "link", "a") == ""
