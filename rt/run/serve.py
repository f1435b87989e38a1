"""Implementation of `khz serve`: a simulated robot at an endpoint, in real time or in lockstep."""

from __future__ import annotations

import os
from contextlib import ExitStack

from kilohertz.controller.behaviours.registry import behaviour_schemas
from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.period import period_ns
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.endpoint import load_key, trusted_keys
from kilohertz.rt.host.realtime import default_core, prepare_realtime
from kilohertz.rt.loop.clock import GridClock
from kilohertz.rt.loop.signals import UntilStopped
from kilohertz.sim.scenario import default_scenario_name, load_scenario
from kilohertz.sim.server import SimulatedServer


def build_server(
    robot: str,
    endpoint: str,
    *,
    scenario: str | None = None,
    seed: int = 0,
    lockstep: bool = False,
    key: str | None = None,
) -> SimulatedServer:
    """Builds a server and opens its endpoint; the server is not running yet.

    Args:
        robot: name of a robot that ships, or the path of a robot's folder.
        endpoint: endpoint to open.
        scenario: name or file of the scenario; None for the robot's default scenario.
        seed: random seed for sensor noise, biases, model error and terrain.
        lockstep: whether the simulation waits for each command, instead of running in real time.
        key: name of the key pair of the server; None for a link without keys.

    Raises:
        ConfigError: robot, scenario, endpoint or key cannot be used.
    """
    model = RobotModel.load(robot)
    world = load_scenario(scenario or default_scenario_name(model), model, behaviour_schemas(model))
    if world.sensors.outside_pose is not None:
        raise ConfigError(
            f"scenario '{world.name}' has sensors.outside_pose, which the wire protocol does not transfer: "
            "leave it out, or use `khz sim`"
        )
    return SimulatedServer(
        model,
        world,
        endpoint,
        seed=seed,
        lockstep=lockstep,
        key=load_key(key) if key is not None else None,
        trusted=trusted_keys() if key is not None else frozenset(),
    )


class Serving(UntilStopped):
    """Runs a server until it is stopped by a signal, or by a call of `stop`.

    Args:
        server: the server to run.
        clock: clock that starts one tick per period; not used in lockstep.
    """

    def __init__(self, server: SimulatedServer, clock: GridClock | None = None) -> None:
        super().__init__()
        self.server = server
        self.clock = clock if clock is not None else GridClock(period_ns(server.robot))

    def run(self) -> None:
        """Runs the server; closes it at the end, after which the robot damps its joints."""
        server = self.server
        with ExitStack() as stack:
            stack.enter_context(self.told())
            if not server.lockstep:
                stack.enter_context(prepare_realtime(core=server_core()))
            # Damp first: to give back what the host granted takes a tenth of a second.
            stack.callback(server.close)
            if server.lockstep:
                while not self.stopped:
                    server.wait_for_command()
                    server.serve_tick()
                return
            self.clock.start()
            while not self.stopped:
                self.period()

    def period(self) -> None:
        """Runs one period in real time: waits for its start, serves it, and listens until it is over."""
        clock, server = self.clock, self.server
        clock.wait()
        server.serve_tick(clock.missed)
        server.listen(clock.due_ns + clock.period_ns)

    def farewell(self) -> str:
        """Returns the packet statistics in one line: accepted, late and refused packets, and round trip.

        A second line follows if peers were cut off.
        """
        counts = self.server.side.counts
        trip = self.server.side.round_trip_us()
        text = (
            f"{counts.accepted} commands taken, {counts.late} late, {counts.stale} stale, "
            f"{counts.refused} packets refused"
        )
        if trip.size:
            text += f"; state -> command p50 {trip[0]:.0f} us, p99 {trip[1]:.0f} us, p99.9 {trip[2]:.0f} us"
        text = f"{text}; mode {wire.MODES[self.server.side.mode]}"
        sentence = cut_off_sentence(*self.server.cut_off)
        return f"{text}\n{sentence}" if sentence else text


def cut_off_sentence(count: int, last: str) -> str:
    """Returns how many peers were cut off, and the last of them; empty if nobody was.

    Args:
        count: number of peers that were cut off.
        last: sentence about the last one.
    """
    return f"{count} connections cut off; the last one: {last}" if count else ""


def server_core() -> int:
    """Returns a processor core other than that of the controller; the same one if there is no other."""
    others = os.sched_getaffinity(0) - {default_core()}
    return max(others) if others else default_core()
