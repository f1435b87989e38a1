"""Writes gains as the text of a gains.yaml, with every key, its value and its meaning as a comment."""

from __future__ import annotations

import json

from pydantic import BaseModel
from pydantic_core import to_jsonable_python


def gains_yaml(gains: BaseModel, indent: str = "") -> str:
    """Returns a YAML document that gives the same gains when it is read.

    Args:
        gains: all gains, or one section of them.
        indent: text to put in front of each line.
    """
    lines = []
    for name, field in type(gains).model_fields.items():
        value = getattr(gains, name)
        comment = f"  # {field.description}" if field.description else ""
        if isinstance(value, BaseModel):
            lines.append(f"{indent}{name}:{comment}\n{gains_yaml(value, indent + '  ')}")
        else:
            # JSON numbers, strings, lists and null are valid YAML too.
            lines.append(f"{indent}{name}: {json.dumps(to_jsonable_python(value))}{comment}\n")
    return "".join(lines)
