"""Reads a table of numbers from a CSV file, plain or compressed with gzip; errors name file and line."""

from __future__ import annotations

import csv
import gzip
import io
import math
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.config.config_error import ConfigError, Problem
from kilohertz.robots.config.user_file import read_user_file

_SEPARATORS = ",;\t"
_UNKNOWN = ("", "nan", "na", "null", "none")
_SHOWN = 40
MOST_BYTES = 1_000_000_000
MOST_COLUMNS = 10_000
# A table that unpacks to more than this times its size, and more than the free size, holds no measurements.
MOST_RATIO = 200
FREE_BYTES = 10_000_000
BLOCK_ROWS = 4096

_OTHER_KINDS = (
    (b"PK\x03\x04", "a NumPy or other ZIP archive"),
    (b"\x93NUMPY", "a NumPy array"),
    (b"\x89MCAP", "an MCAP file"),
    (b"#ROSBAG", "a ROS bag"),
    (b"SQLite format 3", "a ROS 2 bag or other database"),
    (b"\x89HDF", "an HDF5 or MATLAB file"),
    (b"MATLAB", "a MATLAB file"),
    (b"PAR1", "a Parquet file"),
    (b"ARROW1", "an Arrow file"),
    (b"\x80\x04\x95", "a Python pickle"),
)
"""First bytes of the files in which logs are often kept, and what they are."""


@dataclass(frozen=True)
class Table:
    """The columns of a CSV file.

    Attributes:
        path: the file.
        names: names of the columns, in order; no name occurs twice.
        values: (n, columns) numbers; NaN where a cell is empty or says NaN.
        lines: (n,) line of each row in the file, from 1.
    """

    path: Path
    names: tuple[str, ...]
    values: NDArray[np.float64]
    lines: NDArray[np.int64]

    def column(self, name: str) -> NDArray[np.float64]:
        """(n,) values of a column; raises ValueError if there is none of this name."""
        values: NDArray[np.float64] = self.values[:, self.names.index(name)]
        return values

    def problem(self, row: int, sentence: str) -> ConfigError:
        """Returns an error with the file and the line of a row."""
        return ConfigError(Problem(sentence, self.path, int(self.lines[row]), 1))


def read_table(path: Path) -> Table:
    """Reads a CSV file whose first line names the columns; the cells are numbers.

    Columns are separated by commas, semicolons or tabs. An empty cell, or one that says NaN, is unknown.

    Raises:
        ConfigError: the file cannot be read, or is no such table; one sentence with file, line and remedy.
    """
    content = read_user_file(path, MOST_BYTES, "a table")
    if content[:2] == b"\x1f\x8b":
        content = _unpacked(content, path)
    for head, kind in _OTHER_KINDS:
        if content.startswith(head):
            sentence = f"is {kind}, and logs are imported from CSV: write a column for each of its values"
            raise ConfigError(Problem(sentence, path))
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(Problem("is no CSV file: it is not text in UTF-8", path)) from None
    if "\0" in text:
        raise ConfigError(Problem("is no CSV file: it contains zero bytes", path))
    return table_of_text(text, path)


def _unpacked(content: bytes, path: Path) -> bytes:
    """Returns the content of a file that is compressed with gzip, unless it is larger than a table may be."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(content)) as file:
            plain = file.read(MOST_BYTES + 1)
    except (EOFError, zlib.error, OSError):
        raise ConfigError(Problem("is cut off or damaged: compress it again with gzip", path)) from None
    if len(plain) > min(MOST_BYTES, FREE_BYTES + MOST_RATIO * len(content)):
        sentence = f"unpacks to more than {MOST_BYTES // 1_000_000} MB or {MOST_RATIO} times its size"
        raise ConfigError(Problem(f"{sentence}, which no table of measurements does", path))
    return plain


def table_of_text(text: str, path: Path) -> Table:
    """Returns the table of a CSV text; `path` is the file that errors name. See `read_table`."""
    head = next((line for line in io.StringIO(text) if line.strip()), "")
    separator = max(_SEPARATORS, key=head.count)
    rows = _rows(text, separator, path)
    line, cells = next(rows, (0, []))
    names = tuple(cell.strip() for cell in cells)
    _check_names(names, path, line)
    lines: list[int] = []
    values: list[list[float]] = []
    blocks: list[NDArray[np.float64]] = []
    for line, cells in rows:
        if len(cells) != len(names):
            raise ConfigError(
                Problem(
                    f"has {len(cells)} cells, but the first line names {len(names)} columns", path, line, 1
                )
            )
        values.append([_number(cell, name, path, line) for cell, name in zip(cells, names, strict=True)])
        lines.append(line)
        if len(values) == BLOCK_ROWS:
            # The numbers are stored in an array, because Python objects would take several times the memory.
            blocks.append(np.array(values))
            values = []
    if not lines:
        raise ConfigError(Problem("has no line of numbers", path))
    if values:
        blocks.append(np.array(values))
    return Table(path, names, np.concatenate(blocks), np.array(lines))


def _rows(text: str, separator: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields line number and cells of each line that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise ConfigError(Problem(f"is not CSV: {error}", path, reader.line_num, 1)) from None


def _check_names(names: tuple[str, ...], path: Path, line: int) -> None:
    if len(names) > MOST_COLUMNS:
        raise ConfigError(Problem(f"has more than {MOST_COLUMNS} columns", path, line, 1))
    if not names:
        raise ConfigError(Problem("is empty: its first line should name the columns", path))
    if all(_is_number(name) for name in names):
        raise ConfigError(
            Problem("has no names of columns: add a first line such as t_s,q_left_knee", path, line, 1)
        )
    for name, count in Counter(names).items():
        if count > 1:
            what = f"names column '{name}' {count} times" if name else f"has {count} columns without a name"
            raise ConfigError(Problem(f"{what}: give each column its own name", path, line, 1))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.strip().lower() not in _UNKNOWN


def _number(cell: str, name: str, path: Path, line: int) -> float:
    if cell.strip().lower() in _UNKNOWN:
        return math.nan
    try:
        # float() would take 1_000 for a number.
        number = math.inf if "_" in cell else float(cell)
    except ValueError:
        number = math.inf
    if math.isinf(number):
        hint = ": write decimals with a point" if _is_number(cell.replace(",", ".")) and "," in cell else ""
        raise ConfigError(
            Problem(
                f"column '{name}' holds '{cell.strip()[:_SHOWN]}', which is no finite number{hint}",
                path,
                line,
                1,
            )
        )
    return number
