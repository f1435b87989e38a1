"""Parquet files of a study."""

from __future__ import annotations

from pathlib import Path

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.study.table import Rows, flat, write_table

pytest.importorskip("pyarrow")

ROWS = [(0, {"seed": 3, "fell": False, "a.b": 1.0}), (2, {"seed": 4, "fell": True, "text": "x"})]


def test_nested_data_become_columns() -> None:
    content = {
        "fell": False,
        "ticks": 5,
        "torque": {"peak": 1, "none": None},
        "v": [1, 2.5],
        "names": ["a"],
        "n": [],
    }
    assert dict(flat(content)) == {
        "fell": False,
        "ticks": 5,
        "torque.peak": 1.0,
        "v[0]": 1.0,
        "v[1]": 2.5,
        "names": '["a"]',
    }


def test_rows_come_back_with_their_provenance_and_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_table(tmp_path / f"{name}.parquet", lambda: iter(ROWS), {"name": "x"})
    found = Rows(tmp_path / "a.parquet")
    assert found.provenance == {"name": "x"}
    assert [row["index"] for row in found.rows] == [0, 2]
    assert found.rows[0] == {"index": 0, "seed": 3, "fell": False, "a.b": 1.0, "text": None}
    few = Rows(tmp_path / "a.parquet", lambda name: name == "a.b")
    assert few.rows == [{"a.b": 1.0}, {"a.b": None}]
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()


def test_values_of_two_types_share_a_column(tmp_path: Path) -> None:
    rows = [(0, {"x": 1}), (1, {"x": 2.5}), (2, {"y": "a"}), (3, {"y": 3})]
    write_table(tmp_path / "a.parquet", lambda: iter(rows), {})
    assert [(row["x"], row["y"]) for row in Rows(tmp_path / "a.parquet").rows] == [
        (1.0, None),
        (2.5, None),
        (None, "a"),
        (None, "3"),
    ]


@pytest.mark.parametrize("content", [b"", b"PAR1 no", b"x" * 5000])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "runs.parquet").write_bytes(content)
    with pytest.raises(ConfigError, match="is not a file of `khz sweep`"):
        Rows(tmp_path / "runs.parquet")
    with pytest.raises(ConfigError, match="does not exist"):
        Rows(tmp_path / "none.parquet")
