"""Defines the style of all plots: truth is blue, estimates orange, references grey, limits red."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

# Colours of Okabe and Ito, which colour-blind readers can distinguish.
TRUTH, ESTIMATE, REFERENCE, LIMIT = "#0072B2", "#E69F00", "#4D4D4D", "#D55E00"
THIRD, FOURTH = "#009E73", "#CC79A7"
STYLE: Any = {
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "lines.linewidth": 1.3,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.dpi": 110,
    "savefig.facecolor": "white",
}


def save(figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Writes each figure to `NAME.png` in a folder; returns the paths."""
    paths = []
    for name, figure in figures.items():
        path = folder / f"{name}.png"
        figure.savefig(path)
        paths.append(path)
    return paths
