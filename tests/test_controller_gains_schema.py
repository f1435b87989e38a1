"""gains.yaml: what is wrong is refused, at its line; what is right is taken to the last digit."""

import math
from pathlib import Path

import pydantic
import pytest
from bodies import ROBOTS, robot

from kilohertz.controller.gains.schema import ARM_DEFAULTS, Gains, gains_path, load_gains, suited
from kilohertz.robots.config.config_error import ConfigError


def leaves(model=Gains, path=()):
    """(path of keys, field, class it stands in) of every number, word and switch."""
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, pydantic.BaseModel):
            yield from leaves(field.annotation, (*path, name))
        else:
            yield (*path, name), field, model


LEAVES = list(leaves())
NUMBERS = [path for path, field, _ in LEAVES if field.annotation in (float, float | None)]
OPTIONAL = [path for path, field, _ in LEAVES if field.annotation == float | None]
every_number = pytest.mark.parametrize("path", NUMBERS, ids=".".join)
every_leaf = pytest.mark.parametrize("path", [path for path, *_ in LEAVES], ids=".".join)


def yaml_of(path, value):
    """A file with this one key, and a comment in line 1."""
    lines = ["# one setting"]
    lines += [f"{'  ' * depth}{key}:" for depth, key in enumerate(path)]
    lines[-1] += f" {value}"
    return "\n".join(lines) + "\n"


def refusal(tmp_path: Path, text: str) -> str:
    file = tmp_path / "gains.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_gains(robot("g1"), file)
    return str(caught.value).replace(str(tmp_path), "")


def value_of(gains, path):
    for key in path:
        gains = getattr(gains, key)
    return gains


def test_there_is_something_to_tune():
    assert len(NUMBERS) > 30


@every_leaf
def test_its_default_is_valid_and_taken(tmp_path, path):
    default = value_of(Gains(), path)
    file = tmp_path / "gains.yaml"
    written = "null" if default is None else str(default).lower() if isinstance(default, bool) else default
    file.write_text(yaml_of(path, written))
    assert load_gains(robot("g1"), file) == Gains()


@every_number
@pytest.mark.parametrize(
    "value", [".nan", ".inf", "-.inf", "-1.0e9", "1.0e300", "fast", "true", "null", "[1.0]"]
)
def test_a_value_that_cannot_be_is_refused_at_its_line(tmp_path, path, value):
    if value == "null" and path in OPTIONAL:
        return  # left to the robot's size
    text = refusal(tmp_path, yaml_of(path, value))
    assert text.startswith(f"/gains.yaml:{len(path) + 1}:"), text
    assert f": {'.'.join(path)}: " in text
    assert "\n" not in text


@every_leaf
def test_a_misspelt_key_is_refused_with_the_key_that_was_meant(tmp_path, path):
    misspelt = (*path[:-1], path[-1][:-1] + "_" + path[-1][-1:])
    text = refusal(tmp_path, yaml_of(misspelt, "1.0"))
    assert text.startswith(f"/gains.yaml:{len(path) + 1}:"), text
    assert f"did you mean '{path[-1]}'?" in text


@every_number
def test_a_key_given_twice_is_refused_at_the_second(tmp_path, path):
    line = f"{'  ' * (len(path) - 1)}{path[-1]}: 1.0\n"
    text = refusal(tmp_path, yaml_of(path, "1.0") + line)
    assert text.startswith(f"/gains.yaml:{len(path) + 2}:")
    assert f"is given twice (first in line {len(path) + 1})" in text


def test_all_that_is_wrong_is_said_at_once_in_the_order_of_the_file(tmp_path):
    text = refusal(tmp_path, "solver: fastest\ncom:\n  weight: -1\n  heigth_kp_per_s2: 10\nhand: 3\n")
    lines = text.splitlines()
    assert [line.split(":")[1] for line in lines] == ["1", "3", "4", "5"]
    assert "osqp" in lines[0]
    assert "exact" in lines[0]
    assert "did you mean 'height_kp_per_s2'?" in lines[2]


@pytest.mark.parametrize("text", ["", "# nothing\n", "- 1\n", "com: {weight: 1\n", "com:\n\tweight: 1\n"])
def test_what_is_not_a_table_of_settings_is_refused(tmp_path, text):
    assert refusal(tmp_path, text).startswith("/gains.yaml")


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.yaml: does not exist"):
        load_gains(robot("g1"), tmp_path / "gone.yaml")


def test_a_file_cut_off_anywhere_is_refused_or_valid_but_never_a_crash(tmp_path):
    whole, cut = (robot("g1").folder / "gains.yaml").read_text(), tmp_path / "gains.yaml"
    refused = 0
    for length in range(0, len(whole), 3):
        cut.write_text(whole[:length])
        try:
            assert isinstance(load_gains(robot("g1"), cut), Gains)
        except ConfigError:
            refused += 1
    assert refused > 0


def test_gains_cannot_be_changed_behind_the_controllers_back():
    with pytest.raises(pydantic.ValidationError, match="frozen"):
        Gains().com.weight = 3.0


@pytest.mark.parametrize("name", ROBOTS)
def test_every_shipped_robot_has_gains(name):
    gains = load_gains(robot(name))
    assert isinstance(gains, Gains)
    if gains_path(robot(name)) is None:
        assert gains == suited(robot(name), Gains())


def test_an_arm_is_stiffer_by_default_and_keeps_what_its_file_says(tmp_path):
    path = tmp_path / "gains.yaml"
    path.write_text("hand: {kp_per_s2: 900}\n")
    hand = load_gains(robot("panda"), path).hand
    assert (hand.kp_per_s2, hand.kd_per_s) == (900.0, ARM_DEFAULTS["kd_per_s"])
    assert load_gains(robot("panda")).hand.kp_per_s2 == ARM_DEFAULTS["kp_per_s2"]
    assert suited(robot("g1"), Gains()) == Gains()


def test_defaults_are_within_their_own_ranges():
    assert Gains.model_validate(Gains().model_dump()) == Gains()


@every_number
def test_every_number_is_bounded_below_and_above(path):
    """A slip of a decimal point ends in a sentence, not in the robot."""
    field = next(field for leaf, field, _ in LEAVES if leaf == path)
    bounds = {type(item).__name__: item for item in field.metadata}
    assert {"Gt", "Ge"} & set(bounds)
    assert {"Lt", "Le"} & set(bounds)
    assert path in OPTIONAL or math.isfinite(field.default)


def test_gains_of_a_file_are_the_robots_where_none_is_given(tmp_path):
    assert gains_path(robot("g1")) == robot("g1").folder / "gains.yaml"
    assert load_gains(robot("g1")) == load_gains(robot("g1"), robot("g1").folder / "gains.yaml")
