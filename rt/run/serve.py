"""`khz serve`: the simulated robot behind the wire protocol, in real time."""

from __future__ import annotations

import os
from contextlib import ExitStack

from kilohertz.controller.behaviours.registry import behaviour_schemas
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.endpoint import load_key, trusted_keys
from kilohertz.rt.host.realtime import default_core, prepare_realtime
from kilohertz.rt.loop.clock import GridClock
from kilohertz.rt.loop.signals import told_by_signals
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
    """A server that has opened its endpoint, and is not running yet.

    Raises:
        ConfigError: robot, scenario, endpoint or key cannot be used.
    """
    model = RobotModel.load(robot)
    world = load_scenario(scenario or default_scenario_name(model), model, behaviour_schemas(model))
    return SimulatedServer(
        model,
        world,
        endpoint,
        seed=seed,
        lockstep=lockstep,
        core=server_core(),
        key=load_key(key) if key is not None else None,
        trusted=trusted_keys() if key is not None else frozenset(),
    )


class Serving:
    """Runs a server until it is told to stop: by a signal, or by `stop`.

    Args:
        server: what to run.
        clock: one tick a period; not used in lockstep.

    Attributes:
        stopped_by: number of the signal that ended `run`; None where `stop` did.
    """

    def __init__(self, server: SimulatedServer, clock: GridClock | None = None) -> None:
        self.server = server
        self.clock = clock if clock is not None else GridClock()
        self.stopped_by: int | None = None
        self._stopped = False

    def stop(self) -> None:
        """Ends `run` after this tick."""
        self._stopped = True

    def _on_signal(self, number: int) -> None:
        self.stopped_by = number
        self.stop()

    def run(self) -> None:
        """Serves; closes the server at the end, which leaves the robot damping."""
        server, clock = self.server, self.clock
        with ExitStack() as stack:
            stack.callback(server.close)
            stack.enter_context(told_by_signals(self._on_signal))
            if server.lockstep:
                while not self._stopped:
                    server.wait_for_command()
                    server.serve_tick()
                return
            stack.enter_context(prepare_realtime(core=server_core()))
            clock.start()
            while not self._stopped:
                clock.wait()
                server.serve_tick()
                server.listen(clock.due_ns + clock.period_ns)

    def farewell(self) -> str:
        """What happened to the packets, in one line."""
        counts = self.server.side.counts
        trip = self.server.side.round_trip_us()
        text = (
            f"{counts.accepted} commands taken, {counts.late} late, {counts.stale} stale, "
            f"{counts.refused} packets refused"
        )
        if trip.size:
            text += f"; state -> command p50 {trip[0]:.0f} us, p99 {trip[1]:.0f} us, p99.9 {trip[2]:.0f} us"
        return f"{text}; mode {wire.MODES[self.server.side.mode]}"


def server_core() -> int:
    """A core beside the controller's own, where there is one."""
    others = os.sched_getaffinity(0) - {default_core()}
    return max(others) if others else default_core()
