"""Loads that two hands of an arm hold: a box that closes the chain of both arms.

The box is a body on the first hand, which has no mass until the time of the event, and a weld that is then
switched on holds it to the second hand. A weld of MuJoCo is elastic and damped.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import mujoco
import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.scenario import hand_body
from kilohertz.sim.scenario_schema import Scenario
from kilohertz.sim.surroundings_schema import SharedLoad
from kilohertz.sim.truth import Truth

if TYPE_CHECKING:
    from kilohertz.sim.world import World

Vector = NDArray[np.float64]

BODY = "payload/shared"
"""Beginning of the names of these bodies, which do not belong to the robot; a number follows."""
_WELD, _FORCE = "shared_weld/", "shared_force/"
_STEPS_PER_S = 1000.0


def add_shared_loads(spec: Any, robot: RobotModel, scenario: Scenario) -> None:
    """Adds a body without mass, a weld that is off, and a force sensor for each shared load to a spec."""
    for number, (_, load) in enumerate(_loads(scenario)):
        first, second = (robot.hands[robot.hand_names.index(name)] for name in load.hands)
        body = spec.body(hand_body(first)).add_body(name=f"{BODY}{number}")
        body.explicitinertial = True
        body.ipos, body.mass, body.inertia = np.zeros(3), 0.0, np.zeros(3)
        body.add_site(name=f"{BODY}{number}")
        spec.add_sensor(
            name=f"{_FORCE}{number}",
            type=mujoco.mjtSensor.mjSENS_FORCE,
            objtype=mujoco.mjtObj.mjOBJ_SITE,
            objname=f"{BODY}{number}",
        )
        spec.add_equality(
            name=f"{_WELD}{number}",
            type=mujoco.mjtEq.mjEQ_WELD,
            objtype=mujoco.mjtObj.mjOBJ_BODY,
            name1=f"{BODY}{number}",
            name2=hand_body(second),
            active=False,
            solref=[load.grip_s, 1.0],
        )


def _loads(scenario: Scenario) -> list[tuple[float, SharedLoad]]:
    return [(event.at_s, event.shared_load) for event in scenario.events if event.shared_load is not None]


class SharedLoads:
    """The shared loads of a run: they are gripped at their times, and the forces on the hands are measured.

    Args:
        robot: model of the robot.
        scenario: scenario with the events.
        world: MuJoCo world of the run, changed at the times of the events.
        truth: true state; `load_W` is made and written if there are shared loads.

    Attributes:
        held, waiting: whether any load is held, and whether any is still to be gripped.
    """

    def __init__(self, robot: RobotModel, scenario: Scenario, world: World, truth: Truth) -> None:
        self._world, self._truth = world, truth
        self._plan = list(enumerate(_loads(scenario)))
        self._hands = [
            tuple(robot.hand_names.index(name) for name in load.hands) for _, (_, load) in self._plan
        ]
        self._held: list[int] = []
        if self._plan:
            truth.load_W = np.zeros((len(robot.hands), 3))

    @property
    def held(self) -> bool:
        """Whether any load is held."""
        return bool(self._held)

    @property
    def waiting(self) -> bool:
        """Whether any load is still to be gripped."""
        return bool(self._plan)

    def update(self, tick: int) -> str:
        """Grips the loads whose time has come, from the next step on; returns them as text, "" for none.

        Args:
            tick: number of milliseconds since the start of the run.
        """
        told = []
        while self._plan and round(self._plan[0][1][0] * _STEPS_PER_S) <= tick:
            number, (_, load) = self._plan.pop(0)
            self._grip(number, load)
            told.append(f"{load.mass_kg:g} kg between {' and '.join(load.hands)}")
        return "; ".join(told)

    def _grip(self, number: int, load: SharedLoad) -> None:
        model, data = self._world.model, self._world.data
        body, weld = model.body(f"{BODY}{number}").id, model.eq(f"{_WELD}{number}").id
        hand, other = int(model.body_parentid[body]), int(model.eq_obj2id[weld])
        p_WA, p_WB = (self._truth.p_WH[i] for i in self._hands[number])
        X_WA, X_WB = (_pose(data, each) for each in (hand, other))
        X_WO = pin.SE3(np.eye(3), 0.5 * (p_WA + p_WB))
        X_AO = X_WA.actInv(X_WO)
        model.body_pos[body], model.body_quat[body] = X_AO.translation, _quaternion(X_AO.rotation)
        model.body_mass[body], model.body_inertia[body] = load.mass_kg, load.inertia_kgm2
        # The point of the second hand, in that hand's body and where the box has its place for it.
        model.eq_data[weld, :3] = X_WB.actInv(p_WB)
        model.eq_data[weld, 3:6] = X_WO.actInv(p_WB + np.array(load.misfit_m))
        model.eq_data[weld, 6:10] = _quaternion(X_WO.actInv(X_WB).rotation)
        model.eq_data[weld, 10] = 1.0
        data.eq_active[weld] = 1
        self._world.update_constants()
        self._truth.update_mass()
        self._held.append(number)
        mujoco.mj_step1(model, data)

    def measure(self) -> None:
        """Writes the forces on the hands in the step that has just been made."""
        model, data, load_W = self._world.model, self._world.data, self._truth.load_W
        assert load_W is not None
        load_W[:] = 0.0
        for number in self._held:
            first, second = self._hands[number]
            weld = model.eq(f"{_WELD}{number}").id
            rows = np.flatnonzero(
                (data.efc_type == mujoco.mjtConstraint.mjCNSTR_EQUALITY) & (data.efc_id == weld)
            )
            # The rows push the box one way and the hand the other; the sensor measures what the hand exerts
            # on the box.
            load_W[second] -= data.efc_force[rows[:3]]
            site, start = model.site(f"{BODY}{number}").id, self._world.sensor[f"{_FORCE}{number}"]
            load_W[first] -= data.site_xmat[site].reshape(3, 3) @ data.sensordata[start : start + 3]


def _pose(data: Any, body: int) -> pin.SE3:
    return pin.SE3(data.xmat[body].reshape(3, 3), data.xpos[body])


def _quaternion(R: Vector) -> Vector:
    quaternion = np.empty(4)
    mujoco.mju_mat2Quat(quaternion, np.ascontiguousarray(R).ravel())
    return quaternion
