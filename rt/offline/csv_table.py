"""Reads a table of numbers from a CSV file, plain or compressed with gzip; errors name file and line."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import math
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.config.config_error import ConfigError, Problem
from kilohertz.robots.config.user_file import read_user_file

_SEPARATORS = ",;\t"
_UNKNOWN = ("", "nan", "na", "null", "none")
_DATE, _CLOCK = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:"), re.compile(r"\d?\d:\d\d(:\d\d([.,]\d+)?)?")
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
        texts: columns with a cell that is no number, and what is wrong there; their values are NaN in such
            cells, and a column is refused only if it is used.
        notes: sentences about how the file was read.
    """

    path: Path
    names: tuple[str, ...]
    values: NDArray[np.float64]
    lines: NDArray[np.int64]
    texts: dict[str, Problem] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def column(self, name: str) -> NDArray[np.float64]:
        """(n,) values of a column.

        Raises:
            ValueError: there is no column of this name.
            ConfigError: a cell of the column is no number.
        """
        if name in self.texts:
            raise ConfigError(self.texts[name])
        values: NDArray[np.float64] = self.values[:, self.names.index(name)]
        return values

    def problem(self, row: int, sentence: str) -> ConfigError:
        """Returns an error with the file and the line of a row."""
        return ConfigError(Problem(sentence, self.path, int(self.lines[row]), 1))


def read_table(path: Path) -> Table:
    """Reads a CSV file whose first line names the columns; the cells are numbers.

    Columns are separated by commas, semicolons or tabs. An empty cell, or one that says NaN, is unknown.
    Where commas do not separate columns, they are decimal commas. Lines that begin with # before the first
    line of numbers are comments; the last one names the columns if no other line does, as NumPy writes it. A
    date with time in ISO 8601 is a number of seconds since 1970, in UTC if it names no zone.

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
    wide = content[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        raise ConfigError(
            Problem("is no CSV file: it is not text in UTF-8; save it as UTF-8", path)
        ) from None
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
    lines = (line for line in io.StringIO(text) if line.strip())
    head = next((line for line in lines if not line.startswith("#")), "")
    separator = max(_SEPARATORS, key=head.count)
    rows = _rows(text, separator, path)
    line, names, first = _names(rows, path)
    _check_names(names, path, line, head)
    reading = _Reading(path, names, decimal_commas=separator != ",")
    for line, cells in itertools.chain(first, rows):
        reading.add(line, cells)
    return reading.table()


def _names(
    rows: Iterator[tuple[int, list[str]]], path: Path
) -> tuple[int, tuple[str, ...], list[tuple[int, list[str]]]]:
    """Returns the line and the names of the columns, and the line after them if that was read as well."""
    comment: tuple[int, list[str]] | None = None
    for line, cells in rows:
        if cells[0].startswith("#"):
            comment = line, cells
            continue
        if comment is not None and len(comment[1]) == len(cells) and all(_is_number(cell) for cell in cells):
            names = [comment[1][0].removeprefix("#"), *comment[1][1:]]
            return comment[0], tuple(name.strip() for name in names), [(line, cells)]
        return line, tuple(cell.strip() for cell in cells), []
    if comment is not None:
        raise ConfigError(Problem("has no line of numbers", path))
    return 0, (), []


class _Reading:
    """Collects the rows of a table."""

    def __init__(self, path: Path, names: tuple[str, ...], decimal_commas: bool) -> None:
        self._path, self._names, self._commas = path, names, decimal_commas
        self._lines: list[int] = []
        self._values: list[list[float]] = []
        self._blocks: list[NDArray[np.float64]] = []
        self._texts: dict[str, Problem] = {}
        self._decimals = 0

    def add(self, line: int, cells: list[str]) -> None:
        """Adds the cells of a line."""
        names = self._names
        if len(cells) != len(names):
            hint = ""
            if not self._commas and len(cells) > len(names):
                hint = ": if decimals are written with commas, separate the columns with semicolons"
            sentence = f"has {len(cells)} cells, but the first line names {len(names)} columns{hint}"
            raise ConfigError(Problem(sentence, self._path, line, 1))
        if not self._lines and not any(_is_number(cell.replace(",", ".")) or _time(cell) for cell in cells):
            self._refuse_text(line, cells)
        self._values.append([self._number(cell, name, line) for cell, name in zip(cells, names, strict=True)])
        self._lines.append(line)
        if len(self._values) == BLOCK_ROWS:
            # The numbers are stored in an array, because Python objects would take several times the memory.
            self._blocks.append(np.array(self._values))
            self._values = []

    def _refuse_text(self, line: int, cells: list[str]) -> None:
        shown = [cell.strip()[:_SHOWN] for cell in cells if cell.strip().lower() not in _UNKNOWN]
        if shown:
            sentence = f"holds no number, but '{shown[0]}' and so on, as if units: remove the line"
            raise ConfigError(Problem(sentence, self._path, line, 1))

    def _number(self, cell: str, name: str, line: int) -> float:
        number = _number(cell)
        if number is None and self._commas and cell.count(",") == 1 and "." not in cell:
            number = _number(cell.replace(",", "."))
            self._decimals += number is not None
        if number is not None:
            return number
        if name not in self._texts:
            hint = (
                ": write decimals with a point" if "," in cell and _is_number(cell.replace(",", ".")) else ""
            )
            if _CLOCK.fullmatch(cell.strip()):
                hint = ": write it in seconds, or with the date as in 2026-01-31T12:00:00.000"
            sentence = f"column '{name}' holds '{cell.strip()[:_SHOWN]}', which is no finite number{hint}"
            self._texts[name] = Problem(sentence, self._path, line, 1)
        return math.nan

    def table(self) -> Table:
        """Returns the table of all rows."""
        if not self._lines:
            raise ConfigError(Problem("has no line of numbers", self._path))
        if self._values:
            self._blocks.append(np.array(self._values))
        notes = ("commas are read as decimal commas",) if self._decimals else ()
        lines = np.array(self._lines)
        return Table(self._path, self._names, np.concatenate(self._blocks), lines, self._texts, notes)


def _rows(text: str, separator: str, path: Path) -> Iterator[tuple[int, list[str]]]:
    """Yields line number and cells of each line that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise ConfigError(Problem(f"is not CSV: {error}", path, reader.line_num, 1)) from None


def _check_names(names: tuple[str, ...], path: Path, line: int, head: str) -> None:
    if len(names) > MOST_COLUMNS:
        raise ConfigError(Problem(f"has more than {MOST_COLUMNS} columns", path, line, 1))
    if not names:
        raise ConfigError(Problem("is empty: its first line should name the columns", path))
    if len(names) == 1 and len(head.split()) > 2:
        sentence = "has columns separated by spaces: separate them with commas, semicolons or tabs"
        raise ConfigError(Problem(sentence, path, line, 1))
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


def _number(cell: str) -> float | None:
    """Returns the finite number, or the seconds since 1970, that a cell says; NaN if unknown, else None."""
    if cell.strip().lower() in _UNKNOWN:
        return math.nan
    try:
        # float() would take 1_000 for a number.
        number = math.inf if "_" in cell else float(cell)
    except ValueError:
        return _time(cell)
    return number if math.isfinite(number) else None


def _time(cell: str) -> float | None:
    """Returns the seconds since 1970 of a date with time in ISO 8601; None if the cell is none."""
    text = cell.strip()
    if not _DATE.match(text):
        return None
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (time if time.tzinfo is not None else time.replace(tzinfo=UTC)).timestamp()
