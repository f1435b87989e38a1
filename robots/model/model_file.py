"""Finds and reads the model file of a `robot.yaml`, and converts it to the text from which models are built.

A URDF is rewritten so that pinocchio and MuJoCo read the same model: mesh paths become absolute, continuous
joints become revolute joints without limits, locked joints become fixed, mimic tags are removed, and a
floating root joint is removed because each reader adds its own.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

import numpy as np
import pinocchio as pin

from kilohertz.robots.model.inertia import check_inertias
from kilohertz.robots.model.mimic import lock_followers
from kilohertz.robots.model.mjcf_files import find_mjcf_files
from kilohertz.robots.model.model_error import ModelFileError, at_line
from kilohertz.robots.model.rows import Vector
from kilohertz.robots.model.xml_file import read_xml

# Stands for "no limit" in a URDF, which has no way to write infinity.
UNLIMITED_RAD = 1e9
# A limit of a turning joint beyond two turns is most likely given in degrees.
WIDEST_LIMIT_RAD = 4.0 * math.pi
# One beyond this, also as degrees, stands for "no limit", as for a wheel.
ENDLESS_RAD = 1000.0
# pinocchio follows a chain of links by recursion.
MOST_LINKS = 2000
LONGEST_NAME = 200
_NUMERIC = {"value", "ixx", "ixy", "ixz", "iyy", "iyz", "izz", "xyz", "rpy", "lower", "upper", "effort"}
_NUMERIC |= {"velocity", "radius", "length", "size", "scale", "multiplier", "offset", "damping", "friction"}
_ONCE = {"origin", "axis", "limit", "dynamics", "parent", "child", "inertial", "mass", "inertia", "geometry"}

ModelFormat = Literal["urdf", "mjcf"]

__all__ = ["ModelFile", "ModelFileError", "ModelFormat", "find_model", "read_model", "urdf_joint_names"]


@dataclass(frozen=True)
class ModelFile:
    """A model file that has been read.

    Attributes:
        path: path of the file.
        format: "urdf" or "mjcf".
        text: text from which the models are built: the rewritten URDF, or the content of the MJCF file.
        source: bytes of all files on which the robot's dynamics depend, one after another: the file itself,
            then for MJCF those that it includes, and meshes if inertias are computed from them.
        notes: one sentence for each part of the file that is not read as it stands.
        locked_rad: joints that are fixed, with their positions [rad, or m for a sliding joint].
    """

    path: Path
    format: ModelFormat
    text: str
    source: bytes
    notes: tuple[str, ...] = ()
    locked_rad: Mapping[str, float] = field(default_factory=dict)


def find_model(reference: str, folder: Path) -> Path:
    """Finds the file to which a `model:` entry refers.

    Args:
        reference: path relative to `folder`, or PACKAGE:path inside an installed data package.
        folder: folder of the `robot.yaml`.

    Raises:
        ModelFileError: there is no such package or file.
    """
    path = folder / reference
    try:
        if not path.exists() and ":" in reference:
            package, _, inside = reference.partition(":")
            path = _inside_package(package, inside)
        if not path.is_file():
            raise ModelFileError(f"there is no file '{path}'")
        return path.resolve()
    except (OSError, ValueError) as error:
        if isinstance(error, ModelFileError):
            raise
        raise ModelFileError(f"'{reference[:200]}' is no path of a file: {error}") from None


def _inside_package(package: str, inside: str) -> Path:
    try:
        distribution = metadata.distribution(package)
    except (metadata.PackageNotFoundError, ValueError):
        raise ModelFileError(
            f"needs the data package '{package}', which is not installed (pip install {package})"
        ) from None
    ends = "/" + inside.strip("/")
    found = sorted(
        (str(file) for file in distribution.files or () if f"/{file.as_posix()}".endswith(ends)), key=len
    )
    if not found:
        raise ModelFileError(f"the data package '{package}' {distribution.version} holds no file '{inside}'")
    return Path(str(distribution.locate_file(found[0])))


def read_model(
    path: Path,
    locked_rad: Mapping[str, float],
    floating: bool,
    repair_inertia: bool = False,
    posture_rad: Mapping[str, float] | None = None,
    named_links: Collection[str] = (),
    forward_rad: float = 0.0,
) -> ModelFile:
    """Reads a URDF or MJCF file.

    Args:
        path: path of the file.
        locked_rad: joints to fix, with their positions [rad, or m for a sliding joint].
        floating: whether the robot has a floating base.
        repair_inertia: whether to mend impossible inertias of a URDF.
        posture_rad: nominal joint positions, at which joints of grippers that follow another are locked.
        named_links: links that robot.yaml names, which such joints must not move.
        forward_rad: direction in which the robot faces, about the z axis of the URDF's root link [rad].

    Raises:
        ModelFileError: the file is neither URDF nor MJCF, is not valid, or has a joint that cannot be
            controlled.
    """
    file = read_xml(path)
    root, source = file.root, file.source
    text = source.decode("utf-8", "replace")
    if root.tag == "mujoco":
        if repair_inertia:
            raise ModelFileError(
                "is an MJCF file, for which repair_inertia is not used: give the file "
                '<compiler balanceinertia="true"/>'
            )
        if forward_rad:
            raise ModelFileError(
                "is an MJCF file, for which forward_rad is not used: turn the parts of the root body until "
                "the robot faces along its x axis"
            )
        return ModelFile(path, "mjcf", text, find_mjcf_files(file).content(), locked_rad=dict(locked_rad))
    if root.tag != "robot":
        raise ModelFileError(f"'{path}' is neither URDF nor MJCF: its root tag is <{root.tag}>")
    return _read_urdf(
        path, root, source, locked_rad, floating, repair_inertia, posture_rad or {}, named_links, forward_rad
    )


def _read_urdf(
    path: Path,
    root: ET.Element,
    source: bytes,
    locked_rad: Mapping[str, float],
    floating: bool,
    repair_inertia: bool,
    posture_rad: Mapping[str, float],
    named_links: Collection[str],
    forward_rad: float,
) -> ModelFile:
    """Rewrites a URDF; arguments as for `read_model`."""
    text = source.decode("utf-8", "replace")
    parts = [part for tag in ("link", "joint") for element in root.findall(tag) for part in element.iter()]
    expressions = any("${" in value for part in parts for value in part.attrib.values())
    if expressions or any("xacro" in element.tag for element in root):
        raise ModelFileError(f"'{path}' is xacro: expand it first (xacro {path.name} > robot.urdf)")
    _trim_numbers(root)
    repeated = _keep_first(root, text)
    _check_tree(root, text, locked_rad)
    _make_meshes_absolute(root, path)
    if floating:
        _leave_root_joint_to_reader(root)
    following = lock_followers(root, text, locked_rad, posture_rad, named_links)
    locks = dict(locked_rad) | dict(following.positions)
    for joint in root.findall("joint"):
        _normalise_joint(joint, locks)
    notes = repeated + following.notes + check_inertias(root, text, repair_inertia, floating)
    if forward_rad:
        _turn_base(root, forward_rad)
        notes += (f"the robot faces {math.degrees(forward_rad):.4g} deg from the x axis of its root link",)
    return ModelFile(path, "urdf", ET.tostring(root, encoding="unicode"), source, notes, locks)


def urdf_joint_names(path: Path) -> list[str]:
    """Returns the names of all movable joints of a URDF or MJCF file, in the order of the file.

    Raises:
        ModelFileError: the file cannot be read.
    """
    root = read_xml(path).root
    return [
        joint.get("name", "")
        for joint in root.iter("joint")
        if joint.get("type") != "fixed" and joint.get("name")
    ]


def _trim_numbers(root: ET.Element) -> None:
    """Leaves single spaces between numbers, and none around them.

    pinocchio's reader takes "0.9 " for no number, prints a line and leaves out the mass of the link.
    """
    for part in (*root.findall("link"), *root.findall("joint")):
        for element in part.iter():
            for key in _NUMERIC & set(element.attrib):
                element.set(key, " ".join(element.attrib[key].split()))


def _keep_first(root: ET.Element, source: str) -> tuple[str, ...]:
    """Removes what must be there once and is repeated, as ROS ignores it; returns a sentence for each."""
    notes = []
    for part in (*root.findall("link"), *root.findall("joint")):
        for element in part.iter():
            for tag in _ONCE & {child.tag for child in element}:
                first, *more = element.findall(tag)
                for child in more:
                    element.remove(child)
                if more:
                    name = part.get("name", "")
                    where = f"{part.tag} '{name}'{at_line(source, part.tag, name)}"
                    values = " ".join(f'{key}="{value}"' for key, value in first.attrib.items())
                    notes.append(
                        f"{where} has {len(more) + 1} <{tag}>, of which the first is used ({values})"
                    )
    return tuple(notes)


def _check_tree(root: ET.Element, source: str, locked: Collection[str]) -> None:
    """Refuses a URDF that pinocchio or MuJoCo would reject with an unclear message or misread."""
    joints = root.findall("joint")
    links = _names("link", root.findall("link"), MOST_LINKS)
    _names("joint", joints, MOST_LINKS)
    parent_of: dict[str, str] = {}
    for joint in joints:
        name = joint.get("name", "")
        parent, child = _child(joint, "parent"), _child(joint, "child")
        for link in (parent, child):
            if link not in links:
                where = at_line(source, "joint", name)
                raise ModelFileError(
                    f"joint '{name}'{where} refers to link '{link}', which does not exist: correct it, or "
                    f'add <link name="{link}"/>'
                )
        if child in parent_of:
            raise ModelFileError(f"link '{child}'{at_line(source, 'link', child)} is the child of two joints")
        parent_of[child] = parent
    roots = [link for link in links if link not in parent_of]
    if len(roots) != 1:
        found = ", ".join(f"'{link}'" for link in roots[:4]) or "none: its joints form a loop"
        raise ModelFileError(f"should have one root link, not {found}")
    children: dict[str, list[str]] = {}
    for child, parent in parent_of.items():
        children.setdefault(parent, []).append(child)
    reached, waiting = set(), [roots[0]]
    while waiting:
        link = waiting.pop()
        reached.add(link)
        waiting += children.get(link, [])
    if len(reached) != len(links):
        lost = next(link for link in links if link not in reached)
        raise ModelFileError(f"link '{lost}' is part of a loop of joints; a model must be a tree")
    for element in root.iter():
        for key in ("xyz", "rpy"):
            if key in element.attrib and element.tag in ("origin", "axis"):
                _numbers(element.get(key), (0.0, 0.0, 0.0))
    _check_values(root, joints, source, locked)


def _check_values(root: ET.Element, joints: list[ET.Element], source: str, locked: Collection[str]) -> None:
    """Refuses masses, inertias, axes and limits that are missing or no numbers."""
    for element in root.findall("link"):
        inertial = element.find("inertial")
        if inertial is not None:
            name = element.get("name", "")
            of_link = partial(_meaning, "the {} of link", source, "link", name)
            _check_numbers(inertial.find("mass"), ("value",), partial(of_link, "mass"))
            moments = ("ixx", "ixy", "ixz", "iyy", "iyz", "izz")
            _check_numbers(inertial.find("inertia"), moments, partial(of_link, "inertia"))
    for joint in joints:
        name, axis = joint.get("name", ""), joint.find("axis")
        if joint.get("type") != "fixed" and axis is not None and "xyz" not in axis.attrib:
            sentence = f"the axis of joint '{name}'{at_line(source, 'joint', name)} lacks 'xyz'"
            raise ModelFileError(f'{sentence}: give it, such as xyz="0 0 1"')
        if joint.get("type") in ("revolute", "prismatic"):
            limit = partial(_meaning, "the {} of joint", source, "joint", name, "limit")
            _check_numbers(joint.find("limit"), ("effort", "velocity"), limit)
            if name not in locked:
                _check_range(joint, limit)


def _names(kind: str, elements: list[ET.Element], most: int) -> dict[str, None]:
    """Returns the names of links or joints, in the order of the file; each is there once."""
    names: dict[str, None] = {}
    for element in elements:
        name = element.get("name", "")
        if not name:
            raise ModelFileError(f"a {kind} has no name")
        if len(name) > LONGEST_NAME:
            raise ModelFileError(f"{kind} '{name[:40]}...' has a name of more than {LONGEST_NAME} characters")
        if name in names:
            raise ModelFileError(f"{kind} '{name}' is defined twice")
        names[name] = None
    if len(names) > most:
        raise ModelFileError(f"has {len(names)} {kind}s, more than {most}: remove those that are not needed")
    return names


def _meaning(words: str, source: str, tag: str, name: str, what: str) -> str:
    """Returns the subject of a sentence on a value; finding the line takes time."""
    return f"{words.format(what)} '{name}'{at_line(source, tag, name)}"


def _check_numbers(element: ET.Element | None, keys: tuple[str, ...], meaning: Callable[[], str]) -> None:
    for key in keys:
        text = None if element is None else element.get(key)
        if text is None:
            raise ModelFileError(f"{meaning()} lacks '{key}'")
        try:
            _number(text)
        except ModelFileError as error:
            raise ModelFileError(f"{meaning()}: {error}") from None


def _check_range(joint: ET.Element, meaning: Callable[[], str]) -> None:
    """Refuses position limits that are missing, swapped, no numbers, or that must be degrees."""
    element = joint.find("limit")
    if element is None:
        return
    if "lower" not in element.attrib and "upper" not in element.attrib:
        raise ModelFileError(
            f"{meaning()} lacks 'lower' and 'upper', without which the joint cannot move: give both, or make "
            "the joint continuous or fixed"
        )
    bounds = []
    for key in ("lower", "upper"):
        text = element.get(key, "0")
        try:
            value = _number(text)
        except ModelFileError:
            value = math.nan
        if not math.isfinite(value):
            remedy = " (a joint without limits is of type 'continuous')" if "inf" in text.lower() else ""
            if "," in text:
                remedy = " (with a decimal point, not a comma)"
            raise ModelFileError(f"{meaning()}: {key}='{text}' should be a finite number{remedy}")
        if joint.get("type") == "revolute" and WIDEST_LIMIT_RAD < abs(value) < ENDLESS_RAD:
            raise ModelFileError(
                f"{meaning()}: {key}='{text}' is more than two turns; URDF limits are in rad, so are these "
                "degrees? (a joint without limits is of type 'continuous')"
            )
        bounds.append(value)
    if bounds[0] > bounds[1]:
        raise ModelFileError(f"{meaning()}: lower={bounds[0]:g} is above upper={bounds[1]:g}: swap them")


def _make_meshes_absolute(root: ET.Element, path: Path) -> None:
    for mesh in root.iter("mesh"):
        name = mesh.get("filename", "")
        inside = unquote(name.partition("://")[2] if "://" in name else name)
        if name.startswith("file://"):
            candidates = [Path(inside)]
        elif "://" in name:
            candidates = [parent / inside for parent in path.parents]
            # The package may have the name of a folder above this file.
            within = inside.partition("/")[2]
            candidates += [parent / within for parent in path.parents[:3]]
        else:
            candidates = [path.parent / inside]
        if "://" not in name:
            candidates.append(path.parent / name)
        for candidate in candidates:
            if candidate.is_file():
                mesh.set("filename", str(candidate.resolve()))
                break


def _leave_root_joint_to_reader(root: ET.Element) -> None:
    children = {link for joint in root.findall("joint") if (link := _child(joint, "child"))}
    for joint in root.findall("joint"):
        parent = _child(joint, "parent")
        if joint.get("type") == "floating" and parent not in children:
            root.remove(joint)
            for element in root.findall("link"):
                if element.get("name") == parent:
                    root.remove(element)


def _turn_base(root: ET.Element, forward_rad: float) -> None:
    """Adds a root link without mass, whose x axis points in the direction in which the robot faces."""
    links = [link.get("name", "") for link in root.findall("link")]
    children = {_child(joint, "child") for joint in root.findall("joint")}
    old = next(link for link in links if link not in children)
    new = f"{old}_forward"
    while new in links:
        new += "_"
    joint = ET.Element("joint", name=f"{new}_joint", type="fixed")
    ET.SubElement(joint, "parent", link=new)
    ET.SubElement(joint, "child", link=old)
    ET.SubElement(joint, "origin", xyz="0 0 0", rpy=f"0 0 {-forward_rad:.17g}")
    root.insert(0, ET.Element("link", name=new))
    root.append(joint)


def _child(joint: ET.Element, tag: str) -> str:
    element = joint.find(tag)
    return "" if element is None else element.get("link", "")


def _normalise_joint(joint: ET.Element, locked_rad: Mapping[str, float]) -> None:
    name, kind = joint.get("name", ""), joint.get("type", "")
    for mimic in joint.findall("mimic"):
        joint.remove(mimic)
    for dynamics in joint.findall("dynamics"):
        # Friction and damping of the file are not used, and pinocchio refuses negative ones.
        for key in [key for key, value in dynamics.attrib.items() if value.strip().startswith("-")]:
            del dynamics.attrib[key]
    for axis in joint.findall("axis"):
        if "xyz" not in axis.attrib:
            joint.remove(axis)  # of a fixed joint, of which MuJoCo reads it too
    if name in locked_rad and kind != "fixed":
        _lock(joint, kind, locked_rad[name])
    elif kind == "continuous":
        joint.set("type", "revolute")
        limit = joint.find("limit")
        if limit is None:
            limit = ET.SubElement(joint, "limit", effort="0", velocity="0")
        limit.set("lower", str(-UNLIMITED_RAD))
        limit.set("upper", str(UNLIMITED_RAD))
    elif kind not in ("revolute", "prismatic", "fixed"):
        raise ModelFileError(
            f"joint '{name}' is of type '{kind}', which cannot be controlled: "
            "use revolute, continuous, prismatic or fixed"
        )


def _lock(joint: ET.Element, kind: str, position: float) -> None:
    """Converts a joint to a fixed joint at a position, by changing its origin."""
    element = joint.find("axis")
    axis = _numbers(element.get("xyz") if element is not None else None, (1.0, 0.0, 0.0))
    length = float(np.linalg.norm(axis))
    if length < 1e-9:
        raise ModelFileError(f"joint '{joint.get('name')}' has an axis of length zero")
    axis = axis / length
    origin = joint.find("origin")
    if origin is None:
        origin = ET.SubElement(joint, "origin")
    xyz = _numbers(origin.get("xyz"), (0.0, 0.0, 0.0))
    rotation = pin.rpy.rpyToMatrix(_numbers(origin.get("rpy"), (0.0, 0.0, 0.0)))
    if kind == "prismatic":
        xyz = xyz + rotation @ axis * position
    else:
        rotation = rotation @ pin.exp3(axis * position)
    # 17 digits reproduce a double exactly, so that all readers get the same values.
    origin.set("xyz", " ".join(f"{value:.17g}" for value in xyz))
    origin.set("rpy", " ".join(f"{value:.17g}" for value in pin.rpy.matrixToRpy(rotation)))
    joint.set("type", "fixed")
    for tag in ("axis", "limit", "dynamics", "safety_controller", "calibration"):
        for element in joint.findall(tag):
            joint.remove(element)


def _numbers(text: str | None, default: tuple[float, float, float]) -> Vector:
    if not text:
        return np.array(default)
    numbers = [_number(part) for part in text.split()]
    if len(numbers) != 3:
        raise ModelFileError(f"'{text[:80]}' should be three numbers")
    return np.array(numbers)


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ModelFileError(f"'{text[:40]}' should be a finite number")
    return number
