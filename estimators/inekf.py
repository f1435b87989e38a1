"""The contact-aided right-invariant EKF as a Python object with methods to propagate and to correct."""

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
    """Estimates pose, velocity, IMU biases and contact poses from an IMU and the joint encoders.

    All arrays are allocated once.

    Attributes (views, updated in place):
        R_WI (3, 3), v_WI (3,), p_WI (3,): orientation, velocity [m/s] and position [m] of the IMU in the
            world.
        gyro_bias (3,) [rad/s], accel_bias (3,) [m/s^2]: biases of gyro and accelerometer, in the IMU frame.
        P (n, n): covariance of the right-invariant error, blocks of three in the order rotation, velocity,
            position, gyro bias, accelerometer bias, then position and rotation of each slot.
        active (n_slots,): content of each slot: 0 unused, 1 position, 2 position and orientation.
        surprise (n_slots, 2): squared Mahalanobis distances of each contact's last innovations of position
            and orientation.
        noise (4,), slot_noise (n_slots, 4): spectral densities (see inekf_layout); may be changed between
            steps.
        slot_velocity (n_slots, 3): known velocity of each contact in the IMU's axes [m/s]; may be changed
            between steps.
        arrays: all of these as the struct that compiled code takes.
        poses: contact poses of the last call of `correct`.
        refused: number of IMU samples that were refused because they were not finite or not plausible.

    Args:
        n_slots: number of contacts that the state has room for.
        gravity: magnitude of gravity [m/s^2].
        max_step: longest propagation step [s]; longer gaps are divided into several steps.
        gate: squared Mahalanobis distance above which a contact counts as slipping; 0 for never.
        reference_quirks: whether to reproduce the numbers of the authors' C++ implementation: each step uses
            the earlier IMU sample and the transition I + A dt, and adds all noise before the transition.

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

    # Compiled at the first call: a larger tick that calls the kernels itself does not need these.
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
        """Resets the covariance to a diagonal matrix, and removes all contacts.

        Args:
            rotation: (3,) variance of the rotation, or one number for all axes [rad^2].
            velocity: (3,) variance of the velocity, or one number for all axes [m^2/s^2].
            position: (3,) variance of the position, or one number for all axes [m^2].
            gyro_bias: (3,) variance of the gyro bias, or one number for all axes [rad^2/s^2].
            accel_bias: (3,) variance of the accelerometer bias, or one number for all axes [m^2/s^4].
        """
        self.P[:] = 0.0
        self.active[:] = 0
        diagonal = np.einsum("ii->i", self.P)
        blocks = (rotation, ROTATION), (velocity, VELOCITY), (position, POSITION)
        for variance, row in (*blocks, (gyro_bias, GYRO_BIAS), (accel_bias, ACCEL_BIAS)):
            diagonal[row : row + 3] = variance

    def propagate(self, gyro: Array, accel: Array, dt: float) -> bool:
        """Propagates the state to the time of this IMU sample; see `advance` for the integration rule.

        Args:
            gyro: (3,) measured w_WI_I [rad/s].
            accel: (3,) measured specific force in the IMU frame [m/s^2].
            dt: time since the last sample [s].

        Returns:
            False if the sample was refused; the state is then unchanged.
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
        """Corrects with the contacts that stay closed, removes those that opened, adds those that closed.

        Args:
            wanted: (n_slots,) 0 open contact, 1 closed point, 2 closed sole, whose orientation is used too.
            p_IF: (n_slots, 3) position of each contact in the IMU frame [m].
            R_IF: (n_slots, 3, 3) orientation of each contact in the IMU frame.
            position_covariance: (n_slots, 3, 3) covariance of p_IF in the IMU frame [m^2].
            rotation_covariance: (n_slots, 3, 3) covariance of R_IF in the IMU frame [rad^2].
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
        """Adds a closed contact to the state before the first tick.

        It does the same as the kernel of this name, without compiling it.

        Args:
            slot: index of the contact.
            kind: 1 position, 2 position and orientation.
            p_IF: (3,) position of the contact in the IMU frame [m].
            R_IF: (3, 3) orientation of the contact in the IMU frame.
            position_covariance: (3, 3) covariance of p_IF in the IMU frame [m^2].
            rotation_covariance: (3, 3) covariance of R_IF in the IMU frame [rad^2].
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
        """Sets error block `target` to block `source` plus independent noise of covariance `noise` (3, 3)."""
        to, of = slice(target, target + 3), slice(source, source + 3)
        self.P[to] = self.P[of]
        self.P[:, to] = self.P[:, of]
        self.P[to, to] += noise

    def turn(self, R: Array) -> None:
        """Rotates IMU and contacts about the world's origin by the rotation R (3, 3); P does not change."""
        self.R_WI[:] = R @ self.R_WI
        self.v_WI[:] = R @ self.v_WI
        self.p_WI[:] = R @ self.p_WI
        for slot in np.flatnonzero(self.active != UNUSED):
            self.p_WF[slot] = R @ self.p_WF[slot]
            if self.active[slot] == SOLE:
                self.R_WF[slot][:] = R @ self.R_WF[slot]

    def standard_deviation(self, row: int) -> Array:
        """Returns the (3,) standard deviations of the error block that starts at `row` (see inekf_layout)."""
        deviation: Array = np.sqrt(np.diagonal(self.P)[row : row + 3])
        return deviation
