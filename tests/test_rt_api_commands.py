"""Commands given in Python are those of a scenario: the same rows, the same refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from bodies import robot

from kilohertz.commands import request_for, resting_command
from kilohertz.controller.supervision.request import make_request
from kilohertz.refused import Refused


@pytest.mark.parametrize(
    ("name", "behaviour", "params"),
    [
        ("g1", "walk", {"velocity_m_s": (0.3, 0.0), "yaw_rate_rad_s": 0.1}),
        ("g1", "sway", {"amplitude_m": 0.02, "period_s": 3.0, "axis": "y"}),
        ("panda", "circle", {"hand": "hand", "radius_m": 0.05, "period_s": 3.0, "plane": "yz"}),
    ],
)
def test_a_command_is_the_request_of_its_behaviour(name: str, behaviour: str, params: dict[str, Any]) -> None:
    request = request_for(robot(name), behaviour, params, at_s=1.5)
    expected = make_request(robot(name), behaviour, params, 1.5)
    assert request.data.tobytes() == expected.data.tobytes()


def test_arrays_are_taken_and_the_only_hand_is_filled_in() -> None:
    request = request_for(robot("panda"), "reach", {"p_WH_m": np.array([0.4, 0.1, 0.5])})
    expected = make_request(robot("panda"), "reach", {"hand": "hand", "p_WH_m": [0.4, 0.1, 0.5]})
    assert request.data.tobytes() == expected.data.tobytes()


@pytest.mark.parametrize(
    ("behaviour", "params", "sentence"),
    [
        ("wlak", {}, r"^wlak: is not a known key \(did you mean 'walk'\?\)$"),
        ("walk", {"velocity_m_s": [9.0, 0.0]}, r"^walk: 9\.00 m/s forward is faster than 'g1' can walk"),
        (
            "walk",
            {"velocity_m_s": ["fast", 0.0]},
            r"^walk\.velocity_m_s\[0\]: should be a number, not 'fast'$",
        ),
        ("walk", {"velocity_m_s": [np.nan, 0.0]}, r"^walk\.velocity_m_s\[0\]: should be a finite number"),
        ("reach", {"p_WH_m": [0.3, 0.2, 0.8]}, r"^reach\.hand: is missing, and g1 has not exactly one hand"),
    ],
)
def test_what_cannot_be_done_is_refused_with_the_parameter(
    behaviour: str, params: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(Refused, match=sentence):
        request_for(robot("g1"), behaviour, params)


def test_a_robot_stands_until_it_is_commanded_or_steps_in_place_on_points() -> None:
    assert resting_command(robot("g1"))[0] == resting_command(robot("panda"))[0] == "stand"
    assert resting_command(robot("bolt")) == ("walk", {"velocity_m_s": (0.0, 0.0)})
