"""Between two ticks: note, move the world on, and end the run when a fall has come to rest."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from kilohertz.robots.model.period import PERIOD_S, ticks_of
from kilohertz.rt.run.observer import LIE_S, PROGRESS_TICKS, RunObserver


class Bench:
    def __init__(self, **options: Any) -> None:
        self.calls: list[Any] = []
        link = SimpleNamespace(truth="truth", fell=False, advance=lambda: self.calls.append("advance"))
        loop = SimpleNamespace(stages="stages", stop=lambda: self.calls.append("stop"))
        trace = SimpleNamespace(record=lambda *what: self.calls.append(("record", *what)))
        self.link: Any = link
        parts: list[Any] = [loop, link, "estimator", trace]
        self.observer = RunObserver(*parts, **options)

    def tick(self, tick: int) -> None:
        nothing: Any = None
        output: Any = "output"
        self.observer(tick, nothing, "request", output)  # type: ignore[arg-type]


def test_a_tick_is_noted_and_shown_before_the_world_moves_on() -> None:
    bench = Bench(each_tick=lambda tick: bench.calls.append(tick))
    bench.tick(7)
    assert bench.calls == [("record", "output", "estimator", "truth"), 7, "advance"]


@pytest.mark.parametrize("wait", [True, False])
def test_only_a_run_that_is_not_paced_waits_for_the_recorder(wait: bool) -> None:
    ring = SimpleNamespace(wait_for_room=lambda: bench.calls.append("wait"))
    log: Any = SimpleNamespace(ring=ring, tick=lambda *what: bench.calls.append(("log", *what)))
    bench = Bench(log=log, wait_for_log=wait)
    bench.tick(3)
    assert bench.calls[: 1 + wait] == [*(["wait"] if wait else []), ("log", 3, "request", "stages")]


def test_a_run_ends_when_a_fall_has_come_to_rest() -> None:
    bench = Bench()
    bench.link.fell = True
    for tick in range(ticks_of(LIE_S, PERIOD_S) - 1):
        bench.tick(tick)
    assert "stop" not in bench.calls
    bench.tick(ticks_of(LIE_S, PERIOD_S))
    assert bench.calls[-1] == "stop"


def test_progress_is_told_now_and_then() -> None:
    told: list[float] = []
    bench = Bench(progress=told.append)
    for tick in range(2 * PROGRESS_TICKS):
        bench.tick(tick)
    assert told == [0.0, PROGRESS_TICKS * 1e-3]
