"""A sample is finite if everything is that an estimate needs; unknown torques and forces are NaN."""

import numpy as np
import pytest
from bodies import robot

from kilohertz.estimators.finite_sample import is_finite_sample

MODEL = robot("g1")


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_every_value_that_is_needed_has_to_be_finite(bad):
    row = MODEL.new_sensor_row()
    row.contact_force_N[:] = bad
    assert is_finite_sample(row.data, MODEL.na)
    for field in ("seq", "t_s", "q", "v", "tau", "gyro", "accel"):
        values = getattr(row, field)
        for index in (0, -1):
            values[index] = bad
            unknown = field == "tau" and np.isnan(bad)
            assert is_finite_sample(row.data, MODEL.na) == unknown
            values[index] = 1.0
    assert is_finite_sample(row.data, MODEL.na)
