"""Interfaces of the state estimators that the controller can use."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.model.rows import SensorRow, Vector


class Estimator(Protocol):
    """Interface of a state estimator; its arrays are updated in place.

    Attributes:
        q: (nq,) estimated configuration, in pinocchio's convention.
        q_O: (nq,) the same configuration with the base in the odometry frame, in which the controller plans.
        v: (nv,) estimated velocity, in pinocchio's convention.
        contact: (nc,) whether each contact is closed.
        doubt: (1,) measure of inconsistency; above 1 the estimate has diverged.
    """

    q: Vector
    q_O: Vector
    v: Vector
    contact: NDArray[np.bool_]
    doubt: Vector

    def reset(self, sensors: SensorRow) -> None:
        """Initialises the estimate for a robot at rest with all contacts closed."""
        ...

    def update(self, sensors: SensorRow, planned_contact: NDArray[np.bool_], dt_s: float) -> None:
        """Updates the estimate with one sample.

        Args:
            sensors: the newest sample.
            planned_contact: (nc,) whether each contact should be closed.
            dt_s: time since the last sample [s].
        """
        ...


@runtime_checkable
class HangingEstimator(Estimator, Protocol):
    """Interface of an estimator that also estimates a robot which a tether carries, wholly or in part.

    Attributes:
        sole_load_N: (nc,) normal force on each sole, without the assumption that the soles carry the whole
            robot [N]; valid after `update_hanging` and `update_tethered`.
    """

    sole_load_N: Vector

    def begin_hanging(self) -> None:
        """Continues with a robot that hangs, with all contacts open."""
        ...

    def update_hanging(self, sensors: SensorRow, planned_contact: NDArray[np.bool_], dt_s: float) -> None:
        """Updates the estimate of a robot that hangs with one sample; the arguments are those of `update`."""
        ...

    def update_tethered(self, sensors: SensorRow, planned_contact: NDArray[np.bool_], dt_s: float) -> None:
        """Like `update`, and also updates `sole_load_N`."""
        ...

    def land(self) -> None:
        """Continues with a robot that stands on its soles, with all contacts closed."""
        ...
