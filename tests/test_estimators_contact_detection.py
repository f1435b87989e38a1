"""The contact trigger: hysteresis, debounce, and a plan that hurries but never overrules the force."""

from __future__ import annotations

import numpy as np
import pytest

from kilohertz.estimators.config import EstimatorGains
from kilohertz.estimators.contact_detection import Detection, detect_contacts
from kilohertz.estimators.kernel_setup import new_contacts
from kilohertz.robots.model.robot_model import RobotModel

MAKE_N, BREAK_N, MAKE_S, BREAK_S = 40.0, 15.0, 0.008, 0.015
DETECTION = Detection(MAKE_N, BREAK_N, MAKE_S, BREAK_S)
CONTACTS = new_contacts(RobotModel.load("g1"), EstimatorGains())
STEP_S = 1e-3


class Trigger:
    def __init__(self, closed):
        self.contact = np.array([closed])
        zeros = {name: np.zeros(1) for name in ("force_N", "timer_s", "age_s")}
        self.contacts = CONTACTS._replace(**zeros)
        self.age = self.contacts.age_s

    def feed(self, force_N, planned, seconds):
        """Time until the flag first changed, or None."""
        start = self.contact[0]
        changed = None
        for k in range(round(seconds / STEP_S)):
            self.contacts.force_N[0] = force_N
            detect_contacts(np.array([planned]), self.contact, STEP_S, self.contacts, DETECTION)
            if changed is None and self.contact[0] != start:
                changed = (k + 1) * STEP_S
        return changed


@pytest.mark.parametrize(
    ("closed", "planned", "force_N", "after_s"),
    [
        (False, True, 50.0, STEP_S),
        (False, False, 50.0, MAKE_S),
        (False, True, 30.0, None),
        (False, False, 0.0, None),
        (True, True, 10.0, BREAK_S),
        (True, False, 10.0, STEP_S),
        (True, True, 30.0, None),
        (True, False, 30.0, STEP_S),
        (True, False, 50.0, None),
        (False, True, np.nan, STEP_S),
        (True, False, np.nan, STEP_S),
        (True, True, np.nan, None),
        (False, False, np.inf, None),
    ],
)
def test_when_the_flag_changes(closed, planned, force_N, after_s):
    changed = Trigger(closed).feed(force_N, planned, 0.014 if after_s is None and closed is False else 0.1)
    assert changed == (None if after_s is None else pytest.approx(after_s))


def test_between_the_thresholds_it_stays_as_it_is():
    for closed in (True, False):
        trigger = Trigger(closed)
        assert trigger.feed(27.0, True, 1.0) is None


def test_a_flicker_shorter_than_the_debounce_changes_nothing():
    trigger = Trigger(True)
    for _ in range(20):
        trigger.feed(0.0, True, BREAK_S - 2 * STEP_S)
        trigger.feed(100.0, True, STEP_S)
    assert trigger.contact[0]
    trigger = Trigger(False)
    for _ in range(20):
        trigger.feed(100.0, False, MAKE_S - 2 * STEP_S)
        trigger.feed(0.0, False, STEP_S)
    assert not trigger.contact[0]


def test_age_counts_from_closing():
    trigger = Trigger(False)
    trigger.feed(100.0, True, 0.051)
    assert trigger.age[0] == pytest.approx(0.05)
    trigger.feed(0.0, False, 0.002)
    assert trigger.age[0] == 0.0
