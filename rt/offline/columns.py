"""Finds the columns of a log from elsewhere: by our names, or by a file that maps our names to theirs.

Our names are `t_s`, `q_JOINT`, `v_JOINT`, `tau_JOINT`, `gyro_x|y|z`, `accel_x|y|z`, `force_CONTACT`,
`truth_x|y|z`, `truth_roll|pitch|yaw` or `truth_qw|qx|qy|qz`, `outside_x|y|z` and
`outside_roll|pitch|yaw`. In the file, `JOINT` and `CONTACT` stand for each name, and a list of columns of one
force for their sum:

    t_s: {column: stamp_ms, scale: 0.001}
    q_JOINT: pos.JOINT
    gyro: [wx, wy, wz]
    force_left_foot: fzL
    force_right_foot: [cell_1, cell_2, cell_3, cell_4]
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydantic

from kilohertz.robots.config.config_error import ConfigError, did_you_mean
from kilohertz.robots.config.yaml_file import Positions, load_yaml_located

JOINT, CONTACT = "JOINT", "CONTACT"
VECTORS = {
    "gyro": ("gyro_x", "gyro_y", "gyro_z"),
    "accel": ("accel_x", "accel_y", "accel_z"),
    "truth": ("truth_x", "truth_y", "truth_z"),
    "truth_rpy": ("truth_roll", "truth_pitch", "truth_yaw"),
    "truth_quat": ("truth_qw", "truth_qx", "truth_qy", "truth_qz"),
    "outside": ("outside_x", "outside_y", "outside_z"),
    "outside_rpy": ("outside_roll", "outside_pitch", "outside_yaw"),
}
JOINT_FIELDS = ("q", "v", "tau")
_PATTERNS = (*(f"{field}_{JOINT}" for field in JOINT_FIELDS), f"force_{CONTACT}")
_SINGLE = ("t_s", *(name for names in VECTORS.values() for name in names))


@dataclass(frozen=True)
class Source:
    """Where a quantity comes from: scale times the column plus offset.

    Attributes:
        column: name of the column in the file.
        scale: factor from the column's unit to ours.
        offset: value added after scaling, in our unit.
        others: names of further columns, whose values are added to those of the first before scaling.
    """

    column: str
    scale: float = 1.0
    offset: float = 0.0
    others: tuple[str, ...] = ()


class _ColumnFile(pydantic.RootModel[dict[str, Any]]):
    """The content of a `--columns` file, checked by `read_columns`."""


class ColumnMap:
    """Maps our names of columns to those of a file.

    Args:
        sources: their column by our name; keys may be patterns with JOINT or CONTACT.
        path: the file that says so; None for our own names.
    """

    def __init__(self, sources: dict[str, Source], path: Path | None = None) -> None:
        self._sources = sources
        self.path = path

    def source(self, field: str, name: str = "", pattern: str = JOINT) -> Source:
        """Returns where a quantity comes from.

        Args:
            field: our name of a column without joint or contact, such as `t_s`, or `q` with a joint.
            name: name of the joint or contact; "" for a column without.
            pattern: JOINT or CONTACT.
        """
        ours = f"{field}_{name}" if name else field
        if ours in self._sources:
            return self._sources[ours]
        general = self._sources.get(f"{field}_{pattern}") if name else None
        if general is None:
            return Source(ours)
        others = tuple(other.replace(pattern, name) for other in general.others)
        return Source(general.column.replace(pattern, name), general.scale, general.offset, others)

    def says(self, field: str, name: str = "") -> bool:
        """Returns whether the file names the column of this quantity itself, not by a pattern."""
        return (f"{field}_{name}" if name else field) in self._sources


def read_columns(path: Path, joints: Sequence[str], contacts: Sequence[str]) -> ColumnMap:
    """Reads a file that maps our names of columns to those of a CSV file.

    Args:
        path: YAML file; see the module.
        joints: names of all joints of the robot, locked ones included.
        contacts: names of the robot's contacts.

    Raises:
        ConfigError: a key or value has an error; one sentence for each, with line and remedy.
    """
    content, positions = load_yaml_located(path, _ColumnFile)
    known = [*_SINGLE, *VECTORS, *_PATTERNS]
    known += [f"{field}_{joint}" for field in JOINT_FIELDS for joint in joints]
    known += [f"force_{contact}" for contact in contacts]
    sources: dict[str, Source] = {}
    problems = []
    for key, value in content.root.items():
        if key not in known:
            hint = did_you_mean(key, known) or "; names are t_s, q_JOINT, gyro_x and so on"
            problems.append(positions.problem((key,), f"is not a name of ours{hint}"))
            continue
        try:
            sources.update(_sources(key, value))
        except ValueError as error:
            problems.append(positions.problem((key,), str(error)))
    ConfigError.raise_if_any(problems)
    return ColumnMap(sources, positions.path if isinstance(positions, Positions) else path)


def _sources(key: str, value: Any) -> Iterator[tuple[str, Source]]:
    if isinstance(value, list) and key.startswith("force_"):
        yield key, _source(key, {"column": value})
    elif isinstance(value, list):
        if key not in VECTORS or len(value) != len(VECTORS[key]):
            raise ValueError(
                f"takes no list of {len(value)}; lists of 3 (4 for truth_quat) are for {', '.join(VECTORS)}"
            )
        yield from ((name, _source(name, part)) for name, part in zip(VECTORS[key], value, strict=True))
    elif key in VECTORS:
        raise ValueError(f"should be a list of three columns, or name {VECTORS[key][0]} and so on")
    else:
        yield key, _source(key, value)


def _source(key: str, value: Any) -> Source:
    """Returns the source that a value of the file describes."""
    if isinstance(value, str):
        value = {"column": value}
    others: tuple[str, ...] = ()
    if isinstance(value, dict) and isinstance(value.get("column"), list) and key.startswith("force_"):
        names = value["column"]
        if not names or not all(isinstance(name, str) for name in names):
            raise ValueError("should be names of columns, whose values are added")
        value, others = {**value, "column": names[0]}, tuple(names[1:])
    if not isinstance(value, dict) or not isinstance(value.get("column"), str):
        raise ValueError("should be the name of a column, or {column: NAME, scale: 1, offset: 0}")
    extra = [name for name in value if name not in ("column", "scale", "offset")]
    if extra:
        raise ValueError(f"takes column, scale and offset, not '{extra[0]}'")
    numbers = [value.get("scale", 1.0), value.get("offset", 0.0)]
    for number in numbers:
        if isinstance(number, bool) or not isinstance(number, (int, float)) or not math.isfinite(number):
            raise ValueError("scale and offset should be numbers")
    if numbers[0] == 0.0:
        raise ValueError("scale should not be 0")
    for pattern in (JOINT, CONTACT):
        if key.endswith(f"_{pattern}") and not all(pattern in name for name in (value["column"], *others)):
            raise ValueError(f"should contain {pattern}, which stands for each name")
    return Source(value["column"], float(numbers[0]), float(numbers[1]), others)
