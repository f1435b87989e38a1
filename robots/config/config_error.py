"""What is wrong with a configuration, in sentences a person can act on."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and where.

    Args:
        sentence: what is wrong, readable after the key it belongs to.
        file: the file it is in; None where no file is to blame.
        line: line in the file, from 1; 0 where the whole file is meant.
        column: column in the line, from 1.
        key: path of the key, such as `contacts.left_foot.friction`; empty where none is meant.
    """

    sentence: str
    file: Path | None = None
    line: int = 0
    column: int = 0
    key: str = ""

    def __str__(self) -> str:
        parts = []
        if self.file is not None:
            parts.append(f"{self.file}:{self.line}:{self.column}" if self.line else f"{self.file}")
        if self.key:
            parts.append(self.key)
        text = ": ".join([*parts, self.sentence])
        # Keys and values come from a file and may hold anything; a problem stays one line.
        return "".join(letter if letter.isprintable() else "?" for letter in text)


class ConfigError(Exception):
    """A configuration that cannot be used; `str()` is one line per problem, in the order of the file."""

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = tuple(
            sorted(
                (Problem(problem) if isinstance(problem, str) else problem for problem in problems),
                key=lambda problem: (str(problem.file or ""), problem.line, problem.column),
            )
        )
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @staticmethod
    def raise_if_any(problems: Iterable[Problem]) -> None:
        """Raises one error that holds all problems; does nothing where there are none."""
        problems = tuple(problems)
        if problems:
            raise ConfigError(*problems)


def did_you_mean(wrong: str, candidates: Iterable[str]) -> str:
    """` (did you mean 'x'?)` with the candidate closest to a misspelt word, or nothing."""
    names = {name.lower(): name for name in candidates}
    # In a very short word one wrong letter is already half of it.
    close = difflib.get_close_matches(wrong.lower(), names, n=1, cutoff=0.6 if len(wrong) > 3 else 0.5)
    return f" (did you mean '{names[close[0]]}'?)" if close else ""
