"""Writes the report of a recorded run: one HTML file with story, plots, interventions and film."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from kilohertz.rt.show.html_page import bullets, download, folded, image, page, preformatted, table
from kilohertz.rt.why.interventions import COLUMNS

FILMS = {".mp4": "video/mp4", ".webm": "video/webm", ".gif": "image/gif"}
"""Films that are put into the report, by the end of the file's name."""
MOST_FILM_BYTES = 40_000_000
"""Largest film that is put into the report [bytes]."""


def film_beside(log: Path) -> Path | None:
    """Returns the film of the same name as a log, or the only one in its folder; None without one."""
    for suffix in FILMS:
        if log.with_suffix(suffix).is_file():
            return log.with_suffix(suffix)
    films = [path for path in sorted(log.parent.iterdir()) if path.suffix in FILMS and path.is_file()]
    return films[0] if len(films) == 1 else None


def report_html(
    figures: Mapping[str, Any],
    worst: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Any] | None,
    plots: Mapping[str, Figure | Path],
    film: Path | None,
) -> str:
    """Returns the report as one self-contained page.

    Args:
        figures: figures of `kilohertz.rt.why.story.figures_of`.
        worst: worst ticks of `kilohertz.rt.why.worst.worst_ticks`.
        summary: summary of the run; None if its log has none.
        plots: figures, or PNG files, by title.
        film: film of the run; None without one.
    """
    story = list(figures["story"])
    parts = ["<h2>Story</h2>", bullets(story[1:])]
    parts += [f"<h2>{html.escape(title)}</h2>{image(title, plot)}" for title, plot in plots.items()]
    parts += ["<h2>Interventions of guard and watchdogs</h2>", _interventions(figures["interventions"])]
    parts += ["<h2>Worst ticks</h2>", table(list(worst[0]) if worst else [], worst)]
    if film is not None and film.stat().st_size <= MOST_FILM_BYTES:
        parts += ["<h2>Film</h2>", _film(film)]
    if summary is not None:
        parts += ["<h2>Summary</h2>", folded("all figures", preformatted(json.dumps(summary, indent=1)))]
    return page(story[0], parts)


def interventions_csv(interventions: Sequence[Mapping[str, Any]]) -> str:
    """Returns the interventions as CSV text, one line each, with the columns `COLUMNS`."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(interventions)
    return out.getvalue()


def _interventions(interventions: Sequence[Mapping[str, Any]]) -> str:
    if not interventions:
        return "<p>None.</p>"
    link = download("interventions.csv", interventions_csv(interventions), "text/csv", "as CSV")
    return f"<p>{len(interventions)} interventions, {link}</p>{table(COLUMNS, interventions)}"


def _film(film: Path) -> str:
    data, kind = base64.b64encode(film.read_bytes()).decode(), FILMS[film.suffix]
    source = f"data:{kind};base64,{data}"
    if kind.startswith("image"):
        return f"<img alt='film of the run' src='{source}'>"
    return f"<video controls src='{source}'></video>"
