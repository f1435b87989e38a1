"""A simulation that the user's own program runs step by step, one period of the controller at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike, NDArray

from kilohertz.arguments import (
    LONGEST_RUN_S,
    GainsLike,
    RobotLike,
    ScenarioLike,
    Solver,
    gains_source,
    robot_source,
    scenario_source,
    seed_number,
    solver_name,
)
from kilohertz.commands import request_for, resting_command
from kilohertz.controller.brain import Brain
from kilohertz.controller.brain_output import BrainOutput
from kilohertz.controller.supervision.request import RequestRow
from kilohertz.estimators.interface import Estimator
from kilohertz.refused import Refused, refusing
from kilohertz.robots.config.yaml_file import check_data
from kilohertz.robots.model.period import PERIOD_S
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector
from kilohertz.rt.host.threads import math_thread_limit
from kilohertz.rt.run.brain_setup import estimator_for, no_mark, warm_up
from kilohertz.rt.run.plan import RunPlan
from kilohertz.rt.run.preparation import Preparation, prepare
from kilohertz.sim.scenario_schema import Push
from kilohertz.sim.simulated_robot import SimulatedRobot
from kilohertz.sim.truth import Truth

if TYPE_CHECKING:
    from kilohertz.notebook import CellFilm


@dataclass(frozen=True, eq=False)
class TrueState:
    """True state of the simulated robot at the time `State.t_s`, which the controller cannot measure.

    All arrays are copies.

    Attributes:
        q: (nq,) configuration in pinocchio's convention [m, rad].
        v: (nv,) velocity in pinocchio's convention [m/s, rad/s].
        tau: (na,) torque that the drives applied [Nm].
        p_WC, v_WC: (3,) centre of mass of everything that moves, and its velocity, in the world [m, m/s].
        contact_force_W: (nc, 3) force of the ground on each contact, in the world's axes [N].
        p_WH: (nh, 3) positions of the hands in the world [m].
    """

    q: Vector
    v: Vector
    tau: Vector
    p_WC: Vector
    v_WC: Vector
    contact_force_W: Vector
    p_WH: Vector

    @classmethod
    def of(cls, truth: Truth) -> TrueState:
        """Returns a copy of the current true state."""
        return cls(
            truth.q.copy(),
            truth.v.copy(),
            truth.tau.copy(),
            truth.p_WC.copy(),
            truth.v_WC.copy(),
            truth.contact_force_W.copy(),
            truth.p_WH.copy(),
        )


@dataclass(frozen=True, eq=False)
class State:
    """Estimates and commands of the controller in one step.

    All arrays are copies, so that later steps do not change them. Joint vectors are in the order of
    `RobotModel.joint_names`, contacts in that of `contact_names`, hands in that of `hand_names`; W is the
    world.

    Attributes:
        t_s: time of the sensor sample of this step, since the start [s].
        q: (nq,) estimated configuration in pinocchio's convention: for a floating base its position [m] and
            quaternion x, y, z, w, then the joints [rad].
        v: (nv,) estimated velocity in pinocchio's convention: for a floating base its linear [m/s] and
            angular [rad/s] velocity in the axes of the base, then the joints [rad/s].
        tau: (na,) commanded joint torques [Nm].
        p_WC, v_WC: (3,) estimated centre of mass and its velocity [m, m/s]; NaN for a fixed base.
        p_WC_des: (3,) reference of the centre of mass [m]; NaN for a fixed base.
        contact: (nc,) whether each contact is estimated to be closed.
        w_F: (nc, 6) commanded wrench of each contact in its own frame: force [N], moment [Nm].
        p_WH_des: (nh, 3) reference position of each hand in the world [m]; valid only for a hand that has a
            reference.
        behaviour_state: state of the controller: "active", "damping", ...
        reason: reason for damping, in one sentence; "" while the controller is active.
        remark: part of the command that could not be executed, in one sentence; "" if there is none.
        fell: whether the robot has fallen by the end of this step.
        truth: the true state at `t_s`.
    """

    t_s: float
    q: Vector
    v: Vector
    tau: Vector
    p_WC: Vector
    v_WC: Vector
    p_WC_des: Vector
    contact: NDArray[np.bool_]
    w_F: Vector
    p_WH_des: Vector
    behaviour_state: str
    reason: str
    remark: str
    fell: bool
    truth: TrueState


class Simulation:
    """A simulated robot with its controller; each `step` simulates one millisecond.

    Without a scenario, the robot stands on flat ground until another command is given (a robot with point
    feet steps in place). With a scenario, the ground, plant, sensors and events of the scenario are used, and
    also its commands, until `command` is called for the first time. The simulation has no end: after the
    duration of the scenario, the last command stays active.

    One process can have several simulations; each gives results that are bitwise identical to those of a
    single simulation. A simulation with a scenario gives results that are bitwise identical to those of
    `simulate` with this scenario. BLAS is limited to one thread inside `step`. The simulation is also a
    context manager, which closes it at the end.

    Args:
        robot: name of a robot that ships, path of a robot's folder, or a loaded robot.
        seed: random seed for sensor noise, biases, model error and terrain.
        scenario: name of a scenario that ships, path of a scenario file, or the content of one as a dict.
        gains: path of a gains file instead of the robot's own, or a dict of values that replace some of the
            robot's own.
        solver: "osqp" or "exact"; None for the solver in the gains.

    Raises:
        Refused: an argument or a file cannot be used; one line per problem.

    Example::

        import kilohertz as khz

        with khz.Simulation("g1", seed=3) as sim:
            sim.command("walk", velocity_m_s=[0.3, 0.0])
            while sim.t_s < 0.5:
                state = sim.step()
            sim.push("trunk", [0.0, 4.0, 0.0])
            state = sim.step()
            assert not state.fell
    """

    def __init__(
        self,
        robot: RobotLike,
        seed: SupportsIndex = 0,
        scenario: ScenarioLike | None = None,
        *,
        gains: GainsLike | None = None,
        solver: Solver | None = None,
    ) -> None:
        self._closed = False
        self._film: CellFilm | None = None
        source = robot_source(robot)
        with refusing():
            if scenario is None:
                scenario = _resting_scenario(RobotModel.load(source))
            plan = RunPlan(
                source,
                scenario_source(scenario, LONGEST_RUN_S),
                gains=gains_source(gains),
                solver=solver_name(solver),
            )
            self._ready: Preparation = prepare(plan)
            self._seed = seed_number(seed)
            self._start()

    def _start(self) -> None:
        """Builds robot and controller anew, so that the results are bitwise those of a new simulation."""
        ready = self._ready
        self._simulated = SimulatedRobot(ready.robot, ready.scenario, self._seed)
        truth = self._simulated.truth
        self._estimator: Estimator = estimator_for(
            ready.scenario, ready.robot, ready.gains, truth, self._simulated.outside
        )
        self._brain = Brain(ready.robot, ready.gains, self._estimator, dt_s=PERIOD_S)
        self._sensors = ready.robot.new_sensor_row()
        self._schedule = list(ready.schedule)
        self._request: RequestRow = self._schedule[0][1]
        self._tick = 0
        self._one_thread = math_thread_limit()
        with self._one_thread():
            self._simulated.read(self._sensors)
            warm_up(self._brain, self._sensors, self._request, ready.gains)

    @property
    def robot(self) -> RobotModel:
        """Model of the robot."""
        return self._ready.robot

    @property
    def t_s(self) -> float:
        """Simulated time so far [s]: one millisecond per step."""
        return self._tick * PERIOD_S

    @property
    def fell(self) -> bool:
        """Whether the robot has fallen."""
        return self._simulated.fell

    @property
    def fell_at_s(self) -> float | None:
        """Time of the fall [s]; None if the robot did not fall."""
        return self._simulated.fell_at_s

    @property
    def events(self) -> Sequence[Mapping[str, Any]]:
        """Copy of the events so far (pushes, payloads and falls): dicts of t_s [s], kind and text."""
        return list(self._simulated.events)

    def step(self) -> State:
        """Runs one tick of the controller, then simulates one period of 1 ms.

        The simulation continues after a fall, when the controller commands damping. If the simulation itself
        diverges, this is an event and counts as a fall; from then on only the time advances.

        Returns:
            Estimates and commands of the controller, and the true state.

        Raises:
            RuntimeError: the simulation is closed.
        """
        self._require_open()
        with self._one_thread():
            self._simulated.read(self._sensors)
            while self._schedule and self._schedule[0][0] <= self._tick:
                self._request = self._schedule.pop(0)[1]
            output = self._brain.step(self._sensors, self._request, self._ready.gains, no_mark)
            if self._simulated.outside is not None:
                self._brain.tell_ignored_poses()
            truth = TrueState.of(self._simulated.truth)
            self._simulated.write(output.command)
        self._tick += 1
        if self._film is not None:
            self._film.add(self._sensors.t_s.item(), truth.q)
        return self._state(output, truth)

    def _state(self, output: BrainOutput, truth: TrueState) -> State:
        unknown = None if self.robot.floating else np.full(3, np.nan)
        estimator = self._estimator
        return State(
            t_s=self._sensors.t_s.item(),
            q=estimator.q.copy(),
            v=estimator.v.copy(),
            tau=output.tau.copy(),
            p_WC=output.p_WC.copy() if unknown is None else unknown,
            v_WC=output.v_WC.copy() if unknown is None else unknown.copy(),
            p_WC_des=output.p_WC_des.copy() if unknown is None else unknown.copy(),
            contact=estimator.contact.copy(),
            w_F=output.w_F.copy(),
            p_WH_des=output.p_WH_des.copy(),
            behaviour_state=output.state,
            reason=output.reason,
            remark=output.remark,
            fell=self._simulated.fell,
            truth=truth,
        )

    def command(self, behaviour: str, **params: Any) -> None:
        """Commands a behaviour from the next step on; the remaining commands of a scenario are dropped.

        Args:
            behaviour: name of the behaviour as in a scenario, such as "stand", "walk" or "reach".
            params: parameters of the behaviour, named as in a scenario, such as ``velocity_m_s=[0.4, 0.0]``.

        Raises:
            Refused: the behaviour or a parameter is unknown, or this robot cannot execute it. The previous
                command then stays active.
            RuntimeError: the simulation is closed.
        """
        self._require_open()
        self._request = request_for(self.robot, behaviour, params, self.t_s, self._brain.motion.joint_state())
        self._schedule.clear()

    def push(self, link: str, impulse_Ns: ArrayLike, duration_s: float = 0.1) -> None:
        """Pushes a link at its centre of mass, beginning with the next step.

        Args:
            link: name of a link in the robot's model, "trunk", or the name of a hand.
            impulse_Ns: (3,) impulse in the world's axes [Ns]; the force is constant during the push.
            duration_s: duration of the push, > 0 [s].

        Raises:
            Refused: there is no such link, or impulse or duration are not valid.
            RuntimeError: the simulation is closed.
        """
        self._require_open()
        content = {"link": link, "impulse_Ns": np.asarray(impulse_Ns), "duration_s": duration_s}
        with refusing():
            push, _ = check_data(content, Push)
        try:
            self._simulated.push(push)
        except ValueError as error:
            raise Refused(f"link: {error}") from None
        if self._film is not None:
            self._film.push(self.t_s, push)

    def show(self, fps: int = 15, size_px: tuple[int, int] = (480, 360)) -> None:
        """Shows the robot in the cell of a Jupyter notebook from the next step on.

        The picture moves while steps are run. When the cell ends, a video of its steps takes the place of the
        picture and stays in the notebook. The true state is drawn, not the estimate. Without a graphics
        card, drawing takes longer than the simulation. The video has controls if FFmpeg is installed
        (`pip install 'kilohertz[notebook]'`); without it, it is an animated picture.

        Args:
            fps: pictures per second of simulated time.
            size_px: width and height, even numbers [pixels].

        Raises:
            Refused: this is no notebook, this machine cannot draw, or an argument is not valid.
            RuntimeError: the simulation is closed.
        """
        self._require_open()
        from kilohertz.notebook import CellFilm

        if self._film is not None:
            self._film.finish()
        self._film = CellFilm(self.robot, self._ready.scenario, self._seed, fps, size_px)

    def reset(self, seed: SupportsIndex | None = None) -> None:
        """Restarts the simulation at 0 s; all commands and pushes so far are dropped.

        The results are bitwise identical to those of a new simulation.

        Args:
            seed: new random seed; None for the current one.

        Raises:
            Refused: the seed is not a whole number of at least 0.
            RuntimeError: the simulation is closed.
        """
        self._require_open()
        self._seed = self._seed if seed is None else seed_number(seed)
        self._start()

    def close(self) -> None:
        """Closes the simulation, and ends what `show` shows; a second call does nothing."""
        self._closed = True
        if self._film is not None:
            self._film.finish()
            self._film = None

    def __enter__(self) -> Simulation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed" if self._closed else self._brain.output.state
        return f"<Simulation: {self.robot.name}, {self._ready.scenario.name}, {self.t_s:.3f} s, {state}>"

    def _require_open(self) -> None:
        if self._closed:
            raise RuntimeError("this simulation is closed: make a new one")


def _resting_scenario(robot: RobotModel) -> dict[str, Any]:
    behaviour, params = resting_command(robot)
    return {
        "name": "interactive",
        "duration_s": LONGEST_RUN_S,
        "commands": [{"at_s": 0.0, behaviour: params}],
    }
