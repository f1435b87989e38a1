"""The Parquet files of a study: its runs by number, and where and how fast each of them ran.

The first file follows from the study alone: it is bit for bit the same wherever and in whatever order the
runs were done. What differs is in the second file.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kilohertz.robots.config.config_error import ConfigError

if TYPE_CHECKING:
    import pyarrow

RUNS, TIMING = "runs.parquet", "timing.parquet"
AT_ONCE = 500
"""Number of rows that are in memory at once."""
PROVENANCE = b"kilohertz"


def require_library() -> None:
    """Checks that Parquet files can be written.

    Raises:
        ConfigError: pyarrow is not installed.
    """
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ConfigError(f"studies need pyarrow ({error}): pip install 'kilohertz[study]'") from None
    del pyarrow


def flat(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the figures of nested data by dotted key.

    The numbers of a list are `key[0]` and so on; another list is JSON. What is None is
    left out: the column of a figure that a run did not produce is null.
    """
    for name, value in content.items():
        key = f"{prefix}{name}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{key}.")
        elif isinstance(value, list):
            numbers = [x for x in value if isinstance(x, int | float) and not isinstance(x, bool)]
            if value and len(numbers) == len(value):
                yield from ((f"{key}[{i}]", float(x)) for i, x in enumerate(value))
            elif any(x is not None for x in value):
                yield key, json.dumps(value)
        elif value is not None:
            yield key, float(value) if type(value) is int and name not in WHOLE else value


WHOLE = ("index", "seed", "ticks", "pid")
"""Keys of whole numbers; every other number may have a fraction in another run."""


def write_table(
    path: Path, rows: Callable[[], Iterator[tuple[int, Mapping[str, Any]]]], provenance: Mapping[str, Any]
) -> None:
    """Writes rows to a Parquet file, in their order; the file appears when it is complete.

    Args:
        path: the file.
        rows: returns pairs of the number of a run and its values, in the order of the file; called twice.
        provenance: what the rows follow from, kept in the file.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds: dict[str, pa.DataType] = {"index": pa.int64()}
    for _, row in rows():
        for key, value in row.items():
            kinds[key] = _joined(kinds.get(key), _kind(value))
    schema = pa.schema(list(kinds.items()), metadata={PROVENANCE: json.dumps(provenance, sort_keys=True)})
    partial = path.with_suffix(".partial")
    with pq.ParquetWriter(partial, schema, compression="zstd") as writer:
        block: list[dict[str, Any]] = []
        for index, row in rows():
            block.append(
                {key: _fitted({**row, "index": index}.get(key), kind) for key, kind in kinds.items()}
            )
            if len(block) == AT_ONCE:
                writer.write_table(pa.Table.from_pylist(block, schema=schema))
                block = []
        if block:
            writer.write_table(pa.Table.from_pylist(block, schema=schema))
    partial.replace(path)


def _kind(value: Any) -> pyarrow.DataType:
    import pyarrow as pa

    if isinstance(value, bool):
        return pa.bool_()
    if isinstance(value, int):
        return pa.int64()
    if isinstance(value, float):
        return pa.float64()
    return pa.string()


def _joined(known: pyarrow.DataType | None, kind: pyarrow.DataType) -> pyarrow.DataType:
    """Returns the type of a column with values of two types."""
    import pyarrow as pa

    if known is None or known == kind:
        return kind
    return pa.float64() if {known, kind} == {pa.int64(), pa.float64()} else pa.string()


def _fitted(value: Any, kind: pyarrow.DataType) -> Any:
    import pyarrow as pa

    if value is None or kind != pa.string() or isinstance(value, str):
        return value
    return json.dumps(value)


class Rows:
    """Rows of a file of runs, or of their timing.

    Args:
        path: the file.
        wanted: whether a column is read, by its name; without it all are.

    Attributes:
        rows: the rows by name of the column; columns without a value are None.
        provenance: what the rows follow from.

    Raises:
        ConfigError: it is no such file.
    """

    def __init__(self, path: Path, wanted: Callable[[str], bool] | None = None) -> None:
        require_library()
        import pyarrow as pa
        import pyarrow.parquet as pq

        if not path.is_file():
            raise ConfigError(f"{path} does not exist: give the folder of a study that `khz sweep` has run")
        try:
            schema = pq.read_schema(path)
            self.provenance: dict[str, Any] = json.loads((schema.metadata or {})[PROVENANCE])
            columns = None if wanted is None else list(filter(wanted, schema.names))
            # A file by itself: the name of a column is no path into nested columns.
            table = pq.ParquetFile(path).read(columns)
        except (pa.ArrowException, OSError, KeyError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise ConfigError(f"{path} is not a file of `khz sweep`: {reason}") from None
        self.rows: list[dict[str, Any]] = table.to_pylist()
