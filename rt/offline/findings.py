"""What the checks of a log from elsewhere find: refusals by name, which a user may accept, and notes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from kilohertz.robots.config.config_error import ConfigError, Problem, did_you_mean
from kilohertz.rt.offline.csv_table import Table

NAMES = (
    "time-unit",
    "position-unit",
    "velocity-unit",
    "velocity-sign",
    "velocity-order",
    "accel-empty",
    "accel-unit",
    "accel-gravity",
    "accel-direction",
    "gyro-unit",
    "gyro-empty",
    "gyro-scale",
    "gyro-axes",
    "imu-mounting",
    "imu-time",
    "joint-zero",
    "joints-exchanged",
    "forces-exchanged",
    "force-states",
    "force-unit",
    "truth-unit",
)
"""Names of the findings that refuse a log and that `--accept` takes."""


@dataclass
class Findings:
    """Collects what the checks of one table find.

    Attributes:
        table: the file.
        accepted: names of the findings that do not refuse this log.
        notes: sentences about accepted findings, in the order in which they were found.
    """

    table: Table
    accepted: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)
    _found: set[str] = field(default_factory=set)

    def refuse(self, name: str, row: int, sentence: str) -> None:
        """Refuses the log, or writes a note if this finding was accepted.

        Args:
            name: name of the finding, one of `NAMES`.
            row: row of the table that shows it.
            sentence: what is wrong and what would mend it.

        Raises:
            ConfigError: the finding was not accepted; with file and line, and the option that accepts it.
        """
        assert name in NAMES
        self._found.add(name)
        if name not in self.accepted:
            raise self.table.problem(row, f"{sentence}; if the log is right, import it with --accept {name}")
        self.notes.append(f"accepted {name}, line {self.table.lines[row]}: {sentence}")

    def judge(self, name: str, row: int, sentence: str, *, sure: bool) -> list[str]:
        """Refuses the log if a finding is sure, see `refuse`; otherwise returns its sentence as a note."""
        if not sure:
            return [sentence]
        self.refuse(name, row, sentence)
        return []

    def finish(self) -> list[str]:
        """Returns the notes about accepted findings, and about those that were accepted but not found."""
        unused = sorted(self.accepted - self._found)
        return self.notes + [
            f"--accept {name} was not needed: nothing of the kind was found" for name in unused
        ]


def accepted_findings(names: Iterable[str]) -> frozenset[str]:
    """Returns the findings that a user accepts, by name.

    Raises:
        ConfigError: a name is none of a finding.
    """
    names = list(names)
    for name in names:
        if name not in NAMES:
            hint = did_you_mean(name, NAMES)
            raise ConfigError(Problem(f"--accept takes no '{name}'{hint}; it takes {', '.join(NAMES)}"))
    return frozenset(names)
