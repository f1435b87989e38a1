from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest

from rt.isolation import BLOCK_TICKS, CONTROL, QUIET, SETTLING_TICKS, Alternation, as_json, compare
from rt.isolation import isolation_table as table
from rt.stamps import START, WRITE


class Recorded:
    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []
        self.tick = 0

    def pause(self) -> None:
        self.calls.append(("pause", self.tick))

    def resume(self) -> None:
        self.calls.append(("resume", self.tick))


def alternated(n_disturbances: int, blocks: int) -> tuple[Alternation, dict[str, Recorded]]:
    """Ticks of 100 us, and 200 us beside a disturbance."""
    disturbances = {f"d{at}": Recorded() for at in range(n_disturbances)}
    cells = [0] * (max(START, WRITE) + 1)
    loop: Any = SimpleNamespace(stages=SimpleNamespace(cells=cells, row=0))
    alternation = Alternation(disturbances, loop)  # type: ignore[arg-type]
    for tick in range(blocks * BLOCK_TICKS):
        name = alternation.order[tick // BLOCK_TICKS % len(alternation.order)]
        cells[WRITE] = 200_000 if name in disturbances else 100_000
        for disturbance in disturbances.values():
            disturbance.tick = tick
        alternation(tick)
    return alternation, disturbances


@pytest.mark.parametrize("n", [1, 2, 3])
def test_every_disturbance_has_quiet_neighbours_and_both_quiet_pools_their_share(n: int) -> None:
    alternation, _ = alternated(n, blocks=12)
    order = alternation.order
    assert all((name in (QUIET, CONTROL)) != (follower in (QUIET, CONTROL)) for name, follower in
               zip(order, order[1:] + order[:1], strict=True))  # fmt: skip
    assert order.count(QUIET) == order.count(CONTROL)
    counts = {order.count(f"d{at}") for at in range(n)}
    assert len(counts) == 1


def test_ticks_are_pooled_by_what_went_on_and_the_settling_ones_left_out() -> None:
    alternation, disturbances = alternated(2, blocks=8)
    for name, histogram in alternation.histograms.items():
        assert histogram.total == 2 * (BLOCK_TICKS - SETTLING_TICKS)
        assert histogram.summary_us()["p50"] == pytest.approx(
            200.0 if name in disturbances else 100.0, rel=1e-3
        )
    for at, disturbance in enumerate(disturbances.values()):
        first = (2 * at + 1) * BLOCK_TICKS
        assert disturbance.calls[:2] == [("resume", first), ("pause", first + BLOCK_TICKS)]


def test_what_moved_is_told_against_the_quiet_ticks() -> None:
    results = {result.disturbance: result for result in compare(alternated(2, blocks=8)[0].histograms)}
    assert results[QUIET].moved is None
    assert results[CONTROL].moved == pytest.approx(0.0)
    assert results["d0"].moved == pytest.approx(1.0, rel=1e-2)
    assert table(list(results.values())).row_count == 4
    assert len(json.loads(json.dumps(as_json(list(results.values()))))["isolation"]) == 4
