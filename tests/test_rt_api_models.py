"""Robots and scenarios by name."""

from __future__ import annotations

import pytest

import kilohertz as khz


def test_every_robot_that_ships_is_listed() -> None:
    assert {"g1", "panda", "ur5"} <= set(khz.robot_names())
    assert khz.robot_names() == sorted(khz.robot_names())


def test_every_scenario_that_ships_is_listed() -> None:
    assert {"stand", "walk", "push"} <= set(khz.scenario_names())


def test_a_robot_is_loaded_by_name_and_by_folder() -> None:
    by_name = khz.load_robot("panda")
    by_folder = khz.load_robot(by_name.folder)
    assert by_name.name == by_folder.name == "panda"
    assert by_name.joint_names == by_folder.joint_names


def test_a_robot_that_is_not_there_is_refused() -> None:
    with pytest.raises(khz.Refused, match=r"no robot 'pada' \(did you mean 'panda'\?\)"):
        khz.load_robot("pada")
