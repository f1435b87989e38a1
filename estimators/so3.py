"""Functions for rotations and the extended poses SE_k(3), compiled and in place.

Matrices are 3 x 3 float64 arrays and vectors have length 3. Every function writes its result into its last
array arguments, which must not be its inputs unless its docstring says so. No function allocates, so that
compiled code can call it in the tick; a call from Python works in the same way.

Source: Barfoot, "State Estimation for Robotics", 2017, ch. 7; the Gamma functions are those of Bloesch et
al., "State estimation for legged robots", RSS 2012, eq. 21.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.compile.kernels import struct_kernel

Array = NDArray[np.float64]

# Angle [rad] below which the closed forms lose digits and their series (to 6th order) are exact.
SMALL_ANGLE = 0.05


@struct_kernel
def skew(a: Array, A: Array) -> None:
    """Writes the skew-symmetric matrix A = a^, so that A b = a x b."""
    A[0, 0] = 0.0
    A[0, 1] = -a[2]
    A[0, 2] = a[1]
    A[1, 0] = a[2]
    A[1, 1] = 0.0
    A[1, 2] = -a[0]
    A[2, 0] = -a[1]
    A[2, 1] = a[0]
    A[2, 2] = 0.0


@struct_kernel
def cross(a: Array, b: Array, c: Array) -> None:
    """Writes c = a x b; c may be a or b."""
    x = a[1] * b[2] - a[2] * b[1]
    y = a[2] * b[0] - a[0] * b[2]
    z = a[0] * b[1] - a[1] * b[0]
    c[0] = x
    c[1] = y
    c[2] = z


@struct_kernel
def rotate(R: Array, a: Array, b: Array) -> None:
    """Writes b = R a; b may be a."""
    x = R[0, 0] * a[0] + R[0, 1] * a[1] + R[0, 2] * a[2]
    y = R[1, 0] * a[0] + R[1, 1] * a[1] + R[1, 2] * a[2]
    z = R[2, 0] * a[0] + R[2, 1] * a[1] + R[2, 2] * a[2]
    b[0] = x
    b[1] = y
    b[2] = z


@struct_kernel
def rotate_back(R: Array, a: Array, b: Array) -> None:
    """Writes b = R' a; b may be a."""
    x = R[0, 0] * a[0] + R[1, 0] * a[1] + R[2, 0] * a[2]
    y = R[0, 1] * a[0] + R[1, 1] * a[1] + R[2, 1] * a[2]
    z = R[0, 2] * a[0] + R[1, 2] * a[1] + R[2, 2] * a[2]
    b[0] = x
    b[1] = y
    b[2] = z


@struct_kernel
def multiply(A: Array, B: Array, C: Array) -> None:
    """Writes C = A B."""
    for i in range(3):
        for j in range(3):
            C[i, j] = A[i, 0] * B[0, j] + A[i, 1] * B[1, j] + A[i, 2] * B[2, j]


@struct_kernel
def multiply_transposed(A: Array, B: Array, C: Array) -> None:
    """Writes C = A B'."""
    for i in range(3):
        for j in range(3):
            C[i, j] = A[i, 0] * B[j, 0] + A[i, 1] * B[j, 1] + A[i, 2] * B[j, 2]


@struct_kernel
def gamma_coefficients(angle: float) -> tuple[float, float, float, float]:
    """Returns the coefficients of `gammas` for the angle x [rad].

    Returns:
        c1..c4 = (sin x)/x, (1 - cos x)/x^2, (x - sin x)/x^3, (x^2/2 - 1 + cos x)/x^4.
    """
    x2 = angle * angle
    if angle < SMALL_ANGLE:
        return (
            1.0 - x2 / 6.0 * (1.0 - x2 / 20.0 * (1.0 - x2 / 42.0)),
            0.5 - x2 / 24.0 * (1.0 - x2 / 30.0 * (1.0 - x2 / 56.0)),
            1.0 / 6.0 - x2 / 120.0 * (1.0 - x2 / 42.0 * (1.0 - x2 / 72.0)),
            1.0 / 24.0 - x2 / 720.0 * (1.0 - x2 / 56.0 * (1.0 - x2 / 90.0)),
        )
    s = math.sin(angle)
    half = math.sin(0.5 * angle)
    versine = 2.0 * half * half
    return s / angle, versine / x2, (angle - s) / (x2 * angle), (0.5 * x2 - versine) / (x2 * x2)


@struct_kernel
def axis_polynomial(w: Array, one: float, first: float, second: float, A: Array) -> None:
    """Writes A = one I + first w^ + second w^ w^."""
    x, y, z = w[0], w[1], w[2]
    A[0, 0] = one - second * (y * y + z * z)
    A[1, 1] = one - second * (x * x + z * z)
    A[2, 2] = one - second * (x * x + y * y)
    A[0, 1] = second * x * y - first * z
    A[1, 0] = second * x * y + first * z
    A[0, 2] = second * x * z + first * y
    A[2, 0] = second * x * z - first * y
    A[1, 2] = second * y * z - first * x
    A[2, 1] = second * y * z + first * x


@struct_kernel
def norm3(w: Array) -> float:
    """Returns the Euclidean norm of w."""
    return math.sqrt(w[0] * w[0] + w[1] * w[1] + w[2] * w[2])


@struct_kernel
def exp3(w: Array, R: Array) -> None:
    """Writes R = Exp(w), the rotation by |w| [rad] about w (Rodrigues' formula)."""
    c1, c2, _, _ = gamma_coefficients(norm3(w))
    axis_polynomial(w, 1.0, c1, c2, R)


@struct_kernel
def left_jacobian(w: Array, J: Array) -> None:
    """Writes the left Jacobian J = J_l(w), the integral of Exp(s w) over s in [0, 1].

    To first order in d, Exp(w + d) = Exp(J d) Exp(w).
    """
    _, c2, c3, _ = gamma_coefficients(norm3(w))
    axis_polynomial(w, 1.0, c2, c3, J)


@struct_kernel
def gammas(w: Array, G0: Array, G1: Array, G2: Array) -> None:
    """Writes G_m = sum over n of (w^)^n / (n + m)! for m = 0, 1, 2.

    G0 is the rotation Exp(w); G1 and G2 are the single and double integral of Exp(s w) over s in [0, 1].
    """
    c1, c2, c3, c4 = gamma_coefficients(norm3(w))
    axis_polynomial(w, 1.0, c1, c2, G0)
    axis_polynomial(w, 1.0, c2, c3, G1)
    axis_polynomial(w, 0.5, c3, c4, G2)


@struct_kernel
def quaternion(R: Array) -> tuple[float, float, float, float]:
    """Returns the unit quaternion (x, y, z, w) with w >= 0 of the rotation R.

    It is exact for every angle (Shepperd's method).
    """
    trace = R[0, 0] + R[1, 1] + R[2, 2]
    if trace > 0.0:
        x, y, z, w = R[2, 1] - R[1, 2], R[0, 2] - R[2, 0], R[1, 0] - R[0, 1], 1.0 + trace
    elif R[0, 0] >= R[1, 1] and R[0, 0] >= R[2, 2]:
        x, y, z = 1.0 + R[0, 0] - R[1, 1] - R[2, 2], R[0, 1] + R[1, 0], R[0, 2] + R[2, 0]
        w = R[2, 1] - R[1, 2]
    elif R[1, 1] >= R[2, 2]:
        x, y, z = R[0, 1] + R[1, 0], 1.0 + R[1, 1] - R[0, 0] - R[2, 2], R[1, 2] + R[2, 1]
        w = R[0, 2] - R[2, 0]
    else:
        x, y, z = R[0, 2] + R[2, 0], R[1, 2] + R[2, 1], 1.0 + R[2, 2] - R[0, 0] - R[1, 1]
        w = R[1, 0] - R[0, 1]
    scale = 1.0 / math.sqrt(x * x + y * y + z * z + w * w)
    if w < 0.0:
        scale = -scale
    return scale * x, scale * y, scale * z, scale * w


@struct_kernel
def log3(R: Array, w: Array) -> float:
    """Writes w = Log(R), the shortest rotation vector [rad].

    It is computed from the quaternion, and therefore exact up to the angle pi.

    Returns:
        The angle |w| in [0, pi].
    """
    x, y, z, c = quaternion(R)
    n = math.sqrt(x * x + y * y + z * z)
    angle = 2.0 * math.atan2(n, c)
    scale = angle / n if n > 1e-9 else 2.0
    w[0] = scale * x
    w[1] = scale * y
    w[2] = scale * z
    return angle


@struct_kernel
def orthonormalise(R: Array, work: Array) -> None:
    """Computes R = R (3 I - R'R) / 2 in place.

    This is one Newton step towards the nearest rotation, which is enough to remove rounding errors.

    Args:
        R: (3, 3) nearly a rotation.
        work: (3, 3) scratch.
    """
    for i in range(3):
        for j in range(3):
            s = R[0, i] * R[0, j] + R[1, i] * R[1, j] + R[2, i] * R[2, j]
            work[i, j] = (1.5 if i == j else 0.0) - 0.5 * s
    for i in range(3):
        x, y, z = R[i, 0], R[i, 1], R[i, 2]
        for j in range(3):
            R[i, j] = x * work[0, j] + y * work[1, j] + z * work[2, j]
