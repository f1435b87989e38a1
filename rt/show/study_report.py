"""Writes the report of a study: one HTML file for readers who did not run it."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from kilohertz.rt.show.html_page import (
    bullets,
    download,
    folded,
    heading,
    image,
    page,
    paragraph,
    preformatted,
    table,
)
from kilohertz.rt.show.study_plots import (
    along_figure,
    directions_figure,
    map_figure,
    ticks_figure,
)
from kilohertz.rt.show.study_screen import percent
from kilohertz.rt.study.axes import label_of
from kilohertz.rt.study.findings import CellTable, Directions, Findings, endings, ticks_by_host
from kilohertz.rt.study.roll_out import DONE
from kilohertz.rt.study.statistics import wilson
from kilohertz.rt.study.thresholds import Threshold

SHOWN_FAILURES, MOST_FAILURES = 10, 200
"""Number of failures that are shown at once, and that are in the report."""
MOST_CELLS = 200
WORST_RUNS = 10
_RATES = ("successes", "runs", "success rate", "95 % interval")
_INTERVALS = (
    "Bars and brackets are Wilson 95 % intervals of each cell by itself: of 20 cells, one is expected to lie "
    "outside of its interval by chance."
)


def study_html(found: Findings, failed: Sequence[Mapping[str, Any]]) -> str:
    """Returns the report as one self-contained page.

    Args:
        found: what the runs of the study show.
        failed: the runs without success (`kilohertz.rt.study.findings.failures`); one may have its `cause`.
    """
    study = found.provenance["study"]
    title = f"Study {study['name']}: {found.provenance['robot']}, {found.rate.of} runs"
    return page(
        title,
        [
            bullets(list(_short(found, failed))),
            heading("What was varied"),
            *_varied(found),
            *(part for each in found.directions for part in _directions(found, each)),
            *_maps(found),
            *_along(found),
            *_whole(found),
            heading("Runs without success"),
            *_failures(found, failed),
            heading("Ticks"),
            *_ticks(found.timing),
            heading("Provenance"),
            *_provenance(found),
        ],
    )


def _short(found: Findings, failed: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yields the answers in sentences."""
    yield f"{found.rate.successes} of {found.rate.of} runs were a success: {percent(asdict(found.rate))}."
    planned = found.provenance.get("runs")
    if planned is not None and planned > found.rate.of:
        yield f"The study is not finished: {found.rate.of} of {planned} runs are done."
    yield from _without_result(found)
    for each in found.directions:
        for level in each.all_round:
            yield f"{each.vector.magnitude.label}, all directions together: {_sentence(level)}."
        weakest = _weakest(each)
        if weakest is not None:
            yield weakest
    for entry in endings(failed)[:3]:
        yield f"{entry['runs']} without success: {entry['ended']}."


def _without_result(found: Findings) -> Iterator[str]:
    """Yields how many runs ended without a result: that tells of computers more than of the robot."""
    counts = Counter(row["status"] for row in found.rows if row["status"] != DONE)
    with_result = found.rate.of - counts.total()
    if counts:
        ways = ", ".join(f"{count} {status}" for status, count in sorted(counts.items()))
        text = f"{counts.total()} runs ended without a result ({ways}). They count as no success"
        if with_result:
            rate = wilson(found.rate.successes, with_result)
            text += f"; of the {with_result} runs with a result, {percent(asdict(rate))} were a success"
        yield f"{text}. Their logs are in {found.folder}/failures."


def _weakest(found: Directions) -> str | None:
    """Returns in which direction the level of one half is reached first, if that is known of two at least."""
    half = [
        (levels[-1], name)
        for levels, name in zip(found.thresholds, found.sectors.cells[0].names, strict=True)
        if levels is not None and levels[-1].estimate is not None
    ]
    if len(half) < 2:
        return None
    level, name = min(half, key=lambda pair: pair[0].estimate or 0.0)
    return f"Weakest direction, {name}: {_sentence(level)}."


def _sentence(level: Threshold) -> str:
    where = f"success falls through {100 * level.level:.0f} %"
    if not level.bounded:
        return f"{where}: these runs do not tell where"
    if level.estimate is None:
        where += f" {'above' if level.above else 'below'} the tested values"
    else:
        where += f" at {level.estimate:.3g}"
    return f"{where} (95 % interval {_interval(level)})"


def _interval(level: Threshold) -> str:
    low = "below tested" if level.low is None else f"{level.low:.3g}"
    high = "above tested" if level.high is None else f"{level.high:.3g}"
    return f"{low} to {high}"


def _varied(found: Findings) -> Iterator[str]:
    study = found.provenance["study"]
    rows = [
        {"parameter": path, "name": label_of(path), "values": json.dumps(study["vary"][path])}
        for path in found.provenance["parameters"]
    ]
    yield table(("parameter", "name", "values"), rows, code=("parameter", "values"))
    how = (
        "The runs take every combination of the values (a grid)."
        if study["grid"]
        else "Each run has random values of its own."
    )
    scenario = found.provenance["scenario"]
    yield paragraph(
        f"{how} Success means: {study['outcome']}. Random seed of the values: {study['sampler_seed']}. "
        f"Scenario {scenario.get('name', '')}, {study['duration_s'] or scenario['duration_s']:g} s "
        "simulated per run unless a fall ends it. A run that crashed or hung is no success."
    )
    yield folded("the scenario, without the values that vary", preformatted(json.dumps(scenario, indent=1)))


def _directions(found: Findings, each: Directions) -> Iterator[str]:
    label = each.vector.magnitude.label
    yield heading(f"Success by direction: {label}")
    caption = (
        "Seen from above; 0° is +x, 90° is +y of the scenario's axes (for a push, those of the world, where "
        "a robot starts facing +x); vectors point away from the centre. Grey disc: smaller than tested. "
        "b: of each direction by itself, a logistic curve that falls with the magnitude; arcs are its most "
        "likely thresholds, bars their 95 % intervals by profile likelihood. An arrow marks an interval that "
        "the runs do not bound within the tested values. Without an arc, the most likely threshold lies "
        "outside of them or is not bounded at all. Grey sector: too few runs to tell."
    )
    yield image(label, directions_figure(each, found.success.tolist()), caption)
    rows = list(each.sectors.rows())
    named = {next(iter(row.values())): row for row in rows}
    shown = []
    for name, levels in zip(each.sectors.cells[0].names, each.thresholds, strict=True):
        row = {"direction": name, **(_rates(named[name]) if name in named else dict.fromkeys(_RATES))}
        for level in levels or ():
            row[_column(level)] = _threshold_text(level)
        shown.append(row)
    columns = ("direction", *_RATES, *(_column(level) for level in each.all_round))
    yield table(columns, [{**dict.fromkeys(columns), **row} for row in shown])
    yield _folded_cells("successes by direction and magnitude", each.rings)


def _column(level: Threshold) -> str:
    return f"success falls through {100 * level.level:.0f} % at [95 % interval]"


def _threshold_text(level: Threshold) -> str:
    if not level.bounded:
        return "too few runs to tell"
    if level.estimate is not None:
        return f"{level.estimate:.3g} [{_interval(level)}]"
    return f"{'above' if level.above else 'below'} tested values [{_interval(level)}]"


def _maps(found: Findings) -> Iterator[str]:
    for each in found.maps:
        title = f"Success over {each.labels[0]} and {each.labels[1]}"
        yield heading(title)
        yield image(
            title,
            map_figure(each),
            "Each cell: success rate, successes/runs and [Wilson 95 % interval in %]. All other parameters "
            "vary within a cell.",
        )
        yield _folded_cells("as a table", each)
    if found.left_out:
        yield paragraph(f"{found.left_out} further pairs of parameters are not drawn.")


def _along(found: Findings) -> Iterator[str]:
    if not found.singles:
        return
    yield heading("Success along each parameter")
    yield image("success along each parameter", along_figure(found.singles), _INTERVALS)
    for each in found.singles:
        yield table((each.labels[0], *_RATES), [_shown(each, row) for row in each.rows()]) + "<br>"


def _whole(found: Findings) -> Iterator[str]:
    if found.whole is not None:
        yield heading("Success by cell")
        yield paragraph("Each combination of values of the grid.")
        yield _folded_cells(f"{len(found.whole.rates)} cells", found.whole)


def _folded_cells(title: str, cells: CellTable) -> str:
    """Returns the table of cells, and all of them as CSV."""
    rows = list(cells.rows())
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    link = download("cells.csv", out.getvalue(), "text/csv", "as CSV")
    more = f", {len(rows) - MOST_CELLS} more in the file" if len(rows) > MOST_CELLS else ""
    shown = [_shown(cells, row) for row in rows[:MOST_CELLS]]
    return folded(title, f"<p>{link}{more}</p>{table((*cells.labels, *_RATES), shown)}")


def _shown(cells: CellTable, row: Mapping[str, Any]) -> dict[str, Any]:
    return {**{label: row[label] for label in cells.labels}, **_rates(row)}


def _rates(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "successes": row["successes"],
        "runs": row["runs"],
        "success rate": f"{100 * row['rate']:.1f} %",
        "95 % interval": f"{100 * row['low']:.1f} to {100 * row['high']:.1f} %",
    }


def _failures(found: Findings, failed: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not failed:
        yield "<p>None.</p>"
        return
    yield table(("ended", "runs"), endings(failed))
    with_cause = any(each.get("cause") for each in failed)
    if with_cause:
        yield paragraph("Causes, by replaying the recorded runs (`khz log why`):")
        causes = [{"ended": each.get("cause") or "no log of the run", "run": each["run"]} for each in failed]
        yield table(("cause", "runs"), [{"cause": e["ended"], "runs": e["runs"]} for e in endings(causes)])
    rows = [
        {
            "run": each["run"],
            "ended": each["ended"],
            "fell at [s]": each["fell_at_s"],
            "values": ", ".join(f"{name} {_value(value)}" for name, value in each["values"].items()),
            "cause": each.get("cause"),
            "repeat": each["repeat"] or "scenario file is missing",
        }
        for each in failed[:MOST_FAILURES]
    ]
    columns = ("run", "ended", *(("cause",) if with_cause else ()), "fell at [s]", "values", "repeat")
    more = len(failed) - len(rows)
    yield paragraph(
        "Each with the command that repeats it, from the directory in which this report was written"
        + (f"; {more} more are in {found.folder}/failures." if more else ".")
    )
    yield table(columns, rows[:SHOWN_FAILURES], code=("repeat",))
    if len(rows) > SHOWN_FAILURES:
        rest = rows[SHOWN_FAILURES:]
        yield folded(f"{len(rest)} more runs", table(columns, rest, code=("repeat",)))


def _value(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _ticks(timing: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    measured = [row for row in timing if row.get("tick_max_us") is not None]
    if not measured:
        yield "<p>Not measured.</p>"
        return
    caption = (
        f"Distribution over {len(measured)} runs of the median, the percentiles and the longest of the ticks "
        "of each run. The runs were simulated as fast as possible, without real-time priority, and shared "
        "their cores: worst ticks tell of the load of these computers, not of the controller on a robot "
        "(`khz bench latency` measures that)."
    )
    yield image("ticks", ticks_figure(measured), caption)
    hosts = ticks_by_host(measured)
    yield table(list(hosts[0]), hosts)
    worst = sorted(measured, key=lambda row: -float(row["tick_max_us"]))[:WORST_RUNS]
    rows = [
        {
            "run": row["index"],
            "worst tick [µs]": row["tick_max_us"],
            "p99.9 [µs]": row["tick_p99.9_us"],
            "p50 [µs]": row["tick_p50_us"],
            "host": row["host"],
            "started (UTC)": _utc(row["started_s"]),
        }
        for row in worst
    ]
    yield folded(f"the {len(rows)} runs with the worst ticks", table(list(rows[0]), rows))


def _utc(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _provenance(found: Findings) -> Iterator[str]:
    known = found.provenance
    own = known.get("own_gains")
    file = known["study"]["gains"] or "gains file"
    rows: list[tuple[str, Any]] = [
        ("kilohertz", known["version"]),
        ("libraries", ", ".join(f"{name} {number}" for name, number in known["libraries"].items())),
        ("robot", known["robot"]),
        ("model SHA-256", known["model_sha256"]),
        ("robot.yaml SHA-256", known.get("config_sha256", "not recorded")),
        ("gains", file if known["gains"] else "the robot's own" if own else "defaults of the robot"),
        ("gains changed in every run", ", ".join(known["overrides"]) or "none"),
        ("solver", known["study"]["solver"] or "that of the gains"),
        ("identity of the study", known["identity"]),
        *_hosts(found.timing),
        ("folder", str(found.folder)),
    ]
    yield table(("", " "), [{"": name, " ": value} for name, value in rows])
    gains = known["gains"] or own
    if gains:
        yield folded("the gains file", preformatted(gains))
    text = json.dumps({key: known["study"][key] for key in known["study"] if key != "scenario"}, indent=1)
    yield folded("the study", preformatted(text))
    yield paragraph("The same study gives the same rows of runs.parquet on any computer with these versions.")


def _hosts(timing: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    rows = [row for row in timing if row.get("started_s") is not None]
    if not rows:
        return
    wall_h, cpu_h = (sum(float(row[name]) for row in rows) / 3600.0 for name in ("wall_s", "cpu_s"))
    hosts = sorted({f"{row['host']} ({row['kernel']})" for row in rows})
    yield "hosts", ", ".join(hosts)
    yield "first run started (UTC)", _utc(min(row["started_s"] for row in rows))
    yield "last run ended (UTC)", _utc(max(row["started_s"] + row["wall_s"] for row in rows))
    yield "time of all runs", f"{wall_h:.3g} h on the clock, {cpu_h:.3g} h of CPU"
