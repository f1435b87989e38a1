from __future__ import annotations

import io

from rich.console import Console

from kilohertz.rt.log.compare import Comparison, Difference
from kilohertz.rt.show.compare_screen import print_comparison, sentence

DIFFERENCES = [
    Difference("com_tracking_m", 0.002, 0.001, 0.0001, "better"),
    Difference("effort", 0.1, 0.11, 0.001, "worse"),
    Difference("without_solution", 0.0, 0.0, 0.0, "same"),
]


def shown(comparison):
    console = Console(file=io.StringIO(), width=110, highlight=False)
    print_comparison(console, comparison)
    return console.file.getvalue().splitlines()


def test_each_figure_has_a_line_with_change_and_noise():
    lines = shown(Comparison(DIFFERENCES, (20.0, 18.0), ["the random seeds differ"]))
    assert " ".join(lines[1].split()).endswith("2 mm 1 mm -50 % \u00b115 % better")
    assert " ".join(lines[2].split()).endswith("10 % 11 % +10 % \u00b13 % worse")
    assert " ".join(lines[3].split()).endswith("0 % 0 % - - same")
    assert "B is better in com_tracking_m; B is worse in effort; compared: 20 s of A, 18 s of B" in lines
    assert "note: the random seeds differ" in lines


def test_no_difference_is_said_to_be_none():
    assert sentence(Comparison(DIFFERENCES[2:], (3.0, 3.0), [])).startswith("B is neither better nor worse")
