"""Result of a run, as the public functions return it."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from kilohertz.history import History
from kilohertz.refused import Refused
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.run.result import SessionResult

_SHOWN = ("tracking", "estimation", "qp", "torque")


class RunResult:
    """Result of a run.

    Attributes:
        robot: the robot of the run.
        fell: whether the robot fell.
        fell_at_s: time of the fall [s]; None if the robot did not fall.
        exit_code: 0 done, 1 the robot fell or a safety stop ended the run.
        summary: the figures of the run, the same dict as `khz sim --json` writes.
        events: events of the run in the order of time: dicts of t_s [s], kind and text.
        log: file that the run was recorded into; None if it was not recorded.
        wall_s: wall-clock duration of the run [s].
    """

    def __init__(self, result: SessionResult) -> None:
        self._result = result
        self.robot: RobotModel = result.robot
        self.fell: bool | None = result.fell
        self.fell_at_s: float | None = result.fell_at_s
        self.exit_code: int = result.exit_code
        self.summary: dict[str, Any] = result.summary
        self.events: Sequence[Mapping[str, Any]] = result.events
        self.log: Path | None = result.log
        self.wall_s: float = result.wall_s

    @cached_property
    def history(self) -> History:
        """History of the run, as named arrays with units; `history.describe()` lists them."""
        return History(self._result.trace, self._result.robot)

    def plot(self, folder: str | Path) -> list[Path]:
        """Draws latency, balance, contact forces, torques, estimation errors and hands as PNG files.

        Args:
            folder: folder for the files; it is created if it does not exist.

        Returns:
            Paths of the files, in the order in which they should be read.

        Raises:
            Refused: the files cannot be written.
        """
        from kilohertz.rt.show.plots import write_plots

        result = self._result
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
            return write_plots(
                Path(folder),
                result.trace,
                result.robot,
                result.scenario,
                result.loop.latency,
                realtime=result.plan.paced,
            )
        except OSError as error:
            raise Refused(f"plots cannot be written to {folder}: {error.strerror or error}") from None

    def __repr__(self) -> str:
        return f"<RunResult: {self._title()}; {self._verdict()}; exit code {self.exit_code}>"

    def _repr_html_(self) -> str:
        """Returns the figures as an HTML table, for notebooks."""
        rows = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{html.escape(value)}</td></tr>"
            for name, value in self._rows()
        )
        title = html.escape(f"{self._title()}: {self._verdict()}")
        return f"<table><caption>{title}</caption>{rows}</table>"

    def _title(self) -> str:
        summary = self.summary
        return f"{summary['robot']}, {summary['scenario']}, {summary['duration_s']:g} s simulated"

    def _verdict(self) -> str:
        if self.fell:
            return f"fell after {self.fell_at_s:.3f} s"
        if self.exit_code:
            return f"stopped in state {self.summary['exit_state']}"
        return "did not fall" if self.robot.floating else "done"

    def _rows(self) -> Iterator[tuple[str, str]]:
        for section in _SHOWN:
            for name, value in self.summary[section].items():
                parts = value if isinstance(value, dict) else {"": value}
                for part, figure in parts.items():
                    if figure not in (None, []):
                        yield ".".join(filter(None, (section, name, part))), _short(figure)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(_short(entry) for entry in value)
    return str(value)
