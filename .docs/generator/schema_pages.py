"""Reference of a pydantic schema: every key with its type, unit, default, bounds and meaning."""

from __future__ import annotations

import inspect
import json
import re
import types
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt, MaxLen, MinLen
from markdown_text import code, plain, table
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined, to_jsonable_python

_UNITS = {
    "rad_s_per_sqrt_s": "rad/s per √s",
    "m_s2_per_sqrt_s": "m/s² per √s",
    "rad_per_sqrt_s": "rad per √s",
    "m_per_sqrt_s": "m per √s",
    "per_s3": "1/s³",
    "per_s2": "1/s²",
    "per_s": "1/s",
    "per_rad": "1/rad",
    "rad_s2": "rad/s²",
    "rad_s": "rad/s",
    "m_s2": "m/s²",
    "m_s": "m/s",
    "kgm2": "kg m²",
    "Nms": "N m s",
    "Nm": "N m",
    "Ns": "N s",
    "Hz": "Hz",
    "kg": "kg",
    "deg": "°",
    "rad": "rad",
    "ms": "ms",
    "N": "N",
    "m": "m",
    "s": "s",
}
_KINDS = {float: "number", int: "whole number", bool: "true or false", str: "text"}


def unit(key: str) -> str:
    """Unit of a key, from its ending; "" where it has none."""
    for ending, symbol in _UNITS.items():
        if key == ending or key.endswith(f"_{ending}"):
            return symbol
    return ""


def notes(model: type) -> dict[str, str]:
    """What the `Attributes:` section of a class says of each of them."""
    found: dict[str, str] = {}
    for cls in reversed(model.__mro__):
        section = re.search(
            r"^Attributes:\n((?: +.*\n?|\n)+)", inspect.cleandoc(cls.__doc__ or ""), re.MULTILINE
        )
        for names, text in re.findall(
            r"^    (\S[^:\n]*): (.*(?:\n      .*)*)", section[1] if section else "", re.MULTILINE
        ):
            found.update((name, text) for name in re.split(r", ", names))
    return found


def summary(model: type) -> str:
    """A class's docstring without its sections."""
    text = inspect.cleandoc(model.__doc__ or "")
    return re.split(r"\n\n?(?:Attributes|Args|Raises):\n", text)[0].strip()


def _parts(annotation: Any) -> tuple[Any, list[Any]]:
    """An annotation without `Annotated`, and what was annotated."""
    extra: list[Any] = []
    while True:
        if get_origin(annotation) is Annotated:
            annotation, *more = get_args(annotation)
            extra += more
        else:
            return annotation, extra


def models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """Every model that values of this type may be or hold."""
    annotation, _ = _parts(annotation)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from models_in(inner)


def kind(annotation: Any, elsewhere: Mapping[str, str] | None = None) -> str:
    """What a value of this type is, in Markdown.

    Args:
        annotation: the type.
        elsewhere: page of each model, by name, that has its section on another page.
    """
    annotation, _ = _parts(annotation)
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, types.UnionType):
        return " or ".join(kind(one, elsewhere) for one in inner if one is not type(None))
    if origin is Literal:
        return ", ".join(code(json.dumps(value).strip('"')) for value in inner)
    if origin is dict:
        return f"map from a name to {kind(inner[1], elsewhere)}"
    if origin is tuple and inner[-1:] != (Ellipsis,):
        return f"list of {len(inner)}: {kind(inner[0], elsewhere)}"
    if origin in (tuple, list):
        return f"list of {kind(inner[0], elsewhere)}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        page = (elsewhere or {}).get(annotation.__name__, "")
        return f"[{annotation.__name__}]({page}#{anchor(annotation)})"
    return _KINDS.get(annotation, plain(str(annotation)))


def anchor(model: type) -> str:
    """Anchor of a model's section."""
    return model.__name__.lower()


def bounds(field: FieldInfo) -> str:
    """Bounds of a field, in Markdown; "" where there are none."""
    found: dict[type, Any] = {}
    queue, annotation = [*field.metadata], field.annotation
    for _ in range(3):  # Optional, its members, what is inside a list
        annotation, extra = _parts(annotation)
        queue += extra
        members = [one for one in get_args(annotation) if one is not type(None)]
        if len(members) != 1 and get_origin(annotation) is not tuple:
            break
        annotation = members[0] if members else annotation
    for item in queue:
        items = item.metadata if isinstance(item, FieldInfo) else [item]
        found.update((type(one), one) for one in items)
    words = []
    for bound, sign in ((Gt, ">"), (Ge, "≥"), (Lt, "<"), (Le, "≤")):
        if bound in found:
            words.append(f"{sign} {getattr(found[bound], bound.__name__.lower()):g}")
    if MinLen in found and found[MinLen].min_length:
        words.append(f"at least {found[MinLen].min_length}")
    if MaxLen in found:
        words.append(f"at most {found[MaxLen].max_length}")
    return plain(", ".join(words))


def default(field: FieldInfo) -> str:
    """Default of a field, in Markdown."""
    value = field.get_default(call_default_factory=True)
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, BaseModel):
        return "its defaults"
    if value is None:
        return ""
    return code(json.dumps(to_jsonable_python(value)).strip('"'))


def rows(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, FieldInfo, str]]:
    """Key, field and description (Markdown) of every field of a model."""
    described = notes(model)
    for name, field in model.model_fields.items():
        text = described.get(name) or field.description or ""
        yield f"{prefix}{field.alias or name}", field, plain(text)


def model_section(
    model: type[BaseModel],
    title: str | None = None,
    *,
    text: str | None = None,
    elsewhere: Mapping[str, str] | None = None,
) -> str:
    """A section on one model: what it is, and its keys.

    Args:
        model: the schema.
        title: title of the section and its anchor; left out, the model's name.
        text: what the section says first, in Markdown; left out, what the model's docstring says.
        elsewhere: as for `kind`.
    """
    head = ("Key", "Value", "Unit", "Default", "Bounds", "Meaning")
    lines = [
        (code(key), kind(field.annotation, elsewhere), unit(key), default(field), bounds(field), meaning)
        for key, field, meaning in rows(model)
    ]
    start = f"## {title or model.__name__} {{ #{(title or model.__name__).lower()} }}\n\n"
    body = table(head, lines) if lines else "It has no keys: write `{}`.\n"
    return f"{start}{text or _prose(summary(model))}\n\n{body}\n"


def _prose(text: str) -> str:
    return "\n\n".join(plain(paragraph) for paragraph in text.split("\n\n"))


def all_models(root: type[BaseModel]) -> list[type[BaseModel]]:
    """A model and every model below it, each once, level by level."""
    found = [root]
    for model in found:
        for field in model.model_fields.values():
            found += [one for one in dict.fromkeys(models_in(field.annotation)) if one not in found]
    return found
