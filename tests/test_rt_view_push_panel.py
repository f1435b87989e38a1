from __future__ import annotations

import asyncio

import numpy as np
import pytest
from telemetry_runs import robot

pytest.importorskip("viser")

from kilohertz.rt.view.front_door import open_server
from kilohertz.rt.view.push_panel import DIRECTIONS, DURATION_S, PushPanel, impulse_of
from kilohertz.sim.push_mailbox import PushMailbox, pushable

pytestmark = pytest.mark.host


@pytest.fixture
def server():
    opened = open_server("127.0.0.1", 0, "0123456789abcdef", "test")
    yield opened
    opened.stop()


@pytest.mark.parametrize("yaw_rad", [0.0, 0.7, -2.5])
def test_directions_follow_the_heading(yaw_rad):
    q = np.zeros(10)
    q[3:7] = 0.0, 0.0, np.sin(0.5 * yaw_rad), np.cos(0.5 * yaw_rad)
    forward = impulse_of(q, floating=True, size_Ns=2.0, angle_rad=0.0)
    np.testing.assert_allclose(forward, [2.0 * np.cos(yaw_rad), 2.0 * np.sin(yaw_rad), 0.0], atol=1e-12)
    total = [impulse_of(q, floating=True, size_Ns=2.0, angle_rad=angle) for _, angle in DIRECTIONS]
    np.testing.assert_allclose(np.sum(total, axis=0), 0.0, atol=1e-12)
    fixed = impulse_of(q, floating=False, size_Ns=2.0, angle_rad=0.5 * np.pi)
    np.testing.assert_allclose(fixed, [0.0, 2.0, 0.0], atol=1e-12)


def test_a_button_pushes_the_link_that_is_chosen(server):
    mailbox, model = PushMailbox(), robot("g1")
    panel = PushPanel(server, model, mailbox.address)
    panel.update(model.q_nominal)
    panel._link.value, panel._size.value = "left_hand", 3.0
    asyncio.run(panel._pusher(0.5 * np.pi)(None))
    (shove,) = mailbox.take()
    assert pushable(model)[shove.link] == "left_hand"
    assert shove.duration_s == DURATION_S
    np.testing.assert_allclose(shove.values, [0.0, 3.0, 0.0, 0.0, 0.0, 0.0], atol=1e-12)
    panel.close()
    mailbox.close()


@pytest.mark.parametrize("address", [None, "/proc/1/fd/99999", "/etc/passwd"])
def test_a_real_robot_has_no_such_buttons(server, address):
    panel = PushPanel(server, robot("g1"), address)
    assert not hasattr(panel, "_link")
    panel.update(robot("g1").q_nominal)
    panel.close()
