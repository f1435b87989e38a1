"""Finds all files of an MJCF model, and refuses what MuJoCo's compiler would multiply without end."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.config.user_file import read_user_file, refuse_other_kinds
from kilohertz.robots.model.model_error import ModelFileError
from kilohertz.robots.model.xml_file import MOST_ELEMENTS, XmlFile, read_xml

MOST_FILES = 100
MOST_MESH_BYTES = 200_000_000
MOST_POINTS = 10_000
MOST_CELLS = 64_000_000
MOST_SIZE = 1_000_000
MOST_ARENA_BYTES = 8 << 30
MOST_ITERATIONS = 10_000

_SUFFIXES = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50, "e": 1 << 60}
_FOLDERS = {"mesh": "meshdir", "hfield": "meshdir", "skin": "meshdir", "flexcomp": "meshdir"}
# Files of which the masses and inertias can be computed.
_SHAPES = ("mesh", "hfield", "flexcomp")


@dataclass
class MjcfFiles:
    """The files of an MJCF model.

    Attributes:
        xml: the file itself, then those that it includes or attaches, in the order of their first mention.
        shapes: files of meshes and height fields, in the order of their first mention.
        shapes_matter: whether masses or inertias are computed from shapes.
    """

    xml: list[XmlFile] = field(default_factory=list)
    shapes: list[Path] = field(default_factory=list)
    shapes_matter: bool = False

    def content(self) -> bytes:
        """Returns the bytes of all files on which the robot's dynamics depend, one after another.

        Raises:
            ModelFileError: a file cannot be read.
        """
        parts = [file.source for file in self.xml]
        try:
            if self.shapes_matter:
                parts += [read_user_file(path, MOST_MESH_BYTES, "a mesh") for path in self.shapes]
        except ConfigError as error:
            raise ModelFileError(str(error)) from None
        return b"".join(parts)


def find_mjcf_files(main: XmlFile) -> MjcfFiles:
    """Finds all files of an MJCF model.

    Args:
        main: the file that robot.yaml names.

    Raises:
        ModelFileError: a file cannot be read, or something in it exceeds a limit.
    """
    found = MjcfFiles()
    waiting = [main]
    while waiting:
        file = waiting.pop(0)
        found.xml.append(file)
        if len(found.xml) > MOST_FILES:
            raise ModelFileError(f"consists of more than {MOST_FILES} files")
        _check_sizes(file.root)
        seen = {each.path for each in (*found.xml, *waiting)}
        for element, path in _named_files(file, main.path):
            if element.tag in ("include", "model"):
                inner = path.resolve()
                if inner in seen:
                    if element.tag == "model":
                        raise ModelFileError(f"attaches '{path}' more than once, or within itself")
                    continue
                seen.add(inner)
                waiting.append(read_xml(inner))
            elif element.tag in _SHAPES and path not in found.shapes:
                found.shapes.append(path)
    elements = sum(_expanded(file.root) for file in found.xml)
    if elements > MOST_ELEMENTS:
        raise ModelFileError(
            f"has {elements:.0f} elements with those that it repeats, more than {MOST_ELEMENTS}"
        )
    found.shapes_matter = any(_computes_inertia(file.root) for file in found.xml)
    return found


def _named_files(file: XmlFile, main: Path) -> Iterator[tuple[ET.Element, Path]]:
    """Yields the elements that name a file which exists, and its path; refuses pipes and devices."""
    compilers = list(file.root.iter("compiler"))
    for element in file.root.iter():
        name = element.get("file")
        if not name:
            continue
        key = _FOLDERS.get(element.tag, "")
        folders = [
            each.get(attribute, "") for each in compilers for attribute in (key, "assetdir") if attribute
        ]
        for folder in dict.fromkeys((*folders, "")):
            for base in dict.fromkeys((main.parent, file.path.parent)):
                path = base / folder / name
                try:
                    status = path.stat()
                    refuse_other_kinds(path, status)
                except (OSError, ValueError):
                    continue  # MuJoCo says that it is missing
                except ConfigError as error:
                    raise ModelFileError(f"names '{path}', which {error.problems[0].sentence}") from None
                if status.st_size > MOST_MESH_BYTES:
                    limit = f"{MOST_MESH_BYTES // 1_000_000} MB"
                    raise ModelFileError(f"names '{path}', which is larger than {limit}")
                yield element, path
                break
            else:
                continue
            break


def _numbers(element: ET.Element, key: str) -> list[float]:
    numbers = []
    for part in element.get(key, "").split():
        try:
            numbers.append(float(part))
        except ValueError:
            continue
    return numbers


def _check_sizes(root: ET.Element) -> None:
    """Refuses numbers that make MuJoCo's compiler or engine allocate or repeat without end."""
    for element in root.iter():
        tag = element.tag
        if tag in ("composite", "flexcomp"):
            _refuse_above(element, "count", math.prod(_numbers(element, "count")), MOST_POINTS)
        elif tag == "hfield":
            _refuse_above(element, "nrow, ncol", _product(element, "nrow", "ncol"), MOST_CELLS)
        elif tag == "texture":
            _refuse_above(element, "width, height", _product(element, "width", "height"), MOST_CELLS)
        elif tag == "size":
            for key in element.attrib:
                if key == "memory":
                    _refuse_above(element, key, _bytes(element.get(key, "")), MOST_ARENA_BYTES)
                else:
                    _refuse_above(element, key, max(_numbers(element, key), default=0.0), MOST_SIZE)
        elif tag == "option":
            for key in element.attrib:
                if key.endswith("iterations"):
                    _refuse_above(element, key, max(_numbers(element, key), default=0.0), MOST_ITERATIONS)


def _product(element: ET.Element, *keys: str) -> float:
    return math.prod(max(_numbers(element, key), default=1.0) for key in keys)


def _bytes(text: str) -> float:
    factor = _SUFFIXES.get(text.strip()[-1:].lower(), 1)
    try:
        return float(text.strip().rstrip("kmgtpeKMGTPE") or 0.0) * factor
    except ValueError:
        return 0.0


def _refuse_above(element: ET.Element, key: str, value: float, most: float) -> None:
    if not value <= most:
        raise ModelFileError(f"has a <{element.tag}> with {key} of {value:.4g}, more than {most:.4g}")


def _expanded(element: ET.Element) -> float:
    """Returns the number of elements that a tree has after <replicate> has repeated its content."""
    count = 1.0 + sum(_expanded(child) for child in element)
    if element.tag == "replicate":
        count *= max((abs(number) for number in _numbers(element, "count")), default=1.0)
    return count if math.isfinite(count) else math.inf


def _computes_inertia(root: ET.Element) -> bool:
    """Whether the mass or inertia of a body comes from the shapes of its geometry."""
    if any(each.get("inertiafromgeom", "auto") == "true" for each in root.iter("compiler")):
        return True
    return any(
        body.find("inertial") is None and any(True for _ in body.iter("geom")) for body in root.iter("body")
    )
