"""Report of an internal failure of Kilohertz: one sentence, and the traceback in a file."""

from __future__ import annotations

import os
import sys
import tempfile
import traceback

from kilohertz.rt.cli.output import progress

LONGEST_SENTENCE = 300
VARIABLE = "KILOHERTZ_TRACEBACK"
"""Environment variable that, when set, shows the traceback on standard error too."""


def report_failure(error: BaseException, where: str = "") -> None:
    """Prints one sentence about an internal failure, and writes its traceback to a temporary file.

    Args:
        error: the exception that nothing handled.
        where: part of Kilohertz in which it happened, such as "in the control loop"; empty if unknown.
    """
    text = "".join(traceback.format_exception(error))
    if os.environ.get(VARIABLE):
        progress(text.rstrip())
    what = " ".join(f"{type(error).__name__}: {error}".split())[:LONGEST_SENTENCE]
    place = f" {where}" if where else ""
    progress(f"Kilohertz itself failed{place}: {what} ({_written(text)})")


def _written(text: str) -> str:
    """Writes the traceback and returns where it is, or how to get it, in words."""
    try:
        handle, path = tempfile.mkstemp(prefix="kilohertz-failure-", suffix=".txt")
        with open(handle, "w", encoding="utf-8") as file:
            file.write(f"{' '.join(sys.argv)}\n\n{text}")
    except OSError:
        return f"{VARIABLE}=1 shows the traceback"
    return f"traceback in {path}"
