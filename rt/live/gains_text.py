"""Gains as the text of a gains.yaml: every key, its value, and what it means."""

from __future__ import annotations

import json

from pydantic import BaseModel
from pydantic_core import to_jsonable_python


def gains_yaml(gains: BaseModel, indent: str = "") -> str:
    """A YAML document that gives the same gains when read.

    Args:
        gains: the gains, or a section of them.
        indent: in front of each line.
    """
    lines = []
    for name, field in type(gains).model_fields.items():
        value = getattr(gains, name)
        comment = f"  # {field.description}" if field.description else ""
        if isinstance(value, BaseModel):
            lines.append(f"{indent}{name}:{comment}\n{gains_yaml(value, indent + '  ')}")
        else:
            # Numbers, strings, lists and null are written alike in JSON and in YAML.
            lines.append(f"{indent}{name}: {json.dumps(to_jsonable_python(value))}{comment}\n")
    return "".join(lines)
