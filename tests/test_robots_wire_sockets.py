from __future__ import annotations

import os
import subprocess
import sys

import pytest
import zmq

from kilohertz.robots.wire.sockets import MOST_PARTS, controller_socket, new_context, receive, send

pytestmark = pytest.mark.host


@pytest.fixture
def ends(tmp_path):
    context = new_context(realtime=False)
    endpoint = f"ipc://{tmp_path / 'robot'}"
    robot = context.socket(zmq.ROUTER)
    robot.bind(endpoint)
    controller = controller_socket(context, endpoint, None, None)
    robot.set(zmq.RCVTIMEO, 2000)
    yield robot, controller
    robot.close(0)
    controller.close(0)
    context.term()


def until(done):
    for _ in range(5000):
        value = done()
        if value:
            return value
    raise AssertionError("it did not happen")


def test_what_is_sent_is_received(ends):
    robot, controller = ends
    until(lambda: send(controller, b"up"))
    peer, payload = robot.recv_multipart()
    assert payload == b"up"
    robot.send_multipart((peer, b"down"))
    assert until(lambda: receive(controller)) == b"down"


def test_a_message_in_parts_is_no_message(ends):
    robot, controller = ends
    until(lambda: send(controller, b"up"))
    peer, _ = robot.recv_multipart()
    robot.send_multipart((peer, b"a", b"b", b"c"))
    robot.send_multipart((peer, b"whole"))
    got = [until(lambda: (payload := receive(controller)) is not None and (payload,))[0] for _ in range(2)]
    assert got == [b"", b"whole"]


def test_a_message_in_very_many_parts_holds_nobody_up(ends):
    robot, controller = ends
    until(lambda: send(controller, b"up"))
    peer, _ = robot.recv_multipart()
    robot.send_multipart((peer, *[b"part"] * (3 * MOST_PARTS)))
    assert until(lambda: receive(controller) is not None)
    # What is left over of it is the next payload, and not an endless loop inside of one.
    assert receive(controller) is not None


def test_nothing_is_queued_for_nobody(tmp_path):
    context = new_context(realtime=False)
    controller = controller_socket(context, f"ipc://{tmp_path / 'nobody'}", None, None)
    assert not send(controller, b"up")
    assert receive(controller) is None
    controller.close(0)
    context.term()


def test_the_network_thread_is_real_time_and_on_its_core_where_the_host_lets_it():
    code = """
import os, time, zmq
from kilohertz.robots.wire.sockets import new_context
before = os.sched_getaffinity(0)
core = max(before)
context = new_context(realtime=True, core=core)
socket = context.socket(zmq.DEALER)
socket.bind("tcp://127.0.0.1:*")
policies, cores = set(), []
# Each thread sets its own policy, as the first thing it does.
for _ in range(200):
    policies |= {os.sched_getscheduler(int(thread)) for thread in os.listdir("/proc/self/task")}
    cores = [os.sched_getaffinity(int(thread)) for thread in os.listdir("/proc/self/task")]
    time.sleep(0.001)
try:
    os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(85))
    allowed = True
except OSError:
    allowed = False
assert (os.SCHED_FIFO in policies) == allowed, policies
assert ({core} in cores) == (allowed or before == {core}), cores
assert os.sched_getaffinity(0) == before
new_context(realtime=True, core=100_000).term()
"""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


DROPPED = """
import gc, zmq
from kilohertz.robots.wire.sockets import controller_socket, new_context
gc.disable()
for order in range(2):
    context = new_context(realtime=False)
    socket = controller_socket(context, "ipc:///nowhere/at/all", None, None)
    cycle = [context, socket] if order else [socket, context]
    cycle.append(cycle)
    del context, socket, cycle
    gc.collect()
print("collected")
"""


def test_a_link_that_is_dropped_in_a_cycle_is_collected():
    """An exception's traceback makes such a cycle; the process stood still for ever in its collection."""
    ended = subprocess.run([sys.executable, "-c", DROPPED], capture_output=True, text=True, timeout=60)
    assert ended.stdout == "collected\n", ended.stderr
