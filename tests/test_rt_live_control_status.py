"""A status message becomes a status with names."""

from __future__ import annotations

import struct

from kilohertz.rt.live import control_messages as wire
from kilohertz.rt.live.control_status import ControlStatus, status_of


def test_every_field_of_a_status_is_read() -> None:
    base, velocity = struct.pack("<3d", 1.0, 2.0, 0.5), struct.pack("<3d", 0.3, -0.1, 0.2)
    rest = ("Ann", "person", 7, 3, 2, "too fast", "velocity is not finite", "it stumbled")
    packet = wire.pack("status", 4, 12.5, 99, "active", "walk", "running", base, velocity, *rest)
    message = wire.unpack(packet)
    assert message is not None
    assert status_of(message[1]) == ControlStatus(
        t_s=12.5,
        state="active",
        behaviour="walk",
        phase="running",
        p_WB=(1.0, 2.0),
        yaw_rad=0.5,
        velocity_m_s=(0.3, -0.1),
        yaw_rate_rad_s=0.2,
        holder="Ann",
        holder_role="person",
        received=7,
        limited=3,
        dropped=2,
        why_limited="too fast",
        why_dropped="velocity is not finite",
        text="it stumbled",
    )
