from __future__ import annotations

import pytest
import zmq

from kilohertz.rt.faults.proxy import Duplicate, Edit, FaultProxy, Record, Swap, drop

pytestmark = pytest.mark.host


@pytest.fixture
def ends(tmp_path):
    """Returns a controller's and a robot's socket with a proxy between them."""
    context = zmq.Context()
    context.linger = 0
    front, back = (f"ipc://{tmp_path / name}" for name in ("front", "back"))
    robot, controller = context.socket(zmq.ROUTER), context.socket(zmq.DEALER)
    robot.bind(back)
    with FaultProxy(front, back) as proxy:
        controller.connect(front)
        for socket in (robot, controller):
            socket.set(zmq.RCVTIMEO, 5000)
            socket.set(zmq.LINGER, 0)
        yield proxy, controller, robot
    controller.close()
    robot.close()
    context.term()


def test_without_a_rule_all_passes_both_ways_in_order(ends):
    _, controller, robot = ends
    for i in range(20):
        controller.send(b"up %d" % i)
    peers = set()
    for i in range(20):
        peer, payload = robot.recv_multipart()
        assert payload == b"up %d" % i
        peers.add(peer)
    assert len(peers) == 1
    robot.send_multipart((peers.pop(), b"down"))
    assert controller.recv() == b"down"


def test_two_controllers_stay_two(ends):
    proxy, controller, robot = ends
    with zmq.Context() as context, context.socket(zmq.DEALER) as other:
        other.connect(proxy.front)
        controller.send(b"first")
        other.send(b"second")
        peers = dict(reversed(robot.recv_multipart()) for _ in range(2))
        robot.send_multipart((peers[b"second"], b"to the second"))
        assert other.recv() == b"to the second"


def test_dropped_packets_do_not_come(ends):
    proxy, controller, robot = ends
    proxy.up = record = Record()
    controller.send(b"1")
    robot.recv_multipart()
    assert record.seen == [b"1"]
    proxy.up = drop
    controller.send(b"2")
    assert robot.poll(50) == 0


def test_duplicated_packets_arrive_twice_the_copy_later(ends):
    proxy, controller, robot = ends
    proxy.up = Duplicate(share=1.0, delay_s=0.01)
    controller.send(b"1")
    assert [robot.recv_multipart()[1] for _ in range(2)] == [b"1", b"1"]


def test_exactly_the_requested_number_of_packets_is_changed():
    edit = Edit(bytes.upper)
    edit.left = 2
    assert [payload for word in (b"a", b"b", b"c") for _, payload in edit(word)] == [b"A", b"B", b"c"]
    assert edit.changed == 2


def test_swapped_packets_arrive_in_reversed_pairs():
    swap = Swap(share=1.0)
    came = [payload for word in (b"1", b"2", b"3", b"4", b"5") for _, payload in swap(word)]
    assert came == [b"2", b"1", b"4", b"3"]
    assert (swap.swaps, swap.holds) == (3, True)
