from __future__ import annotations

import http.client
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from telemetry_runs import hello_for, robot, rows_for

pytest.importorskip("websockets")
pytest.importorskip("mujoco.studio.web_viewer")

import mujoco
from mujoco.studio import messages
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from kilohertz.rt.telemetry.content import state_message
from kilohertz.rt.view.mujoco_view import MujocoView, ShownRobot
from kilohertz.sim.push_mailbox import PushMailbox, pushable

pytestmark = pytest.mark.host

TOKEN = "0123456789abcdef-token"
LOOPBACKS = ("0100007F", "00000000000000000000000001000000")
LISTENS = "0A"


class FakeSubscriber:
    def __init__(self, mailbox: PushMailbox) -> None:
        self.hello = hello_for("panda") | {"pushes": mailbox.address}
        self._message = state_message(rows_for("panda", 1), self.hello, 0)

    def receive(self, timeout_s: float) -> dict[str, Any]:
        time.sleep(0.005)
        return self._message

    def close(self) -> None:
        pass


def listening() -> list[str]:
    """Addresses at which this process listens, as in the kernel's table."""
    links = [os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    own = {link.removeprefix("socket:[").removesuffix("]") for link in links if link.startswith("socket:[")}
    found = []
    for table in ("tcp", "tcp6"):
        rows = [line.split() for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]]
        found += [row[1] for row in rows if row[3] == LISTENS and row[9] in own]
    return found


@pytest.fixture(scope="module")
def mailbox():
    made = PushMailbox()
    yield made
    made.close()


@pytest.fixture(scope="module")
def before():
    return listening()


@pytest.fixture(scope="module")
def view(mailbox, before):
    shown = MujocoView(FakeSubscriber(mailbox), "127.0.0.1", 0, TOKEN)
    for _ in range(5):
        shown.step()
    yield shown
    shown.close()


def get(port: int, path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


def test_it_listens_on_the_loopback_address_only(view, before):
    new = set(listening()) - set(before)
    assert f"{view.port:04X}" in {address.partition(":")[2] for address in new}
    assert {address.partition(":")[0] for address in new} <= set(LOOPBACKS)


def test_the_page_needs_the_token(view):
    assert get(view.port, "/")[0] == 403
    assert get(view.port, "/model")[0] == 403
    status, body = get(view.port, f"/?token={TOKEN}")
    assert status == 200
    assert b"<html" in body.lower()


@pytest.mark.parametrize("path", ["/state", "/ui", "/drop"])
def test_another_site_cannot_connect(view, path):
    address = f"ws://127.0.0.1:{view.port}{path}?token={TOKEN}"
    with pytest.raises(InvalidStatus) as refused, connect(address, origin="http://elsewhere.example"):
        pass
    assert refused.value.response.status_code == 403


def test_the_robot_is_where_the_telemetry_says():
    model = robot("g1")
    shown = ShownRobot(model)
    q, v = model.q_nominal.copy(), np.zeros(model.nv)
    q[:7] = [0.3, -0.2, 0.9, 0.0, 0.0, np.sqrt(0.5), np.sqrt(0.5)]
    # Forward at 1 m/s, for a base that is turned to the left.
    v[0] = 1.0
    shown.pose(q, v)
    np.testing.assert_allclose(shown.data.qpos[:7], [0.3, -0.2, 0.9, np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)])
    np.testing.assert_allclose(shown.data.qvel[:3], [0.0, 1.0, 0.0], atol=1e-12)
    for name, value in zip(model.joint_names, q[7:], strict=True):
        assert shown.data.joint(name).qpos[0] == value


def test_what_the_mouse_pulls_reaches_the_simulation_while_it_pulls(view, mailbox):
    model, data = view._robot.model, view._robot.data
    link = robot("panda").hands[0].link
    pulled = np.zeros((model.nbody, 6))
    pulled[model.body(link).id] = [1.0, 2.0, 3.0, 0.0, 0.1, 0.0]
    list(mailbox.take())
    sent = messages.PerturbSnapshot(state=pulled.ravel(), state_sig=int(mujoco.mjtState.mjSTATE_XFRC_APPLIED))
    while not mailbox.waiting:
        # As the viewer does; its own snapshots say at the same time that nothing is pulled.
        view._handle._sim_endpoint._v2s_snapshot.put(sent)
        view.step()
    shove = next(iter(mailbox.take()))
    assert pushable(robot("panda"))[shove.link] == link
    assert shove.duration_s == 0.0
    assert shove.values.tolist() == [1.0, 2.0, 3.0, 0.0, 0.1, 0.0]
    # Without a page nothing is pulled.
    for _ in range(20):
        view.step()
    list(mailbox.take())
    for _ in range(5):
        view.step()
    assert not mailbox.waiting
    assert not data.xfrc_applied.any()


def test_a_file_that_is_dropped_does_not_replace_the_robot(view, tmp_path):
    other = tmp_path / "other.xml"
    other.write_text("<mujoco><worldbody/></mujoco>")
    view._handle.dispatch(messages.LoadModelEvent(path=str(other)))
    assert view._handle.model is view._robot.model
