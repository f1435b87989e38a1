"""The watcher of a gains file: a process of its own, so that no file is read beside the loop.

A file that has changed, and lies still, is read and checked as a whole: what is wrong is told with file and
line and changes nothing, what is right is handed to the loop. What comes of it there is told here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kilohertz.controller.gains.live import changes, live_numbers, objections
from kilohertz.controller.gains.schema import Gains, gains_path, load_gains, load_gains_located, unfinished
from kilohertz.controller.gains.tuning import GOOD, ON_TRIAL, REFUSED, ROLLED_BACK
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.live.gains_mailbox import Answer, GainsMailbox

POLL_S = 0.02
STILL_S = 0.03
"""A file that was written this long ago is taken to be complete."""
PATIENCE_S = 0.5
"""For one that is gone or ends within a line, which some editors leave it for a moment."""
_STAYS = "the running gains stay as they are"

Signature = tuple[int, int, int] | None


def watched_file(robot: RobotModel, path: Path | None) -> Path:
    """The gains file of a run, which is to be watched.

    Raises:
        ConfigError: there is none.
    """
    path = path or gains_path(robot)
    if path is None:
        raise ConfigError(f"'{robot.name}' has no gains.yaml to watch: name a file with --gains")
    return path


def changed_gains(robot: RobotModel, path: Path, running: Gains) -> Gains:
    """What a gains file says, for a robot that runs with others.

    Raises:
        ConfigError: for mistakes, and for what cannot change while a robot runs.
    """
    cut = unfinished(path)
    gains, positions = load_gains_located(robot, path)
    problems = [positions.problem(where, sentence) for where, sentence in objections(running, gains)]
    ConfigError.raise_if_any([*problems, *([cut] if cut else [])])
    return gains


class GainsWatcher:
    """Looks at a file now and then, hands over what is good, and tells what becomes of it.

    Args:
        robot: whose gains they are.
        path: the file.
        running: the gains that the robot runs with.
        mailbox: to its loop.
        say: told everything, in lines.
    """

    def __init__(
        self,
        robot: RobotModel,
        path: Path,
        running: Gains,
        mailbox: GainsMailbox,
        say: Callable[[str], None],
    ) -> None:
        self._robot, self._path, self._mailbox, self._say = robot, path, mailbox, say
        self._sent = {0: running}
        self._in_force = running
        self._bad: list[Gains] = []
        self._generation = self._heard = 0
        self._seen = self._taken = _signature(path)
        self._since_s = 0.0
        if not self._is_running():
            self._taken = None

    def _is_running(self) -> bool:
        """Whether the file says what the robot runs with: it may have changed since that was read."""
        try:
            return load_gains(self._robot, self._path) == self._in_force
        except ConfigError:
            return False

    def look(self, now_s: float) -> None:
        """Looks once; `now_s` is any clock."""
        self._listen()
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
            self._say(f"{error}\n{_STAYS}")
            return
        if gains in self._bad:
            self._say(f"{self._path}: these gains were rolled back before; {_STAYS}")
            return
        differences = list(changes(self._in_force, gains))
        if not differences:
            return
        self._generation += 1
        self._sent[self._generation] = self._in_force = gains
        told = ", ".join(f"{'.'.join(path)} {old:g} -> {new:g}" for path, old, new in differences)
        self._say(f"gains {self._generation}: {told}")
        self._mailbox.post(self._generation, live_numbers(gains))

    def _listen(self) -> None:
        self._heard, answer = self._mailbox.hear(self._heard)
        if answer is None:
            return
        text = told(answer)
        if text:
            self._say(text)
        if answer.generation == self._generation and answer.state in (ROLLED_BACK, REFUSED):
            self._bad.append(self._sent[answer.generation])
            self._in_force = self._sent[answer.in_force]


def told(answer: Answer) -> str:
    """What became of gains, in words; "" while it is not decided."""
    name = f"gains {answer.generation}"
    return {
        ON_TRIAL: "",
        GOOD: f"{name} are good",
        ROLLED_BACK: f"{name} rolled back to {answer.in_force}: {answer.reason}",
        REFUSED: f"{name} refused: {answer.reason}",
    }[answer.state]


def _signature(path: Path) -> Signature:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino


@contextmanager
def watched(robot: str, path: Path, running: Gains, mailbox: GainsMailbox) -> Iterator[None]:
    """Has a file watched by another process, which tells on standard error, as long as it lasts."""
    command = [sys.executable, "-c", "from kilohertz.rt.live.gains_watch import main; main()"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
    process = subprocess.Popen(
        [*command, robot, str(path), str(mailbox.fd), str(os.getpid())],
        stdin=subprocess.PIPE,
        pass_fds=[mailbox.fd],
        env=environment,
        # Ctrl-C is for the controller.
        start_new_session=True,
    )
    try:
        assert process.stdin is not None
        process.stdin.write(running.model_dump_json().encode())
        process.stdin.close()
        yield
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """The watcher's process: ends when it is told to, or when its loop is no more."""
    robot, path, fd, parent = sys.argv[1:]
    running = Gains.model_validate_json(sys.stdin.buffer.read())
    watcher = GainsWatcher(RobotModel.load(robot), Path(path), running, GainsMailbox(int(fd)), _say)
    while os.getppid() == int(parent):
        watcher.look(time.monotonic())
        time.sleep(POLL_S)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
