from __future__ import annotations

import numpy as np
import pytest
from bodies import robot

from kilohertz.rt.bench.develop.subjects import CONTROL, Subject


@pytest.mark.parametrize(("name", "mode"), [("g1", "both feet"), ("g1", "one foot"), ("ur5", "hand")])
def test_every_controller_solves_the_same_problem(name, mode):
    subject = Subject(robot(name))
    q, v = subject.start(mode)
    for _ in range(3):
        torques = {}
        for solver, body in subject.bodies.items():
            subject.refer(solver, q, v)
            assert subject.tick(solver, q, v) > 0.0
            torques[solver] = body.solution.tau.copy()
        np.testing.assert_array_equal(torques["exact"], torques[CONTROL])
        np.testing.assert_allclose(torques["osqp"], torques["exact"], atol=0.1)


def test_a_start_begins_the_motion_anew():
    subject = Subject(robot("ur5"))
    answers = []
    for _ in range(2):
        q, v = subject.start("hand")
        for _ in range(20):
            subject.refer("exact", q, v)
            subject.tick("exact", q, v)
        answers.append(subject.bodies["exact"].reference("hand").copy())
    np.testing.assert_allclose(*answers, atol=1e-12)


def test_a_robot_on_points_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="'bolt' does not have two flat soles"):
        Subject(robot("bolt"))
