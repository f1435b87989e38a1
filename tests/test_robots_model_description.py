"""Every field of robot.yaml, broken in turn."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.description import ROBOTS_FOLDER, find_robot, load_description, shipped_robots

BIPEDS = ["alexander", "bolt", "g1", "talos"]
ARMS = ["fr3", "fr3_duo", "gen3", "iiwa14", "panda", "so101", "ur10e", "ur3e", "ur5", "ur5e", "xarm7", "z1"]
SHIPPED = sorted(BIPEDS + ARMS)
SOLE = [[0.1, 0.05, -0.04], [0.1, -0.05, -0.04], [-0.1, -0.05, -0.04], [-0.1, 0.05, -0.04]]

FLOATING: dict[str, Any] = {
    "robot": "biped",
    "model": "biped.urdf",
    "base": "floating",
    "imu": {"link": "torso", "p_BI_m": [0, 0, 0.1], "rpy_BI_rad": [0, 0, 3.14]},
    "contacts": {"left_foot": {"link": "foot", "corners_m": SOLE, "friction": 0.6, "force_sensor": True}},
    "hands": {"left_hand": {"link": "arm", "p_LH_m": [0.2, 0, 0], "rpy_LH_rad": [0, 1, 0]}},
    "trunk": "torso",
    "posture_rad": {"knee": 0.5},
    "torque_limit_Nm": {"knee": 50},
    "velocity_limit_rad_s": 12,
    "armature_kgm2": 0.01,
    "joint_friction_Nm": {"knee": 0.2},
    "joint_damping_Nms": 0.05,
    "locked_joints_rad": {"finger": 0},
    "licence": "MIT",
}


def lines(tmp_path: Path, data: Any) -> list[str]:
    """The refusals of a robot.yaml, each from its line and column on; none where it is accepted."""
    # JSON is YAML; one key per line, so that lines tell keys apart.
    (tmp_path / "robot.yaml").write_text(data if isinstance(data, str) else json.dumps(data, indent=1))
    try:
        load_description(tmp_path)
    except ConfigError as error:
        return str(error).replace(f"{tmp_path}/robot.yaml:", "").splitlines()
    return []


def changed(path: str, value: Any) -> dict[str, Any]:
    """The floating robot with one key set, or left out where the value is ..."""
    data = copy.deepcopy(FLOATING)
    *parents, last = path.split(".")
    inner = data
    for step in parents:
        inner = inner[step]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return data


def test_a_full_description_is_accepted(tmp_path: Path) -> None:
    assert lines(tmp_path, FLOATING) == []


def test_what_is_optional_may_be_left_out(tmp_path: Path) -> None:
    needed = {key: FLOATING[key] for key in ("robot", "model", "base", "imu", "contacts")}
    assert lines(tmp_path, needed) == []
    assert lines(tmp_path, {"robot": "arm", "model": "arm.urdf", "base": "fixed"}) == []


WRONG = [
    ("robot", ..., "is missing"),
    ("robot", 3, "should be text, not 3"),
    ("robot", "two words", "should be a name"),
    ("robot", "", "should be a name"),
    ("model", ..., "is missing"),
    ("model", "", "should not be empty"),
    ("model", ["a.urdf"], "should be text, not a list"),
    ("base", ..., "is missing"),
    ("base", "flying", "should be 'floating' or 'fixed', not 'flying'"),
    ("base", "Floating", "(did you mean 'floating'?)"),
    ("imu", ..., "is missing: a floating base needs an IMU"),
    ("imu", None, "is missing: a floating base needs an IMU"),
    ("imu", "torso", "should be a map (key: value), not 'torso'"),
    ("imu.link", ..., "is missing"),
    ("imu.link", 3, "should be text"),
    ("imu.p_BI_m", [0, 0], "should have 3 entries, not 2"),
    ("imu.p_BI_m", [0, 0, 0, 0], "should have at most 3 entries, not 4"),
    ("imu.p_BI_m", 0.1, "should be a list"),
    ("imu.p_BI_m", [0, 0, "x"], "should be a number, not 'x'"),
    ("imu.p_BI_m", [0, 0, 100], "should be a length between -10 and 10 m"),
    ("imu.p_BI_m", [0, 0, float("nan")], "should be a"),
    ("imu.rpy_BI_rad", [0, 0, 180], "should be an angle between -2 pi and 2 pi rad"),
    ("imu.rpy_BI_rad", [0, 0, True], "should be a number, not true"),
    ("imu.rpy_BI_deg", [0, 0, 1], "is not a known key"),
    ("contacts", ..., "is missing: a floating base needs at least one sole"),
    ("contacts", {}, "is missing: a floating base needs at least one sole"),
    ("contacts", [1], "should be a map (key: value), not a list"),
    ("contacts.left foot", {"link": "foot", "corners_m": SOLE, "friction": 1}, "should be a name"),
    ("contacts.left_foot", None, "should be a map (key: value), not empty"),
    ("contacts.left_foot.link", ..., "is missing"),
    ("contacts.left_foot.link", [], "should be text"),
    ("contacts.left_foot.corners_m", ..., "is missing"),
    ("contacts.left_foot.corners_m", [], "should have at least 1 entry, not 0"),
    ("contacts.left_foot.corners_m", [[0, 0, 0]] * 17, "should have at most 16 entries, not 17"),
    ("contacts.left_foot.corners_m", [0], "should be a list, not 0"),
    ("contacts.left_foot.corners_m", [[0, 0]], "should have 3 entries, not 2"),
    ("contacts.left_foot.corners_m", [[0, 0, 0], [0, 0, 0]], "should not hold the same corner twice"),
    ("contacts.left_foot.corners_m", [[0, 0, 0], [1, 0, 0], [2, 0, 0]], "all corners are on one line"),
    ("contacts.left_foot.corners_m", [*SOLE, [0, 0, 0.1]], "should lie in one plane"),
    ("contacts.left_foot.friction", ..., "is missing"),
    ("contacts.left_foot.friction", 0, "should be greater than 0, not 0"),
    ("contacts.left_foot.friction", -0.6, "should be greater than 0"),
    ("contacts.left_foot.friction", 60, "should be at most 5, not 60"),
    ("contacts.left_foot.friction", "high", "should be a number, not 'high'"),
    ("contacts.left_foot.friction", True, "should be a number, not true"),
    ("contacts.left_foot.force_sensor", 1, "should be true or false, not 1"),
    ("contacts.left_foot.frictoin", 0.6, "is not a known key"),
    ("hands", 3, "should be a map (key: value), not 3"),
    ("hands.left_hand.link", ..., "is missing"),
    ("hands.left_hand.p_LH_m", [1], "should have 3 entries, not 1"),
    ("hands.left_hand.rpy_LH_rad", "up", "should be a list, not 'up'"),
    ("hands.left_hand.p_HL_m", [0, 0, 0], "is not a known key"),
    ("trunk", 3, "should be text"),
    ("posture_rad", 0.5, "should be a map (key: value), not 0.5"),
    ("posture_rad.knee", "bent", "should be a number, not 'bent'"),
    ("posture_rad.knee", float("inf"), "should be a"),
    ("torque_limit_Nm", 0, "should be greater than 0, not 0"),
    ("torque_limit_Nm", "strong", "should be a number or a map (key: value), not 'strong'"),
    ("torque_limit_Nm.knee", -50, "should be greater than 0, not -50"),
    ("torque_limit_Nm.knee", None, "should be a number, not empty"),
    ("velocity_limit_rad_s", -1, "should be greater than 0"),
    ("velocity_limit_rad_s", [1], "should be a number or a map (key: value), not a list"),
    ("armature_kgm2", -0.01, "should be at least 0, not -0.01"),
    ("armature_kgm2", {"knee": -1}, "should be at least 0, not -1"),
    ("armature_kgm2", True, "should be a number or a map (key: value), not true"),
    ("joint_friction_Nm", {"knee": "x"}, "should be a number, not 'x'"),
    ("joint_damping_Nms", -1, "should be at least 0"),
    ("locked_joints_rad", 3, "should be a map (key: value), not 3"),
    ("locked_joints_rad.finger", "open", "should be a number, not 'open'"),
    ("licence", 3, "should be text"),
    ("robto", "x", "is not a known key"),
    ("postures_rad", {}, "is not a known key"),
]


@pytest.mark.parametrize(("path", "value", "expected"), WRONG)
def test_a_broken_field_is_refused_in_one_sentence(
    tmp_path: Path, path: str, value: Any, expected: str
) -> None:
    found = lines(tmp_path, changed(path, value))
    assert len(found) == 1
    line, column, key, sentence = found[0].split(":", 3)
    assert int(line) >= 1
    assert int(column) >= 1
    assert key.strip().startswith(path.split(" ")[0])
    assert expected in sentence


def test_every_field_of_the_schema_is_in_the_table() -> None:
    broken = {path.split(".")[0] for path, _, _ in WRONG}
    assert set(FLOATING) <= broken


def test_a_misspelt_key_is_told_once_not_also_as_missing(tmp_path: Path) -> None:
    data = changed("contacts.left_foot.friction", ...)
    data["contacts"]["left_foot"]["frction"] = 0.6
    assert [line.split(": ", 1)[1] for line in lines(tmp_path, data)] == [
        "contacts.left_foot.frction: is not a known key (did you mean 'friction'?)"
    ]


@pytest.mark.parametrize("key", ["imu", "contacts"])
def test_a_fixed_base_has_neither_imu_nor_soles(tmp_path: Path, key: str) -> None:
    data = {"robot": "arm", "model": "arm.urdf", "base": "fixed", key: FLOATING[key]}
    assert [line.split(": ", 1)[1] for line in lines(tmp_path, data)] == [
        f"{key}: is not used for a fixed base: remove it"
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "is empty"),
        ("robot: a\nrobot: b\n", "is given twice"),
        ("robot: [", "is not valid YAML"),
        ("\x00\x01", "is not valid YAML"),
        ("hello", "should be a map"),
    ],
)
def test_a_file_that_is_no_description_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    assert expected in lines(tmp_path, text)[0]


junk = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
PATHS = sorted({path for path, value, _ in WRONG if value is ...} | set(FLOATING))


@settings(max_examples=60, deadline=None)
@given(path=st.sampled_from(PATHS), value=junk)
def test_no_junk_in_a_field_raises_anything_but_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, path: str, value: Any
) -> None:
    for line in lines(tmp_path_factory.mktemp("junk"), changed(path, value)):
        assert "pydantic" not in line
        assert "Input" not in line


def test_the_shipped_robots_are_found_by_name() -> None:
    assert shipped_robots() == SHIPPED
    assert find_robot("g1") == ROBOTS_FOLDER / "g1"


def test_a_folder_is_found_by_path_and_by_its_file(tmp_path: Path) -> None:
    (tmp_path / "robot.yaml").write_text("robot: a")
    assert find_robot(str(tmp_path)) == tmp_path
    assert find_robot(str(tmp_path / "robot.yaml")) == tmp_path


@pytest.mark.parametrize("name", ["g2", "", "no/such/folder", "\0", "a" * 10000])
def test_an_unknown_robot_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(ConfigError, match=", ".join(SHIPPED)):
        find_robot(name)


def test_a_misspelt_robot_finds_its_neighbour() -> None:
    with pytest.raises(ConfigError, match="did you mean 'talos'"):
        find_robot("tallos")


def test_a_folder_without_a_description_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"holds no robot\.yaml"):
        find_robot(str(tmp_path))


@pytest.mark.parametrize("name", SHIPPED)
def test_each_shipped_robot_names_its_licence_and_what_it_stands_on(name: str) -> None:
    description, _ = load_description(ROBOTS_FOLDER / name)
    assert description.robot == name
    assert description.licence
    if description.base == "floating":
        assert list(description.contacts) == ["left_foot", "right_foot"]
    else:
        assert list(description.hands) in (["hand"], ["left_hand", "right_hand"])


def test_a_model_in_place_of_a_robots_folder_says_how_to_make_one(tmp_path):
    model = tmp_path / "arm.urdf"
    model.write_text("<robot/>")
    with pytest.raises(ConfigError, match=r"is a model and no robot's folder: `khz robot new .*arm\.urdf`"):
        find_robot(str(model))
