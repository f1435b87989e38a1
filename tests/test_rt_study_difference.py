"""Is one study better than another?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.study.difference import BETTER, NO_DIFFERENCE, WORSE, difference
from kilohertz.rt.study.table import RUNS, write_table

pytest.importorskip("pyarrow")


def study(folder: Path, outcomes: list[bool | None], first_seed: int = 0) -> Path:
    folder.mkdir()

    def rows() -> Iterator[tuple[int, dict[str, Any]]]:
        for index, outcome in enumerate(outcomes):
            row = {"vary.seed": first_seed + index}
            yield index, row if outcome is None else {**row, "outcome": outcome}

    write_table(folder / RUNS, rows, {})
    return folder


def test_a_study_that_wins_ten_runs_and_loses_none_is_better(tmp_path: Path) -> None:
    a, b = study(tmp_path / "a", [False] * 10 + [True] * 5), study(tmp_path / "b", [True] * 15)
    found = difference(a, b)
    assert (found["runs"], found["only_first"], found["only_second"]) == (15, 0, 10)
    assert found["verdict"] == BETTER
    assert difference(b, a)["verdict"] == WORSE
    assert difference(a, a)["verdict"] == NO_DIFFERENCE


def test_few_differences_and_runs_without_an_outcome_prove_nothing(tmp_path: Path) -> None:
    a, b = study(tmp_path / "a", [None, False, True, True]), study(tmp_path / "b", [True, True, True])
    found = difference(a, b)
    assert (found["runs"], found["not_in_common"], found["only_second"]) == (3, 1, 2)
    assert found["verdict"] == NO_DIFFERENCE


def test_studies_without_common_runs_are_refused(tmp_path: Path) -> None:
    a, b = study(tmp_path / "a", [True] * 3), study(tmp_path / "b", [True] * 3, first_seed=10)
    with pytest.raises(ConfigError, match="no run in common"):
        difference(a, b)
