from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telemetry_runs import robot

from kilohertz.controller.gains.schema import Gains, load_gains
from kilohertz.robots.config.yaml_file import load_yaml
from kilohertz.rt.live.gains_text import gains_yaml, with_values

TEXT = """\
# Tuned on a Monday.
com:
  dcm_gain_per_s: 8.0           # the stiffness of the balance
  weight: 50                    # an integer
trunk: {kp_per_s2: 150.0, kd_per_s: 22.0}
# The end.
"""
GAIN = ("com", "dcm_gain_per_s")


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


def test_only_the_value_changes_in_the_text():
    assert with_values(TEXT, {GAIN: 9.5}) == TEXT.replace("8.0 ", "9.5 ")
    assert with_values(TEXT, {}) == TEXT


@pytest.mark.parametrize(
    "text", ["", "# only a comment\n", "{}\n", "com:\n", "com: # with a comment\n", TEXT]
)
def test_a_key_that_the_file_does_not_have_is_added(text, tmp_path):
    written = with_values(text, {("com", "height_kp_per_s2"): 90.0, ("walk", "swing", "weight"): 6.0})
    path = tmp_path / "gains.yaml"
    path.write_text(written)
    gains = load_gains(robot("g1"), path)
    assert gains.com.height_kp_per_s2 == 90.0
    assert gains.walk.swing.weight == 6.0
    for comment in ("# only a comment", "# with a comment", "# Tuned on a Monday.", "# The end."):
        assert (comment in text) == (comment in written)
