"""The contact-aided right-invariant EKF as an object: named views, one call to propagate, one to correct."""

from __future__ import annotations

from functools import cached_property
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.inekf_layout import (
    ACCEL_BIAS,
    CONTACTS,
    GYRO_BIAS,
    POSITION,
    ROTATION,
    STATE_BA,
    STATE_BG,
    STATE_CONTACTS,
    STATE_P,
    STATE_V,
    VELOCITY,
    error_size,
    state_size,
)
from kilohertz.robots.compile import kernels as compiled
from kilohertz.robots.compile.import_closure import sources_of
from kilohertz.robots.model.gravity import GRAVITY_M_S2

Array = NDArray[np.float64]

ENTRY = """
import numba
from kilohertz.estimators.inekf_correction import observe_contacts
from kilohertz.estimators.inekf_propagation import advance, symmetrise
from kilohertz.robots.compile.kernels import KERNEL_OPTIONS

vector, matrix, stack, flags = "f8[::1]", "f8[:,::1]", "f8[:,:,::1]", "i8[::1]"


@numba.njit(
    f"b1({vector}, {matrix}, {vector}, {vector}, {vector}, f8, f8, f8, {vector}, {matrix}, "
    f"{matrix}, {flags}, b1, {stack})",
    cache=True,
    **KERNEL_OPTIONS,
)
def propagate_entry(
    x, P, memory, gyro, accel, dt, max_step, gravity, noise, slot_noise, slot_velocity, active, quirks,
    work,
):
    done = advance(
        x, P, memory, gyro, accel, dt, max_step, gravity, noise, slot_noise, slot_velocity, active, quirks,
        work,
    )
    if done:
        symmetrise(P, active)
    return done


@numba.njit(
    f"void({vector}, {matrix}, {flags}, {matrix}, {stack}, {stack}, {stack}, "
    f"{flags}, f8, b1, {matrix}, {matrix}, {stack})",
    cache=True,
    **KERNEL_OPTIONS,
)
def correct_entry(
    x, P, wanted, p_IF, R_IF, position_covariance, rotation_covariance, active, gate, quirks, surprise,
    rows, work,
):
    observe_contacts(
        x, P, wanted, p_IF, R_IF, position_covariance, rotation_covariance, active, gate, quirks, surprise,
        rows, work,
    )
    symmetrise(P, active)
"""


class InvariantEkf:
    """Pose, velocity, biases and contact poses from an IMU and the encoders, all arrays allocated once.

    Attributes (views, updated in place):
        R_WI (3, 3), v_WI (3,), p_WI (3,): IMU orientation, velocity [m/s], position [m] in the world.
        gyro_bias (3,) [rad/s], accel_bias (3,) [m/s^2]: in the IMU frame.
        P (n, n): covariance of the right-invariant error, blocks of three in the order rotation, velocity,
            position, gyro bias, accelerometer bias, then position and rotation of each slot.
        active (n_slots,): 0 slot unused, 1 position, 2 position and orientation.
        surprise (n_slots, 2): squared Mahalanobis distance of each contact's last innovation.
        noise (4,), slot_noise (n_slots, 3): spectral densities, may be rewritten between steps.
        slot_velocity (n_slots, 3): known motion of each contact in the IMU's axes [m/s], likewise.
        refused: number of IMU samples refused because they were not finite, or not believable.

    Args:
        n_slots: number of contacts the state has room for.
        gravity: magnitude [m/s^2].
        max_step: longest step propagated at once [s]; longer gaps are cut.
        gate: greatest squared Mahalanobis distance of a contact that is still taken as standing still.
        reference_quirks: give the numbers of the authors' C++: the earlier IMU sample for each step,
            transition I + A dt, noise before the transition.

    Source: Hartley, Ghaffari, Eustice, Grizzle, "Contact-aided invariant extended Kalman filtering for robot
    state estimation", IJRR 2020.
    """

    def __init__(
        self,
        n_slots: int,
        *,
        gravity: float = GRAVITY_M_S2,
        max_step: float = 5e-3,
        gate: float = 0.0,
        reference_quirks: bool = False,
    ) -> None:
        self.n_slots = n_slots
        self.gravity = gravity
        self.max_step = max_step
        self.gate = gate
        self.reference_quirks = reference_quirks
        self.x: Array = np.zeros(state_size(n_slots))
        self.P: Array = np.zeros((error_size(n_slots), error_size(n_slots)))
        self.R_WI: Array = self.x[:9].reshape(3, 3)
        self.R_WI[:] = np.eye(3)
        self.v_WI: Array = self.x[STATE_V:STATE_P]
        self.p_WI: Array = self.x[STATE_P:STATE_BG]
        self.gyro_bias: Array = self.x[STATE_BG:STATE_BA]
        self.accel_bias: Array = self.x[STATE_BA:STATE_CONTACTS]
        slots = self.x[STATE_CONTACTS:].reshape(n_slots, 12)
        self.p_WF: Array = slots[:, :3]
        self.R_WF = [slots[c, 3:].reshape(3, 3) for c in range(n_slots)]
        self.active = np.zeros(n_slots, dtype=np.int64)
        self.memory: Array = np.zeros(7)
        self.noise: Array = np.zeros(4)
        self.slot_noise: Array = np.zeros((n_slots, 3))
        self.slot_velocity: Array = np.zeros((n_slots, 3))
        self.surprise: Array = np.zeros((n_slots, 2))
        self.rows: Array = np.zeros((4, len(self.P)))
        self.work: Array = np.zeros((11 + n_slots, 3, 3))
        self.refused = 0

    @cached_property
    def _entry(self) -> ModuleType:
        """Compiled when first called: a larger tick that runs the kernels itself has no need of it."""
        sources = sources_of("kilohertz.estimators.inekf_propagation") | sources_of(
            "kilohertz.estimators.inekf_correction"
        )
        return compiled.load_entry("inekf", ENTRY, sources)

    def set_variances(
        self,
        *,
        rotation: Array | float,
        velocity: Array | float,
        position: Array | float,
        gyro_bias: Array | float,
        accel_bias: Array | float,
    ) -> None:
        """Starts the covariance anew: diagonal, each variance (3,) or one number in SI units; no contacts."""
        self.P[:] = 0.0
        self.active[:] = 0
        diagonal = np.einsum("ii->i", self.P)
        blocks = (rotation, ROTATION), (velocity, VELOCITY), (position, POSITION)
        for variance, row in (*blocks, (gyro_bias, GYRO_BIAS), (accel_bias, ACCEL_BIAS)):
            diagonal[row : row + 3] = variance

    def propagate(self, gyro: Array, accel: Array, dt: float) -> bool:
        """Carries the state on to this IMU sample, dt [s] after the last; see `advance` for the rule.

        Returns:
            False when the sample was refused; the state is then as it was.
        """
        done: bool = self._entry.propagate_entry(
            self.x,
            self.P,
            self.memory,
            gyro,
            accel,
            dt,
            self.max_step,
            self.gravity,
            self.noise,
            self.slot_noise,
            self.slot_velocity,
            self.active,
            self.reference_quirks,
            self.work,
        )
        if not done:
            self.refused += 1
        return done

    def correct(
        self,
        wanted: NDArray[np.int64],
        p_IF: Array,
        R_IF: Array,
        position_covariance: Array,
        rotation_covariance: Array,
    ) -> None:
        """Corrects with the contacts that stay closed, drops those that opened, adds those that closed.

        Args:
            wanted: (n_slots,) 0 open, 1 closed point, 2 closed sole whose orientation stays, too.
            p_IF: (n_slots, 3) position of each contact in the IMU frame [m].
            R_IF: (n_slots, 3, 3) its orientation.
            position_covariance: (n_slots, 3, 3) of p_IF in the IMU frame [m^2].
            rotation_covariance: (n_slots, 3, 3) of R_IF in the IMU frame [rad^2].
        """
        self._entry.correct_entry(
            self.x,
            self.P,
            wanted,
            p_IF,
            R_IF,
            position_covariance,
            rotation_covariance,
            self.active,
            self.gate,
            self.reference_quirks,
            self.surprise,
            self.rows,
            self.work,
        )

    def open_slot(
        self,
        slot: int,
        kind: int,
        p_IF: Array,
        R_IF: Array,
        position_covariance: Array,
        rotation_covariance: Array,
    ) -> None:
        """A contact closes before the first tick: what the kernel of this name does, without compiling it.

        Args:
            slot: which contact.
            kind: 1 position, 2 position and orientation.
            p_IF: (3,) position in the IMU frame [m].
            R_IF: (3, 3) orientation in the IMU frame.
            position_covariance: (3, 3) of p_IF, in the IMU frame [m^2].
            rotation_covariance: (3, 3) of R_IF, in the IMU frame [rad^2].
        """
        R, row = self.R_WI, CONTACTS + 6 * slot
        self.P[row : row + 6] = 0.0
        self.P[:, row : row + 6] = 0.0
        self.p_WF[slot] = self.p_WI + R @ p_IF
        self._copy_block(row, POSITION, R @ position_covariance @ R.T)
        if kind == 2:
            self.R_WF[slot][:] = R @ R_IF
            self._copy_block(row + 3, ROTATION, R @ rotation_covariance @ R.T)
        self.active[slot] = kind

    def _copy_block(self, target: int, source: int, noise: Array) -> None:
        """Makes an error block equal to another plus independent noise of this covariance."""
        to, of = slice(target, target + 3), slice(source, source + 3)
        self.P[to] = self.P[of]
        self.P[:, to] = self.P[:, of]
        self.P[to, to] += noise

    def turn(self, R: Array) -> None:
        """Turns IMU and contacts about the world's origin by the rotation R (3, 3); P stays as it is."""
        self.R_WI[:] = R @ self.R_WI
        self.v_WI[:] = R @ self.v_WI
        self.p_WI[:] = R @ self.p_WI
        for slot in np.flatnonzero(self.active):
            self.p_WF[slot] = R @ self.p_WF[slot]
            if self.active[slot] == 2:
                self.R_WF[slot][:] = R @ self.R_WF[slot]

    def standard_deviation(self, row: int) -> Array:
        """(3,) standard deviations of the error block that starts at `row` (see inekf_layout)."""
        deviation: Array = np.sqrt(np.diagonal(self.P)[row : row + 3])
        return deviation
