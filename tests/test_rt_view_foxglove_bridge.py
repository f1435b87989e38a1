from __future__ import annotations

import json
import struct
import threading
from typing import Any

import numpy as np
import pytest
from telemetry_runs import hello_for, robot, rows_for

pytest.importorskip("foxglove")
pytest.importorskip("trimesh")

from websockets.sync.client import connect

from kilohertz.rt.telemetry.content import state_message
from kilohertz.rt.view.foxglove_bridge import FoxgloveBridge

pytestmark = pytest.mark.host

TOPICS = {
    "/tf": "foxglove.FrameTransforms",
    "/joint_states": "foxglove.JointStates",
    "/robot": "foxglove.SceneUpdate",
    "/scene": "foxglove.SceneUpdate",
    "/log": "foxglove.Log",
    "/telemetry": "",
}


class FakeSubscriber:
    def __init__(self, name: str) -> None:
        self.hello = hello_for(name)
        self._message = state_message(rows_for(name, 1), self.hello, 0)
        self._tick = 0

    def receive(self, timeout_s: float) -> dict[str, Any]:
        self._tick += 10
        return self._message | {"tick": self._tick, "t_s": 1e-3 * self._tick}

    def close(self) -> None:
        pass


@pytest.fixture(params=["g1", "panda"])
def bridge(request):
    made = FoxgloveBridge(FakeSubscriber(request.param), "127.0.0.1", 0)
    ends = threading.Event()

    def run() -> None:
        while not ends.wait(0.01):
            made.step()

    thread = threading.Thread(target=run)
    thread.start()
    yield request.param, made
    ends.set()
    thread.join()
    made.close()


def test_a_viewer_gets_the_topics_that_it_expects_with_their_content(bridge):
    name, server = bridge
    address = f"ws://127.0.0.1:{server.port}"
    with connect(address, subprotocols=["foxglove.sdk.v1"], max_size=None, open_timeout=60) as viewer:
        channels: dict[int, str] = {}
        while len(channels) < len(TOPICS):
            frame = viewer.recv(timeout=60)
            if isinstance(frame, str) and json.loads(frame)["op"] == "advertise":
                for channel in json.loads(frame)["channels"]:
                    channels[channel["id"]] = channel["topic"]
                    assert channel["schemaName"].startswith(TOPICS[channel["topic"]])
        wanted = [{"id": i, "channelId": i} for i in channels]
        viewer.send(json.dumps({"op": "subscribe", "subscriptions": wanted}))
        seen: dict[str, list[bytes]] = {topic: [] for topic in TOPICS}
        # The log has one message of this run only, which may be before this viewer came.
        while not all(seen[topic] for topic in TOPICS if topic != "/log") or len(seen["/scene"]) < 3:
            frame = viewer.recv(timeout=60)
            if isinstance(frame, bytes) and frame[0] == 1:
                (channel,) = struct.unpack_from("<I", frame, 1)
                seen[channels[channel]].append(frame[13:])
    model = robot(name)
    joined = b"".join(seen["/joint_states"])
    assert all(joint.encode() in joined for joint in model.joint_names)
    link = (model.contacts[0].link if model.contacts else model.hands[0].link).encode()
    assert link in seen["/tf"][0]
    assert len(seen["/robot"][0]) > 10_000
    numbers = json.loads(seen["/telemetry"][0])
    np.testing.assert_allclose(numbers["q"], model.q_nominal)
    assert numbers["state"] == "active"
