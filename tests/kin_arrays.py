"""Kinematics of no robot at all, for kernels of which a test gives what they read."""

from __future__ import annotations

from typing import Any

import numpy as np

from kilohertz.robots.model.kin import Kin

_DIMENSIONS = {
    "q": 1,
    "v": 1,
    "h": 1,
    "R": 3,
    "J": 3,
    "placement": 3,
    "p_WC": 1,
    "v_WC": 1,
    "L_C": 1,
    "mass": 1,
}
_INTS = {"address": 2, "columns": 2, "n_columns": 1, "size": 1}


def kin_arrays(**fields: Any) -> Kin:
    """`Kin` with these fields; the others are empty."""
    made = {}
    for name in Kin._fields:
        shape = (0,) * _INTS.get(name, _DIMENSIONS.get(name, 2))
        made[name] = fields.get(name, np.zeros(shape, np.int64 if name in _INTS else float))
    return Kin(**made)
