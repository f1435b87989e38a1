"""Builds the arrays by which a robot keeps clear of its own body, from its capsules, pairs and planes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pinocchio as pin

from kilohertz.controller.problem.clear_arrays import (
    ACTIVE,
    FIRST_SLOT,
    HALF,
    MOST_ROWS,
    PAIRS,
    PART_SIZE,
    PARTS,
    PLACED_SIZE,
    PLANES,
    RADIUS,
    ROW_SIZE,
    ROWS_PER_PAIR,
    Clear,
)
from kilohertz.robots.clearance.clearance import Clearance
from kilohertz.robots.model.kin import Floats, Ints

_PLANE_BRAKING_M_S2 = 10.0
"""Deceleration towards a plane that braking relies on [m/s^2]."""


def clear_arrays(
    found: Clearance | None, nv: int, first_slot: int, addresses: Callable[[int], list[int]]
) -> Clear:
    """Returns the arrays of a robot; without pairs and planes if it is not to keep clear of its body.

    Args:
        found: capsules, pairs and planes of the robot.
        nv: number of entries of v.
        first_slot: number of multipliers in `Solution.y_inequality` before those of the clearance rows.
        addresses: function of a joint that returns the addresses of pinocchio's buffers for it.
    """
    joints = [] if found is None else found.body.joint.tolist()
    n, pairs = len(joints), 0 if found is None else len(found.pairs.least_m)
    plane_part, planes = _planes(found)
    size = np.zeros(5, np.int64)
    size[[PARTS, PAIRS, PLANES, ACTIVE, FIRST_SLOT]] = n, pairs, len(planes), 0, first_slot
    address, columns = np.zeros((n + 1, 6), np.int64), np.zeros((n + 1, nv), np.int64)
    n_columns = np.zeros(n + 1, np.int64)
    if found is not None:
        base = 1 if found.robot.floating else 0
        for i, joint in enumerate((*joints, base)):
            address[i] = addresses(joint)
            chain = _columns(found.robot.pin_model, joint)
            columns[i, : len(chain)], n_columns[i] = chain, len(chain)
    capsule, placed = _capsules(found)
    return Clear(
        size=size,
        address=address,
        columns=columns,
        n_columns=n_columns,
        first=np.zeros(1, np.int64) if found is None else found.body.first.copy(),
        capsule=capsule,
        ball=np.zeros((1, 4)) if found is None else _balls(found),
        pair=np.zeros((1, 2), np.int64) if not pairs or found is None else found.pairs.parts.copy(),
        least=np.zeros(1) if not pairs or found is None else found.pairs.least_m.copy(),
        braking=np.ones(1) if not pairs or found is None else found.pairs.braking_m_s2.copy(),
        plane_part=np.array(plane_part or [0], np.int64),
        plane=np.array(planes or [[0.0] * 5]),
        part=np.zeros((n + 1, PART_SIZE)),
        placed=placed,
        found=np.zeros((ROWS_PER_PAIR + 1, ROW_SIZE)),
        row=np.zeros((MOST_ROWS, ROW_SIZE)),
        which=np.zeros(MOST_ROWS, np.int64),
        T=np.zeros((MOST_ROWS, nv)),
    )


def row_name(found: Clearance, which: int) -> str:
    """Returns the name of a clearance row, such as `clear.left_hand-pelvis`.

    Args:
        found: capsules, pairs and planes of the robot.
        which: entry of `Clear.which`.
    """
    pairs, parts = found.pairs.parts, found.body.parts
    if which < len(pairs):
        first, second = (parts[i] for i in pairs[which])
        hands = found.robot.hand_names
        first, second = (second, first) if second in hands and first not in hands else (first, second)
        return f"clear.{first}-{second}"
    part, _ = _planes(found)
    return f"clear.{parts[part[which - len(pairs)]]}-{_plane_names(found)[which - len(pairs)]}"


def _capsules(found: Clearance | None) -> tuple[Floats, Floats]:
    """Returns the arrays `capsule` and `placed`, the latter with the sizes of the capsules."""
    if found is None:
        return np.zeros((1, 6)), np.zeros((1, PLACED_SIZE))
    body = found.body
    placed = np.zeros((len(body.radius_m), PLACED_SIZE))
    placed[:, RADIUS] = body.radius_m
    placed[:, HALF] = 0.5 * np.linalg.norm(body.b - body.a, axis=1) + body.radius_m
    return np.hstack([body.a, body.b]), placed


def _balls(found: Clearance) -> Floats:
    """Returns centre and radius (L, 4) of a ball around the capsules of each part."""
    body = found.body
    balls = np.zeros((max(len(body.parts), 1), 4))
    for i in range(len(body.parts)):
        own = slice(body.first[i], body.first[i + 1])
        ends = np.vstack([body.a[own], body.b[own]])
        radius = np.tile(body.radius_m[own], 2)
        centre = 0.5 * ((ends - radius[:, None]).min(axis=0) + (ends + radius[:, None]).max(axis=0))
        balls[i, :3] = centre
        balls[i, 3] = (np.linalg.norm(ends - centre, axis=1) + radius).max()
    return balls


def _columns(model: pin.Model, joint: int) -> Ints:
    chain = [
        column
        for j in model.supports[joint]
        if j > 0
        for column in range(model.idx_vs[j], model.idx_vs[j] + model.nvs[j])
    ]
    return np.array(sorted(chain), np.int64)


def _planes(found: Clearance | None) -> tuple[list[int], list[list[float]]]:
    """Returns the part that each plane bounds, and normal, smallest coordinate and deceleration of each."""
    part, rows = [], []
    rules = None if found is None else found.robot.description.collision
    if found is None or rules is None:
        return [], []
    for plane in rules.planes.values():
        normal = np.array(plane.normal) / np.linalg.norm(plane.normal)
        for name in plane.parts:
            index = found.body.index(name)
            if index is not None:
                part.append(index)
                rows.append([*normal.tolist(), plane.at_least_m, _PLANE_BRAKING_M_S2])
    return part, rows


def _plane_names(found: Clearance) -> list[str]:
    rules = found.robot.description.collision
    planes = {} if rules is None else rules.planes
    return [
        name for name, plane in planes.items() for part in plane.parts if found.body.index(part) is not None
    ]
