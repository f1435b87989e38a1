"""Parts of a report as one HTML page that refers to nothing outside itself; text is escaped here."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em}"
    "img,video{max-width:100%}table{border-collapse:collapse;font-size:13px}"
    "td,th{border:1px solid #ccc;padding:.2em .6em;text-align:left}li{margin:.3em 0}"
    "pre{overflow:auto;background:#f6f6f6;padding:1em;font-size:12px}h1{font-size:1.5em}"
    "code{font-size:12px;overflow-wrap:anywhere}details{margin:.6em 0}figure{margin:1em 0}"
    "figcaption{color:#444;font-size:13px}"
)


def page(title: str, parts: Sequence[str]) -> str:
    """Returns a page.

    Args:
        title: title as plain text; it is the first heading too.
        parts: content below the heading, as HTML.
    """
    head = f"<meta charset='utf-8'><title>{html.escape(title)}</title><style>{_STYLE}</style>"
    body = f"<h1>{html.escape(title)}</h1>{''.join(parts)}"
    return f"<!doctype html><html lang='en'><head>{head}</head><body>{body}</body></html>\n"


def heading(text: str) -> str:
    """Returns the heading of a section, of plain text."""
    return f"<h2>{html.escape(text)}</h2>"


def bullets(lines: Sequence[str]) -> str:
    """Returns a list of lines of plain text."""
    return "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in lines) + "</ul>"


def paragraph(text: str) -> str:
    """Returns a paragraph of plain text."""
    return f"<p>{html.escape(text)}</p>"


def folded(title: str, content: str) -> str:
    """Returns content, as HTML, that is shown after a click on its title."""
    return f"<details><summary>{html.escape(title)}</summary>{content}</details>"


def preformatted(text: str) -> str:
    """Returns plain text in its lines."""
    return f"<pre>{html.escape(text)}</pre>"


def table(columns: Sequence[str], rows: Sequence[Mapping[str, Any]], code: Sequence[str] = ()) -> str:
    """Returns a table.

    Args:
        columns: names of the columns, keys of the rows.
        rows: values by column, as plain data.
        code: columns that are set as code.
    """
    if not rows:
        return "<p>None.</p>"
    head = "".join(f"<th>{html.escape(name)}</th>" for name in columns)
    lines = "".join(
        "<tr>" + "".join(f"<td>{_cell(row[name], code=name in code)}</td>" for name in columns) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{lines}</table>"


def _cell(value: Any, *, code: bool) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        text = f"{value:.4g}"
    else:
        text = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return f"<code>{html.escape(text)}</code>" if code else html.escape(text)


def image(title: str, plot: Figure | Path, caption: str = "") -> str:
    """Returns a plot, or a PNG file, inside the page.

    Args:
        title: text for readers who do not see it.
        plot: the plot.
        caption: plain text below it.
    """
    if isinstance(plot, Path):
        content = plot.read_bytes()
    else:
        out = io.BytesIO()
        plot.savefig(out, format="png", dpi=110)
        content = out.getvalue()
    data = base64.b64encode(content).decode()
    picture = f"<img alt='{html.escape(title, quote=True)}' src='data:image/png;base64,{data}'>"
    if not caption:
        return picture
    return f"<figure>{picture}<figcaption>{html.escape(caption)}</figcaption></figure>"


def download(name: str, content: str, kind: str, label: str) -> str:
    """Returns a link to a file inside the page.

    Args:
        name: name of the file.
        content: its text.
        kind: its media type, such as text/csv.
        label: text of the link.
    """
    data = base64.b64encode(content.encode()).decode()
    return f"<a download='{html.escape(name)}' href='data:{kind};base64,{data}'>{html.escape(label)}</a>"
