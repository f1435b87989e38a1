"""Compiled linear algebra on small symmetric matrices, without allocation: factors, solves, eigenvalues."""

from __future__ import annotations

import numpy as np

from kilohertz.robots.compile.kernels import kernel
from kilohertz.robots.model.kin import Floats

_SWEEPS = 8
"""Number of sweeps of the Jacobi method; for six rows it has converged to rounding after five."""
_SMALL = 1e-15


@kernel
def cholesky(A: Floats, L: Floats) -> None:
    """Writes the lower factor L with A = L L' of a positive definite matrix; reads the upper triangle of A.

    A pivot that is not positive is replaced by a tiny one, so that the result stays finite.

    Args:
        A: (n, n) matrix.
        L: (n, n) output; the upper triangle is not written.
    """
    n = len(A)
    for j in range(n):
        for i in range(j, n):
            value = A[j, i]
            for k in range(j):
                value -= L[i, k] * L[j, k]
            if i == j:
                L[j, j] = np.sqrt(max(value, _SMALL))
            else:
                L[i, j] = value / L[j, j]


@kernel
def forward_solve(L: Floats, x: Floats) -> None:
    """Replaces x (n,) by L^-1 x, with L a lower factor."""
    for i in range(len(x)):
        value = x[i]
        for k in range(i):
            value -= L[i, k] * x[k]
        x[i] = value / L[i, i]


@kernel
def backward_solve(L: Floats, x: Floats) -> None:
    """Replaces x (n,) by L'^-1 x, with L a lower factor."""
    for i in range(len(x) - 1, -1, -1):
        value = x[i]
        for k in range(i + 1, len(x)):
            value -= L[k, i] * x[k]
        x[i] = value / L[i, i]


@kernel
def eigenvalues(S: Floats, U: Floats) -> None:
    """Diagonalises a symmetric matrix by Jacobi rotations: S becomes U' S U, which is diagonal.

    Args:
        S: (n, n) symmetric matrix, overwritten; on return its diagonal holds the eigenvalues.
        U: (n, n) output: the eigenvectors as columns.

    Source: Golub and Van Loan, "Matrix Computations", 4th edition, section 8.5.
    """
    n = len(S)
    for i in range(n):
        for j in range(n):
            U[i, j] = 1.0 if i == j else 0.0
    for _ in range(_SWEEPS):
        for p in range(n - 1):
            for q in range(p + 1, n):
                if abs(S[p, q]) <= _SMALL * (abs(S[p, p]) + abs(S[q, q])):
                    continue
                ratio = (S[q, q] - S[p, p]) / (2.0 * S[p, q])
                tangent = 1.0 / (abs(ratio) + np.sqrt(1.0 + ratio * ratio))
                if ratio < 0.0:
                    tangent = -tangent
                c = 1.0 / np.sqrt(1.0 + tangent * tangent)
                s = tangent * c
                for k in range(n):
                    left, right = S[k, p], S[k, q]
                    S[k, p], S[k, q] = c * left - s * right, s * left + c * right
                for k in range(n):
                    left, right = S[p, k], S[q, k]
                    S[p, k], S[q, k] = c * left - s * right, s * left + c * right
                for k in range(n):
                    left, right = U[k, p], U[k, q]
                    U[k, p], U[k, q] = c * left - s * right, s * left + c * right
