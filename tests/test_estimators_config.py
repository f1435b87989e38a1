"""Gains of the estimators: all defaulted, documented, with units, within bounds."""

from __future__ import annotations

import pydantic
import pytest

from kilohertz.estimators.config import (
    ArmGains,
    ContactGains,
    EstimatorGains,
    JointObserverGains,
    OutsideGains,
)

UNITLESS = {
    "slip_gate",
    "disturbance_per_s",
    "largest_compensation",
    "learn_friction",
    "use_sole_orientation",
    "flat_start_sigmas",
    "largest_disagreement",
    "settled_factor",
    "largest_bend_factor",
}
UNITS = ("_rad", "_deg", "_m", "_s", "_s2", "_s3", "_Hz", "_sqrt_s", "_Nm", "_N", "_fraction")


@pytest.mark.parametrize("schema", [EstimatorGains, JointObserverGains, ContactGains, ArmGains])
def test_every_gain_has_a_default_a_description_and_a_unit(schema):
    schema()
    for name, field in schema.model_fields.items():
        if field.annotation in (JointObserverGains, ContactGains, OutsideGains, ArmGains):
            continue
        assert field.description, name
        assert name in UNITLESS or name.endswith(UNITS), name


@pytest.mark.parametrize(
    "wrong",
    [
        {"gyro_noise_rad_s": 0.0},
        {"accel_noise_m_s2": -1.0},
        {"accel_bias_m_s2": float("nan")},
        {"gyro_nois_rad_s": 0.01},
        {"joints": {"accel_time_s": 0.0}},
        {"contact": {"make_fraction": 0.1, "break_fraction": 0.2}},
    ],
)
def test_invalid_values_are_refused(wrong):
    with pytest.raises(pydantic.ValidationError):
        EstimatorGains(**wrong)
