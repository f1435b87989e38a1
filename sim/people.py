"""People who push the hands of an arm or lead them, as forces on the points of the hands."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.scenario_schema import Event
from kilohertz.sim.surroundings_schema import HandLead, HandPush

Vector = NDArray[np.float64]


class People:
    """The forces of people on the points of the hands.

    Attributes:
        force_W: (nh, 3) present force on each hand, in world axes [N].

    Args:
        robot: model of the robot.
        events: events of the scenario.
        step_s: period of the simulation [s].
    """

    def __init__(self, robot: RobotModel, events: tuple[Event, ...], step_s: float) -> None:
        self.force_W = np.zeros((len(robot.hands), 3))
        self._step_s = step_s
        self._acts: list[tuple[int, float, HandPush | HandLead]] = []
        for event in events:
            act = event.hand_push if event.hand_push is not None else event.hand_lead
            if act is not None:
                self._acts.append((robot.hand_names.index(act.hand), event.at_s, act))
        self._begun: dict[int, tuple[Vector, Vector]] = {}

    def __bool__(self) -> bool:
        return bool(self._acts)

    def update(self, t_s: float, p_WH: Vector) -> str:
        """Computes the forces at a time.

        Args:
            t_s: time since the start of the run [s].
            p_WH: (nh, 3) positions of the hands in the world [m].

        Returns:
            What begins now, as text for the event; "" if nothing does.
        """
        told = []
        self.force_W[:] = 0.0
        for index, (hand, at_s, act) in enumerate(self._acts):
            t = t_s - at_s
            if not -0.5 * self._step_s < t < act.duration_s:
                continue
            if index not in self._begun:
                self._begun[index] = (p_WH[hand].copy(), p_WH[hand].copy())
                told.append(_describe(act))
            if isinstance(act, HandPush):
                self.force_W[hand] += act.share(t) * np.array(act.force_N)
            else:
                self.force_W[hand] += self._lead(index, act, t, p_WH[hand])
        return "; ".join(told)

    def _lead(self, index: int, act: HandLead, t: float, p_WH: Vector) -> Vector:
        """Returns the force of a person whose own hand moves on by this step [N]."""
        own, last = self._begun[index]
        speed = 1.0
        if act.ramp_s > 0.0:
            speed = min(1.0, max(t, 0.0) / act.ramp_s, (act.duration_s - t) / act.ramp_s)
        v_des = speed * np.array(act.velocity_m_s)
        own += self._step_s * v_des
        velocity = (p_WH - last) / self._step_s
        last[:] = p_WH
        force = act.stiffness_N_m * (own - p_WH) + act.damping_Ns_m * (v_des - velocity)
        size = float(np.linalg.norm(force))
        if size > act.most_N:
            force *= act.most_N / size
            # The person's hand slides along instead of pulling harder later.
            own[:] = p_WH + (force - act.damping_Ns_m * (v_des - velocity)) / act.stiffness_N_m
        return np.asarray(force)


def _describe(act: HandPush | HandLead) -> str:
    if isinstance(act, HandPush):
        return f"{act.hand} with [{', '.join(f'{x:g}' for x in act.force_N)}] N"
    return f"{act.hand} is led at [{', '.join(f'{x:g}' for x in act.velocity_m_s)}] m/s"
