from __future__ import annotations

from kilohertz.rt.bench.rates import STANDING, STEPPING, SurvivedPush
from kilohertz.rt.bench.rates_plot import rates_figure

PUSHES = [
    SurvivedPush(rate, motion, "left", 0.01 * rate)
    for motion in (STANDING, STEPPING)
    for rate in (10, 100, 1000)
]


def test_every_rate_is_a_point_that_can_be_seen() -> None:
    (panel,) = rates_figure(PUSHES).axes
    assert len(panel.lines) == 2
    low, high = panel.get_ylim()
    for line in panel.lines:
        assert list(line.get_xdata()) == [10, 100, 1000]
        assert all(low <= y <= high for y in line.get_ydata())
    assert [text.get_text() for text in panel.get_xticklabels()] == ["10", "100", "1000"]
