"""The CSV parser: numbers come back as written; everything else is one sentence with file and line."""

import csv
import gzip
import io
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.rt.offline.csv_table import read_table, table_of_text

FILE = Path("log.csv")
NUMBERS = st.floats(allow_nan=True, allow_infinity=False)


@given(
    st.lists(st.text("abc_xyz", min_size=1), min_size=2, max_size=5, unique_by=str.lower).filter(
        lambda names: not set(names) & {"na"}
    ),
    st.data(),
    st.sampled_from(",;\t"),
)
def test_numbers_come_back_as_they_were_written(names, data, separator):
    row = st.lists(NUMBERS, min_size=len(names), max_size=len(names))
    rows = data.draw(st.lists(row, min_size=1, max_size=6))
    out = io.StringIO()
    csv.writer(out, delimiter=separator).writerows([names, *rows])
    table = table_of_text(out.getvalue(), FILE)
    assert table.names == tuple(names)
    np.testing.assert_array_equal(table.values, np.array(rows))
    assert table.lines.tolist() == list(range(2, 2 + len(rows)))


@given(st.text())
def test_any_text_is_a_table_or_one_sentence(text):
    table, sentence = None, ""
    try:
        table = table_of_text(text, FILE)
    except ConfigError as error:
        sentence = str(error)
    if table is None:
        assert sentence.startswith("log.csv")
        assert "\n" not in sentence
    else:
        assert table.values.shape == (len(table.lines), len(table.names))
        assert not np.isinf(table.values).any()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("a,b\n", "has no line of numbers"),
        ("a,b\n1,2\n3\n", "log.csv:3:1: has 1 cells, but the first line names 2 columns"),
        ("a,b\n1,2,5\n", "if decimals are written with commas, separate the columns with semicolons"),
        (
            "a,b\nrad,m\n1,2\n",
            "log.csv:2:1: holds no number, but 'rad' and so on, as if units: remove the line",
        ),
        ("a b c\n1 2 3\n", "has columns separated by spaces"),
        ("# only\n# comments\n", "has no line of numbers"),
        ("a,b,a\n1,2,3\n", "log.csv:1:1: names column 'a' 2 times: give each column its own name"),
        ("a,,\n1,2,3\n", "has 2 columns without a name"),
        ("0.1,0.2\n1,2\n", "log.csv:1:1: has no names of columns"),
        ('a,b\n1,"2\n', "is not CSV"),
    ],
)
def test_what_is_no_table_is_refused_with_line_and_remedy(text, sentence):
    with pytest.raises(ConfigError) as refused:
        table_of_text(text, FILE)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,b\n1,2\n\n3,left\n", "log.csv:4:1: column 'b' holds 'left', which is no finite number"),
        ("a,b\n1,inf\n", "holds 'inf', which is no finite number"),
        ("a,b\n1,1_000\n", "holds '1_000'"),
        ('a,b\n1,"2,5"\n', "write decimals with a point"),
        ("a;b\n1;1,000.5\n", "holds '1,000.5'"),
        ("a,b\n1,12:30:00.5\n", "write it in seconds, or with the date"),
        ("a,b\n1,2026-13-01T00:00:00\n", "which is no finite number"),
    ],
)
def test_a_column_with_text_is_refused_where_it_is_used_and_others_are_not(text, sentence):
    table = table_of_text(text, FILE)
    assert table.column("a")[0] == 1.0
    with pytest.raises(ConfigError) as refused:
        table.column("b")
    assert sentence in str(refused.value)


def test_decimal_commas_are_read_where_commas_do_not_separate_and_told():
    table = table_of_text("a;b\n1,5;-2,5e1\n3;4\n", FILE)
    assert table.values.tolist() == [[1.5, -25.0], [3.0, 4.0]]
    assert table.notes == ("commas are read as decimal commas",)
    assert table_of_text("a;b\n1.5;2\n", FILE).notes == ()


@pytest.mark.parametrize("text", ["# by NumPy\n# a,b\n1,2\n", "#a,b\n1,2\n", "# from a robot\na,b\n1,2\n"])
def test_comments_before_the_numbers_are_left_out_and_may_name_the_columns(text):
    table = table_of_text(text, FILE)
    assert (table.names, table.values.tolist()) == (("a", "b"), [[1.0, 2.0]])
    assert table.lines[0] == text.count("\n")


def test_dates_with_time_are_seconds_since_1970():
    stamps = ["1970-01-02T00:00:00.25", "1970-01-02 00:00:00.250000", "1970-01-02T01:00:00.25+01:00"]
    table = table_of_text("a\n" + "\n".join([*stamps, stamps[0] + "Z"]), FILE)
    assert table.column("a").tolist() == [86400.25] * 4


def test_utf_16_is_read_as_utf_8(tmp_path):
    path = tmp_path / "log.csv"
    path.write_bytes("a,b\n1,2\n".encode("utf-16"))
    assert read_table(path).values.tolist() == [[1.0, 2.0]]


def test_unknown_cells_are_nan():
    table = table_of_text("a,b,c,d\n1,, nan,NA\n", FILE)
    assert table.values[0, 0] == 1.0
    assert np.isnan(table.values[0, 1:]).all()


def test_a_compressed_file_is_read_as_the_plain_one(tmp_path):
    text = "﻿t,x\r\n0,1e-3\r\n"
    plain, packed = tmp_path / "a.csv", tmp_path / "a.csv.gz"
    plain.write_bytes(text.encode())
    packed.write_bytes(gzip.compress(text.encode()))
    tables = [read_table(path) for path in (plain, packed)]
    assert [table.names for table in tables] == [("t", "x")] * 2
    np.testing.assert_array_equal(tables[0].values, tables[1].values)


def test_files_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "log.csv"
    packed = gzip.compress(b"t,x\n" + b"0,1\n" * 1000)
    for content, sentence in (
        (packed[: len(packed) // 2], "cut off or damaged"),
        (b"\xff\xfe\x00", "not text in UTF-8"),
        (b"t,x\n0,\0\n", "zero bytes"),
        (b"\x89MCAP0\r\n", "is an MCAP file, and logs are imported from CSV"),
        (b"#ROSBAG V2.0\n", "is a ROS bag"),
        (b"PK\x03\x04", "is a NumPy or other ZIP archive"),
        (gzip.compress(b"PAR1"), "is a Parquet file"),
    ):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=sentence):
            read_table(path)
    with pytest.raises(ConfigError, match="does not exist"):
        read_table(tmp_path / "none.csv")
    assert math.isnan(table_of_text("a\n \nnan\n", FILE).values[0, 0])


def test_a_table_that_unpacks_to_hundreds_of_times_its_size_is_refused(tmp_path):
    path = tmp_path / "bomb.csv.gz"
    path.write_bytes(gzip.compress(b"a\n" + b"0" * 30_000_000))
    with pytest.raises(ConfigError, match="unpacks to more than"):
        read_table(path)


def test_rows_of_several_blocks_keep_their_order():
    n = 10_001
    table = table_of_text("a\n" + "".join(f"{i}\n" for i in range(n)), FILE)
    assert table.values[:, 0].tolist() == list(range(n))
    assert table.lines.tolist() == list(range(2, n + 2))


def test_more_columns_than_any_log_has_are_refused():
    with pytest.raises(ConfigError, match="has more than 10000 columns"):
        table_of_text(",".join(f"c{i}" for i in range(10_001)), FILE)
