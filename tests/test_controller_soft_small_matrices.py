"""The small matrices of a soft hand: factors, solves and eigenvalues agree with NumPy's."""

import numpy as np
import pytest

from kilohertz.controller.soft.small_matrices import backward_solve, cholesky, eigenvalues, forward_solve


def positive(n: int, seed: int) -> np.ndarray:
    root = np.random.default_rng(seed).normal(size=(n, n))
    return root @ root.T + 0.1 * np.eye(n)


@pytest.mark.parametrize("n", [1, 6, 7])
def test_a_factor_solves_the_equations_of_which_it_reads_the_upper_triangle(n):
    A, b = positive(n, n), np.random.default_rng(1).normal(size=n)
    L, x = np.zeros((n, n)), b.copy()
    cholesky(np.triu(A), L)
    np.testing.assert_allclose(L, np.linalg.cholesky(A), atol=1e-12)
    forward_solve(L, x)
    backward_solve(L, x)
    np.testing.assert_allclose(A @ x, b, atol=1e-10)


def test_the_factor_of_a_singular_matrix_stays_finite():
    L = np.zeros((3, 3))
    cholesky(np.zeros((3, 3)), L)
    assert np.isfinite(L).all()


@pytest.mark.parametrize("seed", range(5))
def test_eigenvalues_and_vectors_build_the_matrix(seed):
    A = positive(6, seed)
    if seed == 4:
        A[2] = A[:, 2] = 0.0  # as of a spring without stiffness along one axis
    S, U = A.copy(), np.zeros((6, 6))
    eigenvalues(S, U)
    np.testing.assert_allclose(U.T @ U, np.eye(6), atol=1e-12)
    np.testing.assert_allclose(U @ np.diag(np.diag(S)) @ U.T, A, atol=1e-11)
    np.testing.assert_allclose(np.sort(np.diag(S)), np.linalg.eigvalsh(A), atol=1e-11)
