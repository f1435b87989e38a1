"""The contact-aided right-invariant EKF as an object: named views, one call to propagate, one to correct."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilohertz.estimators.inekf_correction import correct_sample
from kilohertz.estimators.inekf_layout import (
    ACCEL_BIAS,
    CONTACTS,
    GYRO_BIAS,
    POSITION,
    ROTATION,
    SLOT_R,
    SLOT_ROTATION,
    SLOT_ROWS,
    SOLE,
    UNUSED,
    VELOCITY,
    ContactPoses,
    new_contact_poses,
    new_filter,
)
from kilohertz.estimators.inekf_propagation import advance_sample
from kilohertz.robots.compile.bound_kernel import bind
from kilohertz.robots.model.gravity import GRAVITY_M_S2

Array = NDArray[np.float64]


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
        arrays: all of these as compiled code takes them.
        poses: those that `correct` was last called with.
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
        self.arrays = arrays = new_filter(
            n_slots,
            gravity_m_s2=gravity,
            max_step_s=max_step,
            gate=gate,
            reference_quirks=reference_quirks,
        )
        self.poses: ContactPoses = new_contact_poses(n_slots)
        self.x, self.P, self.R_WI = arrays.x, arrays.P, arrays.R_WI
        self.v_WI, self.p_WI = arrays.v_WI, arrays.p_WI
        self.gyro_bias, self.accel_bias = arrays.gyro_bias, arrays.accel_bias
        self.p_WF: Array = arrays.contacts[:, :SLOT_R]
        self.R_WF = [pose[SLOT_R:].reshape(3, 3) for pose in arrays.contacts]
        self.active, self.memory = arrays.active, arrays.memory
        self.noise, self.slot_noise = arrays.noise, arrays.slot_noise
        self.slot_velocity = arrays.slot_velocity
        self.surprise = arrays.surprise
        self.refused = 0

    # Compiled when first called: a larger tick that runs the kernels itself has no need of them.
    @cached_property
    def _advance(self) -> Callable[..., Any]:
        call = {"gyro": "f8[::1]", "accel": "f8[::1]", "dt": "f8"}
        return bind("inekf_propagation", [advance_sample], call=call, structs=self._structs, returns="b1")

    @cached_property
    def _correct(self) -> Callable[..., Any]:
        return bind("inekf_correction", [correct_sample], call={}, structs=self._structs)

    @property
    def _structs(self) -> dict[str, Any]:
        return {"ekf": self.arrays, "poses": self.poses}

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
        done: bool = self._advance(gyro, accel, dt)
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
        given = (wanted, p_IF, R_IF, position_covariance, rotation_covariance)
        for array, values in zip(self.poses, given, strict=True):
            array[:] = values
        self._correct()

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
        R, row = self.R_WI, CONTACTS + SLOT_ROWS * slot
        self.P[row : row + SLOT_ROWS] = 0.0
        self.P[:, row : row + SLOT_ROWS] = 0.0
        self.p_WF[slot] = self.p_WI + R @ p_IF
        self._copy_block(row, POSITION, R @ position_covariance @ R.T)
        if kind == SOLE:
            self.R_WF[slot][:] = R @ R_IF
            self._copy_block(row + SLOT_ROTATION, ROTATION, R @ rotation_covariance @ R.T)
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
        for slot in np.flatnonzero(self.active != UNUSED):
            self.p_WF[slot] = R @ self.p_WF[slot]
            if self.active[slot] == SOLE:
                self.R_WF[slot][:] = R @ self.R_WF[slot]

    def standard_deviation(self, row: int) -> Array:
        """(3,) standard deviations of the error block that starts at `row` (see inekf_layout)."""
        deviation: Array = np.sqrt(np.diagonal(self.P)[row : row + 3])
        return deviation
