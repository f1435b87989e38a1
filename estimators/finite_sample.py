"""Check whether the values of a sensor row are finite."""

from __future__ import annotations

import sys

from kilohertz.estimators.joint_observer import contact_forces_at, gyro_at, torques_at
from kilohertz.robots.compile.kernels import struct_kernel
from kilohertz.robots.model.rows import Vector

_LARGEST = sys.float_info.max
"""Largest finite number; `abs(x) <= _LARGEST` is false for NaN and infinity."""


@struct_kernel
def is_finite_sample(row: Vector, na: int) -> bool:
    """Returns whether all values are finite that an estimate needs.

    Joint torques may be NaN, which means that they are not known. Contact forces are not checked.

    Args:
        row: data of the sensor row.
        na: number of joints.
    """
    for i in range(contact_forces_at(na)):
        size, torque = abs(row[i]), torques_at(na) <= i < gyro_at(na)
        if size > _LARGEST or not (size <= _LARGEST or torque):
            return False
    return True
