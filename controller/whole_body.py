"""The whole-body controller: declared tasks, contacts and limits; two pinocchio calls; one solve a tick.

Everything is allocated and compiled at set-up. In the tick a behaviour writes references into
`reference(name)`, then calls `update`, `assemble` and `solve`; the result is in `solution`, by name.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pinocchio as pin

from controller.contact_geometry import ContactGeometry, contact_geometry, implied_motion
from controller.qp import entry
from controller.qp.daqp_backend import DaqpBackend, exact_arrays
from controller.qp.dual_backend import DualBackend, dual_arrays
from controller.qp.osqp_backend import OsqpBackend, OsqpProblem, OsqpSettings
from controller.qp.tables import (
    DIM,
    ENABLED,
    FRAME,
    GRAVITY_M_S2,
    KIND,
    MAX_CONE_ROWS,
    MAX_TASK_DIM,
    MOMENTUM,
    MOTION,
    REF,
    SPACE,
    Arrays,
    Contacts,
    Floats,
    Ints,
    Kin,
    Limits,
    Rows,
    Solution,
    Tasks,
)
from controller.qp.tolerances import Tolerances
from controller.tasks.kind import KINDS, load_kinds
from robots.model import RobotModel

_N_GAINS = 8
_WORLD = pin.Convention.WORLD


@dataclass(frozen=True)
class Task:
    """A task as declared.

    Attributes:
        name: unique; rows, references and explanations carry it.
        kind: a registered task kind.
        frame: operational frame or link (frame kinds), joint (kind `joint`), contact (kind `contact_force`).
        weight: one number for all rows, or one per row; 0 leaves a row out.
        gain: as the kind documents.
    """

    name: str
    kind: str
    weight: float | Sequence[float]
    gain: Sequence[float] = ()
    frame: str | None = None


@dataclass(frozen=True)
class ContactSettings:
    """How contacts are treated.

    Attributes:
        damping_per_s: the sole's velocity is driven to zero at this rate.
        min_force_N: least normal force of a closed contact.
        max_force_N: largest.
    """

    damping_per_s: float
    min_force_N: float
    max_force_N: float


@dataclass(frozen=True)
class BarrierSettings:
    """Joint barriers; see `controller.qp.kinematics.barriers`."""

    position_per_s2: float = 200.0
    damping_per_s: float = 30.0
    velocity_per_s: float = 50.0
    largest_rad_s2: float = 300.0


class WholeBody:
    """One robot's quadratic program.

    Args:
        robot: the robot.
        tasks: everything a behaviour may ever ask for; each starts disabled.
        contact: treatment of the robot's contacts, all of which are slots.
        barrier: joint barriers.
        solver: "osqp" or "exact".
        osqp_settings: for OSQP.

    Raises:
        ValueError: for a declaration that does not fit the robot.
    """

    def __init__(
        self,
        robot: RobotModel,
        tasks: Sequence[Task],
        contact: ContactSettings,
        barrier: BarrierSettings,
        solver: str = "osqp",
        osqp_settings: OsqpSettings | None = None,
    ) -> None:
        load_kinds()
        self.robot = robot
        self.model = robot.pin_model
        self.data = self.model.createData()
        self.declared = tuple(tasks)
        self.task_index = {task.name: index for index, task in enumerate(tasks)}
        if len(self.task_index) != len(tasks):
            raise ValueError("two tasks have the same name")
        self.geometry: tuple[ContactGeometry, ...] = tuple(
            contact_geometry(c.corners_F, c.friction) for c in robot.contacts
        )
        self.frame_index: dict[str, int] = {}
        self._placements: list[pin.SE3] = []
        self._parents: list[int] = []
        for model, geometry in zip(robot.contacts, self.geometry, strict=True):
            self._add_frame(self.model.frames[model.frame_id].name, pin.SE3(geometry.R_FC, np.zeros(3)))
        for task in tasks:
            _index(task, "kind", task.kind, tuple(KINDS))
            if _is_frame_kind(task.kind) and task.frame not in self.frame_index:
                self._add_frame(str(task.frame), pin.SE3.Identity())
        if not self._placements:  # compiled code wants at least one frame to look at
            self._add_frame(self.model.frames[self.model.nframes - 1].name, pin.SE3.Identity())
        # One evaluation fills the buffers whose addresses are taken below.
        pin.crba(self.model, self.data, robot.q_nominal, pin.Convention.WORLD)
        pin.nonLinearEffects(self.model, self.data, robot.q_nominal, np.zeros(robot.nv))
        self._keep: list[Floats] = []
        kin = self._kin()
        contacts = self._contacts(contact)
        n_contacts = max(len(self.geometry), 1)
        na, nv = robot.na, robot.nv
        rows = MAX_TASK_DIM * len(tasks) + 2
        self.solution = Solution(
            vdot=np.zeros(nv),
            wrench=np.zeros((n_contacts, 6)),
            tau=np.zeros(na),
            y_base=np.zeros(6),
            y_motion=np.zeros((n_contacts, 6)),
            y_cone=np.zeros((n_contacts, MAX_CONE_ROWS)),
            y_tau=np.zeros(na),
            y_vdot=np.zeros(na),
            residual=np.zeros(6),
            zmp=np.zeros(2),
        )
        self.arrays = Arrays(
            kin=kin,
            tasks=self._tasks(kin),
            rows=Rows(
                T=np.zeros((rows, max(nv, 6) if robot.floating else nv)),
                b=np.zeros(rows),
                w=np.zeros(rows),
                space=np.zeros(rows, np.int64),
                task=np.zeros(rows, np.int64),
                d=np.zeros(na),
                dx=np.zeros(na),
                wrench_d=np.zeros((n_contacts, 6)),
                wrench_dx=np.zeros((n_contacts, 6)),
            ),
            contacts=contacts,
            limits=Limits(
                tau=robot.torque_limit_Nm.copy(),
                position_lower=robot.position_lower_rad.copy(),
                position_upper=robot.position_upper_rad.copy(),
                velocity=robot.velocity_limit_rad_s.copy(),
                gain=np.array(
                    [
                        barrier.position_per_s2,
                        barrier.damping_per_s,
                        barrier.velocity_per_s,
                        barrier.largest_rad_s2,
                    ]
                ),
                vdot_lower=np.zeros(na),
                vdot_upper=np.zeros(na),
            ),
            solution=self.solution,
        )
        weight_N = robot.mass_kg * GRAVITY_M_S2
        self.tolerances = Tolerances(force_N=1e-3 * weight_N)
        force_scale = 0.03 * weight_N
        exact, dual = exact_arrays(self.arrays), dual_arrays(self.arrays)
        settings = osqp_settings or OsqpSettings()
        groups = {**self.arrays._asdict(), "exact": exact, "dual": dual}
        # The stages that are not OSQP's take any problem of this robot.
        sample = OsqpProblem(self.arrays, groups, (), (), True, settings, force_scale)
        self._sample = sample
        self._run = run = entry.load({**groups, "osqp": sample.arrays})
        self.daqp = DaqpBackend(self.arrays, exact, run, sample.table, self.tolerances)
        self.exact = DualBackend(self.arrays, dual, run, sample.table, self.tolerances, self.daqp)
        self.osqp = OsqpBackend(self.arrays, groups, run, self.tolerances, settings, force_scale)
        self.solver: OsqpBackend | DualBackend = self.exact if solver == "exact" else self.osqp
        self._implied: dict[tuple[int, ...], Ints] = {}
        self._closed: tuple[int, ...] = ()
        self._enabled: tuple[int, ...] = ()
        self._leading = self.solver
        self._at_limit = False
        self.iterations = 0

    def reference(self, task: str) -> Floats:
        """View of a task's reference numbers; writing it is how a behaviour asks."""
        row = self.arrays.tasks.table[self.task_index[task]]
        kind = KINDS[self.declared[self.task_index[task]].kind]
        view: Floats = self.arrays.tasks.ref[row[REF] : row[REF] + kind.ref_length(self.robot.na)]
        return view

    def gain(self, task: str) -> Floats:
        """View of a task's gains."""
        view: Floats = self.arrays.tasks.gain[self.task_index[task]]
        return view

    def weight(self, task: str) -> Floats:
        """View of a task's row weights."""
        view: Floats = self.arrays.tasks.weight[self.task_index[task]]
        return view

    def prepare(self, closed: Sequence[str], enabled: Sequence[str]) -> None:
        """Builds what a set of closed contacts and enabled tasks needs, before the loop starts."""
        slots, tasks = self._mode(closed, enabled)
        self.osqp.prepare(slots, tasks)
        self._implied[slots] = implied = np.zeros_like(self.arrays.contacts.implied)
        implied[list(slots)] = implied_motion(
            [self._parents[c] for c in slots],
            [self._placements[c] for c in slots],
            [self.geometry[c].select for c in slots],
        )

    def set_mode(self, closed: Sequence[str], enabled: Sequence[str]) -> None:
        """Closes these contacts, enables these tasks; the mode must have been prepared."""
        self._closed, self._enabled = self._mode(closed, enabled)
        contacts, offset = self.arrays.contacts, 0
        contacts.offset[:] = -1
        contacts.implied[:] = self._implied[self._closed]
        for c in self._closed:
            contacts.offset[c] = offset
            offset += int(contacts.dim[c])
        self.arrays.tasks.table[:, ENABLED] = 0
        self.arrays.tasks.table[list(self._enabled), ENABLED] = 1

    def set_force_limits(self, contact: str, min_N: float, max_N: float) -> None:
        """Bounds the normal force of a contact; how a contact ramps in and out."""
        c = self.robot.contact_names.index(contact)
        last = int(self.arrays.contacts.n_rows[c]) - 1
        self.arrays.contacts.lower[c, last] = min_N
        self.arrays.contacts.upper[c, last] = max_N

    def update(self, q: Floats, v: Floats) -> None:
        """Kinematics and dynamics at (q, v), into `arrays.kin`."""
        pin.crba(self.model, self.data, q, _WORLD)
        pin.nonLinearEffects(self.model, self.data, q, v)
        self._run(entry.KINEMATICS, self._sample.table, q, v)

    def assemble(self) -> None:
        """Writes this tick's problem from the references."""
        # While a limit is hit the exact solver leads: OSQP takes hundreds of iterations with the limits in.
        self._leading = self.exact if self._at_limit else self.solver
        self._leading.assemble(self._closed, self._enabled)

    def solve(self) -> bool:
        """Solves it into `solution`; limits enter when hit, and what OSQP does not solve is solved exactly.

        Returns:
            True where the solution passed the check of every block.
        """
        solved = self._leading.solve()
        self.iterations = self._leading.iterations
        if self._leading is self.osqp:
            if solved and self.tolerances.limits_ok(self.solution.residual):
                return True
            self.exact.assemble(self._closed, self._enabled)
            solved = self.exact.solve()
            self.iterations += self.exact.iterations
        if self.solver is self.exact:
            return solved
        self.osqp.forget()
        y_tau, y_vdot = self.solution.y_tau, self.solution.y_vdot
        self._at_limit = solved and bool(y_tau.any() or y_vdot.any())
        return solved

    def solve_softened(self) -> bool:
        """Solves with limits and contact motion softened; True where finite and inside the wrench cones."""
        self.osqp.forget()
        return self.daqp.solve_softened()

    def _mode(self, closed: Sequence[str], enabled: Sequence[str]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        slots = tuple(sorted(self.robot.contact_names.index(name) for name in closed))
        return slots, tuple(sorted(self.task_index[name] for name in enabled))

    def _add_frame(self, name: str, placement: pin.SE3) -> None:
        if not self.model.existFrame(name):
            raise ValueError(f"the model has no frame '{name}'")
        frame = self.model.frames[self.model.getFrameId(name)]
        self.frame_index[name] = len(self._placements)
        self._placements.append(frame.placement * placement)
        self._parents.append(frame.parentJoint)

    def _address(self, array: Floats) -> int:
        self._keep.append(array)  # the view keeps pinocchio's memory alive
        return int(array.ctypes.data)

    def _kin(self) -> Kin:
        robot, data, model = self.robot, self.data, self.model
        n_frames, nv = len(self._placements), robot.nv
        address = np.zeros((1 + n_frames, 6), np.int64)
        if robot.floating:
            address[0, :2] = self._address(data.oMi[1].rotation), self._address(data.oMi[1].translation)
        placement = np.zeros((n_frames, 4, 3))
        columns, n_columns = np.zeros((n_frames, nv), np.int64), np.zeros(n_frames, np.int64)
        for f, (parent, M) in enumerate(zip(self._parents, self._placements, strict=True)):
            placement[f, :3], placement[f, 3] = M.rotation, M.translation
            address[1 + f] = [
                self._address(array)
                for array in (
                    data.oMi[parent].rotation,
                    data.oMi[parent].translation,
                    data.v[parent].linear,
                    data.v[parent].angular,
                    data.a_gf[parent].linear,
                    data.a_gf[parent].angular,
                )
            ]
            chain = sorted(
                column
                for joint in model.supports[parent]
                if joint > 0
                for column in range(model.idx_vs[joint], model.idx_vs[joint] + model.nvs[joint])
            )
            columns[f, : len(chain)], n_columns[f] = chain, len(chain)
        return Kin(
            q=np.zeros(robot.nq),
            v=np.zeros(nv),
            M=data.M.T,
            h=data.nle,
            Jw=data.J.T,
            address=address,
            placement=placement,
            R=np.zeros((n_frames, 3, 3)),
            p=np.zeros((n_frames, 3)),
            vel=np.zeros((n_frames, 6)),
            drift=np.zeros((n_frames, 6)),
            J=np.zeros((n_frames, 6, nv)),
            columns=columns,
            n_columns=n_columns,
            p_WC=np.zeros(3),
            v_WC=np.zeros(3),
            L_C=np.zeros(3),
            mass=np.array([robot.mass_kg]),
            n_base=np.array([robot.n_base, robot.nq_base], np.int64),
            s=np.zeros((8, 3)),
        )

    def _contacts(self, settings: ContactSettings) -> Contacts:
        n = max(len(self.geometry), 1)
        contacts = Contacts(
            frame=np.zeros(n, np.int64),
            dim=np.zeros(n, np.int64),
            select=np.zeros((n, 6), np.int64),
            implied=np.zeros((n, 6), np.int64),
            offset=np.full(n, -1, np.int64),
            cone=np.zeros((n, MAX_CONE_ROWS, 6)),
            lower=np.full((n, MAX_CONE_ROWS), -1e10),
            upper=np.zeros((n, MAX_CONE_ROWS)),
            n_rows=np.zeros(n, np.int64),
            damping_per_s=np.full(n, settings.damping_per_s),
        )
        for c, geometry in enumerate(self.geometry):
            dim, facets = len(geometry.select), len(geometry.rows)
            contacts.frame[c] = c
            contacts.dim[c] = dim
            contacts.select[c, :dim] = geometry.select
            contacts.cone[c, :facets, :dim] = geometry.rows
            contacts.cone[c, facets, geometry.select.index(2)] = 1.0
            contacts.n_rows[c] = facets + 1
            contacts.lower[c, facets], contacts.upper[c, facets] = settings.min_force_N, settings.max_force_N
        return contacts

    def _tasks(self, kin: Kin) -> Tasks:
        robot, kinds = self.robot, list(KINDS)
        n = len(self.declared)
        table, n_ref = np.zeros((n, 6), np.int64), 0
        gain, weight = np.zeros((n, _N_GAINS)), np.zeros((n, MAX_TASK_DIM))
        columns, n_columns = np.zeros((n, robot.nv), np.int64), np.zeros(n, np.int64)
        for i, task in enumerate(self.declared):
            kind = KINDS[task.kind]
            if kind.space == MOMENTUM and not robot.floating:
                raise ValueError(f"task '{task.name}': momentum tasks need a floating base")
            table[i, KIND], table[i, SPACE], table[i, DIM] = kinds.index(task.kind), kind.space, kind.dim
            table[i, REF] = n_ref
            n_ref += kind.ref_length(robot.na)
            gain[i, : len(task.gain)] = task.gain
            weight[i] = (
                np.broadcast_to(task.weight, 6) if np.ndim(task.weight) == 0 else np.resize(task.weight, 6)
            )
            if task.kind == "joint":
                table[i, FRAME] = _index(task, "joint", task.frame, robot.joint_names)
                columns[i, 0], n_columns[i] = robot.n_base + table[i, FRAME], 1
            elif task.kind == "contact_force":
                table[i, FRAME] = _index(task, "contact", task.frame, robot.contact_names)
            elif kind.space == MOTION:
                table[i, FRAME] = self.frame_index[str(task.frame)]
                columns[i], n_columns[i] = kin.columns[table[i, FRAME]], kin.n_columns[table[i, FRAME]]
        return Tasks(table, np.zeros(n_ref), gain, weight, columns, n_columns)


def _is_frame_kind(kind: str) -> bool:
    return KINDS[kind].space == MOTION and kind != "joint"


def _index(task: Task, what: str, name: str | None, names: tuple[str, ...]) -> int:
    if name not in names:
        raise ValueError(f"task '{task.name}': there is no {what} '{name}'; there are {', '.join(names)}")
    return names.index(name)
