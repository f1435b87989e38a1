"""A G1 stands over the whole chain: controller, wire protocol, bridge, DDS, stand-in at 500 Hz."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

pytest.importorskip("cyclonedds")

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.run.maker_bridge_process import Bridging
from kilohertz.rt.run.session import RunPlan, Session
from kilohertz.rt.run.unitree_process import StandingIn, build_stand_in, build_unitree_bridge

pytestmark = pytest.mark.host
DOMAIN = 64


@pytest.mark.long
def test_a_g1_stands_through_the_bridge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoint = f"ipc://{tmp_path / 'robot'}"
    stand_in = StandingIn(
        build_stand_in("g1", "lo", domain=DOMAIN, scenario="stand", lockstep=True), lockstep=True
    )
    threads = [threading.Thread(target=stand_in.run)]
    monkeypatch.setattr("kilohertz.rt.run.maker_bridge_process.prepare_realtime", lambda core: Nothing())
    threads[0].start()
    bridge, notes = build_unitree_bridge(
        RobotModel.load("g1"), endpoint, "lo", domain=DOMAIN, release=True, lockstep=True
    )
    assert notes[0] == "G1, a state every 2 ms, mode_machine 5"
    bridging = Bridging(bridge)
    threads.append(threading.Thread(target=bridging.run))
    threads[1].start()
    try:
        result = Session(RunPlan("g1", "stand", 1.0, endpoint=endpoint, lockstep=True)).run()
    finally:
        bridging.stop()
        threads[1].join(120.0)
        simulated = stand_in.stand_in.simulated
        stand_in.stop()
        threads[0].join(120.0)
    assert result.exit_code == 0
    link = result.summary["link"]
    assert link["commands_accepted"] == result.loop.ticks
    assert link["commands_refused"] == link["commands_late"] == link["states_refused"] == 0
    # At the end the bridge damps the robot, which then sinks down.
    assert simulated.fell_at_s is None or simulated.fell_at_s > result.loop.ticks * 1e-3
    assert stand_in.stand_in.rules.refused == 0
    assert "commands taken, 0 refused" in stand_in.farewell()
    assert "the motion service has released its mode 'ai'" in stand_in.farewell()


class Nothing:
    """A context in which nothing is changed."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_error: object) -> None:
        pass


@pytest.mark.long
def test_a_signal_ends_the_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    standing = StandingIn(build_stand_in("g1", "lo", domain=DOMAIN, scenario="stand"))
    monkeypatch.setattr(standing.stand_in, "cycle", lambda: os.kill(os.getpid(), signal.SIGTERM))
    standing.run()
    assert standing.stopped_by == signal.SIGTERM


def test_a_real_robot_does_not_wait(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="leave --lockstep out"):
        build_unitree_bridge(RobotModel.load("g1"), f"ipc://{tmp_path / 'r'}", "eth0", lockstep=True)
