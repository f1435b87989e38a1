"""Values of wrist sensors on the wire: they belong to the state that follows."""

from __future__ import annotations

import numpy as np
import pytest
from bodies import robot
from wrist_robots import arm

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.companions import Companions
from kilohertz.robots.wire.robot_side import TRUTH, WRIST, RobotSide
from kilohertz.robots.wire.row_messages import StateCodec, identity


@pytest.fixture(scope="module")
def panda(tmp_path_factory):
    return RobotModel.load(arm(tmp_path_factory.mktemp("robot"), "panda"))


def side_of(model):
    return RobotSide(model, identity(model, 1e-3), lambda *_: None, lambda: None, options=(TRUTH, WRIST))


def row_of(model, first):
    row = model.new_sensor_row()
    row.q[:] = model.q_nominal
    row.wrist[:] = first + np.arange(6)
    return row


def test_values_are_those_of_the_state_that_follows(panda):
    side, companions, codec = side_of(panda), Companions(panda, truth=False), StateCodec(panda)
    row = row_of(panda, 2.5)
    kind, values = wire.unpack(side.wrist(row))
    assert companions.take_in(kind, values)
    assert companions.is_ahead(0)
    kind, values = wire.unpack(side.state(row, 0))
    received = panda.new_sensor_row()
    assert codec.read(values, received)
    # A state alone tells nothing of the sensors.
    assert np.isnan(received.wrist).all()
    companions.complete(values[1], received)
    np.testing.assert_array_equal(received.wrist, row.wrist)
    assert not companions.is_ahead(values[1])


def test_a_state_without_its_message_has_no_values(panda):
    side, companions = side_of(panda), Companions(panda, truth=False)
    row = row_of(panda, 1.0)
    companions.take_in(*wire.unpack(side.wrist(row)))
    side.state(row, 0)
    _, values = wire.unpack(side.state(row, 0))
    companions.complete(values[1], row)
    assert np.isnan(row.wrist).all()


def test_nan_is_transferred_as_unknown(panda):
    side, companions = side_of(panda), Companions(panda, truth=False)
    row = row_of(panda, np.nan)
    companions.take_in(*wire.unpack(side.wrist(row)))
    row.wrist[:] = 3.0
    companions.complete(1, row)
    assert np.isnan(row.wrist).all()


def test_a_block_of_a_wrong_length_is_no_measurement(panda):
    companions = Companions(panda, truth=False)
    assert companions.take_in("wrist", (1, bytes(8 * 5)))
    assert not companions.is_ahead(0)


def test_the_option_is_requested_by_robots_with_a_sensor_only(panda):
    assert Companions(panda, truth=True).options == (TRUTH, WRIST)
    assert Companions(robot("panda"), truth=True).options == (TRUTH,)
    assert Companions(robot("panda"), truth=False).options == ()
    companions = Companions(robot("panda"), truth=False)
    row = robot("panda").new_sensor_row()
    companions.complete(1, row)
    assert row.wrist.size == 0


def test_a_robot_grants_the_option_only_if_it_has_it(panda):
    hello = wire.pack("hello", "me", *identity(panda, 1e-3).packed(), (TRUTH, WRIST))
    with_it = side_of(panda)
    _, welcome = wire.unpack(with_it.handle(b"me", hello, 0))
    assert welcome[7] == (TRUTH, WRIST)
    assert with_it.peers[b"me"].wants_wrist
    without = RobotSide(panda, identity(panda, 1e-3), lambda *_: None, lambda: None)
    _, welcome = wire.unpack(without.handle(b"me", hello, 0))
    assert welcome[7] == ()
    assert not without.peers[b"me"].wants_wrist
