"""Finds the joints of a URDF that follow another joint (mimic), and where they are locked."""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Collection, Mapping

from kilohertz.robots.model.coupled_joints import Group, Locks, lock_groups
from kilohertz.robots.model.model_error import ModelFileError, at_line


def lock_followers(
    root: ET.Element,
    source: str,
    locked: Mapping[str, float],
    posture: Mapping[str, float],
    named_links: Collection[str],
) -> Locks:
    """Locks the joints of a URDF that follow another joint, and the joints that they follow.

    A follower of a joint that robot.yaml locks is locked where it follows that joint to. A follower that
    robot.yaml locks is left as it is.

    Args:
        root: the URDF.
        source: text of the file, for line numbers.
        locked: joints that robot.yaml locks, with their positions [rad, or m for a sliding joint].
        posture: nominal joint positions that robot.yaml gives [rad, or m for a sliding joint].
        named_links: links of hands, contacts, IMU, trunk and eyes.

    Raises:
        ModelFileError: a mimic tag cannot be followed, or a group moves a part that matters for the control.
    """
    joints = {joint.get("name", ""): joint for joint in root.findall("joint")}
    followers: dict[str, list[tuple[str, float, float]]] = {}
    for name, joint in joints.items():
        if joint.find("mimic") is not None and joint.get("type") != "fixed" and name not in locked:
            driver, factor, offset = _driver(name, joints, locked)
            followers.setdefault(driver, []).append((name, factor, offset))
    positions: dict[str, float] = {}
    notes, groups = [], []
    for driver, group in followers.items():
        held = locked.get(driver, 0.0)
        if driver in locked or joints[driver].get("type") == "fixed":
            positions |= {name: factor * held + offset for name, factor, offset in group}
            notes.append(
                f"{_listed([name for name, *_ in group], source)} joint '{driver}' and is locked with it"
            )
            continue
        start = _clipped(posture.get(driver, 0.0), joints[driver])
        members = {driver: start} | {name: factor * start + offset for name, factor, offset in group}
        links = _carried(root, members)
        groups.append(
            Group(
                f"{_listed([name for name, *_ in group], source)} joint '{driver}' (mimic)",
                members,
                _mass_kg(root, links),
                links,
                "remove <mimic> from the file if each joint has a motor of its own",
            )
        )
    found = lock_groups(groups, _mass_kg(root, None), named_links)
    return Locks(positions | dict(found.positions), (*notes, *found.notes))


def _listed(names: list[str], source: str) -> str:
    """Returns the subject and verb of a sentence on followers, with the line of the first one."""
    where = at_line(source, "joint", names[0])
    if len(names) == 1:
        return f"joint '{names[0]}'{where} follows"
    more = f" and {len(names) - 2} more" if len(names) > 2 else ""
    return f"joints '{names[0]}'{where} and '{names[1]}'{more} follow"


def _driver(
    name: str, joints: Mapping[str, ET.Element], locked: Mapping[str, float]
) -> tuple[str, float, float]:
    """Returns the joint that a joint follows in the end, with factor and offset of its position."""
    factor, offset, at, seen = 1.0, 0.0, name, {name}
    while at not in locked and (mimic := joints[at].find("mimic")) is not None:
        following = mimic.get("joint", "")
        if following not in joints:
            raise ModelFileError(f"joint '{at}' follows joint '{following}' (mimic), which does not exist")
        if following in seen:
            raise ModelFileError(f"joint '{name}' follows itself (mimic)")
        offset += factor * _number(mimic, "offset", 0.0, at)
        factor *= _number(mimic, "multiplier", 1.0, at)
        seen.add(following)
        at = following
    return at, factor, offset


def _number(mimic: ET.Element, key: str, default: float, joint: str) -> float:
    text = mimic.get(key)
    try:
        value = default if text is None else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ModelFileError(f"the mimic of joint '{joint}': {key}='{text}' should be a finite number")
    return value


def _clipped(value: float, joint: ET.Element) -> float:
    limit = joint.find("limit")
    if limit is None or joint.get("type") == "continuous":
        return value
    return min(max(value, float(limit.get("lower", "0"))), float(limit.get("upper", "0")))


def _carried(root: ET.Element, joints: Collection[str]) -> frozenset[str]:
    """Returns the links that joints move."""
    children: dict[str, list[str]] = {}
    found: list[str] = []
    for joint in root.findall("joint"):
        parent, child = joint.find("parent"), joint.find("child")
        if parent is None or child is None:
            continue
        children.setdefault(parent.get("link", ""), []).append(child.get("link", ""))
        if joint.get("name") in joints:
            found.append(child.get("link", ""))
    carried: set[str] = set()
    while found:
        link = found.pop()
        if link not in carried:
            carried.add(link)
            found += children.get(link, [])
    return frozenset(carried)


def _mass_kg(root: ET.Element, links: Collection[str] | None) -> float:
    """Returns the mass of some links, or of all [kg]."""
    return sum(
        float(mass.get("value", "0"))
        for link in root.findall("link")
        if (links is None or link.get("name") in links) and (mass := link.find("inertial/mass")) is not None
    )
