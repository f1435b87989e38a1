"""A gains.yaml that names what the robot does not have is refused, at its line and with the likely word."""

import pytest
from bodies import robot

from kilohertz.controller.gains.names import frame_names
from kilohertz.controller.gains.schema import load_gains
from kilohertz.robots.config.config_error import ConfigError

REFUSED = (
    ("g1", "stance: {left_fot: {share: 0.5}}", "1:10: stance.left_fot: is no contact .* mean 'left_foot'"),
    ("g1", "stance: {left_foot: {share: 0.7}, right_foot: {share: 0.7}}", "1:1: stance: the shares"),
    ("g1", "stance: {left_foot: {share: 0.2}, right_foot: {share: 0.2}}", "1:1: stance: the shares"),
    (
        "g1",
        "inequalities:\n  frames:\n    low: {frame: right_hnd, at_most_m: 1}",
        "3:11: inequalities.frames.low.frame: is no frame of this robot .did you mean 'right_hand'",
    ),
    ("g1", "inequalities: {joints: {a: {joints: [knee], at_most_rad: 1}}}", "is no joint of this robot"),
    ("g1", "inequalities: {contacts: {a: {contact: left_fot}}}", "is no contact of this robot .did you mean"),
    ("ur5", "inequalities: {com: {a: {at_most_m: [0, 0, 0]}}}", "is fixed to the ground"),
)


@pytest.mark.parametrize(("name", "text", "sentence"), REFUSED)
def test_an_unknown_name_is_refused_at_its_line(name, text, sentence, tmp_path):
    (tmp_path / "gains.yaml").write_text(text)
    with pytest.raises(ConfigError, match=sentence):
        load_gains(robot(name), tmp_path / "gains.yaml")


def test_known_names_are_accepted(tmp_path):
    text = "stance: {left_foot: {share: 0.7}}\ninequalities: {frames: {a: {frame: torso_link}}}"
    (tmp_path / "gains.yaml").write_text(text)
    gains = load_gains(robot("g1"), tmp_path / "gains.yaml")
    assert gains.stance["left_foot"].share == 0.7
    assert gains.inequalities.frames["a"].along == (0.0, 0.0, 1.0)


def test_hands_and_contacts_go_by_their_own_names():
    names = frame_names(robot("g1"))
    assert names["left_foot"] == "contact/left_foot"
    assert names["right_hand"] == "hand/right_hand"
    assert names["torso_link"] == "torso_link"
