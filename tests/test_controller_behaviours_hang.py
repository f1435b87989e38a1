"""Which robots can hang, and what the others are told."""

from dataclasses import replace

import pytest
from sim_runs import robot

from kilohertz.controller.behaviours.base import BehaviourError
from kilohertz.controller.behaviours.hang import Hang
from kilohertz.controller.supervision.request import make_request


@pytest.mark.parametrize("name", ["g1", "talos", "alexander"])
def test_robots_on_soles_can_hang(name):
    assert make_request(robot(name), "hang", {}).kind is Hang


@pytest.mark.parametrize(
    ("name", "sentence"), [("panda", "cannot hang"), ("bolt", "has point feet and cannot stand still")]
)
def test_other_robots_cannot(name, sentence):
    with pytest.raises(BehaviourError, match=sentence):
        make_request(robot(name), "hang", {})


def test_a_robot_that_feels_no_load_cannot():
    g1 = robot("g1")
    numb = replace(g1, description=g1.description.model_copy(update={"torque_sensing": False}))
    with pytest.raises(BehaviourError, match="cannot feel whether its soles carry it"):
        make_request(numb, "hang", {})
