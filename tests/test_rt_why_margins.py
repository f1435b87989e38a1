"""Margins come from the log and from running the controller over it again, with the same commands."""

import numpy as np
import pytest
from why_runs import pushed_log

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.log.file import LogReader
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.why.margins import LOOP_EVENTS, margins_of

pytestmark = pytest.mark.closed_loop


@pytest.fixture(scope="module")
def margins():
    path, _ = pushed_log()
    with LogReader(path) as reader:
        return margins_of(reader)


def test_the_controller_does_again_what_it_did(margins):
    n, robot = len(margins.rows), margins.robot
    assert margins.same
    assert margins.p_WF.shape == (n, len(robot.contacts), 3)
    assert margins.active_torque.shape == (n, robot.na)
    assert margins.reasons[0][1].startswith("a fall") or "diverged" in margins.reasons[0][1]


def test_the_legs_feel_the_weight_of_a_standing_robot(margins):
    standing = slice(200, 480)
    load = margins.leg_wrench_F[standing, :, 2].sum(axis=1).mean()
    assert load == pytest.approx(margins.robot.mass_kg * 9.81, rel=0.03)


def test_the_answer_of_the_simulation_is_not_used(margins):
    assert all(event["kind"] in LOOP_EVENTS for event in margins.events)
    assert not any("60" in event["text"] for event in margins.events)


def test_cones_are_used_but_not_violated_while_standing(margins):
    use = margins.cone_use[200:480]
    assert ((use > 0.0) & (use <= 1.0 + 1e-6)).all()
    assert np.isfinite(margins.residual[:480]).all()


def test_a_log_with_missing_rows_is_refused():
    path, _ = pushed_log()
    with LogReader(path) as reader:
        reader.lost = 3
        with pytest.raises(ConfigError, match="3 of its rows were lost"):
            margins_of(reader)


def test_a_log_of_another_model_is_refused():
    path, _ = pushed_log()
    with LogReader(path) as reader:
        text = reader.header.as_text()
        reader.header = LogHeader.of_text({**text, "model_sha256": "0" * 64})
        with pytest.raises(ConfigError, match="another model"):
            margins_of(reader)
