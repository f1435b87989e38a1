from __future__ import annotations

import math
import os

import numpy as np
import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.push_mailbox import SLOTS, PushMailbox, PushSender, pushable
from kilohertz.sim.scenario import load_scenario
from kilohertz.sim.scenario_schema import Push
from kilohertz.sim.simulated_robot import PULL_TICKS, SimulatedRobot

PANDA = RobotModel.load("panda")


@pytest.fixture
def mailbox():
    made = PushMailbox()
    yield made
    made.close()


def simulated(mailbox=None):
    return SimulatedRobot(PANDA, load_scenario("stand", PANDA), 0, mailbox)


def test_what_is_sent_arrives_once_in_its_order(mailbox):
    sender, other = PushSender(mailbox.address), PushSender(mailbox.address)
    assert not mailbox.waiting
    sender.push(3, [1.0, 2.0, 3.0], 0.05)
    other.pull(4, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert mailbox.waiting
    first, second = mailbox.take()
    assert (first.link, first.duration_s, first.values.tolist()) == (3, 0.05, [1.0, 2.0, 3.0, 0.0, 0.0, 0.0])
    assert (second.link, second.duration_s) == (4, 0.0)
    assert second.values.tolist() == [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    assert list(mailbox.take()) == []


def test_a_flood_leaves_the_newest(mailbox):
    sender = PushSender(mailbox.address)
    for number in range(3 * SLOTS):
        sender.push(number % 7, [float(number), 0.0, 0.0], 0.1)
    assert [shove.values[0] for shove in mailbox.take()] == list(range(2 * SLOTS, 3 * SLOTS))


@pytest.mark.parametrize(
    ("link", "impulse", "duration_s"),
    [
        (0, math.nan, 0.1),
        (0, 1e9, 0.1),
        (-1, 1.0, 0.1),
        (0, 1.0, -0.1),
        (0, 1.0, math.inf),
        (1e300, 1.0, 0.1),
    ],
)
def test_nonsense_is_left_out(mailbox, link, impulse, duration_s):
    PushSender(mailbox.address).push(link, [impulse, 0.0, 0.0], duration_s)
    assert list(mailbox.take()) == []


def test_an_address_that_is_none_is_refused(mailbox, tmp_path):
    for address in ("/etc/passwd", f"/proc/{os.getpid()}/fd/99999", str(tmp_path)):
        with pytest.raises(ConfigError, match="takes no pushes"):
            PushSender(address)
    with (tmp_path / "file").open("w") as file, pytest.raises(ConfigError):
        PushSender(f"/proc/{os.getpid()}/fd/{file.fileno()}")


def test_a_push_is_that_of_a_scenario_at_the_same_time(mailbox):
    sent, given = simulated(mailbox), simulated()
    for tick in range(200):
        if tick == 50:
            given.push(Push(link="hand", impulse_Ns=(2.0, 0.0, 1.0), duration_s=0.05))
        if tick == 49:
            # It is taken at the end of this step.
            PushSender(mailbox.address).push(pushable(PANDA).index("hand"), [2.0, 0.0, 1.0], 0.05)
        sent.advance()
        given.advance()
    assert sent.truth.q.tobytes() == given.truth.q.tobytes()
    assert sent.events == given.events
    assert any(event["kind"] == "push" for event in sent.events)


def test_a_pull_ends_soon_after_the_hand_that_pulls_is_gone(mailbox):
    robot, sender = simulated(mailbox), PushSender(mailbox.address)
    body = robot.world.bodies[PANDA.hands[0].link]
    force = robot.world.data.xfrc_applied[body]
    link = pushable(PANDA).index("hand")
    for _ in range(3):
        sender.pull(link, [5.0, 0.0, 0.0, 0.0, 1.0, 0.0])
        for _ in range(PULL_TICKS - 1):
            robot.advance()
            np.testing.assert_allclose(force, [5.0, 0.0, 0.0, 0.0, 1.0, 0.0], atol=1e-12)
    for _ in range(2):
        robot.advance()
    assert not force.any()
    assert [event["kind"] for event in robot.events].count("pull") == 1


def test_what_is_no_link_is_not_pushed(mailbox):
    robot = simulated(mailbox)
    PushSender(mailbox.address).push(len(pushable(PANDA)), [5.0, 0.0, 0.0], 0.1)
    robot.advance()
    assert robot.events == []
    assert not robot.world.data.xfrc_applied.any()
