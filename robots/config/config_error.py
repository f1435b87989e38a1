"""Errors in a configuration file: one sentence per problem, with file, line, column and key."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# Longest key and sentence that are shown whole, and longest word for which a similar one is searched.
MAX_KEY = 200
MAX_SENTENCE = 1000
MAX_WORD = 80
# Problems that one error lists; a file of another kind would have thousands.
MAX_PROBLEMS = 50


@dataclass(frozen=True)
class Problem:
    """One problem of a configuration, and its place in the file.

    Args:
        sentence: description of the problem, which continues the name of the key, as in "should be a number".
        file: file with the problem; None if no file is concerned.
        line: line in the file, from 1; 0 if the problem concerns the whole file.
        column: column in the line, from 1.
        key: path of the key, such as `contacts.left_foot.friction`; empty if no key is concerned.
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
            parts.append(_shortened(self.key, MAX_KEY))
        text = ": ".join([*parts, _shortened(self.sentence, MAX_SENTENCE)])
        # Keys and values come from a file and may contain control characters; a problem is printed in one
        # line.
        return "".join(letter if letter.isprintable() else "?" for letter in text)


class ConfigError(Exception):
    """A configuration cannot be used; the text has one line per problem, in the order of the file.

    Args:
        problems: one or more problems; a plain string is a problem without a place.

    Attributes:
        problems: the problems, sorted by file, line and column; if there are very many, the first of them.
    """

    def __init__(self, *problems: Problem | str) -> None:
        found = sorted(
            (Problem(problem) if isinstance(problem, str) else problem for problem in problems),
            key=lambda problem: (str(problem.file or ""), problem.line, problem.column),
        )
        if len(found) > MAX_PROBLEMS:
            found[MAX_PROBLEMS:] = [Problem("has more problems, which are not listed", found[0].file)]
        self.problems = tuple(found)
        super().__init__("\n".join(str(problem) for problem in self.problems))

    @staticmethod
    def raise_if_any(problems: Iterable[Problem]) -> None:
        """Raises one error with all problems; does nothing if there are none."""
        problems = tuple(problems)
        if problems:
            raise ConfigError(*problems)


def did_you_mean(wrong: str, candidates: Iterable[str]) -> str:
    """Returns ` (did you mean 'x'?)` with the candidate closest to a misspelt word, or an empty string."""
    if len(wrong) > MAX_WORD:
        return ""
    names = {name.lower(): name for name in candidates}
    # One wrong letter in a word of two letters leaves a similarity of only 0.5.
    close = difflib.get_close_matches(wrong.lower(), names, n=1, cutoff=0.6 if len(wrong) > 3 else 0.5)
    return f" (did you mean '{names[close[0]]}'?)" if close else ""


def _shortened(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: length // 2]} ... {text[-length // 2 :]}"
