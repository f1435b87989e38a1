"""Where the log of a run goes, and that a run goes on where it cannot leave one."""

from __future__ import annotations

import json
import sys

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.log import folder as logs
from kilohertz.rt.log.file import LogReader, read_rows
from kilohertz.rt.log.folder import logs_in
from kilohertz.rt.log.schema import WARM_UP
from kilohertz.rt.run.log_place import LogPlace, log_place
from kilohertz.rt.run.plan import Keep, RunPlan
from kilohertz.rt.run.replay import replay
from kilohertz.rt.run.session import Session


@pytest.fixture
def place(tmp_path, monkeypatch):
    where = tmp_path / "logs"
    monkeypatch.setenv(logs.FOLDER, str(where))
    monkeypatch.setenv(logs.RUNS, "2")
    return where


@pytest.fixture
def scenario(tmp_path):
    path = tmp_path / "short.yaml"
    path.write_text(json.dumps({"name": "short", "duration_s": 0.1, "commands": [{"at_s": 0, "stand": {}}]}))
    return str(path)


def test_only_runs_that_are_told_to_leave_a_log(place, tmp_path):
    assert log_place(RunPlan("g1")) == LogPlace()
    assert log_place(RunPlan("g1", log=tmp_path / "x", keep=Keep.EVERY_RUN)) == LogPlace(tmp_path / "x")
    every = log_place(RunPlan("g1", keep=Keep.EVERY_RUN))
    assert every.folder == place
    assert every.storage is not None
    assert not every.storage.only_trouble
    # A run in lockstep can be repeated.
    assert log_place(RunPlan("g1", keep=Keep.TROUBLE)) == LogPlace()
    trouble = log_place(RunPlan("g1", realtime=True, keep=Keep.TROUBLE))
    assert trouble.storage is not None
    assert trouble.storage.only_trouble


@pytest.mark.parametrize("variable", [logs.RUNS, logs.MEGABYTES])
def test_a_limit_of_zero_leaves_no_log(place, monkeypatch, variable):
    monkeypatch.setenv(variable, "0")
    assert log_place(RunPlan("g1", keep=Keep.EVERY_RUN)) == LogPlace()
    assert not place.exists()


def test_without_a_folder_or_library_there_is_a_sentence(place, monkeypatch):
    place.write_text("")
    assert "this run leaves no log: " in log_place(RunPlan("g1", keep=Keep.EVERY_RUN)).problem
    monkeypatch.setitem(sys.modules, "mcap", None)
    assert "pip install" in log_place(RunPlan("g1", keep=Keep.EVERY_RUN)).problem
    with pytest.raises(ConfigError, match="pip install"):
        log_place(RunPlan("g1", log=place))


@pytest.mark.long
@pytest.mark.host
def test_a_run_leaves_a_log_that_replays_and_the_oldest_goes(place, scenario):
    names = []
    for seed in range(3):
        result = Session(RunPlan("g1", scenario, seed=seed, keep=Keep.EVERY_RUN)).run()
        assert result.log is not None
        names.append(result.log.name)
    found = [path for path, _ in logs_in(place)]
    assert sorted(path.name for path in found) == sorted(names[1:])
    with LogReader(found[0]) as reader:
        assert replay(reader).identical


@pytest.mark.host
def test_a_run_goes_on_when_its_log_cannot_be_written(place, scenario, monkeypatch):
    session = Session(RunPlan("g1", scenario, keep=Keep.EVERY_RUN))
    place.rmdir()
    place.write_text("")
    result = session.run()
    assert result.exit_code == 0
    assert result.log is None
    assert session.log_problem.startswith("this run leaves no log: ")


@pytest.mark.long
@pytest.mark.host
def test_the_flight_recorder_leaves_a_log_of_a_crash_only(place, scenario):
    def fail(tick):
        if tick == 60:
            raise ArithmeticError("as the test wants")

    plan = RunPlan("g1", scenario, realtime=True, keep=Keep.TROUBLE)
    good = Session(plan).run()
    assert good.exit_code == 0
    assert good.log is None
    assert logs_in(place) == []
    bad = Session(plan).run(each_tick=fail)
    assert bad.exit_code == 5
    assert bad.log is not None
    with LogReader(bad.log) as reader:
        ticks = read_rows(reader)["tick"]
        assert ticks[0] == WARM_UP
        assert ticks[-1] == 60
        assert reader.header.first_tick == 0
        assert reader.summary["exit_state"] == "fault"
    with LogReader(bad.log) as reader:
        assert replay(reader).identical
