"""A simulated robot in a separate server process, for the duration of a run."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.run.plan import RunPlan

READY = "serving"
START_S = 120.0
END_S = 5.0
REFUSED = 3
"""Exit status of `khz serve` if robot, scenario or endpoint cannot be used."""


def serve_command(plan: RunPlan, endpoint: str) -> list[str]:
    """Builds the command line of the process that serves the robot of a plan.

    Args:
        plan: the plan of the run.
        endpoint: endpoint that the server opens.

    Raises:
        ConfigError: the scenario is given as content and not as a name or file.
    """
    arguments = ["serve", plan.robot, "--bind", endpoint, "--seed", str(plan.seed)]
    if isinstance(plan.scenario, Mapping):
        raise ConfigError("a scenario for a robot in another process must be a name or a file")
    if plan.scenario is not None:
        arguments += ["--scenario", str(plan.scenario)]
    if not plan.realtime:
        arguments.append("--lockstep")
    return [sys.executable, "-c", "from kilohertz.rt.cli.main import main; main()", *arguments]


@contextmanager
def served(plan: RunPlan) -> Iterator[str]:
    """Starts a process that serves the robot of a plan, in real time or in lockstep according to the plan.

    Yields:
        The endpoint, an ipc file in its own temporary folder.

    Raises:
        ConfigError: the server refused robot or scenario; the reason is on its standard error.
        RuntimeError: the process of the server ended by itself, before or during the run.
    """
    with tempfile.TemporaryDirectory(prefix="kilohertz-") as folder:
        endpoint = f"ipc://{Path(folder) / 'robot'}"
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        process = subprocess.Popen(
            serve_command(plan, endpoint),
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env=environment,
            text=True,
            # Only the controller receives Ctrl-C and stops the robot softly; the server is ended afterwards.
            start_new_session=True,
        )
        try:
            assert process.stdout is not None
            if not _ready(process.stdout):
                raise _not_started(process)
            try:
                yield endpoint
            finally:
                if process.poll() is not None:
                    # The cause of whatever else went wrong in the run.
                    raise RuntimeError(f"the process of the simulated robot {_ended(process)}")
        finally:
            process.terminate()
            try:
                process.communicate(timeout=END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def _not_started(process: subprocess.Popen[str]) -> Exception:
    """Returns the error for a server that is not ready in time, or has ended before it was."""
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        return RuntimeError(f"the simulated robot did not start within {START_S:g} s")
    if process.returncode == REFUSED:
        return ConfigError("the simulated robot did not start, for the reason above")
    return RuntimeError(f"the simulated robot did not start: its process {_ended(process)}")


def _ended(process: subprocess.Popen[str]) -> str:
    status = process.returncode
    return f"was ended by {signal.Signals(-status).name}" if status < 0 else f"ended with status {status}"


def _ready(output: IO[str]) -> bool:
    """Waits for the line that reports the open endpoint; returns False if it does not come in START_S."""
    until_s = time.monotonic() + START_S
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        while time.monotonic() < until_s:
            if selector.select(timeout=1.0):
                line = output.readline()
                if not line or line.startswith(READY):
                    return bool(line)
    return False
