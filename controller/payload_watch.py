"""Keeps an eye on the weight: what the robot carries that nobody told it of, standing or walking.

All of it shows in the soles' wrenches, what is in a hand shows in the torques of its arm too, and far more
sharply: a model that is off by a few percent of the whole robot's mass is off by a few percent of an arm's
there. The trunk carries the rest. The soles' wrenches are taken from torques and motion of the legs alone:
neither the upper body nor what the controller hoped it would do enters (with the planned wrenches instead, a
load of 10 kg in G1's hands came out as 7 kg). The legs' own acceleration matters: heavy ones that sink to
the height of walking seemed to lose 17 kg.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from controller.qp.tables import GRAVITY_M_S2
from controller.whole_body import WholeBody
from estimators.bound_kernel import bind
from estimators.disturbance import DisturbanceObserver, PayloadEstimate
from robots.compiled import kernel
from robots.rows import Vector

Ints = NDArray[np.int64]

_EVERY_TICKS = 20
"""A payload is no matter of milliseconds."""
_READ, _OBSERVE, _WEIGH_ALL, _WEIGH_HANDS, _SHARE = 0, 2, 4, 6, 8
"""What is done in which tick of those: little in each. In the odd ones the model follows."""
_RATE_PER_S = 20.0
_SETTLE_S, _HAND_SETTLE_S, _TARE_S = 0.4, 0.05, 3.0
_LEAST_IN_HAND, _LEAST_ON_TRUNK = 0.01, 0.02
"""A hand, and the trunk, are believed to carry this part of the robot's mass or more: less is not told from
friction and from what the model is off."""
_PUSH, _AFTER_PUSH_S = 0.08, 0.5
"""A disturbance that pushes sideways by more than this part of the weight is no load, nor is what follows."""
_ARM_ERROR, _SOLE_ERROR = 0.07, 0.01
"""How well arms weigh, over the load (held a little off the hand's point), and soles, over the robot."""
_LEAST_PULL = (0.1 * GRAVITY_M_S2) ** 2
"""Arms that hang down with levers shorter than 0.1 m hardly tell what is in their hands."""


class PayloadWatch:
    """Estimates what a robot on its soles carries, and puts it into the model of its controller.

    Args:
        body: the whole-body controller, whose kinematics are those of this tick.

    Attributes:
        mass_kg: of everything carried, 0 while there is nothing.
        p_BP_m: (3,) its middle, from the base's origin along its heading; its height is NaN: it does not show
            in a robot that stands upright.
        calm: whether nothing but weight is at work, and has been for a while: nobody pushes.
    """

    def __init__(self, body: WholeBody) -> None:
        self._body = body
        robot, kin, contacts = body.robot, body.arrays.kin, body.arrays.contacts
        self._carried = body.carried
        self._disturbance = DisturbanceObserver(robot.mass_kg, _RATE_PER_S)
        self._total = PayloadEstimate(robot.mass_kg, _SETTLE_S, _TARE_S)
        *hands, self._trunk = body.carried.frames
        self._hands = np.array(hands, np.int64)
        self._points = [np.zeros(3) for _ in hands]
        self._force_W, self._moment_C = np.zeros(3), np.zeros(3)
        self._pull = np.zeros((max(len(hands), 1), 3))
        self._felt_kg = [0.0] * len(hands)
        self._tau, self._vdot, self._last_v = np.zeros(robot.na), np.zeros(robot.nv), np.zeros(robot.nv)
        arrays = {
            name: getattr(kin, name)
            for name in ("M", "J", "R", "p", "h", "drift", "p_WC", "columns", "n_columns")
        }
        arrays |= {name: getattr(contacts, name) for name in ("frame", "offset", "dim", "select")}
        moves_trunk = np.zeros(robot.nv, np.int64)
        moves_trunk[kin.columns[self._trunk, : kin.n_columns[self._trunk]]] = 1
        self._read_torques = bind(
            "payload_kernel",
            [add_up_soles, feel_hands],
            call={},
            persistent={
                **arrays,
                "tau": self._tau,
                "vdot": self._vdot,
                "n_base": kin.n_base,
                "force_W": self._force_W,
                "moment_C": self._moment_C,
                "normal": np.zeros((6, 6)),
                "wrench": np.zeros(6),
                "hands": self._hands,
                "moves_trunk": moves_trunk,
                "pull": self._pull,
                "felt": np.zeros(3),
            },
        )
        self._hand_kg = [0.0] * len(hands)
        self._hand_place = np.zeros((len(hands), 2))
        self._trunk_kg = self._arms_kg = 0.0
        self._moment, self._momentum_v, self._p = np.zeros(3), np.zeros(3), np.zeros(3)
        self._heading = (1.0, 0.0)
        self._calm_s, self.calm = _AFTER_PUSH_S, True
        self._tick, self._elapsed_s, self._period_s, self._known = 0, 0.0, 0.0, False
        self.mass_kg = 0.0
        self.p_BP_m = np.full(3, math.nan)

    def reset(self) -> None:
        """Forgets what was known, and carries nothing."""
        self._disturbance.reset()
        self._total.reset()
        self._felt_kg[:] = self._hand_kg[:] = [0.0] * len(self._hands)
        self._trunk_kg = self._arms_kg = 0.0
        self._calm_s, self.calm = _AFTER_PUSH_S, True
        self._tau[:] = 0.0
        self._last_v[:] = 0.0
        self._carried.reset()
        self._tick, self._elapsed_s, self._known = 0, 0.0, False
        self.mass_kg = 0.0
        self.p_BP_m[:] = math.nan

    def update(self, tau: Vector, dt_s: float) -> None:
        """Takes a tick.

        Args:
            tau: (na,) joint torques [Nm].
            dt_s: period [s].
        """
        self._tick += 1
        self._elapsed_s += dt_s
        self._tau += tau
        duty = self._tick % _EVERY_TICKS
        if duty % 2 == 1:
            for carrier in range(duty // 2, len(self._carried.frames), _EVERY_TICKS // 2):
                self._carried.follow(carrier, _EVERY_TICKS * dt_s)
        elif duty == _READ:
            self._read()
        elif not self._known:
            return
        elif duty == _OBSERVE:
            self._observe()
        elif self.calm:
            if duty == _WEIGH_ALL:
                self._weigh_all()
            elif duty == _WEIGH_HANDS:
                self._weigh_hands()
            elif duty == _SHARE:
                self._share()

    def _read(self) -> None:
        """Takes in the torques of the last ticks."""
        self._period_s, self._elapsed_s = self._elapsed_s, 0.0
        v = self._body.arrays.kin.v
        np.subtract(v, self._last_v, out=self._vdot)
        self._vdot /= self._period_s
        self._last_v[:] = v
        self._tau /= _EVERY_TICKS
        self._read_torques()
        self._tau[:] = 0.0
        self._known = math.isfinite(float(self._force_W.sum() + self._moment_C.sum() + self._pull.sum()))

    def _observe(self) -> None:
        """Lets the observer see what holds the robot up, whose weight it knows: the load is what disturbs."""
        kin, carried, moment = self._body.arrays.kin, self._carried, self._moment
        carried.look()
        np.add(self._moment_C, _cross(carried.p_RC, self._force_W), out=moment)
        np.multiply(kin.v_WC, carried.total_kg / self._body.robot.mass_kg, out=self._momentum_v)
        self._disturbance.update(self._momentum_v, kin.L_C, self._force_W, moment, self._period_s)
        # Loads pull down; a push goes sideways, and legs hurry after it.
        x, y, _ = self._disturbance.force_W.tolist()
        pushed = math.hypot(x, y) > _PUSH * self._body.robot.mass_kg * GRAVITY_M_S2
        self._calm_s = 0.0 if pushed else self._calm_s + self._period_s
        self.calm = self._calm_s >= _AFTER_PUSH_S

    def _weigh_hands(self) -> None:
        share = min(self._period_s / _HAND_SETTLE_S, 1.0)
        least_kg, carried_kg = _LEAST_IN_HAND * self._body.robot.mass_kg, self._carried.mass_kg
        for i in range(len(self._hands)):
            missing, count2, per_kg = self._pull[i].tolist()
            # What the model has in the hand already is no longer missing from the torques.
            missing += per_kg * (float(carried_kg[i]) - self._felt_kg[i])
            felt_kg = self._felt_kg[i] + share * missing / (count2 + _LEAST_PULL)
            self._felt_kg[i] = max(felt_kg, -least_kg)  # there is no negative load to recover from
            believed = self._felt_kg[i] >= (0.5 if self._hand_kg[i] else 1.0) * least_kg
            self._hand_kg[i] = self._felt_kg[i] if believed else 0.0
        # What is in the hands weighs on the soles too; arms that swing fast feel more than there is.
        most_kg, in_hands = self._total.mass_kg, sum(self._hand_kg)
        most_kg += _LEAST_ON_TRUNK * self._body.robot.mass_kg if most_kg else 0.0
        for i in range(len(self._hands)):
            if in_hands > most_kg:
                self._hand_kg[i] *= most_kg / in_hands
            self._carried.aim(i, self._hand_kg[i], self._points[i])

    def _weigh_all(self) -> None:
        """Everything that is carried, by the soles: mass, and first moments about the trunk's origin."""
        kin, disturbance = self._body.arrays.kin, self._disturbance
        up_N = float(disturbance.force_W[2])
        self._look_ahead()
        x, y, _ = (kin.p_WC - self._carried.p_RC - kin.p[self._trunk]).tolist()
        mx = float(disturbance.moment_C[0]) + y * up_N
        my = float(disturbance.moment_C[1]) - x * up_N
        c, s = self._heading
        # Where the hands are is averaged like the moments: else arms that swing would seem to shift the rest.
        share, p_WT = min(self._period_s / _SETTLE_S, 1.0), kin.p[self._trunk].tolist()
        for place, f in zip(self._hand_place, self._hands, strict=True):
            x, y, _ = kin.p[f].tolist()
            x, y = x - p_WT[0], y - p_WT[1]
            place[0] += share * (c * x + s * y - place[0])
            place[1] += share * (c * y - s * x - place[1])
        self._total.update(up_N, c * mx + s * my, c * my - s * mx, self._period_s, not any(self._hand_kg))

    def _share(self) -> None:
        """The trunk carries what the hands do not; sums up what is carried, and where its middle is."""
        kin, carried, total, (c, s) = self._body.arrays.kin, self._carried, self._total, self._heading
        p_WT, robot_kg = kin.p[self._trunk], self._body.robot.mass_kg
        in_hands = ahead = left = 0.0
        for (x, y), mass in zip(self._hand_place.tolist(), self._hand_kg, strict=True):
            in_hands += mass
            ahead += mass * x
            left += mass * y
        rest_kg, (all_ahead, all_left) = total.raw_kg - in_hands, total.raw_kgm.tolist()
        believed = rest_kg >= (0.5 if self._trunk_kg else 1.0) * _LEAST_ON_TRUNK * robot_kg
        self._trunk_kg = rest_kg if believed else 0.0
        if believed:
            x, y = (all_ahead - ahead) / rest_kg, (all_left - left) / rest_kg
            R, p = kin.R[self._trunk], self._p
            p[0], p[1] = c * x - s * y, s * x + c * y
            # A load's height does not show: it is taken to be that of the trunk's own mass.
            p[2] = float(R[2] @ carried.own_centre_F[-1])
            carried.aim(len(self._hands), rest_kg, p @ R)
            ahead, left = all_ahead, all_left
        else:
            carried.aim(len(self._hands), 0.0, self._p)
        self._arms_kg += min(self._period_s / _SETTLE_S, 1.0) * (in_hands - self._arms_kg)
        self.mass_kg = total.raw_kg if believed or in_hands else 0.0
        if in_hands and not believed:
            # Arms and soles weigh the same: what they differ by is shared by how well each can tell.
            arms, soles = _ARM_ERROR * in_hands, _SOLE_ERROR * robot_kg
            self.mass_kg += soles * soles / (arms * arms + soles * soles) * (self._arms_kg - total.raw_kg)
        self.p_BP_m[:] = math.nan
        if self.mass_kg > 0.0:
            whole = in_hands + self._trunk_kg
            x, y, _ = (p_WT - kin.q[:3]).tolist()
            self.p_BP_m[0], self.p_BP_m[1] = c * x + s * y + ahead / whole, c * y - s * x + left / whole

    def _look_ahead(self) -> None:
        """Cosine and sine of the base's yaw."""
        x, y, z, w = self._body.arrays.kin.q[3:7].tolist()
        yaw = math.atan2(2.0 * (w * z + x * y), 1.0 - 2.0 * (y * y + z * z))
        self._heading = (math.cos(yaw), math.sin(yaw))


def _cross(a: Vector, b: Vector) -> tuple[float, float, float]:
    """The cross product; np.cross takes ten times as long for three numbers."""
    ax, ay, az = a.tolist()
    bx, by, bz = b.tolist()
    return ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx


@kernel
def feel_hands(
    tau: Vector,
    vdot: Vector,
    M: Vector,
    J: Vector,
    R: Vector,
    h: Vector,
    drift: Vector,
    columns: Ints,
    n_columns: Ints,
    n_base: Ints,
    hands: Ints,
    moves_trunk: Ints,
    pull: Vector,
    felt: Vector,
) -> None:
    """What the torques of each arm say about a mass in its hand.

    A mass m in the hand adds m J' (a - g) to the torques, a the hand's acceleration, so what is missing from
    tau - (M vdot + h) tells of it. Joints count by -J' g, which has no noise: with J' (a - g), as least
    squares would have it, the noise of a makes every mass seem too small. Writes pull (nh, 3), summed over
    the arm's joints: their count times the missing torque, times itself, times what a mass of 1 kg adds.
    """
    nb, nv = n_base[0], len(vdot)
    for i in range(len(hands)):
        f = hands[i]
        pull[i, 0] = pull[i, 1] = pull[i, 2] = 0.0
        for r in range(3):
            felt[r] = drift[f, r] + GRAVITY_M_S2 * R[f, 2, r]
            for a in range(n_columns[f]):
                j = columns[f, a]
                felt[r] += J[f, r, j] * vdot[j]
        for a in range(n_columns[f]):
            j = columns[f, a]
            if j < nb or moves_trunk[j] == 1:
                continue
            per_kg = count = 0.0
            for r in range(3):
                per_kg += J[f, r, j] * felt[r]
                count += GRAVITY_M_S2 * J[f, r, j] * R[f, 2, r]
            missing = tau[j - nb] - h[j]
            for k in range(nv):
                missing -= M[j, k] * vdot[k]
            pull[i, 0] += count * missing
            pull[i, 1] += count * count
            pull[i, 2] += count * per_kg


@kernel
def add_up_soles(
    tau: Vector,
    vdot: Vector,
    M: Vector,
    J: Vector,
    R: Vector,
    p: Vector,
    h: Vector,
    p_WC: Vector,
    columns: Ints,
    n_columns: Ints,
    frame: Ints,
    offset: Ints,
    dim: Ints,
    select: Ints,
    n_base: Ints,
    force_W: Vector,
    moment_C: Vector,
    normal: Vector,
    wrench: Vector,
) -> None:
    """Sums the wrenches of closed contacts: J' w = M vdot + h - tau on the joints above, in least squares.

    Compiled: 2 us for two soles, against 120 us of small NumPy calls.
    """
    force_W[:] = 0.0
    moment_C[:] = 0.0
    nb = n_base[0]
    for c in range(len(offset)):
        if offset[c] < 0:
            continue
        f, n = frame[c], dim[c]
        for r in range(n):
            wrench[r] = 0.0
            for s in range(n):
                normal[r, s] = 1e-9 if r == s else 0.0
        for a in range(n_columns[f]):
            j = columns[f, a]
            if j < nb:
                continue
            missing = h[j] - tau[j - nb]
            for k in range(len(vdot)):
                missing += M[j, k] * vdot[k]
            for r in range(n):
                row = J[f, select[c, r], j]
                wrench[r] += row * missing
                for s in range(r + 1):
                    normal[r, s] += row * J[f, select[c, s], j]
        cholesky_solve(normal, wrench, n)
        x = p[f, 0] - p_WC[0]
        y = p[f, 1] - p_WC[1]
        z = p[f, 2] - p_WC[2]
        fx = fy = fz = 0.0
        for r in range(n):
            axis = select[c, r]
            if axis < 3:
                fx += R[f, 0, axis] * wrench[r]
                fy += R[f, 1, axis] * wrench[r]
                fz += R[f, 2, axis] * wrench[r]
            else:
                for i in range(3):
                    moment_C[i] += R[f, i, axis - 3] * wrench[r]
        force_W[0] += fx
        force_W[1] += fy
        force_W[2] += fz
        moment_C[0] += y * fz - z * fy
        moment_C[1] += z * fx - x * fz
        moment_C[2] += x * fy - y * fx


@kernel
def cholesky_solve(A: Vector, b: Vector, n: int) -> None:
    """Solves b <- A^-1 b for a positive definite A, given by its lower triangle, which is overwritten."""
    for i in range(n):
        for j in range(i + 1):
            total = A[i, j]
            for k in range(j):
                total -= A[i, k] * A[j, k]
            A[i, j] = math.sqrt(total) if i == j else total / A[j, j]
        total = b[i]
        for k in range(i):
            total -= A[i, k] * b[k]
        b[i] = total / A[i, i]
    for i in range(n - 1, -1, -1):
        total = b[i]
        for k in range(i + 1, n):
            total -= A[k, i] * b[k]
        b[i] = total / A[i, i]
