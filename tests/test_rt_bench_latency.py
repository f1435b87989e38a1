from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from kilohertz.rt.bench.latency import BLOCK_TICKS, print_bench, run_bench
from kilohertz.rt.loop.histogram import LATENCY_KEYS

pytestmark = [pytest.mark.host, pytest.mark.quiet]

TICKS = BLOCK_TICKS + 200


@pytest.fixture(scope="module")
def report():
    return run_bench("panda", TICKS)


@pytest.mark.long
def test_every_tick_is_timed(report):
    assert report.exit_code == 0
    assert report.ticks == report.latency["tick"].total == TICKS


def test_the_control_splits_the_very_ticks_of_the_run(report):
    even, odd = report.halves
    assert (even.total, odd.total) == (BLOCK_TICKS, TICKS - BLOCK_TICKS)
    both = even.counts + odd.counts
    assert (both == report.latency["tick"].counts).all()


def test_the_report_is_json_with_all_stages(report):
    content = json.loads(json.dumps(report.as_json(), allow_nan=False))
    assert tuple(content["latency_us"]) == LATENCY_KEYS
    assert sum(cell["ticks"] for cell in content["histogram"]) == TICKS
    assert content["footprint"]["full_collections"] == 0
    assert content["provenance"]["kernel"]


def test_the_screen_shows_stages_histogram_and_control(report):
    console = Console(file=io.StringIO(), width=110)
    print_bench(console, report)
    text = console.file.getvalue()
    for part in (
        "panda",
        "1,200 ticks",
        "solve",
        "wake",
        "█",
        "even seconds",
        "minor_faults",
        "deadline misses",
    ):
        assert part in text
