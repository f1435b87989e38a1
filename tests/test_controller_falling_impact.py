"""A folded fall has less impact energy of head and pelvis than switching the drives off."""

import mujoco
import numpy as np
import pytest

from kilohertz.controller.brain import Brain
from kilohertz.controller.gains.schema import load_gains
from kilohertz.controller.supervision.request import make_request
from kilohertz.estimators.floating_base import FloatingBaseEstimator
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.envelope import Envelope
from kilohertz.sim.scenario_schema import Scenario
from kilohertz.sim.simulated_robot import SimulatedRobot

pytestmark = pytest.mark.closed_loop

PUSH_AT_TICK = 1000
TICKS = 3500
WAYS = {"forward": (60.0, 0.0, 0.0), "backward": (-60.0, 0.0, 0.0), "sideways": (0.0, 60.0, 0.0)}


class _NoEnvelope(Envelope):
    def limit(self, *_: object) -> None:
        """Leaves the torques as they are."""


def impact_energy(impulse_Ns: tuple[float, float, float], switch_off: bool) -> dict[str, float]:
    """Largest kinetic energy [J] along the vertical at which head and pelvis meet the ground."""
    robot = RobotModel.load("g1")
    push = {"link": "torso_link", "impulse_Ns": impulse_Ns, "duration_s": 0.1}
    events = ({"at_s": PUSH_AT_TICK * 1e-3, "push": push},)
    scenario = Scenario.model_validate({"name": "fall", "duration_s": 4.0, "events": events}).in_order()
    sim = SimulatedRobot(robot, scenario, 0)
    gains = load_gains(robot)
    brain = Brain(robot, gains, FloatingBaseEstimator(robot, gains.estimator))
    request = make_request(robot, "stand", {})
    sensors, command = robot.new_sensor_row(), robot.new_command_row()
    sim.read(sensors)
    brain.reset(sensors)
    model, data = sim.world.model, sim.world.data
    if switch_off:
        # The robot's envelope would damp legs that a controller lets go limp; switched off, it does not act.
        sim.drives.envelope = _NoEnvelope(sim.drives.envelope.numbers)
    bodies = {"head": model.body("head_link").id, "pelvis": model.body("pelvis_contour_link").id}
    energy = dict.fromkeys(bodies, 0.0)
    before = {}
    for tick in range(TICKS):
        sim.read(sensors)
        output = brain.step(sensors, request, gains, lambda stage: None)
        command.data[:] = output.command.data
        if switch_off and output.state == "damping":
            command.kp[:] = command.kd[:] = command.tau_ff[:] = 0.0
        command.seq[0] = tick + 1.0
        for name, body in bodies.items():
            velocity = np.zeros(6)
            mujoco.mj_objectVelocity(model, data, mujoco.mjtObj.mjOBJ_BODY, body, velocity, 0)
            before[name] = data.xpos[body].copy(), velocity
        sim.write(command)
        for name, body in bodies.items():
            for contact in data.contact[: data.ncon]:
                pair = set(model.geom_bodyid[contact.geom].tolist())
                if pair == {0, body}:
                    p, velocity = before[name]
                    speed = (velocity[3:] + np.cross(velocity[:3], contact.pos - p))[2]
                    mass = 1.0 if name == "head" else 3.8
                    energy[name] = max(energy[name], 0.5 * mass * speed**2)
    return energy


@pytest.mark.long
def test_a_folded_fall_costs_less_than_half_of_switching_off():
    folded = {way: impact_energy(impulse, switch_off=False) for way, impulse in WAYS.items()}
    limp = {way: impact_energy(impulse, switch_off=True) for way, impulse in WAYS.items()}
    for part in ("head", "pelvis"):
        assert sum(fall[part] for fall in folded.values()) <= 0.5 * sum(fall[part] for fall in limp.values())


@pytest.mark.long
@pytest.mark.parametrize("way", ["forward", "backward"])
def test_a_fall_hits_the_head_less_than_switching_off(way):
    assert impact_energy(WAYS[way], False)["head"] <= 0.25 * impact_energy(WAYS[way], True)["head"]
