"""Ranges of single gains, as the schema of gains.yaml gives them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from kilohertz.controller.gains.schema import Gains


@dataclass(frozen=True)
class GainRange:
    """Allowed values of one gain that is a number.

    Attributes:
        low, high: smallest and largest allowed value; infinite where the schema has no bound.
        default: value if gains.yaml leaves it out; None if it then follows from the robot.
    """

    low: float
    high: float
    default: float | None


def bounds_of(field: FieldInfo) -> tuple[float, float]:
    """Returns the smallest and the largest allowed value of a number; infinite without a bound.

    A bound that is not itself allowed (`gt`, `lt`) gives the next number inside.
    """
    low, high = -math.inf, math.inf
    for bound in field.metadata:
        if isinstance(bound, Gt):
            low = math.nextafter(_number(bound.gt), math.inf)
        elif isinstance(bound, Ge):
            low = _number(bound.ge)
        elif isinstance(bound, Lt):
            high = math.nextafter(_number(bound.lt), -math.inf)
        elif isinstance(bound, Le):
            high = _number(bound.le)
    return low, high


def _number(bound: object) -> float:
    return float(bound)  # type: ignore[arg-type]  # the bounds of the schema are numbers


@cache
def gain_ranges() -> dict[str, GainRange]:
    """Returns the range of each gain that is a number, by its dotted key, such as `com.weight`.

    Gains of named contacts, joints and bounds (`stance`, `inequalities`) have no fixed key and are left out.
    """
    return dict(_ranges(Gains(), ""))


def _ranges(section: BaseModel, prefix: str) -> Iterator[tuple[str, GainRange]]:
    for name, field in type(section).model_fields.items():
        value = getattr(section, name)
        if isinstance(value, BaseModel):
            yield from _ranges(value, f"{prefix}{name}.")
        elif field.annotation in (float, float | None):
            yield f"{prefix}{name}", GainRange(*bounds_of(field), value)
