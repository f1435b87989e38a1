"""Conversion of pydantic's validation errors to sentences about the keys of a file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pydantic

from kilohertz.robots.config.config_error import did_you_mean

Loc = tuple[str | int, ...]

# Expected kind of value, by the type of pydantic's error.
SHOULD_BE = {
    "float_type": "a number",
    "float_parsing": "a number",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "string_type": "text",
    "dict_type": "a map (key: value)",
    "mapping_type": "a map (key: value)",
    "model_type": "a map (key: value)",
    "model_attributes_type": "a map (key: value)",
    "list_type": "a list",
    "tuple_type": "a list",
    "set_type": "a list",
    "finite_number": "a finite number",
    "none_required": "left empty",
}
BOUNDS = {
    "greater_than": ("gt", "greater than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
WRONG_SHAPE = set(SHOULD_BE) - {"finite_number"}
# Unknown keys of one map that are compared with each key that is missing there.
MOST_WORDS = 50


@dataclass(frozen=True)
class Finding:
    """One problem of the key at a path of the data.

    Attributes:
        loc: path of the key.
        sentence: description of the problem, which continues the name of the key.
        unknown_key: whether the key itself is not part of the schema.
    """

    loc: Loc
    sentence: str
    unknown_key: bool = False


@dataclass(frozen=True)
class _Raw:
    """An error of pydantic, with its path split into keys of the data and branches of unions."""

    loc: Loc
    branches: tuple[tuple[int, str], ...]  # (depth in loc, label)
    kind: str
    error: Any


def key_path(loc: Loc) -> str:
    """Formats a path: ("contacts", "left_foot", "corners_m", 2) gives `contacts.left_foot.corners_m[2]`."""
    text = ""
    for step in loc:
        text += f"[{step}]" if isinstance(step, int) else f".{step}" if text else step
    return text


def findings(data: Any, error: pydantic.ValidationError) -> list[Finding]:
    """Converts the errors of a validation to one sentence per key.

    Args:
        data: the plain data that was validated.
        error: pydantic's error for this data.
    """
    raw = [_split(data, entry) for entry in error.errors(include_url=False)]
    raw = _one_branch_of_each_union(raw)
    result: dict[Loc, Finding] = _too_short_lists(data, raw)
    for one in raw:
        if one.loc[:-1] in result and _is_missing_entry(one):
            continue
        unknown = one.kind == "extra_forbidden"
        sentence = _sentence(one)
        before = result.get(one.loc)
        if before is not None:
            if sentence in before.sentence:
                continue
            sentence = _join(before.sentence, sentence)
        result[one.loc] = Finding(one.loc, sentence, unknown)
    return _without_misspelt(result)


def _is_missing_entry(one: _Raw) -> bool:
    return one.kind == "missing" and bool(one.loc) and isinstance(one.loc[-1], int)


def _too_short_lists(data: Any, raw: list[_Raw]) -> dict[Loc, Finding]:
    """Returns one finding per list that is too short, where pydantic reports each missing entry."""
    expected: dict[Loc, int] = {}
    for one in raw:
        if _is_missing_entry(one):
            expected[one.loc[:-1]] = max(expected.get(one.loc[:-1], 0), int(one.loc[-1]) + 1)
    result = {}
    for loc, count in expected.items():
        value = data
        for step in loc:
            value = value[step]
        result[loc] = Finding(loc, f"should have {count} entries, not {len(value)}")
    return result


def _split(data: Any, entry: Any) -> _Raw:
    loc: list[str | int] = []
    branches: list[tuple[int, str]] = []
    steps = list(entry["loc"])
    value = data
    for index, step in enumerate(steps):
        absent = entry["type"] == "missing" and index == len(steps) - 1
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and isinstance(step, int):
            value = value[step] if step < len(value) else None
        elif not absent:
            branches.append((len(loc), str(step)))
            continue
        loc.append(step)
    if entry["type"] == "union_tag_invalid" and isinstance(value, dict):
        tag = str(entry["ctx"]["discriminator"]).strip("'")
        loc += [tag] if tag in value else []
    return _Raw(tuple(loc), tuple(branches), entry["type"], entry)


def _one_branch_of_each_union(raw: list[_Raw]) -> list[_Raw]:
    """Keeps, for each union, only the errors of the branch that the author of the file most likely meant.

    This is the branch whose shape (number, text, list or map) fits the value, with the fewest errors. If no
    branch fits, all errors are kept, and `_join` joins them to one sentence.
    """
    unions: dict[Loc, dict[str, list[_Raw]]] = {}
    for one in raw:
        for depth, label in one.branches[:1]:
            unions.setdefault(one.loc[:depth], {}).setdefault(label, []).append(one)
    dropped: set[int] = set()
    for prefix, options in unions.items():
        fitting = {
            label: found
            for label, found in options.items()
            if not any(one.loc == prefix and one.kind in WRONG_SHAPE for one in found)
        }
        if not fitting:
            continue
        best = min(fitting, key=lambda label: len(fitting[label]))
        dropped.update(id(one) for label, found in options.items() if label != best for one in found)
    return [one for one in raw if id(one) not in dropped]


def _without_misspelt(result: dict[Loc, Finding]) -> list[Finding]:
    """Drops "is missing" for a key if the same map contains a misspelling of this key."""
    unknown: dict[Loc, list[str]] = {}
    for loc, finding in result.items():
        if finding.unknown_key:
            words = unknown.setdefault(loc[:-1], [])
            if len(words) < MOST_WORDS:
                words.append(str(loc[-1]))
    return [
        finding
        for loc, finding in result.items()
        if not (
            finding.sentence == "is missing"
            and any(did_you_mean(word, [str(loc[-1])]) for word in unknown.get(loc[:-1], ()))
        )
    ]


def _join(first: str, second: str) -> str:
    """Joins two sentences, such as "should be a number, not 'x'" and "should be a map, not 'x'", into one."""
    prefix = "should be "
    if first.startswith(prefix) and second.startswith(prefix):
        return f"{first.split(', not ')[0]} or {second.removeprefix(prefix)}"
    return f"{first}; {second}"


def _sentence(one: _Raw) -> str:
    kind, error = one.kind, one.error
    context = error.get("ctx", {})
    value = error.get("input")
    if kind == "missing":
        return "is missing"
    if kind == "extra_forbidden":
        return "is not a known key"
    if kind in SHOULD_BE:
        return f"should be {SHOULD_BE[kind]}, not {_shown(value)}"
    if kind in BOUNDS:
        name, words = BOUNDS[kind]
        bound = context[name]
        shown = f"{bound:g}" if isinstance(bound, (int, float)) else str(bound)
        return f"should be {words} {shown}, not {_shown(value)}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        allowed = str(context["expected"])
        choices = allowed.replace("'", "").replace(" or ", ", ").split(", ")
        return f"should be {allowed}, not {_shown(value)}{did_you_mean(str(value), choices)}"
    if kind in ("too_short", "too_long"):
        bound = context.get("min_length" if kind == "too_short" else "max_length")
        most = "at least" if kind == "too_short" else "at most"
        return f"should have {most} {bound} {'entry' if bound == 1 else 'entries'}, not {_count(value)}"
    if kind in ("string_too_short", "string_too_long"):
        return "should not be empty" if kind == "string_too_short" else "is too long"
    if kind == "union_tag_not_found":
        return f"needs the key {context.get('discriminator', '')}"
    if kind == "union_tag_invalid":
        allowed = str(context["expected_tags"])
        meant = did_you_mean(str(context["tag"]), allowed.replace("'", "").split(", "))
        return f"should be one of {allowed}, not '{context['tag']}'{meant}"
    message = str(error["msg"]).removeprefix("Input ").removeprefix("Value ")
    return message[:1].lower() + message[1:]


def _count(value: Any) -> str:
    return str(len(value)) if isinstance(value, (list, dict)) else _shown(value)


def _shown(value: Any) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a map"
    if isinstance(value, list):
        return "a list"
    text = str(value)
    text = text if len(text) <= 40 else text[:37] + "..."
    return f"'{text}'" if isinstance(value, str) else text
