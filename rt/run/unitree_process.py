"""Processes for robots of Unitree: the bridge to the wire protocol, and the stand-in that needs no robot."""

from __future__ import annotations

from contextlib import ExitStack

from kilohertz.controller.behaviours.registry import behaviour_schemas
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.period import PERIOD_NS
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.unitree.bridge import SILENT_NS, UnitreeBridge
from kilohertz.robots.unitree.dds import LOOPBACK, Dds
from kilohertz.robots.unitree.machine import UnitreeMachine
from kilohertz.robots.wire.endpoint import load_key, trusted_keys
from kilohertz.robots.wire.served_robot import ANSWER_NS
from kilohertz.rt.host.realtime import prepare_realtime
from kilohertz.rt.loop.clock import GridClock, absolute_sleeper
from kilohertz.rt.loop.signals import UntilStopped
from kilohertz.rt.run.serve import server_core
from kilohertz.sim.scenario import default_scenario_name, load_scenario
from kilohertz.sim.unitree_machine import CYCLE_PERIODS, UnitreeStandIn

LOCKSTEP_ANSWER_NS, LOCKSTEP_SILENT_NS = 2_000_000_000, 5_000_000_000


def build_unitree_bridge(
    robot: RobotModel,
    endpoint: str,
    network: str,
    *,
    domain: int = 0,
    release: bool = False,
    service: bool = True,
    lockstep: bool = False,
    key: str | None = None,
) -> tuple[UnitreeBridge, list[str]]:
    """Connects to a robot and opens its endpoint; the bridge is not running yet.

    Args:
        robot: model of the robot.
        endpoint: endpoint to open.
        network: network interface to the robot.
        domain: DDS domain of the robot.
        release: whether to release the robot from its motion service.
        service: whether the robot has a motion service.
        lockstep: whether the robot is a stand-in that waits for each command.
        key: name of the key pair of the bridge; None for a link without keys.

    Returns:
        The bridge, and notes about the robot, in sentences.

    Raises:
        ConfigError: robot, network, endpoint or key cannot be used.
        LinkLostError: the robot does not answer.
    """
    if lockstep and network != LOOPBACK:
        raise ConfigError(
            f"only a stand-in on the network '{LOOPBACK}' waits for commands: leave --lockstep out"
        )
    dds = Dds(domain, network)
    try:
        machine = UnitreeMachine(robot, dds, release=release, service=service)
        bridge = UnitreeBridge(
            robot,
            machine,
            endpoint,
            answer_ns=LOCKSTEP_ANSWER_NS if lockstep else ANSWER_NS,
            silent_ns=LOCKSTEP_SILENT_NS if lockstep else SILENT_NS,
            key=load_key(key) if key is not None else None,
            trusted=trusted_keys() if key is not None else frozenset(),
            sleep=absolute_sleeper(),
        )
    except BaseException:
        dds.close()
        raise
    first = f"{machine.name}, a state every {machine.periods} ms, mode_machine {machine.state.mode_machine}"
    return bridge, [first, *machine.notes]


def build_stand_in(
    robot: str,
    network: str,
    *,
    domain: int = 0,
    scenario: str | None = None,
    seed: int = 0,
    lockstep: bool = False,
) -> UnitreeStandIn:
    """Builds a simulated robot that speaks DDS; it is not running yet.

    Args:
        robot: name of a robot that ships, or the path of a robot's folder.
        network: network interface; the stand-in is meant for `lo`.
        domain: DDS domain.
        scenario: name or file of the scenario; None for the robot's default scenario.
        seed: random seed for sensor noise, biases, model error and terrain.
        lockstep: whether the simulation waits for each command, instead of running in real time.

    Raises:
        ConfigError: robot, scenario or network cannot be used.
    """
    model = RobotModel.load(robot)
    world = load_scenario(scenario or default_scenario_name(model), model, behaviour_schemas(model))
    return UnitreeStandIn(model, world, Dds(domain, network), seed=seed, lockstep=lockstep)


class StandingIn(UntilStopped):
    """Runs a stand-in until it is stopped by a signal, or by a call of `stop`.

    Args:
        stand_in: the stand-in.
        lockstep: whether it waits for each command, instead of running in real time.
    """

    def __init__(self, stand_in: UnitreeStandIn, *, lockstep: bool = False) -> None:
        super().__init__()
        self.stand_in = stand_in
        self._lockstep = lockstep

    def run(self) -> None:
        """Runs the stand-in, and leaves the domain at the end."""
        clock = GridClock(CYCLE_PERIODS * PERIOD_NS)
        with ExitStack() as stack:
            stack.enter_context(self.told())
            if not self._lockstep:
                stack.enter_context(prepare_realtime(core=server_core()))
            stack.callback(self.stand_in.close)
            clock.start()
            while not self.stopped:
                if not (self._lockstep and self.stand_in.waits):
                    clock.wait()
                self.stand_in.cycle()

    def farewell(self) -> str:
        """Returns what happened, in lines: the numbers of commands, the robot's state, and the events."""
        stand_in = self.stand_in
        rules, simulated = stand_in.rules, stand_in.simulated
        lines = [f"{rules.accepted} commands taken, {rules.refused} refused"]
        fell = (
            f"the robot fell at {simulated.fell_at_s:.2f} s" if simulated.fell else "the robot did not fall"
        )
        lines.append(f"{fell}; {simulated.t_s:.2f} s simulated")
        return "\n".join([*lines, *(f"{kind}: {text}" for kind, text in stand_in.events)])
