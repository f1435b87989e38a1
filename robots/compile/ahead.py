"""Entry points compiled in a second process while the first compiles others: a cold start on two cores.

Both take what is not compiled yet from the same cache, under its locks, from either end of the list. So
nothing is lost when the second process cannot start or dies: the first finds the rest to do.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

from kilohertz.robots.compile.cached_entry import Entry

Use = Callable[[ModuleType], None]

_pending: list[tuple[Entry, Use]] = []
_helper: subprocess.Popen[str] | None = None


def load_later(name: str, text: str, sources: Iterable[Path], expected_s: float, use: Use) -> None:
    """Loads a generated module like `load_entry`: now where it is compiled, else at `load_pending`.

    Args:
        name: see `load_entry`, also for the next three.
        text: see name.
        sources: see name.
        expected_s: see name.
        use: called with the module.
    """
    entry = Entry.write(name, text, sources, expected_s)
    if entry.ready or len(os.sched_getaffinity(0)) < 2:
        use(entry.load())
        return
    _pending.append((entry, use))
    _ask_helper(entry)


def load_pending() -> None:
    """Loads what `load_later` has put off: what is compiled when this returns is all of the tick."""
    global _helper
    while _pending:
        entry, use = _pending.pop()
        use(entry.load())
    if _helper is not None:
        _helper.terminate()
        _helper.communicate()
        _helper = None


def _ask_helper(entry: Entry) -> None:
    global _helper
    with contextlib.suppress(OSError):
        if _helper is None:
            _helper = subprocess.Popen(
                [sys.executable, "-m", "kilohertz.robots.compile.ahead"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                text=True,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(path or os.getcwd() for path in sys.path)},
            )
        assert _helper.stdin is not None
        _helper.stdin.write(f"{entry.path}\n")
        _helper.stdin.flush()


def _help() -> None:
    """Compiles the files named on standard input, until there are no more or who asked is gone."""
    for line in sys.stdin:
        path = Path(line.rstrip("\n"))
        Entry(path.stem, path, 0.0).load()


if __name__ == "__main__":
    _help()
