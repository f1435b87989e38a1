from typing import Any

import pydantic
import pytest

from kilohertz.robots.config.yaml_sentences import findings, key_path


class Inner(pydantic.BaseModel, extra="forbid", strict=True):
    a: int
    b: int


class Outer(pydantic.BaseModel, extra="forbid", strict=True):
    one: float | Inner | list[float] = 0.0
    many: dict[str, Inner] = {}


def told(data: dict[str, Any]) -> list[str]:
    with pytest.raises(pydantic.ValidationError) as caught:
        Outer.model_validate(data)
    return [f"{key_path(finding.loc)}: {finding.sentence}" for finding in findings(data, caught.value)]


def test_a_key_path_reads_as_one_would_write_it() -> None:
    assert key_path(("contacts", "left_foot", "corners_m", 2)) == "contacts.left_foot.corners_m[2]"
    assert key_path((0, "walk")) == "[0].walk"
    assert key_path(()) == ""


def test_a_value_that_fits_no_kind_is_told_all_kinds() -> None:
    assert told({"one": "x"}) == ["one: should be a number or a map (key: value) or a list, not 'x'"]


def test_a_value_that_has_the_shape_of_one_kind_is_told_about_that_kind() -> None:
    assert told({"one": {"a": 1, "b": "x"}}) == ["one.b: should be a whole number, not 'x'"]
    assert told({"one": [1.0, "x"]}) == ["one[1]: should be a number, not 'x'"]


def test_a_misspelt_key_is_not_also_missing_but_another_one_is() -> None:
    assert told({"many": {"m": {"aa": 1}}}) == ["many.m.b: is missing", "many.m.aa: is not a known key"]
