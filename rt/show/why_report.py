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

from kilohertz.rt.why.interventions import COLUMNS

FILMS = {".mp4": "video/mp4", ".webm": "video/webm", ".gif": "image/gif"}
"""Films that are put into the report, by the end of the file's name."""
MOST_FILM_BYTES = 40_000_000
"""Largest film that is put into the report [bytes]."""
_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em}"
    "img,video{max-width:100%}table{border-collapse:collapse;font-size:13px}"
    "td,th{border:1px solid #ccc;padding:.2em .6em;text-align:left}li{margin:.3em 0}"
    "pre{overflow:auto;background:#f6f6f6;padding:1em;font-size:12px}h1{font-size:1.5em}"
)


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
    parts = [f"<h1>{html.escape(story[0])}</h1>", "<h2>Story</h2>", _list(story[1:])]
    parts += [f"<h2>{html.escape(title)}</h2>{_image(title, plot)}" for title, plot in plots.items()]
    parts += ["<h2>Interventions of guard and watchdogs</h2>", _interventions(figures["interventions"])]
    parts += ["<h2>Worst ticks</h2>", _table(list(worst[0]) if worst else [], worst)]
    if film is not None and film.stat().st_size <= MOST_FILM_BYTES:
        parts += ["<h2>Film</h2>", _film(film)]
    if summary is not None:
        text = html.escape(json.dumps(summary, indent=1))
        parts.append(f"<h2>Summary</h2><details><summary>all figures</summary><pre>{text}</pre></details>")
    head = f"<meta charset='utf-8'><title>{html.escape(story[0])}</title><style>{_STYLE}</style>"
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{''.join(parts)}</body></html>\n"


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
    data = base64.b64encode(interventions_csv(interventions).encode()).decode()
    link = f"<a download='interventions.csv' href='data:text/csv;base64,{data}'>as CSV</a>"
    return f"<p>{len(interventions)} interventions, {link}</p>{_table(COLUMNS, interventions)}"


def _list(lines: Sequence[str]) -> str:
    return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>"


def _table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "<p>None.</p>"
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    lines = "".join(
        "<tr>" + "".join(f"<td>{html.escape(_cell(row[name]))}</td>" for name in columns) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{lines}</table>"


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _image(title: str, plot: Figure | Path) -> str:
    if isinstance(plot, Path):
        content = plot.read_bytes()
    else:
        out = io.BytesIO()
        plot.savefig(out, format="png", dpi=110)
        content = out.getvalue()
    data = base64.b64encode(content).decode()
    return f"<img alt='{html.escape(title, quote=True)}' src='data:image/png;base64,{data}'>"


def _film(film: Path) -> str:
    data, kind = base64.b64encode(film.read_bytes()).decode(), FILMS[film.suffix]
    source = f"data:{kind};base64,{data}"
    if kind.startswith("image"):
        return f"<img alt='film of the run' src='{source}'>"
    return f"<video controls src='{source}'></video>"
