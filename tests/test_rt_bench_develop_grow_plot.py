from __future__ import annotations

import pytest

from kilohertz.rt.bench.develop.grow import SOLVERS, GrownTick
from kilohertz.rt.bench.develop.grow_plot import grow_figure, write_grow_plot

pytestmark = pytest.mark.host

TICKS = [
    GrownTick(joints, contacts, solver, float(joints + 5 * contacts), 0.0, 0.0)
    for joints in (6, 29, 100)
    for contacts in (1, 2)
    for solver in SOLVERS
]


def test_every_measured_tick_is_a_point_that_can_be_seen():
    figure = grow_figure(TICKS)
    assert len(figure.axes) == len(SOLVERS)
    for panel in figure.axes:
        points = [line for line in panel.lines if line.get_marker() == "o"]
        assert sum(len(line.get_xdata()) for line in points) == 6
        low, high = panel.get_ylim()
        assert all(low <= y <= high for line in panel.lines for y in line.get_ydata())
        assert "joints" in panel.get_xlabel()


def test_it_is_written_as_a_picture(tmp_path):
    path = write_grow_plot(tmp_path, TICKS)
    assert path.read_bytes().startswith(b"\x89PNG")
