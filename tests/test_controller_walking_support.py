"""A zero-moment point inside stays, one outside comes to the edge."""

import math

import pytest
from gaits import GAIT
from plain_python import plain

from kilohertz.controller.walking import support
from kilohertz.controller.walking.gait import gait_row
from kilohertz.controller.walking.support import inside_both

TURNED = (1.0, 2.0, math.pi / 2)
ROW, inside_sole = gait_row(GAIT), plain(support.inside_sole)


def test_inside_a_sole_nothing_changes() -> None:
    assert inside_sole((1.01, 2.05), TURNED, ROW) == pytest.approx((1.01, 2.05))


def test_outside_it_comes_to_the_edge_along_the_soles_axes() -> None:
    ahead = inside_sole((1.0, 3.0), TURNED, ROW)
    beside = inside_sole((2.0, 2.0), TURNED, ROW)
    assert ahead == pytest.approx((1.0, 2.0 + GAIT.half_length_m))
    assert beside == pytest.approx((1.0 + GAIT.half_width_m, 2.0))


def test_the_area_between_two_soles_is_support() -> None:
    a, b = (0.0, 0.1, 0.0), (0.2, -0.1, 0.0)
    assert inside_both((0.1, 0.0), a, b, GAIT) == pytest.approx((0.1, 0.0))
    assert inside_both((1.0, 1.0), a, b, GAIT) == pytest.approx(
        (0.2 + GAIT.half_length_m, 0.1 + GAIT.half_width_m)
    )
