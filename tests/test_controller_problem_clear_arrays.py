"""Columns of the clearance rows do not overlap."""

from __future__ import annotations

from kilohertz.controller.problem import clear_arrays as arrays


def test_columns_follow_one_another() -> None:
    assert arrays.PART_P == arrays.PART_R + 9
    assert arrays.PART_V == arrays.PART_P + 3
    assert arrays.PART_CENTRE == arrays.PART_ALPHA + 3
    assert arrays.PART_PLACED < arrays.PART_SIZE
    assert arrays.FIRST_POINT == arrays.NORMAL + 3
    assert arrays.SECOND_POINT == arrays.FIRST_POINT + 3
    assert arrays.LEAST == arrays.SECOND_POINT + 3 == arrays.ROW_SIZE - 1
    assert arrays.HALF == arrays.MIDDLE + 3 == arrays.PLACED_SIZE - 1
