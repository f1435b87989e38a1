"""The blocks of the filter's state lie side by side, without gap or overlap."""

from __future__ import annotations

from kilohertz.estimators import inekf_layout as layout


def test_blocks_tile_the_error_state():
    starts = [
        layout.ROTATION,
        layout.VELOCITY,
        layout.POSITION,
        layout.GYRO_BIAS,
        layout.ACCEL_BIAS,
        layout.CONTACTS,
    ]
    assert starts == list(range(0, 18, 3))
    assert [layout.error_size(n) for n in (0, 2, 4)] == [15, 27, 39]


def test_parts_tile_the_state():
    starts = [layout.STATE_V, layout.STATE_P, layout.STATE_BG, layout.STATE_BA, layout.STATE_CONTACTS]
    assert starts == [9, 12, 15, 18, 21]
    assert [layout.state_size(n) for n in (0, 2)] == [21, 45]
