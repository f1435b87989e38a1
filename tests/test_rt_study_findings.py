"""What the runs of a study show, of results that are made up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from study_files import POLAR, PUSH, pushes, write_results

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.study.findings import endings, failures, figures_of, findings_of
from kilohertz.rt.study.statistics import wilson

pytest.importorskip("pyarrow")


def test_cells_add_up_and_have_wilson_intervals(tmp_path: Path) -> None:
    vary = {
        "ground.friction": [0.3, 0.8],
        "plant.model_error": {"uniform": [0, 1]},
        "seed": {"range": [0, 99]},
    }
    values = [
        {"ground.friction": (0.3, 0.8)[i % 2], "plant.model_error": i / 59, "seed": i} for i in range(60)
    ]
    found = findings_of(write_results(tmp_path, vary, values, [i % 2 == 1 or i < 20 for i in range(60)]))
    assert found.rate == wilson(40, 60)
    friction, error = found.singles
    assert friction.rates == {(0,): wilson(10, 30), (1,): wilson(30, 30)}
    assert sum(rate.of for rate in error.rates.values()) == 60
    [both] = found.maps
    assert both.labels == ("ground friction", "plant model error")
    assert sum(rate.successes for rate in both.rates.values()) == 40
    assert (found.whole, found.left_out) == (None, 0)


def test_a_push_has_a_threshold_in_each_direction(tmp_path: Path) -> None:
    values = pushes(300)
    # To the left (+y, 90 degrees) the robot stands half as much as elsewhere.
    limit = [12.0 if abs(v[f"{PUSH}.angle_rad"] - 1.5708) < 0.6 else 24.0 for v in values]
    success = [v[f"{PUSH}.magnitude"] < x for v, x in zip(values, limit, strict=True)]
    [each] = findings_of(write_results(tmp_path, {PUSH: POLAR}, values, success)).directions
    middle = dict(zip(each.sectors.cells[0].names, (levels[1] for levels in each.thresholds), strict=True))
    assert len(middle) == 12
    assert middle["75° to 105°"].estimate == pytest.approx(12.0, abs=2.0)
    assert middle["255° to 285°"].estimate == pytest.approx(24.0, abs=2.0)
    low, high = each.all_round[0].estimate, each.all_round[1].estimate
    assert low is not None
    assert high is not None
    assert low < high


def test_a_grid_has_all_its_cells(tmp_path: Path) -> None:
    vary = {"a": [1, 2], "b": [1, 2], "c": ["x", "y"]}
    values = [{"a": 1 + i // 4, "b": 1 + i // 2 % 2, "c": "xy"[i % 2]} for i in range(8)]
    found = findings_of(write_results(tmp_path, vary, values, [True] * 8, grid=True))
    assert found.whole is not None
    assert len(found.whole.rates) == 8
    assert len(found.maps) == 3


def test_failures_say_how_they_ended_and_the_command_that_repeats_them(tmp_path: Path) -> None:
    folder = write_results(tmp_path / "out", {PUSH: POLAR}, pushes(3), [True, False, False])
    (folder / "failures").mkdir()
    text = "# khz sim g1 --scenario 'elsewhere/failures/run-000001.yaml' --seed 1\n{}\n"
    (folder / "failures" / "run-000001.yaml").write_text(text)
    first, second = failures(findings_of(folder))
    assert first["repeat"] == f"khz sim g1 --scenario {folder}/failures/run-000001.yaml --seed 1"
    assert second["repeat"] is None
    assert (first["run"], first["ended"], first["fell_at_s"]) == (1, "fell: out of reach", 1.5)
    assert set(first["values"]) == {f"{PUSH}.magnitude", f"{PUSH}.angle_rad"}
    assert endings([first, second]) == [{"ended": "fell: out of reach", "runs": 2}]


def test_the_figures_are_plain_data(tmp_path: Path) -> None:
    found = findings_of(
        write_results(tmp_path, {PUSH: POLAR}, pushes(40), [i < 20 for i in range(40)], planned=90)
    )
    figures = json.loads(json.dumps(figures_of(found, list(failures(found)))))
    assert (figures["runs"], figures["planned"]) == (40, 90)
    assert figures["thresholds"][0]["parameter"] == PUSH
    assert figures["ticks"][0]["worst tick [µs]"] == 939.0
    assert figures["ticks"][0]["in run"] == 39


def test_a_folder_without_runs_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not exist"):
        findings_of(tmp_path)
    with pytest.raises(ConfigError, match="holds no run"):
        findings_of(write_results(tmp_path, {"a": [1]}, [], []))
