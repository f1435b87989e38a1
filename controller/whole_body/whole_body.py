"""The whole-body controller: solves one quadratic program per tick for declared tasks, contacts and limits.

Everything is allocated and compiled at set-up. In each tick a behaviour writes references into
`reference(name)`, then calls `update` (two pinocchio calls), `assemble` and `solve`; the result is in
`solution`.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from functools import partial

import numpy as np
import pinocchio as pin

from kilohertz.controller.problem.clear_arrays import PAIRS
from kilohertz.controller.problem.contact_geometry import implied_motion
from kilohertz.controller.problem.declarations import BarrierSettings, ContactSettings, Inequality, Task
from kilohertz.controller.problem.tables import ENABLED, FRAME, REF, SPACE, WRENCH
from kilohertz.controller.qp import entry
from kilohertz.controller.qp.dual_backend import DualBackend, dual_arrays, giving_arrays
from kilohertz.controller.qp.exact_assembly import exact_arrays
from kilohertz.controller.qp.osqp_backend import OsqpBackend, OsqpProblem, OsqpSettings
from kilohertz.controller.qp.stages import KINEMATICS, Run
from kilohertz.controller.qp.tolerances import Tolerances
from kilohertz.controller.tasks.kind import KINDS, load_kinds
from kilohertz.controller.whole_body.carried import Carried
from kilohertz.controller.whole_body.problem_tables import ProblemTables, barrier_gain, row_weights
from kilohertz.robots.clearance.clearance import Clearance
from kilohertz.robots.compile.struct_table import StructTable
from kilohertz.robots.config.config_error import did_you_mean
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.kin import FX, FY, MZ, Floats, Ints
from kilohertz.robots.model.robot_model import RobotModel

__all__ = ["BarrierSettings", "ContactSettings", "Inequality", "Task", "WholeBody"]

_WORLD = pin.Convention.WORLD


class _TaskIndex(dict[str, int]):
    """Index of each task and inequality by its name."""

    def __missing__(self, name: str) -> int:
        raise KeyError(f"there is no task '{name}'{did_you_mean(name, self)}; there are {', '.join(self)}")


class WholeBody:
    """The quadratic program of one robot and its solvers.

    Args:
        robot: the robot.
        tasks: all tasks that any behaviour uses; each starts disabled.
        contact: settings of the contacts; every contact of the robot is a slot.
        barrier: settings of the joint barriers.
        solver: "osqp" or "exact".
        osqp_settings: settings of OSQP; None for the defaults.
        inequalities: hard bounds that hold in every mode, from the start.
        optional: names of tasks that can be switched on in addition to those of any mode.
        clearance: parts of the robot that are kept clear of each other; None for none.

    Raises:
        ValueError: if a declaration does not fit the robot.
    """

    def __init__(
        self,
        robot: RobotModel,
        tasks: Sequence[Task],
        contact: ContactSettings,
        barrier: BarrierSettings,
        solver: str = "osqp",
        osqp_settings: OsqpSettings | None = None,
        inequalities: Sequence[Inequality] = (),
        optional: Sequence[str] = (),
        clearance: Clearance | None = None,
    ) -> None:
        load_kinds()
        self.clearance = clearance
        self.robot = robot
        # A copy, because carried loads are added to its inertias.
        self.model = robot.pin_model.copy()
        self.data = self.model.createData()
        self._find_mass_matrix = partial(pin.crba, self.model, self.data)
        self._find_bias_forces = partial(pin.nonLinearEffects, self.model, self.data)
        self.declared = tuple(tasks)
        self.inequalities = tuple(inequalities)
        self._everything: tuple[Task | Inequality, ...] = (*self.declared, *self.inequalities)
        self.task_index = _TaskIndex((task.name, index) for index, task in enumerate(self._everything))
        if len(self.task_index) != len(self._everything):
            raise ValueError("two tasks have the same name")
        tables = ProblemTables(
            robot, self.data, self.declared, contact, barrier, self.inequalities, clearance
        )
        self.arrays, self.solution = tables.arrays, tables.arrays.solution
        self.geometry, self.frame_index = tables.geometry, tables.frame_index
        self._tables = tables
        self.carried = Carried(robot, self.model, tables)
        weight_N = robot.mass_kg * GRAVITY_M_S2
        self.tolerances = Tolerances(force_N=1e-3 * weight_N)
        force_scale = 0.03 * weight_N
        exact, dual = exact_arrays(self.arrays), dual_arrays(self.arrays)
        settings = osqp_settings or OsqpSettings()
        groups = {**self.arrays._asdict(), "exact": exact, "dual": dual}
        # The stages of the other solvers do not read OSQP's arrays: they take the table of any OSQP problem.
        sample = OsqpProblem(self.arrays, groups, (), (), True, settings, force_scale)
        # The problem is kept, because the table contains the addresses of its arrays.
        self._sample, self._table = sample, sample.table
        every = {**groups, "osqp": sample.arrays}
        self.giving = giving_arrays(self.arrays, self.inequalities)
        softening = {**groups, "giving": self.giving}
        soften = entry.load_softening(softening)
        soften_table = StructTable.of(softening).table
        self._run = run = entry.load(every)
        self.arrays.limits.tolerance[:] = self.tolerances.row()
        self.exact = DualBackend(
            self.arrays, dual, run, sample.table, self.tolerances, soften, soften_table, self.giving.size
        )
        self.osqp = OsqpBackend(self.arrays, groups, run, settings, force_scale)
        self.solver: OsqpBackend | DualBackend = self.exact if solver == "exact" else self.osqp
        self._n_pairs = int(self.arrays.clear.size[PAIRS])
        rolling = self.arrays.rolling
        every_cone = (self.arrays.contacts.cone, rolling.flat_cone, rolling.edge_cone)
        self._cones = [(cone, cone.copy()) for cone in every_cone]
        self._along_ground = [
            [t for t, component in enumerate(geometry.select) if component in (FX, FY, MZ)]
            for geometry in self.geometry
        ]
        self._implied: dict[tuple[int, ...], Ints] = {}
        self._optional = tuple(optional)
        self._switched_on: set[str] = set()
        self._asked: tuple[Sequence[str], Sequence[str]] | None = None
        self._closed: tuple[int, ...] = ()
        self._enabled: tuple[int, ...] = ()
        self._leading = self._next = self.solver
        self.iterations = 0

    def reference(self, task: str) -> Floats:
        """Returns a view of the reference of a task or inequality; writing to the view sets the reference.

        Raises:
            KeyError: there is no task or inequality of this name.
        """
        index = self.task_index[task]
        row, kind = self.arrays.tasks.table[index], KINDS[self._everything[index].kind]
        view: Floats = self.arrays.tasks.ref[row[REF] : row[REF] + kind.ref_length(self.robot.na)]
        return view

    def gain(self, task: str) -> Floats:
        """Returns a view of the gains of a task or inequality."""
        view: Floats = self.arrays.tasks.gain[self.task_index[task]]
        return view

    def weight(self, task: str) -> Floats:
        """Returns a view of the row weights of a task."""
        view: Floats = self.arrays.tasks.weight[self.task_index[task]]
        return view

    def retune(self, tasks: Sequence[Task], contact: ContactSettings, barrier: BarrierSettings) -> None:
        """Applies new gains and weights of tasks, matched by name, and new contact and barrier settings.

        A weight of 0 stays 0, because such a row is not part of the problem. The limits of contact forces do
        not change, because the active behaviour sets them.
        """
        table = self.arrays.tasks
        for task in tasks:
            i = self.task_index[task.name]
            table.gain[i, : len(task.gain)] = task.gain
            np.copyto(table.weight[i], row_weights(task), where=table.weight[i] != 0.0)
        self.arrays.contacts.damping_per_s[:] = contact.damping_per_s
        self.arrays.limits.gain[:] = barrier_gain(barrier)

    def prepare(self, closed: Sequence[str], enabled: Sequence[str]) -> None:
        """Builds the problems of a mode (closed contacts and enabled tasks), before the loop starts.

        One problem is built for each combination of the optional tasks.
        """
        for some in range(len(self._optional) + 1):
            for beside in itertools.combinations(self._optional, some):
                slots, tasks = self._mode(closed, (*enabled, *beside))
                self.osqp.prepare(slots, tasks)
        self._implied[slots] = implied = np.zeros_like(self.arrays.contacts.implied)
        implied[list(slots)] = implied_motion(
            [self._tables.parents[c] for c in slots],
            [self._tables.placements[c] for c in slots],
            [self.geometry[c].select for c in slots],
        )

    def set_mode(self, closed: Sequence[str], enabled: Sequence[str]) -> None:
        """Closes these contacts and enables these tasks; `prepare` must have been called for this mode.

        Optional tasks stay switched on or off as they were.
        """
        self._asked = closed, enabled
        self._closed, self._enabled = self._mode(closed, (*enabled, *self._switched_on))
        contacts, offset = self.arrays.contacts, 0
        contacts.offset[:] = -1
        contacts.implied[:] = self._implied[self._closed]
        for c in self._closed:
            contacts.offset[c] = offset
            offset += int(contacts.dim[c])
        table = self.arrays.tasks.table
        table[:, ENABLED] = 0
        table[list(self._enabled), ENABLED] = 1
        for index, given in enumerate(self.inequalities, start=len(self.declared)):
            table[index, ENABLED] = self._makes_sense(index, given.kind, self._closed)

    def switch(self, task: str, on: bool) -> None:
        """Switches an optional task on or off, in the current mode and in all later modes."""
        assert task in self._optional
        (self._switched_on.add if on else self._switched_on.discard)(task)
        if self._asked is not None:
            self.set_mode(*self._asked)

    def set_force_limits(self, contact: str, min_N: float, max_N: float) -> None:
        """Sets the bounds on the normal force of a contact [N]; ramping them loads or unloads the contact."""
        c = self.robot.contact_names.index(contact)
        last = int(self.arrays.contacts.n_rows[c]) - 1
        self.arrays.contacts.lower[c, last] = min_N
        self.arrays.contacts.upper[c, last] = max_N

    @property
    def compiled(self) -> tuple[Run, Ints]:
        """The compiled stages and the table of arrays that they take, for timing them alone."""
        return self._run, self._table

    def set_friction(self, part: float) -> None:
        """Reduces the assumed friction of every contact to a fraction of its declared value.

        A wrench is inside the reduced cone if it is inside the full cone after its tangential force and
        normal moment are divided by the fraction; so these columns of the cone rows are divided by it.

        Args:
            part: the fraction, in (0, 1].
        """
        for cone, whole in self._cones:
            cone[:] = whole
            for c, columns in enumerate(self._along_ground):
                cone[c][:, columns] /= part
        rolled = self.arrays.contacts.rolls != 0
        self.arrays.contacts.cone[rolled] = self.arrays.rolling.edge_cone[rolled]

    def keep_apart(self, kept: bool) -> None:
        """Keeps the parts of the robot clear of each other, or leaves that to a motion that was checked.

        Planes always bound the robot.
        """
        self.arrays.clear.size[PAIRS] = self._n_pairs if kept else 0

    def update(self, q: Floats, v: Floats) -> None:
        """Computes kinematics and dynamics at (q, v) and writes them into `arrays.kin`."""
        self._find_mass_matrix(q, _WORLD)
        self._find_bias_forces(q, v)
        self._run(KINEMATICS, self._table, q, v)

    def assemble(self) -> None:
        """Writes the problem of this tick from the references; the exact solver writes it in `solve`."""
        # The exact solver is used as long as a limit is active: with limit rows OSQP takes hundreds of
        # iterations.
        self._leading = self._next
        self._leading.assemble(self._closed, self._enabled)

    def solve(self) -> bool:
        """Solves the problem of this tick and writes `solution`.

        Limits are added only when they are hit. If OSQP does not solve the problem, the exact solver does.

        Returns:
            True if the solution is finite, and dynamics, contact motion and wrench cones are within
            tolerance.
        """
        solved = self._leading.solve()
        self.iterations = self._leading.iterations
        if self.solver is self.exact:
            return solved
        if self._leading is self.osqp:
            if solved and self.osqp.limits_hold:
                return True
            self.exact.assemble(self._closed, self._enabled)
            solved = self.exact.solve()
            self.iterations += self.exact.iterations
        self.osqp.forget()
        y = self.solution
        rolls = self.arrays.contacts.rolls
        at_limit = solved and bool(y.y_tau.any() or y.y_vdot.any() or y.y_inequality.any() or rolls.any())
        self._next = self.exact if at_limit else self.solver
        return solved

    def reset(self) -> None:
        """Clears all solutions and warm starts, so that later ticks do not depend on earlier ones."""
        for array in self.solution:
            array[:] = 0.0
        contacts = self.arrays.contacts
        contacts.rolls[:] = 0
        contacts.frame[:] = np.arange(len(contacts.frame))
        contacts.cone[:] = self.arrays.rolling.flat_cone
        contacts.implied[:] = self._implied.get(self._closed, 0)
        self.osqp.reset()
        self.exact.reset()
        self._next, self.iterations = self.solver, 0

    def solve_softened(self) -> bool:
        """Solves a tick that `solve` did not solve: rows that may give are violated, by rank.

        Which rows give, and in which order, is in `kilohertz.controller.problem.ranks`.

        Returns:
            True if the solution is finite, and its wrenches and torques are inside their cones and limits.
        """
        self.osqp.forget()
        softened = self.exact.soften()
        self._next = self.exact if softened else self.solver
        self.iterations += self.exact.iterations
        return softened

    def _mode(self, closed: Sequence[str], enabled: Sequence[str]) -> tuple[tuple[int, ...], tuple[int, ...]]:
        slots = tuple(sorted(self.robot.contact_names.index(name) for name in closed))
        tasks = sorted({self.task_index[name] for name in enabled})
        return slots, tuple(i for i in tasks if self._makes_sense(i, self.declared[i].kind, slots))

    def _makes_sense(self, index: int, kind: str, closed: tuple[int, ...]) -> bool:
        """Returns False for wrench rows whose contact is open or that need more closed contacts."""
        table = self.arrays.tasks.table
        if table[index, SPACE] != WRENCH:
            return True
        return int(table[index, FRAME]) in closed and len(closed) >= KINDS[kind].closed
