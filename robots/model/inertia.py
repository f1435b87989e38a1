"""Refuses or mends inertias of a URDF that no rigid body can have."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Collection, Mapping

import numpy as np

from kilohertz.robots.model.model_error import ModelFileError, at_line
from kilohertz.robots.model.rows import Vector

# A link without a usable inertia is mended to a solid sphere of this density, or of this mass if it has none.
DENSITY_KG_M3 = 1000.0
LEAST_MASS_KG = 1e-3
# MuJoCo's least mass and moment of a moving body.
LEAST = 1e-15
# MuJoCo's least principal moment of an inertia with others above it.
LEAST_MOMENT = 1e-14
RELATIVE_TOLERANCE = 1e-9


def check_inertias(root: ET.Element, source: str, repair: bool, floating: bool = False) -> tuple[str, ...]:
    """Checks that the principal moments of each link are those of a rigid body.

    The moments must not be negative, and none may exceed the sum of the other two. A link that a joint or a
    floating base moves must have mass and inertia, unless a link fixed to it has them.

    Args:
        root: URDF with locked joints already fixed; mended in place.
        source: text of the file, for line numbers.
        repair: whether to mend impossible inertias: to the mean of the moments, or to a solid sphere.
        floating: whether the root link moves freely.

    Returns:
        One sentence for each link that was mended.

    Raises:
        ModelFileError: an inertia is impossible and `repair` is False, or most links that move have no mass.
    """
    found = {link.get("name", ""): _mass_and_moments(link) for link in root.findall("link")}
    lacking = _lacking(_moving_groups(root, found, floating), found, source)
    notes = []
    for link in root.findall("link"):
        name = link.get("name", "")
        mass, moments = found[name]
        wrong = _fault(mass, moments, lacking.get(name, ""))
        if not wrong:
            _round_up(link, moments)
            continue
        line = at_line(source, "link", name)
        if not repair:
            raise ModelFileError(
                f"link '{name}'{line} {wrong}: correct it, or let it be mended with 'repair_inertia: true'"
            )
        notes.append(f"link '{name}'{line} {wrong}: {_mend(link, mass, moments)} (repair_inertia)")
    return tuple(notes)


def _moving_groups(root: ET.Element, links: Collection[str], floating: bool) -> list[tuple[str, list[str]]]:
    """Returns each link that moves, as verb and list: the link and all that are fixed to it."""
    fixed: dict[str, list[str]] = {}
    moved, children = [], set()
    for joint in root.findall("joint"):
        parent, child = joint.find("parent"), joint.find("child")
        if parent is None or child is None:
            continue
        children.add(child.get("link", ""))
        if joint.get("type") == "fixed":
            fixed.setdefault(parent.get("link", ""), []).append(child.get("link", ""))
        else:
            moved.append(("is moved by a joint", child.get("link", "")))
    if floating:
        moved += [("moves freely", link) for link in links if link not in children]
    groups = []
    for moves, link in moved:
        group, waiting = [], [link]
        while waiting:
            group.append(waiting.pop())
            waiting += fixed.get(group[-1], [])
        groups.append((moves, group))
    return groups


def _lacking(
    groups: list[tuple[str, list[str]]], found: Mapping[str, tuple[float, Vector]], source: str
) -> dict[str, str]:
    """Returns what moves the link that should get the mass or inertia that its group lacks, by link."""
    poor = [
        (moves, group)
        for moves, group in groups
        if not any(found[link][0] >= LEAST and found[link][1][0] >= LEAST_MOMENT for link in group)
    ]
    weightless = [group for _, group in poor if not any(found[link][0] >= LEAST for link in group)]
    if len(weightless) > 1 and 2 * len(weightless) > len(groups):
        name = weightless[0][0]
        raise ModelFileError(
            f"{len(weightless)} of the {len(groups)} links that move have no mass, such as "
            f"'{name}'{at_line(source, 'link', name)}: give each link its mass, centre of mass and inertia "
            "(<inertial>), from the maker or from the CAD model"
        )
    # max() returns the first of equals: the link that the joint moves if none has a mass.
    return {max(group, key=lambda link: found[link][0]): moves for moves, group in poor}


def _mass_and_moments(link: ET.Element) -> tuple[float, Vector]:
    """Returns mass [kg] and principal moments in rising order [kg m^2]; zeros for a link without inertial."""
    mass, inertia = link.find("inertial/mass"), link.find("inertial/inertia")
    if mass is None or inertia is None:
        return 0.0, np.zeros(3)
    xx, xy, xz, yy, yz, zz = (
        float(inertia.get(key, "0")) for key in ("ixx", "ixy", "ixz", "iyy", "iyz", "izz")
    )
    tensor = np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])
    return float(mass.get("value", "0")), np.linalg.eigvalsh(tensor)


def _fault(mass: float, moments: Vector, moves: str) -> str:
    shown = ", ".join(f"{moment:.3g}" for moment in moments)
    slack = RELATIVE_TOLERANCE * float(np.abs(moments).max())
    if mass < 0.0:
        return ""  # refused with the whole model
    if moves and mass < LEAST:
        return f"{moves} but has no mass"
    if moves and moments.max() < LEAST_MOMENT:
        return f"{moves} but has no moments of inertia (0, 0, 0 kg m^2)"
    if moments[0] < -slack and moments.max() < LEAST:
        return f"has moments of inertia that are only rounding errors ({shown} kg m^2)"
    if moments[0] < -slack:
        return f"has a negative principal moment of inertia ({shown} kg m^2)"
    if moments[0] + moments[1] < moments[2] - slack:
        return f"has principal moments {shown} kg m^2, of which one exceeds the sum of the others"
    if moments[0] < LEAST_MOMENT <= moments[2]:
        return f"has a principal moment of 0 ({shown} kg m^2), which MuJoCo does not accept"
    return ""


def _round_up(link: ET.Element, moments: Vector) -> None:
    """Makes MuJoCo, which has no tolerance, read moments with rounded decimals and those of nearly nothing.

    What the moments of a flat body lack is added, and moments below MuJoCo's least one become 0.
    """
    inertia = link.find("inertial/inertia")
    if inertia is not None and 0.0 < moments[2] < LEAST_MOMENT:
        inertia.attrib.update(dict.fromkeys(inertia.attrib, "0"))  # of a link that only marks a place
        return
    short = float(moments[2] - moments[0] - moments[1])
    if inertia is None or not short > 4.0 * np.finfo(float).eps * float(moments[2]):
        return
    for key in ("ixx", "iyy", "izz"):
        moment = float(inertia.get(key, "0")) + short + RELATIVE_TOLERANCE * float(moments[2])
        inertia.set(key, f"{moment:.17g}")


def _mend(link: ET.Element, mass: float, moments: Vector) -> str:
    """Gives a link an inertia that is equal about all axes; returns what was done."""
    inertial = link.find("inertial")
    if inertial is None:
        inertial = ET.SubElement(link, "inertial")
    if mass < LEAST:
        mass = LEAST_MASS_KG
    moment = float(moments.mean())
    what = f"each is now their mean {moment:.3g}"
    if moment < LEAST:
        radius_m = (3.0 * mass / (4.0 * np.pi * DENSITY_KG_M3)) ** (1.0 / 3.0)
        moment = float(0.4 * mass * radius_m**2)
        what = f"it is now a solid sphere of {mass:g} kg and {DENSITY_KG_M3:g} kg/m^3"
    for tag in ("mass", "inertia"):
        for element in inertial.findall(tag):
            inertial.remove(element)
    ET.SubElement(inertial, "mass", value=f"{mass:.17g}")
    equal = {key: f"{moment:.17g}" for key in ("ixx", "iyy", "izz")}
    ET.SubElement(inertial, "inertia", equal | {"ixy": "0", "ixz": "0", "iyz": "0"})
    return what
