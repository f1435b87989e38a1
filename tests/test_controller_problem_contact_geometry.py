"""The wrench cone of a sole is what forces at its corners can make, no more and no less."""

import numpy as np
import pytest
from bodies import BIPEDS, robot
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog
from scipy.spatial import ConvexHull

from kilohertz.controller.problem.contact_geometry import contact_geometry

RECTANGLE = [[0.1, 0.05, 0], [0.1, -0.05, 0], [-0.1, 0.05, 0], [-0.1, -0.05, 0]]
TRAPEZOID = [[0.12, 0.03, 0], [0.12, -0.03, 0], [-0.05, -0.025, 0], [-0.05, 0.025, 0]]
TRIANGLE = [[0.12, 0.0, 0], [-0.05, 0.04, 0], [-0.05, -0.04, 0]]
LINE = [[0.1, 0.0, 0], [-0.1, 0.0, 0]]
SLANTED_LINE = [[0.1, 0.05, 0], [-0.1, -0.05, 0]]
POINT = [[0.0, 0.0, 0.0]]
TILTED = (np.array(RECTANGLE) @ np.array([[1, 0, 0], [0, 0.8, 0.6], [0, -0.6, 0.8]])).tolist()
EXACT = {
    "rectangle": RECTANGLE,
    "triangle": TRIANGLE,
    "line": LINE,
    "slanted line": SLANTED_LINE,
    "point": POINT,
    "tilted": TILTED,
}
exact = pytest.mark.parametrize("corners", EXACT.values(), ids=EXACT.keys())


def centred(corners):
    corners = np.array(corners, dtype=float)
    return corners - corners.mean(axis=0)


def edges(friction):
    """Edges of the pyramid inscribed in the friction cone."""
    mu = friction / np.sqrt(2)
    return np.array([[sx * mu, sy * mu, 1.0] for sx in (1, -1) for sy in (1, -1)])


def generators(geometry, friction):
    """Wrenches of unit pyramid edges at the corners, in the contact's axes (6, 4 k)."""
    return np.array([np.r_[e, np.cross(c, e)] for c in geometry.corners_C for e in edges(friction)]).T


def can_be_made(wrench, made_of):
    """Whether forces at the corners add up to the wrench."""
    unit = np.array([1, 1, 1, 0.1, 0.1, 0.1])
    answer = linprog(
        np.zeros(made_of.shape[1]), A_eq=made_of / unit[:, None], b_eq=wrench / unit, bounds=(0, None)
    )
    return answer.status == 0


def in_cone(geometry, wrench, margin=0.0):
    return bool((geometry.rows @ wrench[list(geometry.select)] <= margin).all())


def random_wrench(geometry, made_of, rng, stretch):
    """A wrench of the contact's own components, near the cone's middle, or outside for a large stretch."""
    middle = made_of.mean(axis=1)
    spread = made_of - middle[:, None]
    wrench = middle + stretch * spread @ rng.dirichlet(np.full(spread.shape[1], 0.3))
    out = np.zeros(6)
    out[list(geometry.select)] = wrench[list(geometry.select)]
    return out * rng.uniform(10, 1000)


@exact
def test_the_cone_is_exactly_what_corner_forces_can_make(corners):
    friction, rng = 0.6, np.random.default_rng(0)
    geometry = contact_geometry(centred(corners), friction)
    made_of = generators(geometry, friction)
    inside = 0
    for _ in range(150):
        wrench = random_wrench(geometry, made_of, rng, rng.uniform(0.5, 2.5))
        size = wrench[2]
        if in_cone(geometry, wrench, -1e-6 * size):
            assert can_be_made(wrench, made_of)
            inside += 1
        elif not in_cone(geometry, wrench, 1e-6 * size):
            assert not can_be_made(wrench, made_of)
    assert 15 < inside < 135


@exact
def test_every_corner_force_is_inside(corners):
    friction, rng = 0.6, np.random.default_rng(1)
    geometry = contact_geometry(centred(corners), friction)
    made_of = generators(geometry, friction)
    for _ in range(100):
        wrench = made_of @ rng.exponential(size=made_of.shape[1])
        assert in_cone(geometry, wrench, 1e-8 * wrench[2])
        np.testing.assert_allclose(np.delete(wrench, geometry.select), 0.0, atol=1e-12 * wrench[2])


@exact
def test_the_cone_pushes_and_never_pulls(corners):
    geometry = contact_geometry(centred(corners), 0.6)
    assert in_cone(geometry, np.zeros(6))
    assert in_cone(geometry, np.array([0, 0, 100.0, 0, 0, 0]))
    assert not in_cone(geometry, np.array([0, 0, -1.0, 0, 0, 0]), 1e-9)


@pytest.mark.parametrize(
    "corners", [RECTANGLE, TRAPEZOID, TRIANGLE], ids=["rectangle", "trapezoid", "triangle"]
)
def test_the_centre_of_pressure_stays_inside_the_sole(corners):
    geometry = contact_geometry(centred(corners), 0.6)
    made_of, rng = generators(geometry, 0.6), np.random.default_rng(2)
    hull, inside = ConvexHull(geometry.corners_C[:, :2]), 0
    for _ in range(2000):
        wrench = random_wrench(geometry, made_of, rng, 2.0)
        if in_cone(geometry, wrench):
            inside += 1
            cop = np.array([-wrench[4], wrench[3], wrench[2]]) / wrench[2]
            assert (hull.equations @ cop <= 1e-9).all()
    assert inside > 100


def test_a_rectangle_has_the_sixteen_facets_of_caron():
    """Caron, Pham, Nakamura, ICRA 2015, eq. 13-18, with the half lengths X and Y."""
    X, Y, mu = 0.1, 0.05, 0.6 / np.sqrt(2)
    geometry = contact_geometry(np.array(RECTANGLE), 0.6)
    assert geometry.kind == "surface"
    assert len(geometry.rows) == 16

    def caron(fx, fy, fz, mx, my, mz):
        yaw_min = -mu * (X + Y) * fz + abs(Y * fx - mu * mx) + abs(X * fy - mu * my)
        yaw_max = mu * (X + Y) * fz - abs(Y * fx + mu * mx) - abs(X * fy + mu * my)
        slides = abs(fx) > mu * fz or abs(fy) > mu * fz
        return not slides and abs(mx) <= Y * fz and abs(my) <= X * fz and yaw_min <= mz <= yaw_max

    made_of, rng = generators(geometry, 0.6), np.random.default_rng(3)
    agree = {True: 0, False: 0}
    for _ in range(2000):
        wrench = random_wrench(geometry, made_of, rng, rng.uniform(0.5, 2.5))
        assert in_cone(geometry, wrench) == caron(*wrench)
        agree[in_cone(geometry, wrench)] += 1
    assert min(agree.values()) > 200


def test_a_trapezoid_works_with_the_largest_rectangle_inside_it():
    whole = contact_geometry(centred(TRAPEZOID), 0.6)
    corners = centred(TRAPEZOID)
    corners[:, 1] = np.sign(corners[:, 1]) * 0.025
    rectangle = contact_geometry(corners, 0.6)
    assert len(whole.rows) == 16
    np.testing.assert_allclose(np.sort(whole.rows, axis=0), np.sort(rectangle.rows, axis=0), atol=1e-9)


@pytest.mark.parametrize("yaw_deg", [3.0, 20.0, 45.0, -60.0])
def test_a_sole_that_is_turned_in_its_link_is_as_good_as_one_that_is_not(yaw_deg):
    yaw = np.deg2rad(yaw_deg)
    R = np.array([[np.cos(yaw), -np.sin(yaw), 0], [np.sin(yaw), np.cos(yaw), 0], [0, 0, 1]])
    straight, turned = contact_geometry(np.array(RECTANGLE), 0.6), contact_geometry(RECTANGLE @ R.T, 0.6)
    assert len(turned.rows) == len(straight.rows) == 16
    made_of, rng = generators(turned, 0.6), np.random.default_rng(5)
    for _ in range(50):
        wrench = random_wrench(turned, made_of, rng, rng.uniform(0.5, 2.5))
        if not in_cone(turned, wrench, 1e-6 * wrench[2]):
            assert not can_be_made(wrench, made_of)
        elif in_cone(turned, wrench, -1e-6 * wrench[2]):
            assert can_be_made(wrench, made_of)


def test_a_sole_without_a_fair_rectangle_in_it_is_refused_with_a_remedy():
    kite = centred([[0.2, 0.01, 0], [0.0, 0.05, 0], [-0.06, 0.0, 0], [0.0, -0.03, 0]])
    with pytest.raises(ValueError, match=r"a sole of 4 corners .* give the corners of a rectangle inside it"):
        contact_geometry(kite, 0.6)


def test_a_point_transmits_force_alone():
    geometry = contact_geometry(np.array(POINT), 0.6)
    assert (geometry.kind, geometry.select) == ("point", (0, 1, 2))


@pytest.mark.parametrize("corners", [LINE, SLANTED_LINE], ids=["along x", "slanted"])
def test_a_line_transmits_all_but_the_moment_about_itself(corners):
    geometry = contact_geometry(centred(corners), 0.6)
    assert (geometry.kind, geometry.select) == ("line", (0, 1, 2, 4, 5))
    along = centred(corners)[0] / np.linalg.norm(centred(corners)[0])
    np.testing.assert_allclose(geometry.R_FC[:, 0], along, atol=1e-12)


def test_corners_in_a_row_are_a_line():
    assert contact_geometry(centred([[0.1, 0, 0], [0, 0, 0], [-0.1, 0, 0]]), 0.6).kind == "line"


def test_corners_in_one_place_are_a_point():
    assert contact_geometry(np.zeros((3, 3)), 0.6).kind == "point"


@exact
def test_the_axes_are_a_rotation_with_z_out_of_the_ground(corners):
    geometry = contact_geometry(centred(corners), 0.6)
    np.testing.assert_allclose(geometry.R_FC @ geometry.R_FC.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(geometry.R_FC) == pytest.approx(1.0)
    assert geometry.R_FC[2, 2] > 0.0
    np.testing.assert_allclose(geometry.corners_C[:, 2], 0.0, atol=1e-12)


def test_the_order_of_corners_does_not_matter():
    rng, corners = np.random.default_rng(4), centred(RECTANGLE)
    rows = contact_geometry(corners, 0.6).rows
    for _ in range(5):
        again = contact_geometry(rng.permutation(corners), 0.6).rows
        np.testing.assert_allclose(np.sort(again, axis=0), np.sort(rows, axis=0), atol=1e-9)


@pytest.mark.parametrize("name", BIPEDS)
def test_every_shipped_sole_has_a_cone_that_holds_its_load(name):
    for contact in robot(name).contacts:
        geometry = contact_geometry(contact.corners_F, contact.friction)
        assert len(geometry.rows) <= 16
        assert in_cone(geometry, np.array([10.0, 10.0, 100.0, 0.0, 0.0, 0.0]))


@settings(max_examples=60, deadline=None)
@given(
    radii=st.lists(st.floats(0.03, 0.2), min_size=3, max_size=6),
    turn=st.floats(0.0, 6.28),
    friction=st.floats(0.1, 1.2),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_sole_is_trusted_with_a_wrench_that_its_corners_cannot_make(radii, turn, friction, seed):
    angles = turn + np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    corners = centred([[r * np.cos(a), r * np.sin(a), 0.0] for r, a in zip(radii, angles, strict=True)])
    try:
        geometry = contact_geometry(corners, friction)
    except ValueError:
        return  # refused with a remedy, as above
    made_of, rng = generators(geometry, friction), np.random.default_rng(seed)
    hull = ConvexHull(geometry.corners_C[:, :2])
    for _ in range(5):
        wrench = random_wrench(geometry, made_of, rng, rng.uniform(0.5, 2.5))
        if in_cone(geometry, wrench, -1e-6 * wrench[2]):
            assert can_be_made(wrench, made_of)
            cop = np.array([-wrench[4], wrench[3], wrench[2]]) / wrench[2]
            assert (hull.equations @ cop <= 1e-9).all()
