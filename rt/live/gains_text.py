"""Text of a gains.yaml: written with the meaning of every key, or with other values and the same comments."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping

from pydantic import BaseModel
from pydantic_core import to_jsonable_python
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

Keys = tuple[str, ...]
"""Keys from the top of gains.yaml down to one value."""


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


def with_values(text: str, values: Mapping[Keys, float]) -> str:
    """Returns the text of a gains file with other values; its comments and its order stay.

    Args:
        text: text of a valid gains file.
        values: new value of each path of keys; keys that the file does not have are added.
    """
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 4096
    content = yaml.load(text)
    # A file without a key has no data to which its comments are attached.
    comments = "" if content is not None else "".join(f"{line}\n" for line in text.splitlines())
    content = content or CommentedMap()
    for path, value in values.items():
        section = content
        for key in path[:-1]:
            if not isinstance(section.get(key), CommentedMap):
                section[key] = CommentedMap()
            section = section[key]
        section[path[-1]] = value
    out = io.StringIO()
    yaml.dump(content, out)
    return comments + out.getvalue()
