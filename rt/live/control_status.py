"""What a running controller tells its clients: its status and its events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class ControlEvent:
    """An event that the controller told its clients.

    Attributes:
        t_s: time on the controller's clock [s].
        kind: `remark` of the controller, change of the `lease`, `dropped` sample of a stream, `refused`
            message without a number, or `cut off` client.
        text: one sentence.
    """

    t_s: float
    kind: str
    text: str


@dataclass(frozen=True)
class ControlStatus:
    """What a controller reports of itself.

    Attributes:
        t_s: time on the controller's clock [s].
        state: state of the controller: armed, active, soft_stop, damping or idle.
        behaviour: name of the present behaviour.
        phase: whether the behaviour is waiting for the robot to come to rest, running or done.
        p_WB: estimated position of the base on the ground plane [m].
        yaw_rad: estimated heading of the base [rad].
        velocity_m_s: velocity reference of the walk, forward and to the left [m/s].
        yaw_rate_rad_s: turning rate of the walk [rad/s].
        holder: name of the client that holds the lease; "" if no client holds it.
        holder_role: its role, person or program; "" if no client holds the lease.
        received: number of samples of streams that the controller received from all clients.
        limited: number of these samples that asked for more than the limits, and were followed within them.
        dropped: number of these samples that were dropped.
        why_limited: what the latest limited sample asked for, one sentence; "" if none was limited.
        why_dropped: why the latest dropped sample was dropped, one sentence; "" if none was.
        text: reason for a stop, else the newest remark; "" if there is none.
    """

    t_s: float
    state: str
    behaviour: str
    phase: str
    p_WB: tuple[float, float]
    yaw_rad: float
    velocity_m_s: tuple[float, float]
    yaw_rate_rad_s: float
    holder: str
    holder_role: str
    received: int
    limited: int
    dropped: int
    why_limited: str
    why_dropped: str
    text: str


def status_of(fields: tuple[Any, ...]) -> ControlStatus:
    """Returns the status in a `status` message.

    Args:
        fields: fields of the message, from `control_messages.unpack`.
    """
    _, t_s, _, state, behaviour, phase, base, velocity, *rest = fields
    x, y, yaw = np.frombuffer(base).tolist()
    forward, left, turn = np.frombuffer(velocity).tolist()
    return ControlStatus(t_s, state, behaviour, phase, (x, y), yaw, (forward, left), turn, *rest)
