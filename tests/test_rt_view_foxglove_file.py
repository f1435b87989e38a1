"""Logs for Foxglove, read by a decoder that takes everything from the schemas in the file."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("foxglove")
pytest.importorskip("trimesh")
pytest.importorskip("mcap_protobuf", reason="the package mcap-protobuf-support is not installed")

from foxglove import messages as fox
from mcap.reader import make_reader
from mcap_protobuf.decoder import DecoderFactory
from telemetry_runs import robot

from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.rt.cli.main import app
from kilohertz.rt.log.file import LogReader, read_rows
from kilohertz.rt.run.session import RunPlan, Session
from kilohertz.rt.view.foxglove_file import schema_of
from kilohertz.rt.view.robot_figure import RobotFigure

pytestmark = pytest.mark.closed_loop

PUSHED = {
    "name": "pushed",
    "duration_s": 0.4,
    "commands": [{"at_s": 0.0, "stand": {}}],
    "events": [{"at_s": 0.2, "push": {"link": "trunk", "impulse_Ns": [0.0, 1.0, 0.0]}}],
}
TICKS, RATE_HZ = 400, 50


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Rows of a log, its header, and the content of its export: decoded messages by topic."""
    folder = tmp_path_factory.mktemp("foxglove")
    log = Session(RunPlan("g1", PUSHED, log=folder)).run().log
    out = folder / "out.mcap"
    result = CliRunner().invoke(
        app, ["log", "export", str(log), "--foxglove", str(out), "--rate", str(RATE_HZ)]
    )
    assert result.exit_code == 0, result.output
    with LogReader(log) as reader:
        rows = read_rows(reader)
    decoded: dict[str, list] = {}
    schemas = {}
    with out.open("rb") as file:
        mcap = make_reader(file, decoder_factories=[DecoderFactory()])
        for schema, channel, message in mcap.iter_messages():
            factory = DecoderFactory().decoder_for(channel.message_encoding, schema)
            content = json.loads(message.data) if factory is None else factory(message.data)
            decoded.setdefault(channel.topic, []).append((message.log_time, content))
            schemas[channel.topic] = schema
    return rows[rows["tick"] >= 0], reader.header, decoded, schemas


@pytest.mark.long
def test_the_topics_have_the_schemas_that_viewers_know(exported):
    _, _, decoded, schemas = exported
    expected = {
        "/tf": fox.FrameTransforms,
        "/joint_states": fox.JointStates,
        "/robot": fox.SceneUpdate,
        "/scene": fox.SceneUpdate,
        "/log": fox.Log,
    }
    assert set(decoded) == {*expected, "/telemetry"}
    for topic, kind in expected.items():
        published, found = kind.get_schema(), schemas[topic]
        assert (found.name, found.encoding, found.data) == (
            published.name,
            published.encoding,
            published.data,
        )
    steps = TICKS * RATE_HZ // 1000
    assert {topic: len(decoded[topic]) for topic in ("/tf", "/joint_states", "/scene", "/telemetry")} == {
        "/tf": steps,
        "/joint_states": steps,
        "/scene": steps,
        "/telemetry": steps,
    }
    # A viewer that jumps within the file loads the newest message of each topic: that of the meshes is one.
    assert len(decoded["/robot"]) == 1


def test_joints_are_told_by_name(exported):
    rows, header, decoded, _ = exported
    shown = rows[19::20]
    model = robot("g1")
    for row, (time_ns, message) in zip(shown, decoded["/joint_states"], strict=True):
        assert time_ns == header.started_ns + int(row["tick"]) * header.period_ns
        assert [joint.name for joint in message.joints] == list(model.joint_names)
        np.testing.assert_array_equal(
            [joint.position for joint in message.joints], row["estimate"]["q"][model.nq_base :]
        )
        np.testing.assert_array_equal([joint.effort for joint in message.joints], row["command"]["tau_ff"])
    for row, (_, numbers) in zip(shown, decoded["/telemetry"], strict=True):
        assert numbers["p_WC"] == row["balance"]["p_WC"].tolist()


@pytest.mark.long
def test_links_are_where_the_model_puts_them(exported):
    rows, _, decoded, _ = exported
    figure = RobotFigure(robot("g1"))
    figure.pose(rows[-1]["estimate"]["q"])
    places = {t.child_frame_id: t for t in decoded["/tf"][-1][1].transforms}
    assert set(places) == set(figure.links[1:])
    for i, link in enumerate(figure.links[1:], start=1):
        move, turn = places[link].translation, places[link].rotation
        assert places[link].parent_frame_id == "world"
        np.testing.assert_allclose([move.x, move.y, move.z], figure.p_WL[i], atol=1e-12)
        np.testing.assert_allclose([turn.w, turn.x, turn.y, turn.z], figure.quat_WL[i], atol=1e-12)


def test_the_arrows_of_the_contact_forces_carry_the_robot(exported):
    _, _, decoded, _ = exported
    model = robot("g1")
    ((entity,),) = [message.entities for _, message in decoded["/scene"][-1:]]
    assert len(entity.triangles) == len(model.contacts)
    assert all(sole.color.g > 0.6 > sole.color.r for sole in entity.triangles), "both feet are on the ground"
    up_m = 0.0
    for arrow in entity.arrows:
        turn, length_m = arrow.pose.orientation, arrow.shaft_length + arrow.head_length
        # z component of the x axis, along which an arrow points.
        up_m += length_m * 2.0 * (turn.x * turn.z - turn.w * turn.y)
    weight_N = model.mass_kg * GRAVITY_M_S2
    np.testing.assert_allclose(up_m * weight_N / 0.5, weight_N, rtol=0.1)


def test_events_are_in_the_log_topic(exported):
    _, header, decoded, _ = exported
    events = [(time_ns, message) for time_ns, message in decoded["/log"] if "Ns" in message.message]
    ((time_ns, message),) = events
    assert message.name == "g1"
    assert time_ns == pytest.approx(header.started_ns + 200_000_000, abs=2_000_000)
    assert time_ns == message.timestamp.seconds * 1_000_000_000 + message.timestamp.nanos


def test_a_json_schema_names_what_can_be_plotted():
    value = {"a": [1.0], "b": {"c": None}, "d": "x", "e": True, "f": []}
    assert schema_of(value)["properties"] == {
        "a": {"type": "array", "items": {"type": "number"}},
        "b": {"type": "object", "properties": {"c": {"type": "number"}}},
        "d": {"type": "string"},
        "e": {"type": "boolean"},
        "f": {"type": "array", "items": {}},
    }


def test_an_export_does_not_overwrite_the_log(tmp_path):
    log = Session(RunPlan("panda", "stand", 0.05, log=tmp_path)).run().log
    content = log.read_bytes()
    result = CliRunner().invoke(app, ["log", "export", str(log), "--foxglove", str(log)])
    assert result.exit_code == 3
    assert "is the log itself" in result.stderr
    assert log.read_bytes() == content
