"""How every picture of a run looks: truth blue, estimates orange, references grey, limits red."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

# Okabe and Ito's colours, which colour-blind readers tell apart.
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
    """Writes each figure into a file of its name; returns the files."""
    paths = []
    for name, figure in figures.items():
        path = folder / f"{name}.png"
        figure.savefig(path)
        paths.append(path)
    return paths
