"""The fault table as text for a document: what was provoked, how often, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kilohertz.rt.faults.runs import Result

_ROW = re.compile(r"\| (F\d+) \|")


def fault_rows(results: Sequence[Result], before: str = "") -> str:
    """A table of Markdown, one row for each fault.

    Args:
        results: what came of the faults.
        before: the table so far; its rows of other faults stay.
    """
    rows = {name[1]: line for line in before.splitlines() if (name := _ROW.match(line))}
    for result in results:
        fault, outcome = result.fault, result.outcome
        verdict = "passed" if outcome.passed else "**not passed**"
        rows[fault.name] = f"| {fault.name} | {fault.fault} | {outcome.n} | {outcome.worst} | {verdict} |"
    head = ["| | fault | times | what came of it | |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(rows[name] for name in sorted(rows))])
