"""Plot of the duration of the whole-body tick over the number of joints."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from kilohertz.rt.bench.develop.grow import SOLVERS, GrownTick, fit
from kilohertz.rt.show.plot_style import ESTIMATE, FOURTH, STYLE, THIRD, TRUTH

_COLOURS = {1: TRUTH, 2: THIRD, 3: FOURTH, 4: ESTIMATE}


def write_grow_plot(folder: Path, ticks: Sequence[GrownTick]) -> Path:
    """Writes the plot to `grow.png` in a folder and returns its path."""
    with mpl.rc_context(STYLE):
        figure = grow_figure(ticks)
        path = folder / "grow.png"
        figure.savefig(path)
    return path


def grow_figure(ticks: Sequence[GrownTick]) -> Figure:
    """Figure with a panel for each solver: measured points and fitted lines for each number of contacts."""
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    panels = figure.subplots(1, len(SOLVERS), sharey=True)
    for panel, solver in zip(panels, SOLVERS, strict=True):
        growth = fit(ticks, solver)
        for contacts in sorted({tick.contacts for tick in ticks}):
            ours = [tick for tick in ticks if tick.solver == solver and tick.contacts == contacts]
            colour, joints = _COLOURS[contacts], np.array([tick.joints for tick in ours])
            panel.plot(joints, [tick.us for tick in ours], "o", color=colour, markersize=5)
            line = np.linspace(joints.min(), joints.max(), 50)
            name = f"{contacts} contact{'s' if contacts > 1 else ''}"
            panel.plot(line, [growth.us(n, contacts) for n in line], color=colour, label=name)
        panel.set(xlabel="joints", xlim=(0.0, None))
        panel.set_title(f"{solver}: whole-body tick")
    panels[0].set_ylim(0.0, 1.05 * max(tick.us for tick in ticks))
    panels[0].set_ylabel("median duration of a tick [µs]")
    panels[0].legend(loc="upper left")
    return figure
