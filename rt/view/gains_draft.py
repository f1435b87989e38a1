"""A draft of changed gains, and how it gets into the gains file that a run watches."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from kilohertz.controller.gains.live import LARGEST_RATIO, live_bounds, live_numbers, live_paths, objections
from kilohertz.controller.gains.schema import Gains, load_gains
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.config.user_file import decoded, read_user_file
from kilohertz.robots.config.yaml_file import MAX_BYTES
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.live.gains_text import Keys, with_values


class GainsDraft:
    """Gains that the user changes in the cockpit, before and after they are written to the file.

    Args:
        robot: model of the robot.
        path: gains file that the run watches.

    Attributes:
        path: the file, symbolic links followed.
        draft: changed values by path of keys; empty if nothing is changed.
        running: gains in the file at the last look.

    Raises:
        ConfigError: the file cannot be read.
    """

    def __init__(self, robot: RobotModel, path: Path) -> None:
        self._robot = robot
        self.path = path.resolve()
        self.draft: dict[Keys, float] = {}
        self.running: Gains = load_gains(robot, self.path)
        self._saved = self._text()

    def _text(self) -> str:
        return decoded(read_user_file(self.path, MAX_BYTES), self.path)

    def look(self) -> bool:
        """Reads the file again; returns whether its gains are others than before.

        Raises:
            ConfigError: the file has mistakes.
        """
        found = load_gains(self._robot, self.path)
        changed = found != self.running
        self.running = found
        return changed

    def values(self) -> dict[Keys, float]:
        """Returns the value of each live gain in the file."""
        return dict(zip(live_paths(), live_numbers(self.running).tolist(), strict=True))

    def ranges(self) -> dict[Keys, tuple[float, float]]:
        """Returns the range in which each live gain may be changed at once: by 4 times, within its bounds."""
        low, high = live_bounds()
        found = {}
        bounds = zip(low.tolist(), high.tolist(), strict=True)
        for (path, value), (least, most) in zip(self.values().items(), bounds, strict=True):
            if value > 0.0:
                found[path] = (max(least, value / LARGEST_RATIO), min(most, value * LARGEST_RATIO))
            else:
                found[path] = (least, most)
        return found

    def change(self, path: Keys, value: float) -> None:
        """Changes one gain of the draft; the value that the file has takes it out of the draft."""
        if value == self.values()[path]:
            self.draft.pop(path, None)
        else:
            self.draft[path] = value

    def apply(self) -> None:
        """Writes the draft into the file, from which the run takes it.

        Raises:
            ConfigError: a value is not allowed, or the file has mistakes or cannot be written; the file is as
                it was.
        """
        self.look()
        text = with_values(self._text(), self.draft)
        self._write(text, check=True)
        self.draft.clear()
        self.look()

    def revert(self) -> None:
        """Drops the draft, and puts the file back to what it was when it was last saved.

        Raises:
            ConfigError: the file cannot be written.
        """
        self.draft.clear()
        if self._text() != self._saved:
            self._write(self._saved, check=False)
        self.look()

    def save(self) -> None:
        """Keeps the gains that are in the file: `revert` will come back to them.

        Raises:
            ConfigError: the file cannot be read.
        """
        self.look()
        self._saved = self._text()

    @property
    def unsaved(self) -> bool:
        """Whether the file is different from what was saved last."""
        return self._text() != self._saved

    def _write(self, text: str, *, check: bool) -> None:
        """Replaces the file at once, so that nobody reads half of it."""
        try:
            with tempfile.NamedTemporaryFile(
                "w", dir=self.path.parent, prefix=f".{self.path.name}-", suffix=".yaml", delete=False
            ) as file:
                file.write(text)
            new = Path(file.name)
            try:
                if check:
                    self._check(new)
                shutil.copymode(self.path, new)
                os.replace(new, self.path)
            finally:
                new.unlink(missing_ok=True)
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be written: {error.strerror}") from None

    def _check(self, new: Path) -> None:
        gains = load_gains(self._robot, new)
        problems = [f"{'.'.join(path)} {sentence}" for path, sentence in objections(self.running, gains)]
        if problems:
            raise ConfigError("; ".join(problems))
