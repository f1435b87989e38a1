"""Every behaviour is described in a message, by its first sentence and the schema of its parameters."""

from __future__ import annotations

import json

import pytest

from kilohertz.controller.behaviours.registry import load_behaviours
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.live import control_messages as wire
from kilohertz.rt.live.agent import descriptions
from kilohertz.rt.live.agent.descriptions import described


def test_every_behaviour_is_described_with_all_its_parameters() -> None:
    robot = RobotModel.load("g1")
    for name, kind in load_behaviours().items():
        text = described(robot, name)
        assert text is not None
        schema = json.loads(text)
        assert set(schema.get("properties", {})) == set(kind.Parameters.model_fields)
        assert schema["description"].endswith(".")
        packet = wire.pack("described", 1, name, text)
        assert len(packet) <= wire.MOST_ANSWER_BYTES
        assert wire.unpack(packet, wire.MOST_ANSWER_BYTES) == ("described", (1, name, text))
    assert described(robot, "no such behaviour") is None


def test_a_schema_that_no_message_holds_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(descriptions, "LONGEST_DESCRIPTION", 200)
    text = described(RobotModel.load("g1"), "walk")
    assert text is not None
    assert list(json.loads(text)) == ["description"]
