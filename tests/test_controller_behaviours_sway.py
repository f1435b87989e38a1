"""The reference of a sway is a sine that grows from rest, and its derivatives are those of its position."""

import numpy as np
import pytest

from kilohertz.controller.behaviours.sway import write_sine

AMPLITUDE_M, OMEGA = 0.03, 2.0 * np.pi / 2.5


def offset_at(t_s, axis=1, write=write_sine):
    offset = np.zeros((3, 3))
    write(t_s, AMPLITUDE_M, OMEGA, axis, offset)
    return offset


@pytest.mark.parametrize("t_s", [0.02, 0.4, 0.97, 1.03, 2.2])
@pytest.mark.parametrize("axis", [0, 1])
def test_velocity_and_acceleration_are_derivatives_along_the_axis_alone(t_s, axis):
    h = 1e-5
    before, here, after = (offset_at(t_s + d, axis) for d in (-h, 0.0, h))
    np.testing.assert_allclose(here[1], (after[0] - before[0]) / (2 * h), atol=1e-8)
    np.testing.assert_allclose(here[2], (after[1] - before[1]) / (2 * h), atol=1e-8)
    assert not np.delete(here, axis, axis=1).any()


def test_it_begins_at_rest_and_reaches_its_amplitude():
    assert not offset_at(0.0).any()
    peaks = [abs(offset_at(t_s)[0, 1]) for t_s in np.arange(1.0, 10.0, 1e-3)]
    assert max(peaks) == pytest.approx(AMPLITUDE_M, rel=1e-5)


def test_the_compiled_reference_has_the_bits_of_python():
    for t_s in np.linspace(0.001, 3.0, 50).tolist():
        np.testing.assert_array_equal(offset_at(t_s), offset_at(t_s, write=write_sine.py_func))
