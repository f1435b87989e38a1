"""What `khz sweep` prints."""

from __future__ import annotations

import io

from rich.console import Console

from kilohertz.rt.show.study_screen import LISTED, percent, print_difference, print_sweep

RATE = {"successes": 3, "of": 4, "rate": 0.75, "low": 0.3, "high": 0.95}


def test_a_sweep_lists_its_rate_its_crashes_and_its_failures() -> None:
    console = Console(file=io.StringIO(), width=200)
    failures = [
        {"index": i, "problem": "fell at 1.000 s", "repeat": f"khz sim {i}"} for i in range(LISTED + 2)
    ]
    report = {
        "success_rate": RATE,
        "status": {"done": 3, "crashed": 1},
        "realtime_factor_per_worker": 1.5,
        "done": 4,
        "resumed": 1,
        "wall_s": 2.0,
        "failures": failures,
        "folder": "out",
    }
    print_sweep(console, report)
    text = console.file.getvalue()
    assert "3 of 4 runs were a success: 75.0 % (95 % interval 30.0 to 95.0 %)" in text
    assert "1 run crashed" in text
    assert "3 runs in 2.0 s, 1.50 x real time per worker" in text
    assert text.count("fell at") == LISTED
    assert "and 2 more: see out/failures" in text


def test_a_difference_says_its_verdict() -> None:
    console = Console(file=io.StringIO(), width=200)
    found = {"first": "a", "second": "b", "runs": 4, "not_in_common": 0, "success_rate": [RATE, RATE]}
    print_difference(console, found | {"only_first": 1, "only_second": 1, "p": 1.0, "verdict": "worse"})
    text = console.file.getvalue()
    assert f"a: {percent(RATE)}" in text
    assert "verdict on the second: worse" in text
