"""The fault table as text for a document: what was provoked, how often, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from rt.faults.runs import Result


def fault_rows(results: Sequence[Result]) -> str:
    """A table of Markdown, one row for each fault."""
    rows = ["| | fault | times | what came of it | |", "|---|---|---|---|---|"]
    for result in results:
        fault, outcome = result.fault, result.outcome
        verdict = "passed" if outcome.passed else "**not passed**"
        rows.append(f"| {fault.name} | {fault.fault} | {outcome.n} | {outcome.worst} | {verdict} |")
    return "\n".join(rows)
