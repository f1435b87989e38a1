"""The last minute of a run, as it arrived by telemetry, in a ring of fixed size."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]

KEPT_S = 60.0
WORST_TICK, MEDIAN_TICK = "tick_us_max", "tick_us_p50"
LATENCY_EDGES_US = np.geomspace(20.0, 5000.0, 49)
"""Edges of the bins of the latency histogram [us]."""
_VECTORS = (
    "q",
    "contact",
    "w_F",
    "p_WC",
    "p_WC_des",
    "v_WC",
    "p_WS",
    "p_WD",
    "p_WD_des",
    "zmp_des",
    "p_WH_des",
    "hand_active",
    "footsteps",
    "tau_share_max",
)
_NUMBERS = ("t_s", "qp_iterations_max", "rung", "gains_generation")
_TEXTS = ("state", "behaviour", "behaviour_state")


class History:
    """Keeps the messages of the last minute of one run, and counts the latency of all its ticks.

    Args:
        hello: hello message of the run.
        kept_s: length of the time that is kept [s].

    Attributes:
        hello: the hello message.
        latency: (n,) number of ticks in each bin between `LATENCY_EDGES_US`, of the whole run; the first and
            the last bin also count what lies outside.
        ticks: number of ticks in all messages.
        dropped: number of ticks that the telemetry has missed.
    """

    def __init__(self, hello: Mapping[str, Any], kept_s: float = KEPT_S) -> None:
        self.hello = dict(hello)
        self._capacity = max(2, round(kept_s * float(hello["rate_hz"])))
        self._columns: dict[str, NDArray[Any]] = {}
        self._count = 0
        self.latency = np.zeros(len(LATENCY_EDGES_US) - 1, np.int64)
        self.ticks = self.dropped = 0

    def __len__(self) -> int:
        """Number of messages that are kept."""
        return min(self._count, self._capacity)

    def append(self, message: Mapping[str, Any]) -> None:
        """Adds a state message in place of the oldest one."""
        place = self._count % self._capacity
        tick_us = np.array(message["tick_us"])
        kept = {name: message[name] for name in (*_VECTORS, *_NUMBERS, *_TEXTS) if name in message}
        kept |= {WORST_TICK: tick_us.max(), MEDIAN_TICK: np.median(tick_us)}
        for name, value in kept.items():
            column = self._columns.get(name)
            if column is None:
                column = self._columns[name] = self._new_column(name, value)
            column[place] = value
        self._count += 1
        bins = np.searchsorted(LATENCY_EDGES_US, tick_us, side="right") - 1
        np.add.at(self.latency, bins.clip(0, len(self.latency) - 1), 1)
        self.ticks += message["ticks"]
        self.dropped += message["dropped"]

    def _new_column(self, name: str, value: Any) -> NDArray[Any]:
        if name in _TEXTS:
            return np.full(self._capacity, "", dtype=object)
        return np.full((self._capacity, *np.shape(value)), np.nan)

    @property
    def newest_s(self) -> float:
        """Time of the newest message [s]; NaN before the first."""
        return float(self._columns["t_s"][(self._count - 1) % self._capacity]) if self._count else np.nan

    @property
    def oldest_s(self) -> float:
        """Time of the oldest message that is kept [s]; NaN before the first."""
        first = self._count % self._capacity if self._count > self._capacity else 0
        return float(self._columns["t_s"][first]) if self._count else np.nan

    def at(self, t_s: float | None = None) -> dict[str, Any]:
        """Returns the values at a time: the last message that is not younger, or the oldest one.

        Args:
            t_s: time of the run [s]; None for the newest message.

        Returns:
            Values by name; empty before the first message.
        """
        if not self._count:
            return {}
        order = self._order()
        index = order[-1]
        if t_s is not None:
            before = int(np.searchsorted(self._columns["t_s"][order], t_s + 1e-9, side="right")) - 1
            index = order[max(before, 0)]
        return {name: column[index] for name, column in self._columns.items()}

    def since(self, from_s: float, until_s: float, *names: str) -> tuple[NDArray[Any], ...]:
        """Returns the values of some names in a period of time.

        Args:
            from_s: begin of the period [s].
            until_s: end of the period [s].
            names: names of the values; one that the robot does not have gives an empty array.

        Returns:
            (n, ...) array for each name.
        """
        order = self._order()
        if not len(order):
            return tuple(np.zeros(0) for _ in names)
        times = self._columns["t_s"][order]
        chosen = order[(times >= from_s) & (times <= until_s)]
        return tuple(self._columns[name][chosen] if name in self._columns else np.zeros(0) for name in names)

    def _order(self) -> NDArray[np.int64]:
        """Places of the messages, oldest first."""
        count = len(self)
        places: NDArray[np.int64] = np.arange(self._count - count, self._count) % self._capacity
        return places
