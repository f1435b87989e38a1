"""Contact geometry from the corners of a sole: contact axes, transmitted components and wrench cone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pinocchio as pin
from scipy.spatial import ConvexHull

from kilohertz.controller.problem.tables import MAX_CONE_ROWS
from kilohertz.robots.model.kin import Floats, Ints

_FLAT_M = 1e-4
"""Corners closer than this to one line (or point) make a line (or point) contact [m]."""

_MANY_FACETS = 20
"""If the wrench cone has more facets than this, the controller uses the largest rectangle inside the sole:
the exact cone of a trapezoid has 28 facets, that of a rectangle 16, and every row costs time in each tick."""


@dataclass(frozen=True)
class ContactGeometry:
    """Wrenches that a contact can transmit, about its centre and in its own axes.

    Attributes:
        kind: "surface", "line" or "point".
        R_FC: (3, 3) rotation from the contact's axes to the frame of the sole: z is the sole's normal; for a
            line contact x is the direction of the line.
        select: indices of the spatial components (force 0-2, moment 3-5) that the contact can transmit and
            whose motion it blocks.
        rows: (r, len(select)) wrench cone: rows @ wrench <= 0. Each row is scaled so that its value is in
            newtons.
        corners_C: (k, 3) corners of the sole in the contact's axes [m].
        cone_corners_C: (k, 3) corners that the cone is computed from, in the contact's axes [m]: those of
            the inscribed rectangle where it replaces the sole.
    """

    kind: str
    R_FC: Floats
    select: tuple[int, ...]
    rows: Floats
    corners_C: Floats
    cone_corners_C: Floats


def contact_geometry(corners_F: Floats, friction: float) -> ContactGeometry:
    """Classifies a sole by its corners and computes its contact wrench cone.

    The cone contains the wrenches of all forces at the corners that lie inside the pyramid inscribed in the
    friction cone. Its facets are the exact conditions on the wrench (Caron, Pham, Nakamura, "Stability of
    surface contacts for humanoid robots", ICRA 2015, eq. 13-18 for a rectangle; here for any convex sole).

    Args:
        corners_F: (k, 3) corners relative to their mean, in the frame of the sole [m].
        friction: coefficient of Coulomb friction, > 0.

    Returns:
        The contact's axes, transmitted components and wrench cone.

    Raises:
        ValueError: if the cone has more facets than a contact slot has room for.
    """
    select: tuple[int, ...]
    _, spread, axes = np.linalg.svd(corners_F, full_matrices=True)
    spread = np.pad(spread, (0, 3 - len(spread)))
    mu = friction / np.sqrt(2.0)
    if spread[0] < _FLAT_M:
        rows = np.array([[1.0, 0, -mu], [-1, 0, -mu], [0, 1, -mu], [0, -1, -mu]])
        return ContactGeometry("point", np.eye(3), (0, 1, 2), rows, corners_F.copy(), corners_F.copy())
    if spread[1] < _FLAT_M:
        x = axes[0] if axes[0] @ [1.0, 1e-3, 1e-6] > 0 else -axes[0]
        z = np.array([0.0, 0.0, 1.0]) - x[2] * x
        z /= np.linalg.norm(z)
        R, kind, select = np.column_stack([x, np.cross(z, x), z]), "line", (0, 1, 2, 4, 5)
    else:
        z = axes[2] if axes[2][2] > 0 else -axes[2]
        x = np.array([1.0, 0.0, 0.0]) - z[0] * z
        x /= np.linalg.norm(x)
        R, kind, select = np.column_stack([x, np.cross(z, x), z]), "surface", (0, 1, 2, 3, 4, 5)
    cone_corners = corners = corners_F @ R
    rows = cone_rows(corners, mu, select)
    if len(rows) > _MANY_FACETS:
        turn, rectangle = _inscribed_rectangle(corners)
        if rectangle is not None:
            R = R @ turn
            corners, cone_corners = corners_F @ R, rectangle
            rows = cone_rows(rectangle, mu, select)
    if len(rows) >= MAX_CONE_ROWS:
        raise ValueError(
            f"a sole of {len(corners)} corners makes a wrench cone of {len(rows)} facets; "
            f"at most {MAX_CONE_ROWS - 1} are supported: give the corners of a rectangle inside it"
        )
    return ContactGeometry(kind, R, select, rows, corners, cone_corners)


def _inscribed_rectangle(corners: Floats) -> tuple[Floats, Floats | None]:
    """Finds the largest rectangle inside the sole.

    Its sides pass through corners of the sole and are parallel to x or to an edge of the sole.

    Returns:
        (3, 3) rotation to the rectangle's axes, and its corners (4, 3) in these axes [m]; None instead of the
        corners if no rectangle covers at least half of the sole.
    """
    hull = ConvexHull(corners[:, :2])
    best, best_turn, best_area = None, np.eye(3), 0.5 * hull.volume
    angles = np.arctan2(hull.equations[:, 1], hull.equations[:, 0])
    for angle in (0.0, *(angles - 0.5 * np.pi * np.round(angles / (0.5 * np.pi)))):
        c, s = np.cos(angle), np.sin(angle)
        turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
        xy, sides = corners @ turn, np.hstack([hull.equations[:, :2] @ turn[:2, :2], hull.equations[:, 2:]])
        for x0, x1 in combinations(np.unique(xy[:, 0]), 2):
            for y0, y1 in combinations(np.unique(xy[:, 1]), 2):
                candidate = np.array([[x, y, 1.0] for x in (x0, x1) for y in (y0, y1)])
                area = (x1 - x0) * (y1 - y0)
                # An area larger by less than 0.1 % does not justify axes other than those of the link.
                if area > 1.001 * best_area and (sides @ candidate.T < 1e-9).all():
                    best, best_turn, best_area = candidate, turn, area
    if best is not None:
        best[:, 2] = corners[:, 2].mean()
    return best_turn, best


def cone_rows(corners: Floats, mu: float, select: tuple[int, ...]) -> Floats:
    """Returns the facets of the cone spanned by the pyramid edges at all corners, as rows @ wrench <= 0."""
    edges = np.array([[sx * mu, sy * mu, 1.0] for sx in (1, -1) for sy in (1, -1)])
    wrenches = np.array([np.hstack([edge, np.cross(corner, edge)]) for corner in corners for edge in edges])
    # All generators have unit normal force, so the cone follows from the polytope that they span in the other
    # components: a facet n . x <= c of the polytope is the row (n, -c) on (other components, fz).
    others = [component for component in select if component != 2]
    length = float(np.abs(corners).max())
    unit = np.where(np.array(others) >= 3, length, 1.0)
    hull = ConvexHull(wrenches[:, others] / unit)
    facets = np.unique(np.round(hull.equations, 9), axis=0)
    rows = np.zeros((len(facets), len(select)))
    for row, facet in zip(rows, facets, strict=True):
        row[[select.index(component) for component in others]] = facet[:-1] / unit
        row[select.index(2)] = facet[-1]
    return rows


def implied_motion(
    bodies: Sequence[int], placements: Sequence[pin.SE3], selects: Sequence[tuple[int, ...]]
) -> Ints:
    """Marks the contact components whose motion earlier contacts on the same body already fix.

    Args:
        bodies: body index of each contact; contacts with the same index move together.
        placements: pose of each contact's axes in its body.
        selects: components whose motion each contact blocks, indices 0 to 5.

    Returns:
        (contacts, 6) 1 where a component's motion is implied by earlier contacts, else 0. Column t is the
        t-th entry of the contact's `selects`.
    """
    implied = np.zeros((len(bodies), 6), np.int64)
    fixed: dict[int, list[Floats]] = {}
    for c, (body, placement, select) in enumerate(zip(bodies, placements, selects, strict=True)):
        basis = fixed.setdefault(body, [])
        for t, row in enumerate(placement.inverse().action[list(select)]):
            for direction in basis:
                row = row - (row @ direction) * direction
            size = float(np.linalg.norm(row))
            if size < _FLAT_M:
                implied[c, t] = 1
            else:
                basis.append(row / size)
    return implied
