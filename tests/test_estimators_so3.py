"""Rotations: group axioms, exponential and logarithm, Jacobians against finite differences and series."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import expm

from kilohertz.estimators import so3

# The first call compiles, so no deadline; the same examples every run.
UNHURRIED = settings(deadline=None, max_examples=30, derandomize=True)

finite = st.floats(-1.8, 1.8, allow_nan=False)
vectors = st.tuples(finite, finite, finite).map(np.array)
unit = vectors.filter(lambda a: np.linalg.norm(a) > 1e-3).map(lambda a: a / np.linalg.norm(a))


def hat(w):
    A = np.empty((3, 3))
    so3.skew(np.asarray(w, float), A)
    return A


def exp3(w):
    R = np.empty((3, 3))
    so3.exp3(np.asarray(w, float), R)
    return R


def log3(R):
    w = np.empty(3)
    angle = so3.log3(np.ascontiguousarray(R), w)
    assert angle == pytest.approx(np.linalg.norm(w), abs=1e-14)
    return w


@UNHURRIED
@given(vectors)
def test_exponential_is_the_matrix_exponential_and_a_rotation(w):
    R = exp3(w)
    np.testing.assert_allclose(R, expm(hat(w)), atol=1e-13)
    np.testing.assert_allclose(R.T @ R, np.eye(3), atol=1e-14)
    assert np.linalg.det(R) == pytest.approx(1.0, abs=1e-13)


@UNHURRIED
@given(vectors.filter(lambda w: np.linalg.norm(w) < math.pi - 1e-6))
def test_logarithm_undoes_the_exponential(w):
    np.testing.assert_allclose(log3(exp3(w)), w, atol=1e-13)


@UNHURRIED
@given(unit, st.floats(-1e-7, 1e-7))
def test_logarithm_near_half_a_turn(axis, offset):
    R = exp3((math.pi + offset) * axis)
    w = log3(R)
    assert np.linalg.norm(w) == pytest.approx(math.pi, abs=2e-7)
    np.testing.assert_allclose(exp3(w), R, atol=1e-13)


@pytest.mark.parametrize("axis", np.vstack([np.eye(3), -np.eye(3)]))
def test_logarithm_of_exact_half_turns_and_identity(axis):
    R = 2.0 * np.outer(axis, axis) - np.eye(3)
    assert abs(log3(R) @ axis) == pytest.approx(math.pi)
    np.testing.assert_array_equal(log3(np.eye(3)), 0.0)


@UNHURRIED
@given(vectors, vectors, vectors)
def test_group_axioms(a, b, c):
    A, B, C = exp3(a), exp3(b), exp3(c)
    np.testing.assert_allclose((A @ B) @ C, A @ (B @ C), atol=1e-14)
    np.testing.assert_allclose(A @ exp3(-a), np.eye(3), atol=1e-14)
    np.testing.assert_allclose(exp3(0.3 * a) @ exp3(0.7 * a), A, atol=1e-13)
    # The adjoint of a rotation is itself: R Exp(b) R' = Exp(R b).
    np.testing.assert_allclose(A @ B @ A.T, exp3(A @ b), atol=1e-13)


@UNHURRIED
@given(vectors)
def test_left_jacobian_is_the_derivative_of_the_exponential(w):
    J = np.empty((3, 3))
    so3.left_jacobian(w, J)
    step = 1e-6
    for k in range(3):
        d = step * np.eye(3)[k]
        left = log3(exp3(w + d) @ exp3(w - d).T) / (2 * step)
        np.testing.assert_allclose(J[:, k], left, atol=1e-8)


@UNHURRIED
@given(vectors, st.sampled_from([1.0, 1e-1, 0.0277, 0.0278, 1e-3, 1e-8, 0.0]))
def test_gammas_are_their_series(w, scale):
    w = scale * w
    G = np.empty((3, 3, 3))
    so3.gammas(w, G[0], G[1], G[2])
    for m in range(3):
        series = sum(np.linalg.matrix_power(hat(w), n) / math.factorial(n + m) for n in range(40))
        np.testing.assert_allclose(G[m], series, atol=1e-13)


@UNHURRIED
@given(vectors, vectors)
def test_products_and_their_in_place_forms(a, b):
    A, B = exp3(a), exp3(b)
    C, c = np.empty((3, 3)), np.empty(3)
    so3.multiply(A, B, C)
    np.testing.assert_allclose(C, A @ B, atol=1e-14)
    so3.multiply_transposed(A, B, C)
    np.testing.assert_allclose(C, A @ B.T, atol=1e-14)
    so3.cross(a, b, c)
    np.testing.assert_allclose(c, np.cross(a, b), atol=1e-14)
    c[:] = a
    so3.rotate(A, c, c)
    np.testing.assert_allclose(c, A @ a, atol=1e-14)
    so3.rotate_back(A, c, c)
    np.testing.assert_allclose(c, a, atol=1e-14)


@UNHURRIED
@given(vectors)
def test_quaternion_is_pinocchios(w):
    pin = pytest.importorskip("pinocchio")
    R = exp3(2.0 * w)
    q = pin.Quaternion(R).coeffs()
    np.testing.assert_allclose(so3.quaternion(R), q if q[3] >= 0 else -q, atol=1e-12)


@UNHURRIED
@given(vectors, vectors)
def test_orthonormalise_repairs_rounding_and_keeps_rotations(w, noise):
    R = exp3(w)
    bent = R + 1e-6 * np.outer(noise, noise)
    so3.orthonormalise(bent, np.empty((3, 3)))
    np.testing.assert_allclose(bent.T @ bent, np.eye(3), atol=1e-9)
    np.testing.assert_allclose(bent, R, atol=4e-5)
