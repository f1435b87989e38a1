from __future__ import annotations

import math

import msgpack
import numpy as np
import pytest
from telemetry_runs import hello_for, rows_for

from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.rt.telemetry.content import UNITS, divergent_component, state_message


def test_a_message_has_the_values_of_the_newest_row():
    rows = rows_for("g1", 5)
    message = state_message(rows, hello_for("g1"), dropped=3)
    newest = rows[-1]
    assert set(message) == set(UNITS)
    assert message["tick"] == 4
    assert message["t_s"] == pytest.approx(0.004)
    assert (message["ticks"], message["dropped"]) == (5, 3)
    for group, name in (
        ("estimate", "q"), ("estimate", "v"), ("sensors", "tau"), ("command", "tau_ff"), ("balance", "p_WC"),
        ("balance", "w_F"), ("hands", "p_WH_des"),
    ):  # fmt: skip
        assert message[name] == newest[group][name].tolist(), name
    assert message["contact"] == [True, False]
    assert message["hand_active"] == [False, True]
    assert message["state"] == "active"
    assert message["behaviour"] == "walk"
    assert message["behaviour_state"] == "running"
    limits = np.array(hello_for("g1")["torque_limit_Nm"])
    np.testing.assert_allclose(message["tau_share"], np.abs(newest["command"]["tau_ff"]) / limits)


def test_the_worst_of_the_ticks_between_two_messages_is_not_hidden():
    rows = rows_for("g1", 10)
    rows["command"]["tau_ff"][3, 2] = -500.0
    rows["qp_iterations"][4] = 777
    rows["stamps_ns"]["write"][5] += 2_000_000
    message = state_message(rows, hello_for("g1"), 0)
    limits = hello_for("g1")["torque_limit_Nm"]
    assert message["tau_share_max"][2] == pytest.approx(500.0 / limits[2])
    assert message["tau_share"][2] < message["tau_share_max"][2]
    assert (message["qp_iterations"], message["qp_iterations_max"]) == (9, 777)
    assert len(message["tick_us"]) == len(message["wake_us"]) == 10
    assert message["tick_us"][5] == message["tick_us"][4] + 2000.0
    assert sum(message["stage_us"].values()) == pytest.approx(message["tick_us"][-1])


def test_a_stage_that_did_not_run_has_no_duration():
    rows = rows_for("g1", 2)
    rows["stamps_ns"]["solve"][1] = 0
    stages = state_message(rows, hello_for("g1"), 0)["stage_us"]
    assert math.isnan(stages["solve"])
    assert not math.isnan(stages["guard"])


def test_an_arm_has_no_contacts_and_its_messages_can_be_packed():
    message = state_message(rows_for("panda", 1), hello_for("panda"), 0)
    assert not {"contact", "w_F", "contact_force_N"} & set(message)
    # NaN is not equal to itself, its text is.
    assert repr(msgpack.unpackb(msgpack.packb(message))) == repr(message)


def test_a_number_without_a_name_gives_no_name():
    rows = rows_for("g1", 1)
    rows["state"], rows["behaviour"], rows["behaviour_state"] = 99, 1, -1
    message = state_message(rows, hello_for("g1"), 0)
    assert (message["state"], message["behaviour"], message["behaviour_state"]) == ("", "", "")


def test_the_divergent_component_lies_ahead_by_the_velocity_over_the_pendulums_frequency():
    height_m = GRAVITY_M_S2 / 4.0  # its frequency is 2 rad/s
    found = divergent_component([1.0, 2.0, 0.3 + height_m], [0.4, -0.2, 9.0], [5.0, 5.0, 0.3])
    assert found == pytest.approx([1.2, 1.9])
    assert all(map(math.isnan, divergent_component([0.0, 0.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 0.0])))
    assert all(map(math.isnan, divergent_component([0.0, 0.0, math.nan], [1.0] * 3, [0.0] * 3)))
