"""Watches a gains file in a separate process, so that the loop's process reads no file.

A changed file is read when it has not changed for 30 ms, and is checked as a whole. Errors are printed
with file and line, and the running gains stay as they are. Valid gains are sent to the loop, and the result
(accepted, rolled back or refused) is printed.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kilohertz.controller.gains.comparison import Figures, change_text
from kilohertz.controller.gains.live import changes, live_numbers, objections
from kilohertz.controller.gains.schema import Gains, gains_path, load_gains, load_gains_located, unfinished
from kilohertz.controller.gains.tuning import GOOD, ON_TRIAL, REFUSED, ROLLED_BACK
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.live.gains_mailbox import Answer, GainsMailbox

POLL_S = 0.02
STILL_S = 0.03
"""A file that has not changed for this time is taken as complete."""
PATIENCE_S = 0.5
"""Time to wait for a file that is absent or ends within a line: some editors leave it so for a moment."""
_UNCHANGED = "the running gains stay as they are"

Signature = tuple[int, int, int] | None


def watched_file(robot: RobotModel, path: Path | None) -> Path:
    """Returns the gains file that a run watches: `path`, or the robot's gains.yaml if `path` is None.

    Raises:
        ConfigError: the robot has no gains.yaml and no path is given.
    """
    path = path or gains_path(robot)
    if path is None:
        raise ConfigError(f"'{robot.name}' has no gains.yaml to watch; give a file with --gains")
    return path


def changed_gains(robot: RobotModel, path: Path, running: Gains) -> Gains:
    """Reads a gains file and checks that a running controller may change to its gains.

    Args:
        robot: model of the robot.
        path: the gains file.
        running: gains that the robot runs with.

    Raises:
        ConfigError: the file has errors, or changes a gain that cannot change while the robot runs.
    """
    cut = unfinished(path)
    gains, positions = load_gains_located(robot, path)
    problems = [positions.problem(where, sentence) for where, sentence in objections(running, gains)]
    ConfigError.raise_if_any([*problems, *([cut] if cut else [])])
    return gains


class GainsWatcher:
    """Polls a gains file, sends valid gains to the loop, and reports errors and results.

    Args:
        robot: model of the robot.
        path: the gains file.
        running: gains that the robot runs with.
        mailbox: shared memory to the loop.
        report: called with each message.
    """

    def __init__(
        self,
        robot: RobotModel,
        path: Path,
        running: Gains,
        mailbox: GainsMailbox,
        report: Callable[[str], None],
    ) -> None:
        self._robot, self._path, self._mailbox, self._report = robot, path, mailbox, report
        self._sent = {0: running}
        self._in_force = running
        self._generation = self._last_answer = 0
        self._seen = self._taken = _signature(path)
        self._since_s = 0.0
        if not self._is_running():
            self._taken = None

    def _is_running(self) -> bool:
        """Returns whether the file still contains the running gains; it may have changed since the start."""
        try:
            return load_gains(self._robot, self._path) == self._in_force
        except ConfigError:
            return False

    def look(self, now_s: float) -> None:
        """Checks the file and the loop's answer once.

        Args:
            now_s: time of any monotonic clock [s].
        """
        self._read_answer()
        signature = _signature(self._path)
        if signature != self._seen:
            self._seen, self._since_s = signature, now_s
        age_s = now_s - self._since_s
        if signature == self._taken or age_s < STILL_S:
            return
        if (signature is None or unfinished(self._path)) and age_s < PATIENCE_S:
            return
        self._taken = signature
        self._read()

    def _read(self) -> None:
        try:
            gains = changed_gains(self._robot, self._path, self._in_force)
        except ConfigError as error:
            self._report(f"{error}\n{_UNCHANGED}")
            return
        differences = list(changes(self._in_force, gains))
        if not differences:
            return
        self._generation += 1
        self._sent[self._generation] = self._in_force = gains
        text = ", ".join(f"{'.'.join(path)} {old:g} -> {new:g}" for path, old, new in differences)
        self._report(f"gains {self._generation}: {text}")
        self._mailbox.post(self._generation, live_numbers(gains))

    def _read_answer(self) -> None:
        self._last_answer, answer = self._mailbox.read_answer(self._last_answer)
        if answer is None:
            return
        text = result_text(answer)
        if text:
            self._report(text)
        if answer.generation == self._generation and answer.state in (ROLLED_BACK, REFUSED):
            self._in_force = self._sent[answer.in_force]


def result_text(answer: Answer) -> str:
    """Returns the result for the newest gains in words; "" while they are on trial."""
    name = f"gains {answer.generation}"
    before, after = answer.figures
    known = not any(math.isnan(value) for value in (*before, *after))
    figures = change_text(Figures(*before), Figures(*after)) if known else ""
    return {
        ON_TRIAL: "",
        GOOD: f"{name} accepted" + (f": {figures}" if known else ""),
        ROLLED_BACK: f"{name} rolled back to {answer.in_force}: {answer.reason}"
        + (f"; {figures}" if known else ""),
        REFUSED: f"{name} refused: {answer.reason}",
    }[answer.state]


def _signature(path: Path) -> Signature:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


@contextmanager
def watched(
    robot: str, path: Path, running: Gains, mailbox: GainsMailbox
) -> Iterator[subprocess.Popen[bytes]]:
    """Watches a gains file in another process, for the duration of a `with` block.

    The process prints errors and results on standard error.

    Args:
        robot: name or folder of the robot.
        path: the gains file.
        running: gains that the robot runs with.
        mailbox: shared memory to the loop.

    Yields:
        The process, which ends by itself only if it fails.
    """
    command = [sys.executable, "-c", "from kilohertz.rt.live.gains_watch import main; main()"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    process = subprocess.Popen(
        [*command, robot, str(path), str(mailbox.fd), str(os.getpid())],
        stdin=subprocess.PIPE,
        pass_fds=[mailbox.fd],
        env=environment,
        # Ctrl-C must reach the controller only.
        start_new_session=True,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(running.model_dump_json().encode())
        process.stdin.close()
        yield process
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Runs the watcher process until it is terminated, or the loop's process has ended."""
    robot, path, fd, parent = sys.argv[1:]
    running = Gains.model_validate_json(sys.stdin.buffer.read())
    watcher = GainsWatcher(RobotModel.load(robot), Path(path), running, GainsMailbox(int(fd)), _print_error)
    while os.getppid() == int(parent):
        watcher.look(time.monotonic())
        time.sleep(POLL_S)


def _print_error(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
