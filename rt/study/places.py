"""Paths into a scenario, such as `events[0].push.impulse_Ns`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from kilohertz.robots.config.yaml_file import Loc

_STEP = re.compile(r"(?:^|\.)([A-Za-z_]\w*)|\[(\d{1,6})\]")


class PlaceError(ValueError):
    """A path leads nowhere; the text continues its name."""


def steps_of(path: str) -> Loc:
    """Splits a path: `events[0].at_s` gives ("events", 0, "at_s").

    Raises:
        PlaceError: the text is no path.
    """
    steps: list[str | int] = []
    end = 0
    for match in _STEP.finditer(path):
        if match.start() != end:
            break
        steps.append(match[1] if match[1] is not None else int(match[2]))
        end = match.end()
    if end != len(path) or not steps or isinstance(steps[0], int):
        raise PlaceError("is not a path such as events[0].push.impulse_Ns, ground.friction or seed")
    return tuple(steps)


def with_value(data: Any, steps: Loc, value: Any) -> Any:
    """Returns plain data with one value replaced; the parts that do not change are shared with `data`.

    Missing maps on the way are created, because a scenario may leave out sections that have defaults; entries
    of lists must be there.

    Raises:
        PlaceError: the path passes through a value that is no map or list, or the list is too short.
    """
    if not steps:
        return value
    step, rest = steps[0], steps[1:]
    if isinstance(step, int):
        if not isinstance(data, list):
            raise PlaceError(f"asks for entry {step} of what is not a list")
        if step >= len(data):
            entries = f"{len(data)} {'entry' if len(data) == 1 else 'entries'}"
            raise PlaceError(f"asks for entry [{step}] of a list with {entries}; they count from 0")
        return [*data[:step], with_value(data[step], rest, value), *data[step + 1 :]]
    if data is None:
        data = {}
    if not isinstance(data, Mapping):
        raise PlaceError(
            f"asks for '{step}' of the value {data!r}: write that section out as a map in the scenario"
        )
    return {**data, step: with_value(data.get(step), rest, value)}
