"""Sorts every test into one of three classes, so that `pytest -m unit` is fast.

`host` tests start processes, measure, or depend on this computer: its clock, cores, graphics, privileges.
In `closed_loop` tests a robot moves in simulation, mostly under its controller. A file says so with
`pytestmark`, or a test with a marker of its own; a test without either is a `unit` test, and fails where it
starts a process.

Two processes share the tests. The tests of a file stay together, because they share what the file prepares.
Files with `quiet` tests, which measure time or need a robot in real time, run in one process when the other
one has ended, because they disturb each other.

A test that is marked `long` is left out, unless it is asked for by `-m` or by its name.

Other programs of the computer disturb them as well, so a `host` test that fails is repeated once. What it
failed with is written when it happens, and again at the end: a test that often needs its repetition is wrong.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

CLASSES = ("unit", "closed_loop", "host")
# Audit events of the interpreter by which a process begins.
STARTS = ("os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen")
COMPILES_AHEAD = "kilohertz.robots.compile.ahead"

_started: list[str] = []

# No test writes into the user's folder of logs, and a run leaves no log by itself unless its test wants one.
_logs = tempfile.TemporaryDirectory(prefix="khz-logs-")
os.environ["KILOHERTZ_LOGS"] = _logs.name
os.environ["KILOHERTZ_LOGS_RUNS"] = "0"

if "PYTEST_XDIST_WORKER" in os.environ:
    # A folder of its own for the endpoints of each process: two tests may run the same robot.
    _endpoints = tempfile.TemporaryDirectory(prefix="khz-")
    os.environ["XDG_RUNTIME_DIR"] = _endpoints.name


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    if event not in STARTS:
        return
    command = str(arguments[1] if event == "subprocess.Popen" else arguments)
    if COMPILES_AHEAD not in command:
        _started.append(f"{event} {command}")


sys.addaudithook(_note)


def class_of(item: pytest.Item) -> str:
    """The class of a test.

    Raises:
        pytest.UsageError: its markers name more than one.
    """
    named = {mark.name for mark in item.iter_markers() if mark.name in CLASSES}
    if len(named) > 1:
        raise pytest.UsageError(f"{item.nodeid} is of one class, not {' and '.join(sorted(named))}")
    return named.pop() if named else "unit"


# First: selecting by marker comes after all have one.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if "long" not in config.getoption("markexpr") and not any("::" in argument for argument in config.args):
        left_out = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if not item.get_closest_marker("long")]
    for item in items:
        name = class_of(item)
        if item.get_closest_marker(name) is None:
            item.add_marker(name)
        if name == "host":
            item.add_marker(pytest.mark.flaky(reruns=1))
        elif item.get_closest_marker("quiet"):
            raise pytest.UsageError(f"{item.nodeid} is quiet, so it is of the class host")
    if "PYTEST_XDIST_WORKER" in os.environ:
        # Slow files first, so that both processes have work to the end.
        slow = {item.path for item in items if class_of(item) in ("closed_loop", "host")}
        items.sort(key=lambda item: item.path not in slow)


class QuietLast(LoadScopeScheduling):
    """Starts the files that hold a test marked `quiet` when only one process is left."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        self._scopes: dict[str, str] = {}

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        if file not in self._scopes:
            text = (self.config.rootpath / file).read_text(encoding="utf-8")
            self._scopes[file] = "quiet" if "mark.quiet" in text else file
        return self._scopes[file]

    def _assign_work_unit(self, node: Any) -> None:
        if "quiet" in self.workqueue:
            self.workqueue.move_to_end("quiet")
        super()._assign_work_unit(node)

    def _reschedule(self, node: Any) -> None:
        others = [each for each in self.nodes if each is not node and not each.shutting_down]
        only_quiet = list(self.workqueue) == ["quiet"]
        if only_quiet and others and self._pending_of(self.assigned_work[node]) <= 2:
            node.shutdown()
        else:
            super()._reschedule(node)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> QuietLast:
    return QuietLast(config, log)


def pytest_configure(config: pytest.Config) -> None:
    if "PYTEST_XDIST_WORKER" not in os.environ:
        config.pluginmanager.register(FailuresAtOnce(config), "failures-at-once")


class FailuresAtOnce:
    """Writes a failure when it happens: a run that is stopped before its end has said what failed."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        repeated = report.outcome == "rerun"
        if report.failed or repeated:
            word = "REPEATED" if repeated else "FAILED"
            self._terminal.write_line(
                f"\n{word} {report.nodeid} ({report.when})\n{report.longreprtext[-4000:]}"
            )

    def pytest_terminal_summary(self) -> None:
        for report in self._terminal.getreports("rerun"):
            self._terminal.write_line(f"REPEATED {report.nodeid}: {report.longreprtext.splitlines()[-1]}")

    @property
    def _terminal(self) -> Any:
        return self._config.pluginmanager.get_plugin("terminalreporter")


@pytest.fixture(autouse=True)
def _unit_tests_start_no_process(request: pytest.FixtureRequest) -> Iterator[None]:
    _started.clear()
    yield
    if request.node.get_closest_marker("unit"):
        assert not _started, f"a test that starts a process is marked `host`: {_started}"
