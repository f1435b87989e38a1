"""Plots of a study show the rates of its cells."""

from __future__ import annotations

from pathlib import Path

import pytest
from matplotlib.figure import Figure
from study_files import POLAR, PUSH, pushes, write_results

from kilohertz.rt.show.study_plots import along_figure, directions_figure, map_figure, ticks_figure
from kilohertz.rt.study.findings import Findings, findings_of

pytest.importorskip("pyarrow")


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for plot in figure.axes for text in plot.texts]


def two_axes(folder: Path) -> Findings:
    vary = {"ground": [{"kind": "flat"}, {"kind": "stairs"}], "ground.friction": [0.2, 0.5, 0.8]}
    # The last combination has no run.
    pairs = [(kind, x) for kind in ("flat", "stairs") for x in (0.2, 0.5, 0.8)][:-1]
    values = [{"ground": {"kind": kind}, "ground.friction": x} for kind, x in pairs for _ in range(4)]
    return findings_of(write_results(folder, vary, values, [i % 4 > 0 for i in range(len(values))]))


def test_a_map_says_rate_and_runs_of_each_cell_and_where_there_is_none(tmp_path: Path) -> None:
    [table] = two_axes(tmp_path).maps
    found = texts(map_figure(table))
    assert found.count("75 %") == 5
    assert found.count("3/4  [30, 95]") == 5
    assert found.count("no run") == 1


def test_categories_are_bars_and_numbers_a_curve(tmp_path: Path) -> None:
    figure = along_figure(two_axes(tmp_path).singles)
    bars, curve = figure.axes
    assert [patch.get_height() for patch in bars.patches] == [0.75, 0.75]
    assert not curve.patches
    assert bars.get_xlabel() == "ground"
    assert "9/12" in texts(figure)


@pytest.mark.parametrize("grid", [False, True], ids=["random", "grid"])
def test_every_direction_has_its_thresholds(tmp_path: Path, grid: bool) -> None:
    values = pushes(120)
    if grid:
        for value in values:
            value[f"{PUSH}.angle_rad"] = round(value[f"{PUSH}.angle_rad"] / 1.5708) % 4 * 1.5707963
            value[f"{PUSH}.magnitude"] = 4.0 + 8.0 * round((value[f"{PUSH}.magnitude"] - 4.0) / 8.0)
    entry = POLAR | ({"steps": [5, 4]} if grid else {})
    success = [value[f"{PUSH}.magnitude"] < 20.0 for value in values]
    found = findings_of(write_results(tmp_path, {PUSH: entry}, values, success, grid=grid))
    figure = directions_figure(found.directions[0], success)
    runs, thresholds = figure.axes
    assert (runs.name, thresholds.name) == ("polar", "polar")
    arcs = [line for line in thresholds.get_lines() if len(line.get_xdata()) == 24]
    assert len(arcs) == 2 * 4
    assert all(12.0 < line.get_ydata()[0] < 24.0 for line in arcs)


def test_the_distribution_of_ticks_ends_with_the_worst(tmp_path: Path) -> None:
    figure = ticks_figure(two_axes(tmp_path).timing)
    ends = [line.get_xdata()[-1] for line in figure.axes[0].get_lines()]
    assert ends == [119.0, 219.0, 419.0, 919.0]
    assert all(line.get_ydata()[-1] == 1.0 for line in figure.axes[0].get_lines())
