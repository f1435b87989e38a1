from __future__ import annotations

import json

import numpy as np
import pinocchio as pin
import pytest
from telemetry_runs import hello_for, robot, rows_for

pytest.importorskip("foxglove")
pytest.importorskip("trimesh")

from kilohertz.rt.telemetry.content import state_message
from kilohertz.rt.view.foxglove_messages import (
    JOINTS,
    NUMBERS,
    SCENE,
    TF,
    FoxgloveMessages,
    along_x,
    plain,
)

TIME_NS = 1_700_000_000_250_000_000


@pytest.mark.parametrize("name", ["g1", "panda"])
def test_each_state_gives_each_topic(name):
    messages = FoxgloveMessages(robot(name))
    state = state_message(rows_for(name, 1), hello_for(name), 0)
    assert set(messages.of_state(state, TIME_NS, scene=False)) == {TF, JOINTS, NUMBERS}
    assert set(messages.of_state(state, TIME_NS, scene=True)) == {TF, JOINTS, NUMBERS, SCENE}
    assert len(messages.meshes(TIME_NS).encode()) > 10_000


def test_a_fall_and_damping_are_errors():
    messages = FoxgloveMessages(robot("panda"))
    calm = messages.log("push", "by 5 Ns", TIME_NS).encode()
    bad = [messages.log("fell", "by 5 Ns", TIME_NS), messages.log("state", "from active to damping", TIME_NS)]
    # Field 2 is the level: 2 is Info, 4 is Error.
    assert b"\x10\x02" in calm
    assert all(b"\x10\x04" in message.encode() for message in bad)


def test_json_has_no_nan():
    text = json.dumps(plain({"a": [1.0, float("nan")], "b": {"c": float("inf")}, "d": "x"}), allow_nan=False)
    assert text == '{"a": [1.0, null], "b": {"c": null}, "d": "x"}'


@pytest.mark.parametrize("direction", [(1, 0, 0), (-1, 0, 0), (0, 0, 1), (0.6, -0.8, 0), (0.0, 0.6, -0.8)])
def test_arrows_point_along_their_forces(direction):
    R = pin.Quaternion(*along_x(np.array(direction, dtype=float))).matrix()
    np.testing.assert_allclose(R @ [1.0, 0.0, 0.0], direction, atol=1e-9)
