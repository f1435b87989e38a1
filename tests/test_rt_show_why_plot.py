"""The plot of margins shows the first sign and the stop."""

from why_runs import calm

from kilohertz.rt.show.why_plot import margins_figure
from kilohertz.rt.why.causes import verdict_of


def test_first_sign_and_stop_are_marked():
    m = calm()
    m.rows["sensors"]["q"][700:, 3] = 0.3
    m.reasons.append((1000, "frozen"))
    figure = margins_figure(m, verdict_of(m))
    marked = {line.get_xdata()[0] for line in figure.axes[0].get_lines() if len(line.get_xdata()) == 2}
    assert {round(x, 1) for x in marked} >= {0.7, 1.0}
    assert "repeats its value" in figure.get_suptitle()


def test_a_calm_run_is_drawn_whole():
    m = calm(300)
    figure = margins_figure(m, verdict_of(m))
    assert len(figure.axes) == 5
    low, high = figure.axes[0].get_xlim()
    assert low <= 0.0
    assert high >= 0.299
