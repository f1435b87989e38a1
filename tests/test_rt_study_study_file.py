"""What a study file may say about the values that vary."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilohertz.rt.study.study_file import WordError, variation
from kilohertz.rt.study.variation import Listed, Polar, Range, Uniform

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["range", "uniform", "polar", "steps", "magnitude", "x"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ([3, 4, 5], Listed((3, 4, 5))),
        ({"range": [0, 1000]}, Range(0, 1000)),
        ({"uniform": [3.5, 5.0]}, Uniform(3.5, 5.0)),
        ({"uniform": [3.5, 5.0], "steps": 4}, Uniform(3.5, 5.0, 4)),
        (
            {"polar": {"magnitude": [8, 20], "angle_rad": [0, 6.2832]}},
            Polar((8.0, 20.0), (0.0, 6.2832), None, (7,)),
        ),
    ],
)
def test_the_words_of_the_format(entry: object, expected: object) -> None:
    base = [1, 2, 7] if isinstance(expected, Polar) else None
    assert variation(entry, base, integer=False) == expected


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        ([], "0 runs"),
        ({"range": [5, 5]}, "is empty"),
        ({"uniform": [2, 1]}, "is empty"),
        ({"uniform": [0, math.nan]}, "finite"),
        ([math.inf], "finite"),
        ([[math.nan, 0.0]], "finite"),
        ({"uniform": [0, 10**400]}, "finite"),
        ({"range": [-(2**62) - 5, 2**62 + 5]}, "numbers"),
        ({"normal": [0, 1]}, "no way to vary"),
        ({"range": [0, 3], "uniform": [0, 1]}, "exactly one"),
        ({"range": [0, 3], "steps": 2}, "a range has its numbers"),
        ({"polar": [1, 2]}, "magnitude"),
        (3, "should be a list"),
    ],
)
def test_what_cannot_be_used_is_refused(entry: object, why: str) -> None:
    with pytest.raises(WordError, match=why):
        variation(entry, [1, 2, 3], integer=False)


def test_a_seed_is_a_whole_number() -> None:
    for entry in ([1.5], [-1], {"uniform": [0, 1]}, {"range": [-3, 3]}):
        with pytest.raises(WordError):
            variation(entry, None, integer=True)


@given(entry=PLAIN, integer=st.booleans())
def test_any_entry_is_read_or_refused(entry: object, integer: bool) -> None:
    try:
        told: object = variation(entry, [1.0, 2.0, 3.0], integer=integer).extremes()
    except WordError as error:
        told = error.sentence
    assert told
