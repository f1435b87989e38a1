"""The history of a run as named arrays with units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.loop.trace import STATES, Trace


@dataclass(frozen=True)
class _Quantity:
    """One array of the history.

    Attributes:
        column: column in the trace.
        unit: unit of the values.
        meaning: description of the array.
        balance: whether the array exists for a floating base only.
    """

    column: str
    unit: str
    meaning: str
    balance: bool = False


# Names without a suffix are those of a log; arrays with the suffix `_true` exist in a simulation only.
_QUANTITIES = {
    "t_s": _Quantity("t_s", "s", "time since the start of the run"),
    "q": _Quantity("q_est", "m, rad", "estimated configuration, base quaternion as x y z w"),
    "v": _Quantity("v_est", "m/s, rad/s", "estimated velocity, that of the base in the axes of the base"),
    "contact": _Quantity("contact_est", "1", "1 where a contact is estimated to be closed"),
    "p_WC": _Quantity("p_WC_est", "m", "estimated centre of mass in the world", True),
    "v_WC": _Quantity("v_WC_est", "m/s", "estimated velocity of the centre of mass in the world", True),
    "p_WC_des": _Quantity("p_WC_des", "m", "reference of the centre of mass", True),
    "v_WC_des": _Quantity("v_WC_des", "m/s", "reference velocity of the centre of mass", True),
    "p_WS": _Quantity("p_WS_est", "m", "estimated middle of the stance soles in the world", True),
    "zmp_des": _Quantity("zmp_des", "m", "zero-moment point of the commanded contact wrenches", True),
    "w_F": _Quantity("w_F", "N, Nm", "commanded wrench of each contact in its frame: force, moment", True),
    "p_WH_des": _Quantity("p_WH_des", "m", "reference position of each hand"),
    "hand_active": _Quantity("hand_active", "1", "1 where a hand has a reference"),
    "tau_ff": _Quantity("tau", "Nm", "commanded joint torques"),
    "rung": _Quantity("rung", "1", "0 solved, 1 softened limits, 2 last good solution, 3 gravity, 4 damping"),
    "state": _Quantity("state", "", "state of the controller, such as active or damping"),
    "q_true": _Quantity("q_true", "m, rad", "true configuration"),
    "v_true": _Quantity("v_true", "m/s, rad/s", "true velocity"),
    "p_WC_true": _Quantity("p_WC_true", "m", "true centre of mass, payload included"),
    "v_WC_true": _Quantity("v_WC_true", "m/s", "true velocity of the centre of mass"),
    "p_WF_true": _Quantity("p_WF_true", "m", "true origin of each contact frame"),
    "contact_force_W_true": _Quantity("f_true_W", "N", "true force of the ground on each contact"),
    "normal_force_N_true": _Quantity("normal_true_N", "N", "true normal force of each contact"),
    "cop_W_true": _Quantity("cop_true_W", "m", "true centre of pressure of each contact, NaN without load"),
    "p_WH_true": _Quantity("p_WH_true", "m", "true position of each hand"),
    "hand_force_W_true": _Quantity("f_WH_true", "N", "true force of obstacles and people on each hand"),
    "tau_true": _Quantity("tau_true", "Nm", "joint torques that the drives applied"),
}


class History(Mapping[str, NDArray[Any]]):
    """Named arrays of a run, one row per tick (per n-th tick in runs of more than 120 s).

    All arrays are read-only. The names are those of the fields of a log; arrays with the suffix `_true` are
    true values from the simulator, which the controller does not measure. Joint vectors are in the order of
    `RobotModel.joint_names`, contacts in that of `contact_names`, hands in that of `hand_names`. A robot with
    a fixed base does not balance, and therefore has no `p_WC`.

    Attributes:
        units: unit of each array; two units if those of base and joints, or of force and moment, differ.

    Args:
        trace: trace of the run.
        robot: the robot of the run.
    """

    def __init__(self, trace: Trace, robot: RobotModel) -> None:
        self._trace = trace
        self._quantities = {
            name: quantity for name, quantity in _QUANTITIES.items() if robot.floating or not quantity.balance
        }
        self.units = {name: quantity.unit for name, quantity in self._quantities.items()}

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Returns the array of this name, (n, ...).

        Raises:
            KeyError: there is no array of this name.
        """
        if name not in self._quantities:
            raise KeyError(f"the history has no '{name}'; it has {', '.join(self._quantities)}")
        kept = self._trace.kept(self._quantities[name].column)
        values: NDArray[Any] = np.array(STATES)[kept.astype(np.intp)] if name == "state" else kept.view()
        values.flags.writeable = False
        return values

    def __iter__(self) -> Iterator[str]:
        return iter(self._quantities)

    def __len__(self) -> int:
        return len(self._quantities)

    def describe(self) -> str:
        """Returns a table with one line per array: name, shape, unit and meaning."""
        lines = [
            (name, str(self[name].shape), f"[{quantity.unit}]" if quantity.unit else "", quantity.meaning)
            for name, quantity in self._quantities.items()
        ]
        widths = [max(len(line[column]) for line in lines) for column in range(3)]
        return "\n".join(
            "  ".join([*(text.ljust(width) for text, width in zip(line, widths, strict=False)), line[3]])
            for line in lines
        )

    def __repr__(self) -> str:
        return f"History of {self._trace.rows} ticks:\n{self.describe()}"
