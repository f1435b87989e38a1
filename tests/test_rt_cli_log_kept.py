"""`khz log list`, and the newest log as the one that a command takes if none is named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import typer
from toy_log import toy_rows, write_toy_log
from typer.testing import CliRunner

from kilohertz.rt.cli import options
from kilohertz.rt.cli.log_why import _beside, _file_and_number
from kilohertz.rt.cli.main import app
from kilohertz.rt.log import folder as logs
from kilohertz.rt.run.plan import Keep

SUMMARY = {"events": [], "exit_state": "active", "duration_s": 0.3, "fell": False, "fell_at_s": None}


def run(*arguments):
    ran = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert "Traceback" not in ran.output
    return ran


@pytest.fixture
def place(tmp_path, monkeypatch):
    where = tmp_path / "logs"
    where.mkdir(mode=0o700)
    monkeypatch.setenv(logs.FOLDER, str(where))
    monkeypatch.delenv(logs.RUNS)
    for age, name in ((50, "old"), (10, "new")):
        write_toy_log(where / f"{name}.mcap", toy_rows(300), SUMMARY)
        at_s = (where / f"{name}.mcap").stat().st_mtime - age
        os.utime(where / f"{name}.mcap", (at_s, at_s))
    return where


def test_logs_are_listed_with_the_limits_of_the_folder(place):
    ran = run("log", "list")
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.index("new.mcap") < ran.stdout.index("old.mcap")
    assert f"of 2000 MB, in {place}" in ran.stdout
    figures = json.loads(run("log", "list", "--json", "-").stdout)
    assert [entry["ended"] for entry in figures["logs"]] == ["active", "active"]
    assert (figures["most_bytes"], figures["most_runs"]) == (2_000_000_000, 200)
    assert "old.mcap" not in run("log", "list", "-n", 1).stdout


def test_an_empty_folder_is_a_sentence(place, monkeypatch):
    monkeypatch.setenv(logs.FOLDER, str(place / "none"))
    assert run("log", "list").stdout.startswith("0 logs, 0 of 2000 MB, in ")
    ran = run("log", "info")
    assert ran.exit_code == 3
    assert "there is no log in" in ran.stderr


@pytest.mark.parametrize("named", [(), ("last",)])
def test_without_a_name_the_newest_log_is_taken(place, named):
    ran = run("log", "info", *named, "--json", "-")
    assert ran.exit_code == 0, ran.output
    assert json.loads(ran.stdout)["file"] == str(place / "new.mcap")
    assert f"log: {place / 'new.mcap'}" in ran.stderr


def test_a_number_alone_is_a_tick_of_the_newest_log(place):
    assert _file_and_number(Path("3200"), None) == (place / "new.mcap", 3200)
    assert _file_and_number(Path("last"), 7) == (place / "new.mcap", 7)
    with pytest.raises(typer.BadParameter, match="name the tick"):
        _file_and_number(None, None)


def test_a_report_is_not_written_into_the_folder_of_logs(place, tmp_path):
    assert str(_beside(place / "new.mcap")) == "new.html"
    assert _beside(tmp_path / "x" / "a.mcap") == tmp_path / "x" / "a.html"


def test_log_and_no_log_contradict_each_other(tmp_path):
    assert options.keep_of(None, no_log=False) is Keep.EVERY_RUN
    assert options.keep_of(None, no_log=True) is Keep.TROUBLE
    ran = run("sim", "g1", "--log", tmp_path, "--no-log")
    assert ran.exit_code == 2
    assert "--log and --no-log contradict each other" in ran.stderr


@pytest.mark.long
@pytest.mark.host
def test_a_simulation_leaves_a_log_and_says_where(place):
    ran = run("sim", "g1", "--scenario", "stand", "--duration", 0.1)
    assert ran.exit_code == 0, ran.output
    assert f"log written to {place}" in ran.stdout.replace("\n", "")
    before = len(list(place.iterdir()))
    assert before == 3
    assert run("sim", "g1", "--scenario", "stand", "--duration", 0.1, "--no-log").exit_code == 0
    assert len(list(place.iterdir())) == before
