"""Plot of the largest survivable push over the control rate."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
from matplotlib.figure import Figure

from kilohertz.rt.bench.rates import STANDING, SurvivedPush
from kilohertz.rt.show.plot_style import ESTIMATE, STYLE, TRUTH


def write_rates_plot(folder: Path, pushes: Sequence[SurvivedPush]) -> Path:
    """Writes the plot to `rates.png` in a folder and returns its path."""
    with mpl.rc_context(STYLE):
        path = folder / "rates.png"
        rates_figure(pushes).savefig(path)
    return path


def rates_figure(pushes: Sequence[SurvivedPush]) -> Figure:
    """Figure with one line for each motion."""
    figure = Figure(figsize=(7, 4), layout="constrained")
    panel = figure.subplots()
    for motion in dict.fromkeys(push.motion for push in pushes):
        ours = [push for push in pushes if push.motion == motion]
        colour = TRUTH if motion == STANDING else ESTIMATE
        rates, impulses = [p.rate_hz for p in ours], [p.impulse_Ns for p in ours]
        panel.plot(rates, impulses, "o-", color=colour, label=motion)
    panel.set_xscale("log")
    rates = sorted({push.rate_hz for push in pushes})
    panel.set_xticks(rates, [str(rate) for rate in rates])
    panel.minorticks_off()
    panel.set(xlabel="control rate [Hz]", ylabel="largest survivable push, worst of 4 directions [Ns]")
    panel.set_ylim(0.0, 1.1 * max(1.0, *(push.impulse_Ns for push in pushes)))
    panel.set_title("Largest survivable push over control rate")
    panel.legend(loc="upper left")
    return figure
