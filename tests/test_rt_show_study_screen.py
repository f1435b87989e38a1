"""What `khz sweep` and `khz tune` print."""

from __future__ import annotations

import io

from rich.console import Console

from kilohertz.rt.show.study_screen import LISTED, percent, print_difference, print_sweep, print_tuning

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


def test_a_search_says_what_it_tried_and_what_the_unused_seeds_say() -> None:
    console = Console(file=io.StringIO(), width=200)
    candidates = [{"given_up": False}, {"given_up": True}, {"given_up": False}]
    sides = {"before": {"mean_cost": 0.4}, "after": {"mean_cost": 0.1}}
    report = {
        "candidates": candidates,
        "runs": 9,
        "wall_s": 3.0,
        "start": {"hand.kp_per_s2": 40.0, "walk.step_s": None},
        "start_cost": 0.5,
        "best": {"mean_cost": 0.2, "gains": {"hand.kp_per_s2": 900.0, "walk.step_s": 0.5}},
        "fresh": {"runs": 6, **sides, "p": 0.03125, "success_rate": [RATE, RATE]},
        "gains_file": "out/gains.yaml",
    }
    print_tuning(console, report)
    text = console.file.getvalue()
    assert "2 sets of gains tried in 9 runs, 1 given up early" in text
    assert "hand.kp_per_s2: 40 -> 900" in text
    assert "walk.step_s: not set -> 0.5" in text
    assert "on 6 seeds that the search has not used: cost 0.4 -> 0.1, p = 0.031" in text
    assert "written to out/gains.yaml" in text
    console = Console(file=io.StringIO(), width=200)
    print_tuning(console, report | {"fresh": None, "gains_file": None})
    assert "written" not in console.file.getvalue()
