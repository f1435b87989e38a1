from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from kilohertz.rt.cli.main import app
from kilohertz.rt.doctor import report
from kilohertz.rt.doctor.check import Check, Status
from kilohertz.rt.doctor.fix import Fix
from kilohertz.rt.run import session

REFUSED, USAGE, FELL = 3, 2, 1


def khz(*arguments):
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert "Traceback" not in result.output
    return result


def in_a_process(code, **environment):
    variables = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    variables |= {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path), **environment}
    return subprocess.run(
        [sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=False, timeout=300
    )


def call(*arguments):
    argv = ["khz", *(str(argument) for argument in arguments)]
    return f"import sys; sys.argv = {argv!r}; from kilohertz.rt.cli.main import main; main()"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sim"], "ROBOT"),
        (["sim", "g1", "--duration", "soon"], "--duration"),
        (["sim", "g1", "--duration", "-1"], "--duration"),
        (["sim", "g1", "--duration", "nan"], "--duration"),
        (["sim", "g1", "--duration", "inf"], "--duration"),
        (["sim", "g1", "--seed", "1.5"], "--seed"),
        (["sim", "g1", "--seed", "-1"], "--seed"),
        (["sim", "g1", "--fast"], "--fast"),
        (["sim", "g1", "g1"], "g1"),
        (["simulate", "g1"], "simulate"),
        (["bench", "--ticks", "10"], "--ticks"),
        (["gains", "tune", "g1"], "tune"),
    ],
)
def test_wrong_usage_is_one_sentence_and_status_2(arguments, told):
    result = khz(*arguments)
    assert result.exit_code == USAGE
    assert told in result.stderr
    assert "--help" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
    assert result.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["sim", "g2"], "did you mean 'g1'"),
        (["sim", "/nowhere/robot"], "there is no robot"),
        (["sim", "g1", "--scenario", "stnd"], "did you mean 'stand'"),
        (["sim", "g1", "--scenario", "/nowhere/x.yaml"], "/nowhere/x.yaml"),
        (["sim", "g1", "--gains", "/nowhere/gains.yaml"], "/nowhere/gains.yaml"),
        (["sim", "panda", "--scenario", "sway"], "cannot sway"),
        (["sim", "g1", "--json", "/nowhere/x.json"], "no folder /nowhere"),
        (["bench", "--json", "/nowhere/x.json"], "no folder /nowhere"),
        (["doctor", "--json", "/nowhere/x.json"], "no folder /nowhere"),
        (["bench", "--robot", "g2"], "did you mean 'g1'"),
        (["gains", "check", "g2"], "did you mean 'g1'"),
        (["gains", "show", "g1", "--gains", "/nowhere/gains.yaml"], "/nowhere/gains.yaml"),
        (["gains", "schema", "g2"], "did you mean 'g1'"),
    ],
)
def test_what_cannot_be_done_is_refused_with_status_3(arguments, told):
    result = khz(*arguments)
    assert result.exit_code == REFUSED
    assert told in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("option", ["--json", "--log", "--plot"])
def test_output_that_cannot_be_written_is_refused_before_the_run(option, tmp_path, monkeypatch):
    monkeypatch.setattr(session, "Session", lambda plan: pytest.fail("the run was built"))
    file = tmp_path / "file"
    file.write_text("")
    place = tmp_path if option == "--json" else file / "plots"
    result = khz("sim", "g1", option, place)
    assert result.exit_code == REFUSED
    assert str(place) in result.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("option", ["--json", "--log", "--plot"])
def test_output_into_a_folder_of_others_is_refused(option, tmp_path):
    tmp_path.chmod(0o500)
    result = khz("sim", "g1", option, tmp_path / "out")
    assert result.exit_code == REFUSED
    assert "permission denied" in result.stderr


@given(st.text(max_size=40).filter(lambda text: not text.startswith("-")))
@settings(max_examples=50, deadline=None)
def test_no_robot_name_can_crash_it(name):
    result = khz("sim", name, "--json", "/nowhere/x.json")
    assert result.exit_code == REFUSED


@given(st.text(max_size=20))
@settings(max_examples=100, deadline=None)
def test_no_duration_can_crash_it(text):
    # The robot is refused where the duration is not.
    result = khz("sim", "nobody", f"--duration={text}")
    assert result.exit_code in (USAGE, REFUSED)


def test_without_a_command_it_tells_what_there_is():
    result = khz()
    assert result.exit_code == USAGE
    for command in ("sim", "bench", "doctor", "robots", "gains", "log"):
        assert command in result.output


@pytest.mark.parametrize(
    "arguments", [[], ["sim"], ["bench"], ["doctor"], ["robots"], ["gains"], ["gains", "show"], ["log"]]
)
def test_every_command_has_help(arguments):
    result = khz(*arguments, "--help")
    assert result.exit_code == 0
    assert "Usage" in result.stdout


def test_the_robots_that_ship_are_listed_with_joints_and_licence():
    result = khz("robots")
    assert result.exit_code == 0
    line = next(line for line in result.stdout.splitlines() if line.startswith("g1"))
    assert line.split()[1:3] == ["29", "floating"]
    assert "BSD-3-Clause" in line


def test_good_gains_are_called_good(tmp_path):
    path = tmp_path / "gains.yaml"
    path.write_text("com: {weight: 40.0}\n")
    result = khz("gains", "check", "g1", "--gains", path)
    assert result.exit_code == 0
    assert f"{path}: good" in result.stdout


def test_a_misspelt_gain_is_refused_with_file_line_and_the_right_word(tmp_path):
    path = tmp_path / "gains.yaml"
    path.write_text("com:\n  wieght: 40.0\n")
    result = khz("gains", "check", "g1", "--gains", path)
    assert result.exit_code == REFUSED
    assert f"{path}:2:" in result.stderr
    assert "did you mean 'weight'" in result.stderr


def test_gains_that_are_shown_are_a_gains_file(tmp_path):
    path = tmp_path / "gains.yaml"
    path.write_text(khz("gains", "show", "panda").stdout)
    assert khz("gains", "check", "panda", "--gains", path).exit_code == 0


def test_the_schema_of_gains_is_json():
    schema = json.loads(khz("gains", "schema", "g1").stdout)
    assert "com" in schema["properties"]


@pytest.mark.closed_loop
def test_a_run_ends_with_its_figures_on_the_screen_and_in_the_file(tmp_path):
    path = tmp_path / "run.json"
    result = khz("sim", "panda", "--duration", "0.3", "--json", path)
    assert result.exit_code == 0
    summary = json.loads(path.read_text())
    assert summary["robot"] == "panda"
    assert summary["ticks"] == 300
    assert "panda · default-arm" in result.stdout
    assert "p99.9" in result.stdout


@pytest.mark.closed_loop
def test_a_run_is_drawn_into_a_folder_that_is_made_for_it(tmp_path):
    folder = tmp_path / "new" / "plots"
    result = khz("sim", "panda", "--duration", "0.3", "--plot", folder)
    assert result.exit_code == 0
    assert {"latency.png", "torques.png"} <= {path.name for path in folder.iterdir()}
    assert "latency.png" in result.stdout


@pytest.mark.closed_loop
def test_a_fall_is_status_1(tmp_path):
    scenario = tmp_path / "thrown.yaml"
    scenario.write_text(
        "name: thrown\nduration_s: 5\nevents:\n"
        "  - {at_s: 0.05, push: {link: trunk, impulse_Ns: [0, 200, 0], duration_s: 0.1}}\n"
    )
    result = khz("sim", "g1", "--scenario", scenario, "--json", tmp_path / "run.json")
    assert result.exit_code == FELL
    assert "FELL" in result.stdout
    assert json.loads((tmp_path / "run.json").read_text())["fell"] is True


def test_a_fault_of_ours_is_a_sentence_too(monkeypatch):
    monkeypatch.delenv("KILOHERTZ_TRACEBACK", raising=False)

    def broken(plan):
        raise ZeroDivisionError("one\ntwo")

    monkeypatch.setattr(session, "Session", broken)
    result = khz("sim", "g1")
    assert result.exit_code == 1
    assert "ZeroDivisionError: one two" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.host
def test_help_loads_no_numerics():
    heavy = {"numpy", "pinocchio", "mujoco", "rich.console"}
    code = f"import sys, kilohertz.rt.cli.main; print(sorted({heavy} & set(sys.modules)))"
    assert in_a_process(code).stdout.strip() == "[]"


@pytest.mark.host
def test_blas_is_told_to_use_one_thread_before_numpy_is_there():
    code = (
        "import sys, os, kilohertz.rt.cli.main; assert 'numpy' not in sys.modules; "
        "print(os.environ['OPENBLAS_NUM_THREADS'], os.environ['OMP_NUM_THREADS'])"
    )
    assert in_a_process(code).stdout.split() == ["1", "1"]


@pytest.mark.host
def test_the_command_line_ends_with_the_status_of_the_contract():
    done = in_a_process(call("sim", "g2"))
    assert done.returncode == REFUSED
    assert done.stdout == ""
    assert len(done.stderr.strip().splitlines()) == 1
    assert in_a_process(call("sim", "g1", "--wrong")).returncode == USAGE


@pytest.mark.host
def test_no_colour_where_it_is_not_wanted_or_not_seen():
    for environment in ({"NO_COLOR": "1", "FORCE_COLOR": ""}, {}):
        done = in_a_process(call("robots"), **environment)
        assert done.returncode == 0
        assert "\x1b" not in done.stdout


@pytest.mark.host
def test_a_terminal_without_the_signs_gets_the_figures_all_the_same():
    done = in_a_process(call("gains", "show", "g1"), PYTHONIOENCODING="ascii")
    wide = in_a_process(call("sim", "panda", "--duration", "0.01"), PYTHONIOENCODING="ascii")
    assert (done.returncode, wide.returncode) == (0, 0)
    assert "qp.solved" in wide.stdout


@pytest.mark.host
def test_a_reader_that_goes_away_is_no_error():
    code = "import os; r, w = os.pipe(); os.close(r); os.dup2(w, 1); " + call("robots")
    done = in_a_process(code)
    assert "Traceback" not in done.stderr


@pytest.mark.host
@pytest.mark.parametrize(("status", "exit_code"), [(Status.OK, 0), (Status.WARN, 0), (Status.FAIL, REFUSED)])
def test_the_doctor_prints_its_remedies_as_a_script_without_measuring(monkeypatch, status, exit_code):
    measured_s = []

    def examine(measure_s):
        measured_s.append(measure_s)
        swaps = Check(9, "swapping", status, "60", "vm.swappiness=10", Fix(sysctl={"vm.swappiness": "10"}))
        return report.Report(0, 80, (swaps,))

    monkeypatch.setattr(report, "examine", examine)
    result = khz("doctor", "--fix-hints")
    assert result.exit_code == exit_code
    assert result.stdout.startswith("#!/bin/sh\n")
    assert ("\nvm.swappiness = 10\n" in result.stdout) == (status != Status.OK)
    assert measured_s == [0.0]
    assert subprocess.run(["sh", "-n"], input=result.stdout, text=True, check=False).returncode == 0


def test_a_fit_host_without_measuring_is_not_reported_as_measured(monkeypatch, tmp_path):
    monkeypatch.setattr(report, "examine", lambda measure_s: report.Report(3, 80, ()))
    result = khz("doctor", "--json", tmp_path / "doctor.json", "--seconds", "0")
    assert result.exit_code == 0
    assert "measuring" not in result.output
    told = json.loads((tmp_path / "doctor.json").read_text())
    assert (told["verdict"], told["core"], told["wakes"]) == ("fit", 3, 0)
