from __future__ import annotations

import json
import os
import signal
from dataclasses import replace

import numpy as np
import pytest
from typer.testing import CliRunner
from wrist_robots import arm as arm_with_sensor

from kilohertz.controller.gains.live import live_numbers, live_paths
from kilohertz.controller.gains.schema import Gains
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.cli.main import app
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.log.schema import WARM_UP, schema_text
from kilohertz.rt.run.background_server import served
from kilohertz.rt.run.session import RunPlan, Session

pytestmark = pytest.mark.closed_loop

log_file = pytest.importorskip("kilohertz.rt.log.file")
log_writer = pytest.importorskip("kilohertz.rt.log.writer")
replay = pytest.importorskip("kilohertz.rt.run.replay")

REFUSED = 3


def scenario(folder, **fields):
    path = folder / "scenario.yaml"
    content = {"name": "short", "duration_s": 0.2, "commands": [{"at_s": 0, "stand": {}}], **fields}
    path.write_text(json.dumps(content))
    return str(path)


def recorded(folder, robot, each_tick=None, **fields):
    """A run that was recorded, and how it went."""
    plan = {key: fields.pop(key) for key in ("gains", "watch_gains", "solver") if key in fields}
    session = Session(RunPlan(robot, scenario(folder, **fields), log=folder / "log", **plan))
    hook = (lambda tick: each_tick(session, tick)) if each_tick is not None else None
    result = session.run(each_tick=hook)
    assert result.log is not None
    return result.log, result, session


def replayed(path, **options):
    with log_file.LogReader(path) as reader:
        return replay.replay(reader, **options)


def rewritten(path, to, change=None, **header):
    """The same log with other rows or another header."""
    with log_file.LogReader(path) as reader:
        rows = log_file.read_rows(reader).copy()
        if change is not None:
            rows = change(rows)
        cells = rows.view(np.int64).reshape(len(rows), -1)
        writer = log_writer.LogWriter(to, replace(reader.header, **header), schema_text(reader.row))
    writer.add(np.arange(len(rows)), cells[:, 0], cells)
    writer.close(reader.summary)
    return to


@pytest.fixture(scope="module")
def arm(tmp_path_factory):
    return recorded(tmp_path_factory.mktemp("arm"), "panda")[0]


def test_a_log_holds_what_the_run_was(arm, tmp_path):
    path, result, _ = recorded(tmp_path, "panda")
    with log_file.LogReader(path) as reader:
        rows = log_file.read_rows(reader)
    assert rows["tick"].tolist() == [WARM_UP, WARM_UP, *range(200)]
    ticks = rows[2:]
    assert ticks["command"]["tau_ff"].tobytes() == result.trace.kept("tau").tobytes()
    assert ticks["estimate"]["q"].tobytes() == result.trace.kept("q_est").tobytes()
    assert ticks["hands"]["p_WH_des"].tobytes() == result.trace.kept("p_WH_des").tobytes()
    stamps = ticks["stamps_ns"]
    spent_us = (stamps["write"] - stamps["start"]).max() / 1e3
    assert spent_us == pytest.approx(result.summary["latency_us"]["tick"]["max"], rel=1e-3)
    for earlier, later in (("start", "read"), ("read", "estimate"), ("solve", "guard"), ("guard", "write")):
        assert (stamps[earlier] <= stamps[later]).all()
    assert reader.summary == json.loads(json.dumps(result.summary))
    assert reader.header.config_sha256 == result.summary["provenance"]["config_sha256"]
    assert (reader.lost, reader.damage) == (0, "")


def test_the_header_is_read_as_it_was_written(arm):
    with log_file.LogReader(arm) as reader:
        header = reader.header
    assert repr(LogHeader.of_text(header.as_text())) == repr(header)
    with pytest.raises(ValueError, match="has no field 'seed'"):
        LogHeader.of_text({key: value for key, value in header.as_text().items() if key != "seed"})


@pytest.mark.parametrize("estimator", ["default", "truth"])
def test_an_arm_that_is_asked_for_much_gives_the_same_bits_again(tmp_path, estimator):
    commands = [
        {"at_s": 0, "stand": {}},
        {"at_s": 0.05, "circle": {"radius_m": 0.05, "period_s": 1.0}},
        {"at_s": 0.15, "damp": {}},
    ]
    path, _, _ = recorded(tmp_path, "panda", commands=commands, estimator=estimator)
    result = replayed(path)
    assert (result.ticks, result.differ, result.bits, result.first) == (200, 0, 0, "")


def test_a_walk_with_a_push_gives_the_same_bits_again(tmp_path):
    commands = [{"at_s": 0, "stand": {}}, {"at_s": 0.2, "walk": {"velocity_m_s": [0.3, 0.0]}}]
    events = [{"at_s": 1.0, "push": {"link": "trunk", "impulse_Ns": [0, 8, 0], "duration_s": 0.1}}]
    path, run, _ = recorded(tmp_path, "g1", duration_s=1.8, commands=commands, events=events)
    assert not run.fell
    result = replayed(path)
    assert (result.ticks, result.bits) == (1800, 0)


def test_a_robot_over_the_wire_gives_the_same_bits_again(tmp_path):
    folder = tmp_path / "log"
    arguments = ["sim", "panda", "--link", "zmq", "--duration", "0.2", "--log", folder]
    assert CliRunner().invoke(app, [*map(str, arguments)]).exit_code == 0
    (path,) = folder.iterdir()
    result = replayed(path)
    assert (result.ticks, result.bits) == (200, 0)


def test_an_arm_with_a_wrist_sensor_gives_the_same_bits_again(tmp_path):
    robot = str(arm_with_sensor(tmp_path / "robot", "panda"))
    events = [{"at_s": 0.35, "wrist_fault": {"hand": "hand"}}]
    path, result, _ = recorded(tmp_path, robot, duration_s=0.5, events=events)
    with log_file.LogReader(path) as reader:
        rows = log_file.read_rows(reader)
    assert rows["sensors"]["wrist"].shape[1] == 6
    assert np.isfinite(rows["sensors"]["wrist"][:350]).all()
    assert np.isnan(rows["sensors"]["wrist"][-100:]).all()
    told = [event["text"] for event in result.summary["events"] if "wrist sensor" in event["text"]]
    assert len(told) == 1
    again = replayed(path)
    assert (again.ticks, again.bits) == (500, 0)


@pytest.mark.long
def test_a_run_that_a_signal_ended_softly_gives_the_same_bits_again(tmp_path):
    plan = RunPlan("g1", "stand", 0.6, log=tmp_path / "log")

    def interrupt(tick):
        if tick == 200:
            os.kill(os.getpid(), signal.SIGTERM)

    with served(plan) as endpoint:
        run = Session(replace(plan, endpoint=endpoint, lockstep=True)).run(each_tick=interrupt)
    assert run.loop.stopped_softly
    with log_file.LogReader(run.log) as reader:
        asked = log_file.read_rows(reader, ["request"])["request"]
    assert sorted(set(asked.tolist())) == [0, len(reader.header.requests) - 1]
    result = replayed(run.log)
    assert (result.ticks, result.bits) == (600, 0)


@pytest.mark.long
def test_gains_that_change_on_the_way_give_the_same_bits_again(tmp_path):
    file = tmp_path / "gains.yaml"
    file.write_text("hand: {kp_per_s2: 400.0}\n")
    worse = Gains.model_validate({"hand": {"kp_per_s2": 400.0, "kd_per_s": 130.0}})

    def change(session, tick):
        if tick == 50:
            session.live.mailbox.post(1, 1.3 * live_numbers(session.gains))
        elif tick == 3500:
            session.live.mailbox.post(2, live_numbers(worse))

    path, run, session = recorded(
        tmp_path,
        "panda",
        change,
        duration_s=4.0,
        gains=file,
        watch_gains=True,
        commands=[{"at_s": 0, "circle": {"radius_m": 0.05, "period_s": 1.0}}],
    )
    with log_file.LogReader(path) as reader:
        rows = log_file.read_rows(reader, ["tick", "gains_generation", "gains_arrived", "gains"])
    generations, arrived = rows["gains_generation"], rows["gains_arrived"]
    assert sorted(set(generations.tolist())) == sorted(set(arrived.tolist())) == [0, 1, 2]
    # The first gains arrive while the hand finds its circle, and wait until its motion can be compared.
    assert np.flatnonzero(arrived)[0] < 60 < 2900 < np.flatnonzero(generations)[0]
    start, n = live_numbers(session.gains), len(live_paths())
    in_force, wanted = rows["gains"]["in_force"], rows["gains"]["arrived"]
    assert in_force.shape == wanted.shape == (len(rows), n)
    before = rows["tick"] < 2900
    np.testing.assert_array_equal(in_force[before], np.broadcast_to(start, (before.sum(), n)))
    between = (generations == 1) & (in_force[:, 0] < wanted[:, 0])
    assert 150 < between.sum() < 250
    assert (np.diff(in_force[between, 0]) >= 0.0).all()
    assert run.summary["gains"]["generation"] == 2
    result = replayed(path)
    assert (result.ticks, result.bits) == (4000, 0)


def test_the_first_number_that_differs_is_named(arm, tmp_path):
    def change(rows):
        rows["command"]["tau_ff"][7 + 2, 3] = np.nextafter(rows["command"]["tau_ff"][7 + 2, 3], np.inf)
        rows["command"]["kd"][100 + 2, 1] += 1.0
        return rows

    result = replayed(rewritten(arm, tmp_path / "other.mcap", change))
    assert (result.ticks, result.differ) == (200, 2)
    assert result.bits > 1
    assert result.first.startswith("tick 7 (0.007 s): tau_ff of panda_joint4 was ")


def test_a_sensor_that_says_something_else_gives_other_bits(arm, tmp_path):
    def change(rows):
        rows["sensors"]["v"][20 + 2, 0] += 1e-3
        return rows

    result = replayed(rewritten(arm, tmp_path / "other.mcap", change))
    assert result.first.startswith("tick 20 ")
    assert result.differ > 100


def test_a_log_that_lacks_rows_is_refused(arm, tmp_path):
    to = tmp_path / "other.mcap"
    with log_file.LogReader(arm) as reader:
        rows = log_file.read_rows(reader)
        writer = log_writer.LogWriter(to, reader.header, schema_text(reader.row))
    cells = rows.view(np.int64).reshape(len(rows), -1)
    kept = np.delete(np.arange(len(rows)), [30, 31])
    writer.add(kept, cells[kept, 0], cells[kept])
    writer.close(None)
    with pytest.raises(ConfigError, match="2 of its rows were lost"):
        replayed(to)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"version": "0.0.9"}, "made with kilohertz 0.0.9"),
        ({"libraries": {"osqp": "0.6"}}, "made with osqp 0.6"),
        ({"model_sha256": "0"}, "another model of"),
        ({"config_sha256": "0"}, "another robot.yaml than"),
        ({"robot": "/nowhere/arm"}, "there is no robot"),
        ({"live": True}, "not those of this version"),
        ({"first_tick": 5}, "the log begins at tick 5 of its run"),
    ],
)
def test_another_brain_is_refused_with_a_sentence(arm, tmp_path, changes, told):
    path = rewritten(arm, tmp_path / "other.mcap", **changes)
    result = CliRunner().invoke(app, ["log", "replay", str(path)])
    assert result.exit_code == REFUSED
    assert told in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_a_robot_that_has_moved_can_be_named(arm, tmp_path):
    path = rewritten(arm, tmp_path / "other.mcap", robot="/nowhere/arm")
    assert replayed(path, robot="panda").bits == 0


def test_the_command_tells_what_came_of_it(arm, tmp_path):
    same = CliRunner().invoke(app, ["log", "replay", str(arm)])
    assert same.exit_code == 0
    assert same.stdout == "200 ticks replayed: 0 bits of the commands differ\n"

    def change(rows):
        rows["command"]["tau_ff"][9, 0] *= -1.0
        return rows

    path = rewritten(arm, tmp_path / "other.mcap", change, machine={"processor": "abacus", "kernel": ""})
    other = CliRunner().invoke(app, ["log", "replay", str(path)])
    assert other.exit_code == 1
    assert "1 of 200 ticks differ, by 1 bits; the first is tick 7" in other.stdout
    assert "abacus" in other.stdout
