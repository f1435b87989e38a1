"""Reads an XML file of a model, within limits that keep every later reader of it from crashing or hanging.

pinocchio and MuJoCo read a file by recursion and build what it asks for, however deep and however much. The
limits are far above those of real robots.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers import expat

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.config.user_file import read_user_file
from kilohertz.robots.model.model_error import ModelFileError

MOST_BYTES = 10_000_000
MOST_ELEMENTS = 50_000
MOST_DEPTH = 250


@dataclass(frozen=True)
class XmlFile:
    """An XML file that was read.

    Attributes:
        path: path of the file.
        root: its root element.
        source: its bytes.
    """

    path: Path
    root: ET.Element
    source: bytes


def read_xml(path: Path) -> XmlFile:
    """Reads an XML file.

    Raises:
        ModelFileError: the file cannot be read, is no valid XML, or exceeds a limit.
    """
    try:
        source = read_user_file(path, MOST_BYTES, "a model")
    except ConfigError as error:
        raise ModelFileError(f"'{path}' {error.problems[0].sentence}") from None
    return XmlFile(path, _parsed(source, path), source)


def _parsed(source: bytes, path: Path) -> ET.Element:
    parser = expat.ParserCreate()
    depth = elements = 0

    def refuse(sentence: str) -> None:
        raise ModelFileError(f"'{path}' {sentence} (line {parser.CurrentLineNumber})")

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth, elements
        depth, elements = depth + 1, elements + 1
        if depth > MOST_DEPTH:
            refuse(f"has elements inside each other, more than {MOST_DEPTH} deep")
        if elements > MOST_ELEMENTS:
            refuse(f"has more than {MOST_ELEMENTS} elements")

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1

    def entity(*_: Any) -> None:
        refuse("declares an entity (<!ENTITY ...>): write its text where it is used")

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.EntityDeclHandler = entity
    try:
        # This pass checks the limits; the tree is built with namespaces, as everything that reads it expects.
        parser.Parse(source, True)
        return ET.fromstring(source)
    except (expat.ExpatError, ET.ParseError, ValueError, LookupError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"'{path}' is not valid XML: {error}") from None
