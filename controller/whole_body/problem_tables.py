"""Builds the arrays of one robot's quadratic program from its declared tasks, contacts and limits.

This happens once, at set-up; all memory that the tick reads and writes is allocated here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pinocchio as pin

from kilohertz.controller.problem.clear_arrays import MOST_ROWS
from kilohertz.controller.problem.contact_geometry import ContactGeometry, contact_geometry
from kilohertz.controller.problem.declarations import BarrierSettings, ContactSettings, Inequality, Task
from kilohertz.controller.problem.tables import (
    DIM,
    ENABLED,
    FIRST_HARD,
    FRAME,
    HARD,
    KIND,
    MAX_CONE_ROWS,
    MAX_TASK_DIM,
    MOMENTUM,
    MOTION,
    REF,
    RES_INEQUALITY,
    SPACE,
    WRENCH,
    WRENCH_DIAGONAL,
    Arrays,
    Contacts,
    Limits,
    Rows,
    Solution,
    Tasks,
)
from kilohertz.controller.tasks.kind import KINDS, Kind
from kilohertz.controller.whole_body.clear_tables import clear_arrays
from kilohertz.controller.whole_body.rolling_tables import can_roll, rolling_arrays
from kilohertz.robots.clearance.clearance import Clearance
from kilohertz.robots.model.frames import frame_id
from kilohertz.robots.model.kin import FZ, ORIGIN, POSITION, ROTATION, Floats, Kin
from kilohertz.robots.model.robot_model import RobotModel

_N_GAINS = 8
_CLEAR_ENTRIES = -(-MOST_ROWS // MAX_TASK_DIM)
"""Number of entries in the task table that stand for the clearance rows."""
_SIDES = {"at_most": 1.0, "at_least": -1.0}
_ROWS = (MOTION, MOMENTUM, WRENCH)


class ProblemTables:
    """The arrays of one robot's problem.

    Args:
        robot: the robot.
        data: pinocchio's buffers; some arrays are views into them.
        tasks: all tasks that any behaviour uses.
        contact: settings of the contacts; every contact of the robot is a slot.
        barrier: settings of the joint barriers.
        inequalities: hard bounds that always hold.
        clearance: parts of the robot that are kept clear of each other; None for none.

    Attributes:
        arrays: all arrays, by name.
        geometry: geometry of each contact.
        frame_index: index of each frame in `arrays.kin`, by frame name.
        placements: pose of each frame in its parent joint.
        parents: index of each frame's parent joint in the pinocchio model.

    Raises:
        ValueError: if a declaration does not fit the robot.
    """

    def __init__(
        self,
        robot: RobotModel,
        data: pin.Data,
        tasks: Sequence[Task],
        contact: ContactSettings,
        barrier: BarrierSettings,
        inequalities: Sequence[Inequality] = (),
        clearance: Clearance | None = None,
    ) -> None:
        self._robot, self._model, self._data = robot, robot.pin_model, data
        self._keep: list[Floats] = []
        self.geometry: tuple[ContactGeometry, ...] = tuple(
            contact_geometry(c.corners_F, c.friction) for c in robot.contacts
        )
        self.frame_index: dict[str, int] = {}
        self.placements: list[pin.SE3] = []
        self.parents: list[int] = []
        for model, geometry in zip(robot.contacts, self.geometry, strict=True):
            name = self._model.frames[model.frame_id].name
            self._add_frame(name, pin.SE3(geometry.R_FC, np.zeros(3)))
        declared: tuple[Task | Inequality, ...] = (*tasks, *inequalities)
        for task in declared:
            _index(task, "kind", task.kind, tuple(KINDS))
            if _is_frame_kind(task.kind) and task.frame not in self.frame_index:
                self._add_frame(str(task.frame), pin.SE3.Identity())
        if not self.placements:  # compiled code needs at least one frame
            self._add_frame(self._model.frames[self._model.nframes - 1].name, pin.SE3.Identity())
        edge_frame = [self._add_edge_frame(c) if contact.rolls else -1 for c in range(len(self.geometry))]
        # One evaluation fills the buffers whose addresses are taken below.
        pin.crba(self._model, data, robot.q_nominal, pin.Convention.WORLD)
        pin.nonLinearEffects(self._model, data, robot.q_nominal, np.zeros(robot.nv))
        kin = self._kin()
        self.arrays = Arrays(
            kin=kin,
            tasks=self._tasks(tasks, inequalities, kin),
            rows=self._rows(len(tasks), len(inequalities)),
            contacts=(contacts := self._contacts(contact)),
            limits=self._limits(barrier),
            solution=self._solution(len(inequalities)),
            clear=clear_arrays(clearance, robot.nv, MAX_TASK_DIM * len(inequalities), self._joint_addresses),
            rolling=rolling_arrays(robot, self.geometry, contacts, kin, edge_frame),
        )

    def _add_frame(self, name: str, placement: pin.SE3) -> None:
        frame = self._model.frames[frame_id(self._model, name)]
        self.frame_index[name] = len(self.placements)
        self.placements.append(frame.placement * placement)
        self.parents.append(frame.parentJoint)

    def _add_edge_frame(self, contact: int) -> int:
        """Adds a frame for the edges of a sole, at its centre for now; returns its index, -1 for none."""
        alone = self.parents[: len(self.geometry)].count(self.parents[contact]) == 1
        if not alone or not can_roll(self._robot, self.geometry[contact]):
            return -1
        self.placements.append(self.placements[contact])
        self.parents.append(self.parents[contact])
        return len(self.placements) - 1

    def _address(self, array: Floats) -> int:
        self._keep.append(array)  # the view keeps pinocchio's memory alive
        return int(array.ctypes.data)

    def _joint_addresses(self, joint: int) -> list[int]:
        """Returns the addresses of pinocchio's buffers for a joint, ROTATION to A_ANGULAR."""
        data = self._data
        placement, velocity, acceleration = data.oMi[joint], data.v[joint], data.a_gf[joint]
        arrays = (
            placement.rotation,
            placement.translation,
            velocity.linear,
            velocity.angular,
            acceleration.linear,
            acceleration.angular,
        )
        return [self._address(array) for array in arrays]

    def _kin(self) -> Kin:
        robot, data, model = self._robot, self._data, self._model
        n_frames, nv = len(self.placements), robot.nv
        address = np.zeros((1 + n_frames, 6), np.int64)
        if robot.floating:
            address[0, ROTATION] = self._address(data.oMi[1].rotation)
            address[0, POSITION] = self._address(data.oMi[1].translation)
        placement = np.zeros((n_frames, 4, 3))
        columns, n_columns = np.zeros((n_frames, nv), np.int64), np.zeros(n_frames, np.int64)
        for f, (parent, M) in enumerate(zip(self.parents, self.placements, strict=True)):
            placement[f, :3], placement[f, ORIGIN] = M.rotation, M.translation
            address[1 + f] = self._joint_addresses(parent)
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
            # pinocchio returns the Jacobian of a robot with one joint as a vector.
            Jw=data.J.reshape(6, -1, order="F").T,
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
            size=np.array([robot.n_base, robot.nq_base, len(self.geometry)], np.int64),
            s=np.zeros((8, 3)),
        )

    def _tasks(self, tasks: Sequence[Task], inequalities: Sequence[Inequality], kin: Kin) -> Tasks:
        robot, kinds = self._robot, list(KINDS)
        declared: tuple[Task | Inequality, ...] = (*tasks, *inequalities)
        n = len(declared) + _CLEAR_ENTRIES
        table, n_ref = np.zeros((n, HARD + 1), np.int64), 0
        gain, weight = np.zeros((n, _N_GAINS)), np.zeros((n, MAX_TASK_DIM))
        columns, n_columns = np.zeros((n, robot.nv), np.int64), np.zeros(n, np.int64)
        for i, task in enumerate(declared):
            kind = KINDS[task.kind]
            if kind.space == MOMENTUM and not robot.floating:
                raise ValueError(f"task '{task.name}': momentum tasks need a floating base")
            table[i, KIND], table[i, SPACE], table[i, DIM] = kinds.index(task.kind), kind.space, kind.dim
            table[i, REF] = n_ref
            n_ref += kind.ref_length(robot.na)
            _check_gains(task, kind)
            gain[i, : len(task.gain)] = task.gain
            if isinstance(task, Task):
                weight[i] = row_weights(task)
            else:
                weight[i, : kind.dim] = _side(task, kind)
                table[i, ENABLED] = table[i, HARD] = 1
            if task.kind == "joint":
                table[i, FRAME] = _index(task, "joint", task.frame, robot.joint_names)
                columns[i, 0], n_columns[i] = robot.n_base + table[i, FRAME], 1
            elif kind.space in (WRENCH, WRENCH_DIAGONAL):
                table[i, FRAME] = _index(task, "contact", task.frame, robot.contact_names)
                for r, component in enumerate(kind.components):
                    if component not in self.geometry[table[i, FRAME]].select:
                        weight[i, r] = 0.0
            elif kind.space == MOTION:
                table[i, FRAME] = self.frame_index[str(task.frame)]
                columns[i], n_columns[i] = kin.columns[table[i, FRAME]], kin.n_columns[table[i, FRAME]]
        for i in range(len(declared), n):
            table[i, SPACE], table[i, HARD] = MOTION, 1
            columns[i], n_columns[i] = np.arange(robot.nv), robot.nv
        ref = np.zeros(n_ref)
        for i, given in enumerate(inequalities, start=len(tasks)):
            n_given = KINDS[given.kind].n_ref
            if len(given.reference) != n_given:
                raise ValueError(
                    f"inequality '{given.name}': {given.kind} has a reference of {n_given} numbers"
                )
            ref[table[i, REF] : table[i, REF] + n_given] = given.reference
        return Tasks(table, ref, gain, weight, columns, n_columns)

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
            rolls=np.zeros(n, np.int64),
            roll_rad_s2=np.zeros(n),
        )
        for c, geometry in enumerate(self.geometry):
            dim, facets = len(geometry.select), len(geometry.rows)
            contacts.frame[c] = c
            contacts.dim[c] = dim
            contacts.select[c, :dim] = geometry.select
            contacts.cone[c, :facets, :dim] = geometry.rows
            contacts.cone[c, facets, geometry.select.index(FZ)] = 1.0
            contacts.n_rows[c] = facets + 1
            contacts.lower[c, facets], contacts.upper[c, facets] = settings.min_force_N, settings.max_force_N
        return contacts

    def _rows(self, n_tasks: int, n_inequalities: int) -> Rows:
        robot, n_contacts = self._robot, max(len(self.geometry), 1)
        rows = MAX_TASK_DIM * (n_tasks + n_inequalities) + MOST_ROWS + 2
        size = np.zeros(3, np.int64)
        size[FIRST_HARD] = n_tasks
        return Rows(
            T=np.zeros((rows, max(robot.nv, 6 * n_contacts) if robot.floating else robot.nv)),
            b=np.zeros(rows),
            w=np.zeros(rows),
            space=np.zeros(rows, np.int64),
            task=np.zeros(rows, np.int64),
            size=size,
            d=np.zeros(robot.na),
            dx=np.zeros(robot.na),
            wrench_d=np.zeros((n_contacts, 6)),
            wrench_dx=np.zeros((n_contacts, 6)),
        )

    def _limits(self, barrier: BarrierSettings) -> Limits:
        robot = self._robot
        return Limits(
            tau=robot.torque_limit_Nm.copy(),
            position_lower=robot.position_lower_rad.copy(),
            position_upper=robot.position_upper_rad.copy(),
            velocity=robot.velocity_limit_rad_s.copy(),
            gain=barrier_gain(barrier),
            vdot_lower=np.zeros(robot.na),
            vdot_upper=np.zeros(robot.na),
            tolerance=np.zeros(RES_INEQUALITY + 1),
        )

    def _solution(self, n_inequalities: int) -> Solution:
        robot, n_contacts = self._robot, max(len(self.geometry), 1)
        return Solution(
            vdot=np.zeros(robot.nv),
            wrench=np.zeros((n_contacts, 6)),
            tau=np.zeros(robot.na),
            y_base=np.zeros(6),
            y_motion=np.zeros((n_contacts, 6)),
            y_cone=np.zeros((n_contacts, MAX_CONE_ROWS)),
            y_tau=np.zeros(robot.na),
            y_vdot=np.zeros(robot.na),
            y_inequality=np.zeros((n_inequalities + _CLEAR_ENTRIES, MAX_TASK_DIM)),
            residual=np.zeros(RES_INEQUALITY + 1),
            zmp=np.zeros(2),
        )


def row_weights(task: Task) -> Floats:
    """Returns the (6,) row weights that a task declares."""
    weights: Floats = np.resize(np.asarray(task.weight, float), MAX_TASK_DIM)
    return weights


def barrier_gain(barrier: BarrierSettings) -> Floats:
    """Returns the (4,) gains of the joint barriers in the order of `Limits.gain`."""
    return np.array(
        [barrier.position_per_s2, barrier.damping_per_s, barrier.velocity_per_s, barrier.largest_rad_s2]
    )


def _is_frame_kind(kind: str) -> bool:
    return KINDS[kind].space == MOTION and kind != "joint"


def _side(given: Inequality, kind: Kind) -> Floats:
    """Returns one number per row: +1 for an upper bound, -1 for a lower bound, 0 for no bound."""
    if kind.space not in _ROWS:
        raise ValueError(f"inequality '{given.name}': {given.kind} has no rows to bound")
    if given.side not in _SIDES:
        raise ValueError(f"inequality '{given.name}': a side is one of {', '.join(_SIDES)}")
    rows = np.ones(kind.dim) if given.rows is None else np.asarray(given.rows, float)
    return np.asarray(_SIDES[given.side] * rows)


def _index(task: Task | Inequality, what: str, name: str | None, names: tuple[str, ...]) -> int:
    if name not in names:
        raise ValueError(f"task '{task.name}': there is no {what} '{name}'; there are {', '.join(names)}")
    return names.index(name)


def _check_gains(task: Task | Inequality, kind: Kind) -> None:
    """Refuses a declaration with too few gains, which would be 0, or with more than its kind reads."""
    given, possible = len(task.gain), kind.gains or range(_N_GAINS + 1)
    if given and given not in possible:
        counts = " or ".join(map(str, kind.gains)) or f"at most {_N_GAINS}"
        raise ValueError(
            f"task '{task.name}': it has {given} gain{'s' * (given > 1)}, but the kind '{kind.name}' takes "
            f"{counts}; see {kind.module}"
        )
