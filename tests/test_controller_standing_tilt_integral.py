"""A lasting tilt is taken out, a passing one is not integrated."""

from types import SimpleNamespace

import numpy as np
import pinocchio as pin
import pytest

from kilohertz.controller.standing.tilt_integral import _LARGEST_RAD_S2, Tilt, integrate_tilt

KI = 300.0


class Link:
    """One link and its reference, turned by a yaw that must not matter."""

    def __init__(self, tilt, yaw=0.7):
        self.R = pin.exp3(np.array([*tilt, 0.0]))[None] @ pin.exp3(np.array([0.0, 0.0, yaw]))[None]
        self.vel = np.zeros((1, 6))
        self.refs = np.zeros(15)
        self.refs[:9] = pin.exp3(np.array([0.0, 0.0, -1.0])).reshape(9)
        self.integral = np.zeros((1, 2))

    def integrate(self, seconds):
        at = np.zeros(1, np.int64)
        tilt = Tilt(at, at, self.refs, np.array([KI]), self.integral)
        integrate_tilt.py_func(seconds, SimpleNamespace(R=self.R, vel=self.vel), tilt)
        return self.refs[12:15]


@pytest.mark.parametrize("tilt", [(0.05, 0.0), (0.0, -0.03), (0.02, 0.04)])
def test_it_turns_back_about_the_worlds_axes(tilt):
    wdot = Link(tilt).integrate(0.01)
    np.testing.assert_allclose(wdot[:2], -KI * 0.01 * np.array(tilt), rtol=2e-3, atol=1e-9)
    assert wdot[2] == 0.0


def test_the_integral_accumulates_up_to_its_bound():
    link = Link((0.1, 0.0))
    once = link.integrate(0.01)[0]
    assert link.integrate(0.01)[0] == pytest.approx(2.0 * once)
    assert link.integrate(1e3)[0] == -_LARGEST_RAD_S2


def test_it_waits_while_the_link_is_thrown_about():
    link = Link((0.1, 0.0))
    link.vel[0, 4] = 3.0
    assert not link.integrate(0.01).any()


def test_an_upright_link_has_no_tilt_error():
    assert not Link((0.0, 0.0)).integrate(1.0).any()
