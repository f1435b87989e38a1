from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import zmq
from typer.testing import CliRunner

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.cli.main import app
from kilohertz.rt.telemetry.publisher import telemetry_endpoint
from kilohertz.rt.view import process
from kilohertz.rt.view.process import only_endpoint, shown

HAS_VISER = importlib.util.find_spec("viser") is not None


@pytest.fixture(autouse=True)
def own_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="khz-") as folder:
        monkeypatch.setenv("XDG_RUNTIME_DIR", folder)
        yield Path(folder)


def khz(*arguments):
    result = CliRunner().invoke(app, [*arguments])
    assert "Traceback" not in result.output
    return result


def test_the_only_telemetry_is_found_by_itself():
    with pytest.raises(ConfigError, match="no run publishes telemetry: name the robot"):
        only_endpoint()
    sockets = [zmq.Context.instance().socket(zmq.PUB) for _ in range(2)]
    sockets[0].bind(telemetry_endpoint("g1"))
    # Left behind by a run that was killed.
    Path(telemetry_endpoint("ur5").removeprefix("ipc://")).touch()
    assert only_endpoint() == telemetry_endpoint("g1")
    sockets[1].bind(telemetry_endpoint("panda"))
    with pytest.raises(ConfigError, match=r"several robots publish telemetry \(g1, panda\)"):
        only_endpoint()
    for socket in sockets:
        socket.close(0)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "no run publishes telemetry"),
        (("--telemetry", "g1", "--bind", "0.0.0.0"), "set a token with --token"),
        (("--telemetry", "g1", "--bind", "here"), "not an IP address"),
        (("--telemetry", "g1", "--token", "short"), "a token has at least"),
        (("--telemetry", "tcp://1.2.3.4:5"), "not an endpoint of telemetry"),
    ],
)
@pytest.mark.skipif(not HAS_VISER, reason="viser is not installed")
def test_what_cannot_be_shown_is_refused_with_one_sentence(arguments, told):
    result = khz("view", *arguments)
    assert result.exit_code == 3
    assert told in result.output
    assert result.output.count("\n") == 1


def test_without_its_library_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(process.importlib.util, "find_spec", lambda name: None)
    for arguments in (("view", "--telemetry", "g1"), ("sim", "panda", "--realtime", "--view", "cockpit")):
        result = khz(*arguments)
        assert result.exit_code == 3
        assert "pip install 'kilohertz[view]'" in result.output


@pytest.mark.parametrize("options", [(), ("--realtime", "--telemetry", "0")])
def test_a_run_that_cannot_be_shown_is_wrong_usage(options):
    result = khz("sim", "panda", *options, "--view", "cockpit")
    assert result.exit_code == 2
    assert "real time" in result.output


@pytest.mark.long
@pytest.mark.host
@pytest.mark.skipif(not HAS_VISER, reason="viser is not installed")
def test_beside_a_run_it_prints_its_address_and_ends_with_the_run(capfd):
    with shown("cockpit", "g1") as child:
        while "token=" not in (printed := capfd.readouterr().err):
            assert child.poll() is None
    assert child.returncode == 0
    assert printed.startswith("the run is shown at http://127.0.0.1:")
