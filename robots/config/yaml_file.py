"""Loading of YAML files that are checked against a schema; every problem is reported with line and column.

The text is parsed to ruamel's node graph, which holds the position of each key. Plain data is built from the
graph and validated by pydantic. Each of pydantic's errors is turned into a sentence with the position of its
key.
"""

from __future__ import annotations

import io
import itertools
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pydantic
from pydantic_core import core_schema
from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from kilohertz.robots.config.config_error import MAX_PROBLEMS, ConfigError, Problem, did_you_mean
from kilohertz.robots.config.user_file import decoded, read_user_file
from kilohertz.robots.config.yaml_sentences import Finding, findings, key_path

__all__ = [
    "Config",
    "ConfigError",
    "Positions",
    "check_data",
    "load_yaml",
    "load_yaml_located",
    "parse_value",
]

MAX_BYTES = 1_000_000
MAX_DEPTH = 40
MAX_VALUES = 50_000
# Python does not convert longer integers to text.
MAX_BITS = 10_000

TOO_DEEP = f"is nested too deeply: more than {MAX_DEPTH} levels"
TOO_MANY = f"holds too many values: more than {MAX_VALUES}"

KNOWN_KEYS = "__known_keys__"

M = TypeVar("M", bound=pydantic.BaseModel)
Loc = tuple[str | int, ...]


def _let_lists_fill_tuples(schema: Any) -> None:
    """Lets a YAML list fill a tuple or set in strict mode, because YAML has only one kind of list."""
    if isinstance(schema, dict):
        if schema.get("type") in ("tuple", "set", "frozenset"):
            schema["strict"] = False
        for part in schema.values():
            _let_lists_fill_tuples(part)
    elif isinstance(schema, (list, tuple)):
        for part in schema:
            _let_lists_fill_tuples(part)


class Config(pydantic.BaseModel):
    """Base class of every schema.

    Models are frozen and forbid unknown keys. Where a number is expected, integers are accepted, but text and
    booleans are not.
    """

    model_config = pydantic.ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=()
    )

    @pydantic.model_validator(mode="before")
    @classmethod
    def _remember_keys(cls, data: Any, info: pydantic.ValidationInfo) -> Any:
        # pydantic reports an unknown key without the valid keys, which "did you mean" needs. Inside unions
        # the schema, and so the valid keys, is known only here.
        if isinstance(data, dict) and isinstance(info.context, dict) and KNOWN_KEYS in info.context:
            known = info.context[KNOWN_KEYS].setdefault(id(data), {})
            known.update((spec.alias or name, None) for name, spec in cls.model_fields.items())
        return data

    @classmethod
    def __get_pydantic_core_schema__(
        cls, source: Any, handler: pydantic.GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        schema = handler(source)
        _let_lists_fill_tuples(schema)
        return schema


@dataclass
class _Place:
    """Line and column of a key or list entry (from 1), and the places inside it."""

    line: int
    column: int
    inside: dict[str | int, _Place] = field(default_factory=dict)


def value_at(data: Any, loc: Loc) -> Any:
    """Returns the value at a key path in plain data; None if there is none."""
    for step in loc:
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data


class Positions:
    """Line and column of each key of a parsed file, for problems that are found after parsing.

    Attributes:
        path: the file; None for data that came from no file.
        data: the plain data it holds (dicts, lists, text, numbers).
    """

    def __init__(self, path: Path | None, data: Any, root: _Place) -> None:
        self.path = path
        self.data = data
        self._root = root

    def value(self, loc: Loc) -> Any:
        """Returns the plain value at a key path; None if the file does not have this key."""
        return value_at(self.data, loc)

    def problem(
        self, loc: Loc, sentence: str, candidates: Iterable[str] = (), wrong: str | None = None
    ) -> Problem:
        """Returns a problem at the position of a key, or of its nearest parent that the file has.

        Args:
            loc: path of the key, such as ("contacts", "left_foot", "link").
            sentence: description of the problem, which continues the name of the key.
            candidates: valid words; the one closest to the wrong word is suggested as "did you mean".
            wrong: the wrong word; by default the value at `loc` if it is text, else the key.
        """
        place = self._root
        for step in loc:
            inner = place.inside.get(step)
            if inner is None:
                break
            place = inner
        if wrong is None:
            value = self.value(loc)
            wrong = value if isinstance(value, str) else str(loc[-1]) if loc else ""
        return Problem(
            sentence + did_you_mean(wrong, candidates), self.path, place.line, place.column, key_path(loc)
        )

    def error(
        self, loc: Loc, sentence: str, candidates: Iterable[str] = (), wrong: str | None = None
    ) -> ConfigError:
        """Returns an exception with one problem; the arguments are those of `problem`."""
        return ConfigError(self.problem(loc, sentence, candidates, wrong))


def load_yaml(path: Path, schema: type[M], *, context: dict[str, Any] | None = None) -> M:
    """Reads a YAML 1.2 file and checks it against a schema.

    Args:
        path: path of the file.
        schema: a pydantic model, preferably derived from `Config`.
        context: passed to the schema's validators as `info.context`.

    Returns:
        The checked model.

    Raises:
        ConfigError: the file cannot be read, is not YAML, or does not fit the schema; it lists all problems.
    """
    return load_yaml_located(path, schema, context=context)[0]


def load_yaml_located(
    path: Path, schema: type[M], *, context: dict[str, Any] | None = None
) -> tuple[M, Positions]:
    """Like `load_yaml`, and also returns where each key stands, for checks across files."""
    positions = _parse(path, decoded(read_user_file(path, MAX_BYTES), path))
    return _checked(positions, schema, context), positions


def parse_value(text: str, source: str) -> Any:
    """Plain data of one YAML value given outside a file, such as `0.4` or `[0.4, 0.0]`.

    Args:
        text: the value.
        source: named in an error in place of a file.

    Raises:
        ConfigError: it is not a YAML value.
    """
    return _parse(Path(source), text).data


def check_data(data: Mapping[str, Any], schema: type[M], source: str = "") -> tuple[M, Positions]:
    """Checks plain data against a schema, with the sentences of `load_yaml_located`.

    Args:
        data: nested mappings, lists, tuples, numbers, text and NumPy arrays.
        schema: a pydantic model, best derived from `Config`.
        source: named in an error in place of a file, if there is something to name.

    Returns:
        The checked model, and the positions of its keys, which know no line.

    Raises:
        ConfigError: the data does not fit; one line per key.
    """
    positions = Positions(Path(source) if source else None, _plain(data), _Place(0, 0))
    return _checked(positions, schema, None), positions


def _plain(value: Any, depth: int = 0) -> Any:
    """Lists for tuples and arrays, dicts for other mappings; what YAML cannot hold stays as it is."""
    if depth > MAX_DEPTH:
        raise ConfigError("the data is nested too deeply")
    if isinstance(value, Mapping):
        return {str(key): _plain(entry, depth + 1) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry, depth + 1) for entry in value]
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value


def _checked(positions: Positions, schema: type[M], context: dict[str, Any] | None) -> M:
    known: dict[int, dict[str, None]] = {}
    try:
        return schema.model_validate(positions.data, context={**(context or {}), KNOWN_KEYS: known})
    except pydantic.ValidationError as error:
        found = itertools.islice(findings(positions.data, error), MAX_PROBLEMS + 1)
        raise ConfigError(*(_located(positions, finding, known) for finding in found)) from None


def _located(positions: Positions, finding: Finding, known: dict[int, dict[str, None]]) -> Problem:
    if not finding.unknown_key:
        return positions.problem(finding.loc, finding.sentence)
    parent = positions.value(finding.loc[:-1])
    present = parent if isinstance(parent, dict) else {}
    missing = [key for key in known.get(id(parent), {}) if key not in present]
    return positions.problem(finding.loc, finding.sentence, missing, wrong=str(finding.loc[-1]))


class _BoundedComposer(Composer):
    """Composer that refuses a document with too many or too deep values before it has built them all."""

    def __init__(self, loader: Any = None) -> None:
        super().__init__(loader)
        self._composed = 0
        self._depth = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Composes one node and all nodes in it."""
        event = self.parser.peek_event()
        self._composed += 1
        for found, most, sentence in (
            (self._composed, MAX_VALUES, TOO_MANY),
            (self._depth, MAX_DEPTH, TOO_DEEP),
        ):
            if found > most:
                raise ComposerError(None, None, sentence, event.start_mark)
        self._depth += 1
        node = super().compose_node(parent, index)
        self._depth -= 1
        return node


def _parse(path: Path, text: str) -> Positions:
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _BoundedComposer
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # ruamel warns of an anchor that is used twice, which is harmless
            root = yaml.compose(io.StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        sentence = " ".join(str(part) for part in (error.context, error.problem) if part)
        line, column = (mark.line + 1, mark.column + 1) if mark is not None else (0, 0)
        if sentence not in (TOO_MANY, TOO_DEEP):
            sentence = f"is not valid YAML: {sentence}"
        raise ConfigError(Problem(sentence, path, line, column)) from None
    except YAMLError as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(Problem(f"is not valid YAML: {reason}", path)) from None
    except RecursionError:
        raise ConfigError(Problem(TOO_DEEP, path)) from None
    except Exception as error:  # on broken text the scanner itself can fail (IndexError, AttributeError, ...)
        raise ConfigError(Problem(f"is not valid YAML: {error!s}", path)) from None
    if root is None:
        raise ConfigError(Problem("is empty", path, 1, 1))
    builder = _Builder(path, yaml)
    place = _Place(root.start_mark.line + 1, root.start_mark.column + 1)
    data = builder.build(root, place, ())
    ConfigError.raise_if_any(builder.problems)
    return Positions(path, data, place)


def _is_text(value: str) -> bool:
    r"""Checks that text is valid Unicode: an escape such as "\ud800" is a lone surrogate and is not."""
    return not any("\ud800" <= letter <= "\udfff" for letter in value)


class _Builder:
    """Builds plain data, and the position of each key, from ruamel's node graph."""

    def __init__(self, path: Path, yaml: YAML) -> None:
        self.path = path
        self.problems: list[Problem] = []
        self._yaml = yaml
        self._values = 0

    def build(self, node: Node, place: _Place, loc: Loc) -> Any:
        self._values += 1
        # Aliases can multiply a few lines into an unbounded amount of data, or contain themselves.
        if len(loc) > MAX_DEPTH:
            raise ConfigError(Problem(TOO_DEEP, self.path, place.line, place.column))
        if self._values > MAX_VALUES:
            raise ConfigError(Problem(TOO_MANY, self.path, place.line, place.column))
        if isinstance(node, MappingNode):
            return self._mapping(node, place, loc)
        if isinstance(node, SequenceNode):
            return [self._inner(item, item, place, loc, index) for index, item in enumerate(node.value)]
        return self._scalar(node, place, loc)

    def _inner(self, at: Node, node: Node, place: _Place, loc: Loc, step: str | int) -> Any:
        inner = _Place(at.start_mark.line + 1, at.start_mark.column + 1)
        place.inside[step] = inner
        return self.build(node, inner, (*loc, step))

    def _mapping(self, node: MappingNode, place: _Place, loc: Loc) -> dict[str, Any]:
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, ScalarNode):
                mark = key_node.start_mark
                self._problem(mark.line + 1, mark.column + 1, loc, "has a key that is not a word")
                continue
            key = str(key_node.value)
            if not _is_text(key):
                mark = key_node.start_mark
                self._problem(mark.line + 1, mark.column + 1, loc, "has a key that is not valid text")
                continue
            if key in data:
                mark, first = key_node.start_mark, place.inside[key].line
                self._problem(
                    mark.line + 1, mark.column + 1, (*loc, key), f"is given twice (first in line {first})"
                )
                continue
            data[key] = self._inner(key_node, value_node, place, loc, key)
        return data

    def _scalar(self, node: Node, place: _Place, loc: Loc) -> Any:
        kind = str(node.tag).removeprefix("tag:yaml.org,2002:")
        if kind in ("str", "timestamp"):
            if not _is_text(node.value):
                self._problem(place.line, place.column, loc, "is not valid text")
            return str(node.value)
        try:
            if kind == "null":
                return None
            if kind in ("bool", "int", "float"):
                value = getattr(self._yaml.constructor, f"construct_yaml_{kind}")(node)
                if kind == "int" and value.bit_length() > MAX_BITS:
                    raise OverflowError
                return value
        except (ValueError, LookupError, OverflowError, YAMLError):
            self._problem(place.line, place.column, loc, f"cannot be read as a value: {str(node.value)[:40]}")
            return None
        self._problem(place.line, place.column, loc, f"has an unknown YAML tag: {node.tag}")
        return None

    def _problem(self, line: int, column: int, loc: Loc, sentence: str) -> None:
        self.problems.append(Problem(sentence, self.path, line, column, key_path(loc)))
        if len(self.problems) > MAX_PROBLEMS:
            raise ConfigError(*self.problems)
