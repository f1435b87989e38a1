from __future__ import annotations

from matplotlib.figure import Figure

from kilohertz.rt.loop.histogram import LatencyHistogram
from kilohertz.rt.show.latency_plot import latency_figure


def test_only_stages_that_were_measured_are_drawn():
    tick = LatencyHistogram()
    tick.record(200_000)
    figure = latency_figure({"tick": tick, "solve": tick, "wake": LatencyHistogram()}, "toy", realtime=False)
    assert isinstance(figure, Figure)
    assert [label.get_text() for label in figure.axes[1].get_yticklabels()] == ["tick", "solve"]
