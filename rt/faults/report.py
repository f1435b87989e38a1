"""Writes the results of fault runs as a Markdown table."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kilohertz.rt.faults.runs import Result

_ROW = re.compile(r"\| (F\d+) \|")


def fault_rows(results: Sequence[Result], before: str = "") -> str:
    """Returns a Markdown table with one row for each fault.

    Args:
        results: results of the faults that were injected.
        before: present table; its rows of other faults are kept.
    """
    rows = {name[1]: line for line in before.splitlines() if (name := _ROW.match(line))}
    for result in results:
        fault, outcome = result.fault, result.outcome
        verdict = "passed" if outcome.passed else "**not passed**"
        rows[fault.name] = f"| {fault.name} | {fault.fault} | {outcome.n} | {outcome.worst} | {verdict} |"
    head = ["| | fault | times | result | verdict |", "|---|---|---|---|---|"]
    return "\n".join([*head, *(rows[name] for name in sorted(rows))])
