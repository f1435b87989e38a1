"""Integrating the DCM backward in time reverses the forward integration."""

import math

import pytest

from kilohertz.controller.walking.pendulum import dcm_before_hold, dcm_before_ramp, natural_frequency


def forward(
    xi: float, z_start: float, z_end: float, duration_s: float, omega: float, steps: int = 20000
) -> float:
    """xidot = omega (xi - z), integrated with the midpoint rule."""
    dt = duration_s / steps
    for i in range(steps):
        z = z_start + (z_end - z_start) * (i + 0.5) / steps
        middle = xi + 0.5 * dt * omega * (xi - z)
        xi += dt * omega * (middle - z)
    return xi


@pytest.mark.parametrize(("z_start", "z_end"), [(0.1, 0.1), (-0.05, 0.2), (0.3, -0.1)])
def test_a_plan_followed_back_and_then_forward_ends_where_it_should(z_start: float, z_end: float) -> None:
    omega, duration, end = natural_frequency(0.6), 0.46, 0.17
    start = dcm_before_ramp(end, z_start, z_end, duration, omega)
    assert forward(start, z_start, z_end, duration, omega) == pytest.approx(end, abs=1e-7)


def test_a_constant_pressure_centre_is_a_ramp_of_slope_zero() -> None:
    omega, duration = natural_frequency(0.9), 0.3
    ramp = dcm_before_ramp(0.2, 0.05, 0.05, duration, omega)
    assert dcm_before_hold(0.2, 0.05, math.exp(-omega * duration)) == pytest.approx(ramp, abs=1e-15)


def test_an_error_at_the_end_matters_less_and_less_further_back() -> None:
    omega = natural_frequency(0.6)
    a, b = (dcm_before_ramp(end, 0.0, 0.1, 1.0, omega) for end in (0.1, 0.2))
    assert b - a == pytest.approx(0.1 * math.exp(-omega))


def test_a_pendulum_without_height_is_refused() -> None:
    with pytest.raises(ValueError, match="positive height"):
        natural_frequency(0.0)
