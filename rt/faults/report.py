"""The fault table as text for a document: what was provoked, how often, and what came of it."""

from __future__ import annotations

from collections.abc import Sequence

from rt.faults.runs import Result

BEGIN = "<!-- begin: khz faults run --into -->"
END = "<!-- end: khz faults run --into -->"


def fault_rows(results: Sequence[Result]) -> str:
    """A table of Markdown, one row for each fault."""
    rows = ["| | fault | times | what came of it | |", "|---|---|---|---|---|"]
    for result in results:
        fault, outcome = result.fault, result.outcome
        verdict = "passed" if outcome.passed else "**not passed**"
        rows.append(f"| {fault.name} | {fault.fault} | {outcome.n} | {outcome.worst} | {verdict} |")
    return "\n".join(rows)


def between_markers(text: str, block: str) -> str:
    """The text with a block between its markers, in place of what stands there.

    Raises:
        ValueError: the markers are not there, once each and in order.
    """
    if text.count(BEGIN) != 1 or text.count(END) != 1 or text.index(BEGIN) > text.index(END):
        raise ValueError(f"it should hold the line {BEGIN} and after it the line {END}, once each")
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n{block}\n{END}{rest.split(END)[1]}"
