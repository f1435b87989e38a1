from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kilohertz.controller.gains.schema import Gains
from kilohertz.robots.config.yaml_file import load_yaml
from kilohertz.rt.live.gains_text import gains_yaml


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("gains")


def read_back(folder, gains):
    path = folder / "gains.yaml"
    path.write_text(gains_yaml(gains))
    return load_yaml(path, Gains)


def test_the_defaults_read_back_as_they_were(folder):
    assert read_back(folder, Gains()) == Gains()


@given(st.floats(0.01, 1e4, exclude_min=True), st.sampled_from(["osqp", "exact"]))
@settings(max_examples=40, deadline=None)
def test_any_gains_read_back_as_they_were(folder, weight, solver):
    com = Gains().com.model_copy(update={"weight": weight})
    gains = Gains().model_copy(update={"com": com, "solver": solver})
    assert read_back(folder, gains) == gains


def test_the_meaning_of_a_gain_is_its_comment():
    text = gains_yaml(Gains())
    assert "fall:\n  tilt_deg: 45.0  # tilt of the base that counts as a fall" in text
