from __future__ import annotations

import numpy as np
import pytest

from kilohertz.controller.gains.comparison import (
    RESTING,
    TRANSITION,
    Figures,
    Passes,
    Passing,
    Watch,
    change_text,
)

JOINTS = ("hip", "knee")
DT = 1e-3
REST, LIMIT = np.zeros(2), np.full(2, 100.0)
STEP_TICKS = 400


def sway(k, amplitude, frequency_Hz=6.0):
    return np.array([0.0, amplitude * np.sin(2.0 * np.pi * frequency_Hz * k * DT)])


def see(watch, v=REST, torque=0.1, solved=True, off_m=0.0):
    watch.see(v, torque * LIMIT, LIMIT, solved, off_m)


def passes_of(watch, ticks, kind_of, v_of=lambda k: REST, off_of=lambda k: 0.0):
    for k in range(ticks):
        watch.follow(kind_of(k), watch.reference)
        see(watch, v_of(k), off_m=off_of(k))
    return watch.reference


def test_a_joint_that_swings_more_than_before_is_named():
    watch = Watch(JOINTS, DT)
    passes_of(watch, 3001, lambda k: RESTING, lambda k: sway(k, 0.3))
    for k in range(1000):
        see(watch, sway(k, 0.35))
        assert watch.verdict(RESTING) == ""
    for k in range(300):
        see(watch, sway(k, 1.2))
    assert "the velocity of knee oscillates by 0.8" in watch.verdict(RESTING)
    assert watch.verdict(RESTING).endswith("by 0.21 before")


def test_slow_motion_is_no_swinging():
    watch = Watch(JOINTS, DT)
    for k in range(4000):
        see(watch, sway(k, 0.5, 0.25))
        assert watch.verdict(RESTING) == ""


@pytest.mark.parametrize(
    ("torque", "solved", "off_m", "word"),
    [
        (None, True, 0.0, "change by"),
        (1.0, True, 0.0, "limits"),
        (0.1, False, 0.0, "balance"),
        (0.1, True, 0.1, "reference"),
    ],
)
def test_saturation_missing_solutions_and_lost_references_are_reported(torque, solved, off_m, word):
    watch = Watch(JOINTS, DT)
    for k in range(200):
        see(watch, REST, 0.02 * (k % 2) if torque is None else torque, solved, off_m)
    assert word in watch.verdict(RESTING)
    watch.reset()
    assert watch.verdict(RESTING) == ""


def test_each_kind_of_motion_has_its_own_reference():
    watch = Watch(JOINTS, DT)
    passes_of(watch, 2001, lambda k: RESTING)
    passes_of(watch, 8 * STEP_TICKS, lambda k: 1 + k // STEP_TICKS % 2, lambda k: sway(k, 1.0))
    for k in range(200):
        see(watch, sway(k, 1.0))
    assert watch.verdict(1) == watch.verdict(2) == ""
    assert "knee" in watch.verdict(RESTING)


def test_a_second_at_rest_is_a_pass():
    watch = Watch(JOINTS, DT)
    assert passes_of(watch, 1000, lambda k: RESTING).count[RESTING] == 0
    assert passes_of(watch, 1, lambda k: RESTING).count[RESTING] == 1
    assert passes_of(watch, 2000, lambda k: RESTING).count[RESTING] == 3


def test_steps_count_when_the_walk_has_settled_and_only_whole_ones():
    watch = Watch(JOINTS, DT)

    def walk(k):
        return TRANSITION if k < 100 else 1 + k // STEP_TICKS % 2

    assert passes_of(watch, 3 * STEP_TICKS + 1, walk).count == [0, 0, 0]
    assert passes_of(watch, 1, lambda k: 2).count == [0, 0, 0]
    watch.reset()
    assert passes_of(watch, 5 * STEP_TICKS + 1, walk).count == [0, 1, 1]
    assert watch.reference.complete(1, (1, 1, 1))
    assert not watch.reference.complete(1, (1, 1, 2))
    assert not watch.reference.complete(TRANSITION, (0, 0, 0))
    assert not watch.reference.complete(RESTING, (1, 0, 0))


def test_a_pass_that_is_cut_or_ends_in_a_transition_does_not_count():
    watch = Watch(JOINTS, DT)
    passes_of(watch, 999, lambda k: RESTING)
    watch.cut()
    assert passes_of(watch, 1000, lambda k: RESTING).count[RESTING] == 0
    passes_of(watch, 1, lambda k: TRANSITION)
    assert passes_of(watch, 1000, lambda k: RESTING).count[RESTING] == 0
    assert passes_of(watch, 1, lambda k: RESTING).count[RESTING] == 1


def test_an_old_pass_is_forgotten():
    watch = Watch(JOINTS, DT)
    worst = watch.reference.worst
    passes_of(watch, 1001, lambda k: RESTING, off_of=lambda k: 0.1)
    passes_of(watch, 7000, lambda k: RESTING)
    assert worst[RESTING, 0] == pytest.approx(0.1)
    passes_of(watch, 2000, lambda k: RESTING)
    assert worst[RESTING, 0] < 1e-6


def test_figures_weigh_each_kind_of_motion_by_its_time_in_the_other():
    before, after = Passes(2), Passes(2)
    for passes, kind, off_m, ticks in [
        (before, 1, 0.01, 100),
        (before, 1, 0.01, 300),
        (before, 2, 0.02, 100),
        (after, 1, 0.01, 100),
        (after, 2, 0.02, 300),
    ]:
        now = Passing(2)
        now.sums[:] = ticks, ticks * off_m**2, ticks * 0.04, 0.0
        now.torque = 0.5 + off_m
        passes.add(kind, now)
    expected = [np.sqrt((1e-4 + 3 * 4e-4) / 4), 0.2, 0.0, 0.48]
    np.testing.assert_allclose(before.figures(after.ticks()), expected)
    np.testing.assert_allclose(after.figures(after.ticks()), expected)
    assert np.isnan(before.figures(np.array([1.0, 1.0, 1.0]))).all()


def test_torque_changes_are_chatter_and_torques_are_effort():
    watch = Watch(JOINTS, DT)
    for k in range(100):
        watch.see(REST, np.array([10.0, 20.0 + k % 2]), LIMIT, True, 0.003)
    figures = Figures(*watch.since.figures())
    assert figures.tracking_m == pytest.approx(0.003)
    assert figures.chatter_Nm == pytest.approx(np.sqrt(0.5 * 99 / 100))
    assert figures.effort == pytest.approx(np.sqrt((0.01 + 0.04205) / 2), rel=1e-3)
    assert figures.torque_margin == pytest.approx(0.79)


def test_a_change_is_told_with_all_its_figures():
    text = change_text(Figures(0.0072, 0.213, 0.42, 0.31), Figures(0.007, 0.2, 123.4, 0.0))
    assert text == (
        "tracking 7.2 -> 7 mm, effort 21.3 -> 20 %, chatter 0.42 -> 123 Nm/ms, torque margin 31 -> 0 %"
    )
