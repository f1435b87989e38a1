"""Rest is slow motion that lasts; noise is not motion."""

import numpy as np
from bodies import robot, whole_body

from kilohertz.controller.supervision.rest import RestDetector
from kilohertz.controller.whole_body.whole_body import Task


def detector(name):
    body = whole_body(robot(name), [Task("posture", "posture", 1.0, [100.0, 20.0])])
    return RestDetector(body), body.arrays.kin


def test_noise_of_the_joint_velocities_is_rest_and_it_takes_a_while():
    rest, kin = detector("g1")
    rng = np.random.default_rng(0)
    verdicts = []
    for _ in range(60):
        kin.v[6:] = 0.03 * rng.normal(size=len(kin.v) - 6)
        verdicts.append(rest.update())
    assert verdicts == [False] * 49 + [True] * 11


def test_a_moving_centre_of_mass_or_moving_joints_are_no_rest_and_begin_the_wait_anew():
    for name in ("g1", "ur5"):
        rest, kin = detector(name)
        for _ in range(50):
            last = rest.update()
        assert last
        kin.v[-6:] = 0.5
        assert not rest.update()
        kin.v[-6:] = 0.0
        assert not rest.update()
    rest, kin = detector("g1")
    kin.v_WC[:] = [0.05, 0.0, 0.0]
    assert not any(rest.update() for _ in range(100))
