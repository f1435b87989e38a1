"""Check that pinocchio keeps its results in memory as compiled code reads them.

Kernels read joint poses, joint velocities and the dynamics of a `pinocchio.Data` at their addresses, without
a copy. pinocchio promises none of this, so it is checked once per process, with any installed version.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray


@functools.cache
def require_known_memory() -> None:
    """Checks the memory of a small model's data.

    Raises:
        RuntimeError: a version of pinocchio is installed whose results kernels would read wrongly.
    """
    problem = memory_problem(_sample())
    if problem:
        raise RuntimeError(f"pinocchio {pin.__version__} cannot be used: {problem}")


def _sample() -> Any:
    model = pin.buildSampleModelManipulator()
    data = model.createData()
    q = np.linspace(0.1, 0.6, model.nq)
    pin.crba(model, data, q, pin.Convention.WORLD)
    pin.nonLinearEffects(model, data, q, np.linspace(-0.3, 0.5, model.nv))
    return data


def memory_problem(data: Any) -> str:
    """What differs from the memory that kernels read, one clause; "" where nothing does.

    Args:
        data: a `pinocchio.Data` after `crba` and `nonLinearEffects`.
    """
    last = len(data.oMi) - 1
    results: tuple[tuple[str, Callable[[], Any]], ...] = (
        ("joint rotations", lambda: data.oMi[last].rotation),
        ("joint positions", lambda: data.oMi[last].translation),
        ("linear velocities", lambda: data.v[last].linear),
        ("angular velocities", lambda: data.v[last].angular),
        ("linear accelerations", lambda: data.a_gf[last].linear),
        ("angular accelerations", lambda: data.a_gf[last].angular),
        ("mass matrix", lambda: data.M),
        ("Jacobian", lambda: data.J),
        ("nonlinear effects", lambda: data.nle),
        ("joint torques", lambda: data.tau),
    )
    for name, read in results:
        if _address(read()) != _address(read()) or read().dtype != np.float64:
            return f"its {name} are copies, not the memory that it writes"
        if not read().flags.f_contiguous:
            return f"its {name} are not stored column by column"
    pose = data.oMi[last]
    if _address(pose.translation) != _address(pose.rotation) + 9 * 8:
        return "a joint's position does not follow its rotation in memory"
    return ""


def _address(array: NDArray[Any]) -> int:
    return int(array.__array_interface__["data"][0])
