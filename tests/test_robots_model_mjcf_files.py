"""An MJCF model is all of its files, and none of them makes MuJoCo repeat or allocate without end."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import mujoco  # noqa: F401  (starts a process at its first import, which is no part of a test)
import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.robot_folder.draft import read_draft

ARM = '<body name="a">{}<joint name="j" range="-1 1" limited="true"/>{}</body>'
INERTIAL = '<inertial pos="0 0 0" mass="{}" diaginertia="1 1 1"/>'
BODY = ARM.format(INERTIAL.format(1), "")
TETRAHEDRON = "v 0 0 0\nv {0} 0 0\nv 0 {0} 0\nv 0 0 {0}\nf 1 3 2\nf 1 2 4\nf 1 4 3\nf 2 3 4\n"


def mjcf(inside: str, before: str = "") -> str:
    return f"<mujoco>{before}<worldbody>{inside}</worldbody></mujoco>"


def load(folder: Path, text: str) -> RobotModel:
    (folder / "robot.yaml").write_text(
        "robot: x\nmodel: m.xml\nbase: fixed\ntorque_limit_Nm: 10\nvelocity_limit_rad_s: 3\n"
    )
    (folder / "m.xml").write_text(text)
    return RobotModel.load(folder)


def test_the_identity_of_one_file_is_its_own(tmp_path):
    text = mjcf(BODY)
    assert load(tmp_path, text).model_sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_the_identity_covers_included_files(tmp_path):
    main = '<mujoco><include file="part.xml"/></mujoco>'
    seen = set()
    for mass in (1, 5):
        part = mjcf(ARM.format(INERTIAL.format(mass), ""))
        (tmp_path / "part.xml").write_text(part)
        robot = load(tmp_path, main)
        assert robot.mass_kg == mass
        # As `cat m.xml part.xml | sha256sum`.
        assert robot.model_sha256 == hashlib.sha256((main + part).encode()).hexdigest()
        seen.add(robot.model_sha256)
    assert len(seen) == 2


def test_the_identity_covers_files_included_by_included_files(tmp_path):
    (tmp_path / "inner.xml").write_text(mjcf(BODY))
    (tmp_path / "part.xml").write_text('<mujoco><include file="inner.xml"/></mujoco>')
    before = load(tmp_path, '<mujoco><include file="part.xml"/></mujoco>').model_sha256
    (tmp_path / "inner.xml").write_text(mjcf(ARM.format(INERTIAL.format(2), "")))
    assert load(tmp_path, '<mujoco><include file="part.xml"/></mujoco>').model_sha256 != before


@pytest.mark.parametrize("from_mesh", [False, True])
def test_meshes_belong_to_it_where_inertias_come_from_them(tmp_path, from_mesh):
    inertial = "" if from_mesh else INERTIAL.format(1)
    text = mjcf(
        ARM.format(inertial, '<geom type="mesh" mesh="m"/>'),
        '<compiler meshdir="parts"/><asset><mesh name="m" file="m.obj"/></asset>',
    )
    (tmp_path / "parts").mkdir()
    seen = []
    for size in (0.1, 0.2):
        (tmp_path / "parts" / "m.obj").write_text(TETRAHEDRON.format(size))
        # MuJoCo keeps the mesh of a file until its time changes, by a second.
        os.utime(tmp_path / "parts" / "m.obj", (1e9 + 1e4 * size, 1e9 + 1e4 * size))
        seen.append(load(tmp_path, text))
    assert (seen[0].model_sha256 != seen[1].model_sha256) == from_mesh
    assert (seen[0].mass_kg != seen[1].mass_kg) == from_mesh


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (mjcf(BODY + '<replicate count="1000000000"><geom/></replicate>'), "elements with those"),
        (mjcf(BODY + '<replicate count="999"><replicate count="999"><geom/></replicate></replicate>'),
         "elements with those"),
        (mjcf(BODY + '<flexcomp name="f" type="grid" count="1000 1000 1000"/>'), "a <flexcomp> with count"),
        (mjcf(BODY,
         '<asset><hfield name="h" nrow="99999" ncol="99999" size="1 1 1 1"/></asset>'), "<hfield>"),
        (mjcf(BODY, '<asset><texture name="t" builtin="flat" width="99999" height="99999"/></asset>'),
         "a <texture>"),
        (mjcf(BODY, '<size memory="1E"/>'), "a <size> with memory"),
        (mjcf(BODY, '<size nuser_body="2000000000"/>'), "a <size> with nuser_body"),
        (mjcf(BODY, '<option iterations="2000000000"/>'), "an? <option> with iterations"),
        (mjcf(ARM.format(INERTIAL.format("inf"), "")), "has a mass that is not a finite number"),
        (mjcf(ARM.format(INERTIAL.format("1e300"), "")), "has a mass above 1e\\+09, which no robot has"),
        (mjcf(BODY.replace('"a"', '"a" pos="nan 0 0"')), "a position of a body that is not a finite"),
        (mjcf('<body name="a"><geom size="1e300"/><joint name="j"/></body>'), "is not a finite number"),
        (mjcf(BODY, '<include file="pipe"/>'), "names '.*pipe', which is a pipe"),
        (mjcf(BODY, '<asset><mesh name="m" file="pipe"/></asset>'), "names '.*pipe', which is a pipe"),
        (mjcf(BODY, '<include file="/dev/zero"/>'), "names '/dev/zero', which is a device"),
        (mjcf(BODY, '<asset><model name="t" file="m.xml"/></asset>'), "attaches '.*m.xml' more than once"),
        (mjcf(BODY, '<include file="m.xml"/>'), "already included"),
    ],
)  # fmt: skip
def test_what_would_never_end_is_refused_before_it_is_compiled(tmp_path, text, sentence):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigError, match=sentence):
        load(tmp_path, text)
    if "<" in sentence:
        with pytest.raises(ConfigError, match=sentence):
            read_draft(str(tmp_path / "m.xml"), tmp_path)
