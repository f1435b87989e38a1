from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from kilohertz.rt.bench.isolation import (
    BLOCK_TICKS,
    CONTROL,
    QUIET,
    SETTLING_TICKS,
    Alternation,
    as_json,
    compare,
)
from kilohertz.rt.bench.isolation import isolation_table as table
from kilohertz.rt.loop.stamps import START, WRITE

pytestmark = [pytest.mark.host, pytest.mark.quiet]


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
    alternation = Alternation(disturbances, loop, blocks * BLOCK_TICKS)
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
    for name, blocks in alternation.blocks_us().items():
        assert [len(block) for block in blocks] == 2 * [BLOCK_TICKS - SETTLING_TICKS]
        assert np.all(np.concatenate(blocks) == (200.0 if name in disturbances else 100.0))
    for at, disturbance in enumerate(disturbances.values()):
        first = (2 * at + 1) * BLOCK_TICKS
        assert disturbance.calls[:2] == [("resume", first), ("pause", first + BLOCK_TICKS)]


def test_what_moved_is_told_against_the_quiet_ticks() -> None:
    results = {result.disturbance: result for result in compare(alternated(2, blocks=8)[0].blocks_us())}
    assert results[QUIET].moved is None
    assert results[CONTROL].moved == pytest.approx(0.0)
    assert results["d0"].moved == pytest.approx(1.0)
    assert results["d0"].likely == pytest.approx((1.0, 1.0))
    assert table(list(results.values())).row_count == 5
    assert len(json.loads(json.dumps(as_json(list(results.values()))))["isolation"]) == 4


@pytest.mark.long
def test_a_disturbance_is_held_against_all_quiet_ticks_and_its_likely_range_covers_what_is_true() -> None:
    """Pools drawn from one distribution differ by chance, and the likely range tells by how much."""
    covered = 0
    for seed in range(20):
        random = np.random.default_rng(seed)
        pools = {name: list(random.exponential(100.0, (20, 450))) for name in (QUIET, "d0", CONTROL)}
        d0 = {result.disturbance: result for result in compare(pools)}["d0"]
        quiet = np.concatenate(pools[QUIET] + pools[CONTROL])
        tails = [np.percentile(ticks, 99.9) for ticks in (np.concatenate(pools["d0"]), quiet)]
        assert d0.moved == pytest.approx(tails[0] / tails[1] - 1.0)
        assert d0.likely is not None
        covered += d0.likely[0] <= 0.0 <= d0.likely[1]
    assert covered >= 14


def test_a_run_that_was_too_short_says_nothing_of_what_it_did_not_come_to() -> None:
    results = compare(alternated(2, blocks=1)[0].blocks_us())
    assert [result.ticks for result in results] == [BLOCK_TICKS - SETTLING_TICKS, 0, 0, 0]
    assert all(result.moved is None for result in results)
    assert table(results).row_count == 5
