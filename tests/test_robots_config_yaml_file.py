import json
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field, field_validator

from kilohertz.robots.config.config_error import MAX_PROBLEMS, ConfigError
from kilohertz.robots.config.yaml_file import (
    MAX_BYTES,
    Config,
    check_data,
    load_yaml,
    load_yaml_located,
)


class Flat(Config):
    kind: Literal["flat"]
    friction: float = 0.8


class Slope(Config):
    kind: Literal["slope"]
    pitch_deg: float


class Leg(Config):
    link: str
    stiffness_Nm: Annotated[float, Field(gt=0.0)]
    offset_m: tuple[float, float, float] = (0.0, 0.0, 0.0)

    @field_validator("link")
    @classmethod
    def _no_blank(cls, link: str) -> str:
        if " " in link:
            raise ValueError("should not hold a blank")
        return link


class Robot(Config):
    name: str
    count: int = 1
    base: Literal["floating", "fixed"] = "fixed"
    legs: dict[str, Leg] = Field(default_factory=dict)
    limit: float | dict[str, float] = 1.0
    grounds: list[Annotated[Flat | Slope, Field(discriminator="kind")]] = Field(default_factory=list)


def refusal(tmp_path: Path, text: str | bytes) -> str:
    """The lines of the refusal, without the folder."""
    path = tmp_path / "r.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError) as caught:
        load_yaml(path, Robot)
    return str(caught.value).replace(f"{tmp_path}/", "")


def accepted(tmp_path: Path, text: str) -> Robot:
    path = tmp_path / "r.yaml"
    path.write_text(text)
    return load_yaml(path, Robot)


def test_whole_numbers_are_numbers_and_lists_fill_tuples(tmp_path: Path) -> None:
    robot = accepted(
        tmp_path, "name: a\nlimit: 2\nlegs: {l: {link: x, stiffness_Nm: 1e3, offset_m: [0, 1, 2.5]}}"
    )
    assert robot.limit == 2.0
    assert robot.legs["l"].stiffness_Nm == 1000.0
    assert robot.legs["l"].offset_m == (0.0, 1.0, 2.5)


def test_yes_is_text_as_yaml_1_2_says(tmp_path: Path) -> None:
    assert accepted(tmp_path, "name: yes").name == "yes"


def test_a_schema_cannot_be_changed_after_loading(tmp_path: Path) -> None:
    robot = accepted(tmp_path, "name: a")
    with pytest.raises(ValueError, match="frozen"):
        robot.name = "b"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("name: 3", "r.yaml:1:1: name: should be text, not 3"),
        ("name: true", "r.yaml:1:1: name: should be text, not true"),
        ("name:", "r.yaml:1:1: name: should be text, not empty"),
        ("name: a\ncount: 1.5", "r.yaml:2:1: count: should be a whole number, not 1.5"),
        ("name: a\ncount: true", "r.yaml:2:1: count: should be a whole number, not true"),
        ("count: 2", "r.yaml:1:1: name: is missing"),
        ("- 1", "r.yaml:1:1: should be a map (key: value), not a list"),
        ("name: a\nbas: fixed", "r.yaml:2:1: bas: is not a known key (did you mean 'base'?)"),
        (
            "name: a\nbase: fixd",
            "r.yaml:2:1: base: should be 'floating' or 'fixed', not 'fixd' (did you mean 'fixed'?)",
        ),
        ("name: a\nlimit: [1]", "r.yaml:2:1: limit: should be a number or a map (key: value), not a list"),
        ("name: a\nlimit: {a: b}", "r.yaml:2:9: limit.a: should be a number, not 'b'"),
        ("name: a\nlimit: .nan", "r.yaml:2:1: limit: should be a finite number, not nan"),
        ("name: a\nlimit: 1" + "0" * 400, "r.yaml:2:1: limit: should be a"),
        ("name: a\nlimit: 1" + "0" * 5000, "r.yaml:2:1: limit: cannot be read as a value"),
        ("name: a\nlimit: 1e999", "r.yaml:2:1: limit: should be a finite number, not inf"),
        (
            "name: a\nlegs:\n  l: {link: x, stiffness_Nm: -1}",
            "r.yaml:3:16: legs.l.stiffness_Nm: should be greater than 0, not -1",
        ),
        (
            "name: a\nlegs:\n  l: {link: x, stifness_Nm: 1}",
            "r.yaml:3:16: legs.l.stifness_Nm: is not a known key (did you mean 'stiffness_Nm'?)",
        ),
        (
            "name: a\nlegs:\n  l: {link: x y, stiffness_Nm: 1}",
            "r.yaml:3:7: legs.l.link: should not hold a blank",
        ),
        (
            "name: a\nlegs:\n  l: {link: x, stiffness_Nm: 1, offset_m: [1]}",
            "r.yaml:3:33: legs.l.offset_m: should have 3 entries, not 1",
        ),
        (
            "name: a\nlegs:\n  l: {link: x, stiffness_Nm: 1, offset_m: [1, 2, 3, 4]}",
            "r.yaml:3:33: legs.l.offset_m: should have at most 3 entries, not 4",
        ),
        (
            "name: a\nlegs:\n  l: {link: x, stiffness_Nm: 1, offset_m: [1, 2, z]}",
            "r.yaml:3:50: legs.l.offset_m[2]: should be a number, not 'z'",
        ),
        (
            "name: a\ngrounds:\n- {kind: flet}",
            "grounds[0].kind: should be one of 'flat', 'slope', not 'flet' (did you mean 'flat'?)",
        ),
        ("name: a\ngrounds: [{}]", "r.yaml:2:11: grounds[0]: needs the key 'kind'"),
        (
            "name: a\ngrounds:\n- {kind: flat, fricton: 1}",
            "r.yaml:3:16: grounds[0].fricton: is not a known key (did you mean 'friction'?)",
        ),
        ("name: a\ngrounds:\n- {kind: slope}", "r.yaml:3:3: grounds[0].pitch_deg: is missing"),
        ("name: a\nname: b", "r.yaml:2:1: name: is given twice (first in line 1)"),
        ("name: !secret a", "r.yaml:1:1: name: has an unknown YAML tag: !secret"),
        ('name: "\\ud800"', "r.yaml:1:1: name: is not valid text"),
        ('"\\ud800": a', "r.yaml:1:1: has a key that is not valid text"),
        ("", "r.yaml:1:1: is empty"),
        ("# only a comment\n", "r.yaml:1:1: is empty"),
        ("name: [1", "r.yaml:1:9: is not valid YAML"),
        ("name: a\n\tcount: 1", "r.yaml:2:1: is not valid YAML"),
        ("name: a\n---\nname: b", "r.yaml:2:1: is not valid YAML"),
        (b"name: a\ncount: \xff\xfe", "r.yaml:2:8: is not UTF-8 text"),
        (b"name: a\x00b", "r.yaml: is not valid YAML"),
        ("name: a\nlegs: &x {l: *x}", "is nested too deeply"),
        ("[" * 3000, "is nested too deeply"),
        ("name: " + "a" * MAX_BYTES, "is larger than"),
        ("? [a, b]\n: 1", "r.yaml:1:3: has a key that is not a word"),
    ],
)
def test_a_broken_file_is_refused_where_it_is_broken(
    tmp_path: Path, text: str | bytes, expected: str
) -> None:
    lines = refusal(tmp_path, text).splitlines()
    assert len(lines) == 1
    assert expected in lines[0]


def test_all_problems_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    lines = refusal(
        tmp_path, "name: 1\ncount: x\nlegs:\n  a: {link: 2, stiffness_Nm: 0}\nzzz: 1\n"
    ).splitlines()
    assert [line.split(":")[1] for line in lines] == ["1", "2", "4", "4", "5"]


def test_repeated_aliases_do_not_fill_the_memory(tmp_path: Path) -> None:
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    for level in range(1, 12):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 10)}]")
    assert "holds too many values" in refusal(tmp_path, "\n".join(lines))


def test_what_is_not_a_readable_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        load_yaml(tmp_path / "nothing.yaml", Robot)
    with pytest.raises(ConfigError, match="is a folder"):
        load_yaml(tmp_path, Robot)


def test_problems_found_later_point_at_their_key(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    path.write_text("name: a\nlegs:\n  left: {link: foot, stiffness_Nm: 1}\n")
    _, positions = load_yaml_located(path, Robot)
    error = positions.error(("legs", "left", "link"), "is not a link", ["foot_link", "hand"])
    assert str(error) == f"{path}:3:10: legs.left.link: is not a link (did you mean 'foot_link'?)"
    # A key that the file leaves out is pointed at through its parent.
    assert positions.problem(("legs", "right"), "is missing").line == 2
    assert positions.value(("legs", "left", "stiffness_Nm")) == 1


def test_the_schema_sees_the_context(tmp_path: Path) -> None:
    class Checked(Config):
        joint: str

        @field_validator("joint")
        @classmethod
        def _known(cls, joint: str, info: object) -> str:
            if joint not in info.context["joints"]:  # type: ignore[attr-defined]
                raise ValueError("is not a joint")
            return joint

    path = tmp_path / "c.yaml"
    path.write_text("joint: knee")
    assert load_yaml(path, Checked, context={"joints": ["knee"]}).joint == "knee"
    with pytest.raises(ConfigError, match=r"c\.yaml:1:1: joint: is not a joint"):
        load_yaml(path, Checked, context={"joints": []})


def told(path: Path) -> str:
    """What is said about a file; nothing where it is accepted."""
    try:
        load_yaml(path, Robot)
    except ConfigError as error:
        return str(error)
    return ""


FUZZ = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

yaml_like = st.text(
    alphabet=st.one_of(st.sampled_from("{}[]:,-?&*!|>'\"%@#\n\t ab1.~<=_"), st.characters()), max_size=80
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@FUZZ
@given(data=st.one_of(st.binary(max_size=60), yaml_like.map(lambda text: text.encode("utf-8", "replace"))))
def test_no_text_raises_anything_but_a_config_error(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "fuzz.yaml"
    path.write_bytes(data)
    assert "\x00" not in told(path)


@FUZZ
@given(
    data=st.dictionaries(
        st.sampled_from(["name", "count", "base", "legs", "limit", "grounds", "other"]), values, max_size=4
    )
)
def test_no_values_raise_anything_but_a_config_error(tmp_path: Path, data: dict[str, object]) -> None:
    path = tmp_path / "fuzz.yaml"
    path.write_text(json.dumps(data))
    text = told(path)
    assert "pydantic" not in text
    assert "Input" not in text


class _Measured(Config):
    name: str
    sizes: tuple[float, float]


def test_plain_data_is_checked_like_a_file():
    model, positions = check_data({"name": "a", "sizes": np.array([1.0, 2.0])}, _Measured)
    assert model.sizes == (1.0, 2.0)
    assert positions.data == {"name": "a", "sizes": [1.0, 2.0]}
    assert str(positions.problem(("sizes", 1), "is odd")) == "sizes[1]: is odd"


def test_plain_data_that_does_not_fit_is_told_with_its_keys():
    with pytest.raises(ConfigError) as refusal:
        check_data({"nmae": "a", "sizes": ("one", 2.0)}, _Measured)
    told = str(refusal.value)
    assert "nmae: is not a known key (did you mean 'name'?)" in told
    assert "sizes[0]: should be a number, not 'one'" in told


def test_data_that_holds_itself_is_refused():
    data = {"name": "a"}
    data["sizes"] = data
    with pytest.raises(ConfigError, match="nested too deeply"):
        check_data(data, _Measured)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("limit: " + "9" * 900_000, "r.yaml:1:1: limit: cannot be read as a value: 999"),
        ("limit: !!int ''", "r.yaml:1:1: limit: cannot be read as a value"),
        ("limit: 0x" + "f" * 900_000, "r.yaml:1:1: limit: cannot be read as a value: 0xfff"),
        ("limit: [" + "1," * 400_000 + "1]", "holds too many values: more than 50000"),
        ("limit: " + "[" * 400_000, "is nested too deeply: more than 40 levels"),
        (
            "a: &a [1]\n" + "".join(f"b{i}: &b{i} [{f'*b{i - 1},' * 99 if i else '*a'}]\n" for i in range(9)),
            "too many",
        ),
        ("".join(f"k{i}: 1\n" for i in range(20_000)), "r.yaml:1:1: k0: is not a known key"),
        ("? " + "k" * 900_000 + "\n: 1", "kkk ... kkk"),
    ],
)
def test_the_largest_file_of_any_shape_gives_a_few_short_sentences(
    tmp_path: Path, text: str, expected: str
) -> None:
    sentences = refusal(tmp_path, text)
    assert expected in sentences
    assert len(sentences) < 20_000
    assert len(sentences.splitlines()) <= MAX_PROBLEMS + 1


def test_many_values_are_refused_before_all_of_them_are_built(tmp_path: Path) -> None:
    line = refusal(tmp_path, "".join(f"- {i}\n" for i in range(120_000)))
    assert "r.yaml:50000:3: holds too many values" in line
