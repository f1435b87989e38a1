from __future__ import annotations

import csv
import json
import sys
from dataclasses import replace

import numpy as np
import pytest
from toy_log import ROW, SCHEMA, toy_header, toy_rows, write_toy_log
from typer.testing import CliRunner

from kilohertz.rt.cli.main import app
from kilohertz.rt.run.session import RunPlan, Session

pytestmark = pytest.mark.closed_loop

log_file = pytest.importorskip("kilohertz.rt.log.file")
log_writer = pytest.importorskip("kilohertz.rt.log.writer")

USAGE, REFUSED = 2, 3
SUMMARY = {
    "exit_state": "active",
    "events": [{"t_s": 0.1, "kind": "push", "text": "by 5 Ns"}],
}


def khz(*arguments):
    return CliRunner().invoke(app, ["log", *map(str, arguments)])


@pytest.fixture
def toy(tmp_path):
    rows = toy_rows(300)
    path = tmp_path / "toy.mcap"
    write_toy_log(path, rows, SUMMARY)
    return path, rows.view(ROW)[:, 0]


@pytest.fixture(scope="module")
def biped(tmp_path_factory):
    folder = tmp_path_factory.mktemp("biped")
    result = Session(RunPlan("g1", "stand", 0.3, log=folder)).run()
    return result.log, result


def test_info_tells_what_when_how_long_and_what_is_missing(toy, tmp_path):
    path, _ = toy
    result = khz("info", path, "--json", tmp_path / "info.json")
    assert result.exit_code == 0
    told = json.loads((tmp_path / "info.json").read_text())
    assert (told["robot"], told["scenario"], told["seed"]) == ("toy", "hop", 3)
    assert (told["ticks"], told["rows_lost"], told["overruns"], told["duration_s"]) == (300, 0, 0, 0.3)
    assert told["ended"] == "active"
    assert told["latency_us"]["tick"]["p50"] == pytest.approx(100.0, rel=1e-3)
    assert told["latency_us"]["wake"]["max"] == pytest.approx(5.0, rel=1e-3)
    assert told["events"] == SUMMARY["events"]
    for words in ("toy · hop", "300 ticks recorded, 0 rows lost", "push: by 5 Ns", "kilohertz 1.2.3"):
        assert words in result.stdout


def test_the_latency_of_a_log_is_that_of_its_run(biped, tmp_path):
    path, run = biped
    assert khz("info", path, "--json", tmp_path / "info.json").exit_code == 0
    told = json.loads((tmp_path / "info.json").read_text())
    assert told["latency_us"] == run.summary["latency_us"]
    assert told["provenance"]["model_sha256"] == run.summary["provenance"]["model_sha256"]


def test_a_log_that_was_cut_off_is_told_of_as_far_as_it_goes(toy):
    path, _ = toy
    content = path.read_bytes()
    writer_end = content.rindex(b"exit_state") - 200
    path.write_bytes(content[:writer_end])
    result = khz("info", path)
    assert result.exit_code == 0
    assert "the log is cut off" in result.stdout


@pytest.mark.parametrize("pace", ["timer", "robot"])
def test_periods_that_were_missed_are_told_apart_from_rows_that_were_lost(tmp_path, pace):
    rows = toy_rows(100)
    named = rows.view(ROW)[:, 0]
    if pace == "timer":
        named["stamps_ns"]["due"][60:] += 5_000_000
    else:
        rows[60:, 0] += 5
    kept = np.delete(np.arange(100), [20, 21])
    path = tmp_path / "toy.mcap"
    writer = log_writer.LogWriter(path, toy_header(pace=pace), SCHEMA)
    writer.add(kept, rows[kept, 0], rows[kept])
    writer.close(None)
    result = khz("info", path)
    assert "98 ticks recorded, 2 rows lost, 5 deadline misses" in result.stdout
    assert "the controller ended without a summary" in result.stdout


def test_every_digit_is_in_the_table(toy, tmp_path):
    path, rows = toy
    out = tmp_path / "out.csv"
    assert khz("export", path, "--csv", out, "--only", "sensors", "--only", "tick").exit_code == 0
    with out.open() as file:
        lines = list(csv.DictReader(file))
    assert list(lines[0]) == [
        "tick",
        "sensors.seq",
        "sensors.q.hip",
        "sensors.q.knee",
        "sensors.contact_force_N.foot",
    ]
    found = np.array([float(line["sensors.q.knee"]) for line in lines])
    np.testing.assert_array_equal(found, rows["sensors"]["q"][:, 1])
    assert [int(line["tick"]) for line in lines] == rows["tick"].tolist()


def test_every_field_is_an_array(toy, tmp_path):
    path, rows = toy
    out = tmp_path / "out.npz"
    assert khz("export", path, "--npz", out).exit_code == 0
    with np.load(out) as arrays:
        assert arrays["command.tau_ff"].tobytes() == np.ascontiguousarray(rows["command"]["tau_ff"]).tobytes()
        assert arrays["stamps_ns.write"].shape == (300,)
        assert json.loads(str(arrays["header"]))["robot_name"] == "toy"


def test_columns_have_the_names_of_joints_contacts_and_hands(biped, tmp_path):
    path, _ = biped
    out = tmp_path / "out.csv"
    assert khz("export", path, "--csv", out).exit_code == 0
    names = out.read_text().partition("\n")[0].split(",")
    assert len(set(names)) == len(names)
    assert len(out.read_text().splitlines()) == 1 + 300
    for name in (
        "estimate.q.base6",
        "estimate.q.left_knee_joint",
        "estimate.v.base5",
        "command.tau_ff.left_knee_joint",
        "sensors.gyro.z",
        "balance.w_F.right_foot.fz",
        "hands.p_WH_des.left_hand.x",
        "stamps_ns.solve",
    ):
        assert name in names


def test_a_replay_is_reported_as_json(biped):
    path, _ = biped
    result = khz("replay", path, "--json", "-")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "ticks": 300,
        "ticks_that_differ": 0,
        "bits_that_differ": 0,
        "first": None,
        "other_machine": None,
    }


@pytest.mark.long
def test_a_log_is_drawn(biped, tmp_path):
    path, _ = biped
    folder = tmp_path / "new" / "plots"
    result = khz("plot", path, "--plot", folder)
    assert result.exit_code == 0
    assert {file.name for file in folder.iterdir()} == {
        "latency.png",
        "ticks.png",
        "torques.png",
        "balance.png",
    }
    assert "balance.png" in result.stdout


@pytest.mark.parametrize("command", ["info", "replay", "export", "plot"])
def test_what_is_no_log_is_refused(command, tmp_path):
    path = tmp_path / "none.mcap"
    path.write_text("none")
    more = {"export": ["--csv", tmp_path / "x.csv"], "plot": ["--plot", tmp_path / "x"]}.get(command, [])
    result = khz(command, path, *more)
    assert result.exit_code == REFUSED
    assert len(result.stderr.strip().splitlines()) == 1
    assert "is not a Kilohertz log" in result.stderr


def test_what_cannot_be_exported_is_refused(toy, tmp_path):
    path, _ = toy
    assert khz("export", path).exit_code == USAGE
    result = khz("export", path, "--csv", tmp_path / "x.csv", "--only", "sensor")
    assert result.exit_code == REFUSED
    assert "did you mean 'sensors'" in result.stderr
    assert khz("export", path, "--npz", "/nowhere/x.npz").exit_code == REFUSED


def test_without_the_library_a_log_is_neither_written_nor_read(toy, tmp_path, monkeypatch):
    path, _ = toy
    monkeypatch.setitem(sys.modules, "mcap", None)
    for arguments in (["log", "info", path], ["sim", "panda", "--log", tmp_path / "logs"]):
        result = CliRunner().invoke(app, [*map(str, arguments)])
        assert result.exit_code == REFUSED
        assert "pip install 'kilohertz[log]'" in result.stderr
    assert not (tmp_path / "logs").exists()


def test_every_verb_writes_nothing_but_json_to_standard_output_when_asked(toy, tmp_path):
    path, _ = toy
    exported = json.loads(khz("export", path, "--csv", tmp_path / "t.csv", "--json", "-").stdout)
    assert exported == {"file": str(path), "ticks_written": {str(tmp_path / "t.csv"): 300}}
    assert json.loads(khz("info", path, "--json", "-").stdout)["robot"] == "toy"


@pytest.mark.long
def test_logs_are_compared(tmp_path):
    plan = RunPlan("panda", "stand", 5.0)
    a, b = (Session(replace(plan, seed=seed, log=tmp_path)).run().log for seed in (1, 2))
    result = khz("compare", a, b)
    assert result.exit_code == 0
    assert "worst hand tracking error, RMS" in result.stdout
    assert "the random seeds differ (1, 2)" in result.stdout
    told = json.loads(khz("compare", a, b, "--json", "-").stdout)
    assert told["a"] == str(a)
    assert set(told["better"] + told["worse"]) <= set(told["figures"])
