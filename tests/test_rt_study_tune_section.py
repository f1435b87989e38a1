"""What a study may say about the gains that are searched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.config.yaml_file import Config, check_data, load_yaml_located
from kilohertz.rt.study.tune_section import TuneSection, gain_problems


class File(Config):
    tune: TuneSection


def problems(gains: Any) -> list[str]:
    section = {"gains": gains, "cost": "1", "failed_cost": 1.0}
    file, positions = check_data({"tune": section}, File)
    return [f"{each.key}: {each.sentence}" for each in gain_problems(positions, file.tune)]


@pytest.mark.parametrize("gains", [["com.weight"], {"com.weight": None}, {"com.weight": [1, 1e4]}])
def test_gains_are_a_list_or_a_map(gains: Any) -> None:
    assert problems(gains) == []


@pytest.mark.parametrize(
    ("gains", "why"),
    [
        ([], "is empty"),
        ("com.weight", "a list of gains"),
        ([7], "a list of gains"),
        (["com.wight"], "did you mean 'com.weight'"),
        (["solver"], "'solver' is no gain that is a number"),
        (["stance.left_foot.share"], "is no gain that is a number"),
        ({"com.weight": [2, 2]}, "is an empty range: 2 is not below 2"),
        ({"com.weight": [3, 2]}, "is an empty range"),
        ({"com.weight": [1, 1e5]}, "within the range of the schema"),
        ({"com.weight": [1, "2"]}, "two finite numbers"),
        ({"com.weight": [True, 2]}, "two finite numbers"),
        ({"com.weight": 5}, "two finite numbers"),
    ],
)
def test_what_cannot_be_searched_is_refused(gains: Any, why: str) -> None:
    found = problems(gains)
    assert len(found) == 1
    assert why in found[0]


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["com.weight", "com", ""]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["com.weight", "x"]), inner, max_size=2)
    ),
    max_leaves=6,
)


@given(PLAIN)
def test_any_gains_are_accepted_or_refused_with_a_sentence(gains: Any) -> None:
    for sentence in problems(gains):
        assert sentence.startswith("tune.gains")


def test_a_misspelt_key_of_the_section_is_refused_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text("tune:\n  gains: [com.weight]\n  cost: fell\n  failed_cots: 1\n")
    with pytest.raises(ConfigError, match=r"study\.yaml:4.*failed_cost"):
        load_yaml_located(path, File)
