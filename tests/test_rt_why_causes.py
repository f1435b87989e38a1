"""What came first is named; signs that look alike are told apart by their strength."""

import numpy as np
import pytest
from why_runs import calm, pushed_log

from kilohertz.rt.log.file import LogReader
from kilohertz.rt.why.causes import CAUSES, NOTHING, OF_SIGN, UNKNOWN, in_order, verdict_of
from kilohertz.rt.why.margins import margins_of
from kilohertz.rt.why.symptoms import Sign


def sign(kind, at_s, value=2.0):
    return Sign(kind, at_s, value, 1.0, "", kind)


def test_every_sign_stands_for_a_named_cause():
    assert set(OF_SIGN.values()) == set(CAUSES) - {NOTHING, UNKNOWN}


def test_the_earliest_sign_is_first():
    assert [s.kind for s in in_order([sign("load", 2.0), sign("torque", 1.0), sign("slide", 3.0)])] == [
        "torque",
        "load",
        "slide",
    ]
    assert in_order([]) == ()


def test_a_touch_down_just_before_a_push_is_the_push():
    assert in_order([sign("touch", 1.0), sign("force", 1.01)])[0].kind == "force"
    assert in_order([sign("touch", 1.0), sign("force", 1.2)])[0].kind == "touch"


@pytest.mark.parametrize(("slide", "imu", "first"), [(10.0, 1.5, "slide"), (1.5, 6.0, "imu")])
def test_an_imu_and_a_sliding_foot_are_told_apart_by_strength(slide, imu, first):
    signs = [sign("slide", 1.0, slide), sign("imu", 1.002, imu)]
    assert in_order(signs)[0].kind == first


def test_nothing_is_wrong_with_a_calm_run():
    verdict = verdict_of(calm())
    assert (verdict.cause, verdict.at_s, verdict.signs) == (NOTHING, None, ())


def test_a_stop_without_a_sign_has_an_unknown_cause():
    m = calm()
    m.reasons.append((1200, "a fall"))
    assert verdict_of(m).cause == UNKNOWN


def test_signs_after_the_stop_do_not_count():
    m = calm()
    m.reasons.append((800, "a fall"))
    m.rows["sensors"]["q"][900:, 3] = 0.3
    assert verdict_of(m).cause == UNKNOWN


def test_each_kind_of_sign_is_told_once():
    m = calm()
    m.planned[700:1100, 0] = False
    m.rows["estimate"]["contact"][700:900, 0] = 0.0
    m.leg_wrench_F[700:1100, 0] = 0.0
    m.leg_wrench_F[850:900, 0, 0] = -120.0
    m.p_WF[850:, 0, 2] = 0.06
    kinds = [each.kind for each in verdict_of(m).signs]
    assert kinds.count("touch") == 1


@pytest.mark.closed_loop
def test_a_pushed_robot_was_pushed():
    path, _ = pushed_log()
    with LogReader(path) as reader:
        m = margins_of(reader)
    verdict = verdict_of(m)
    assert verdict.cause == "push"
    assert verdict.at_s == pytest.approx(0.5, abs=0.03)
    assert verdict.stopped_because
    impulse = verdict.signs[0].figures["impulse_Ns"]
    assert 0.5 * 60.0 < impulse < 1.3 * 60.0
    assert abs(verdict.signs[0].figures["direction_deg"]) < 15.0
    assert np.isfinite(m.doubts.doubt).all()
