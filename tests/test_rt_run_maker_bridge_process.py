"""`khz bridge` runs until it is told to stop, and says what is missing in a sentence."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.wire.link import LinkLostError
from kilohertz.rt.cli.main import app
from kilohertz.rt.doctor.check import Check, Status
from kilohertz.rt.doctor.report import Report
from kilohertz.rt.run.maker_bridge_process import Bridging, build_bridge, connect_arm

pytestmark = pytest.mark.host

REFUSED = 3


class RecordedBridge:
    """Counts its cycles, and ends by itself after three of them."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.calls: list[str] = []
        self.error = error
        self.bridging: Bridging | None = None

    def cycle(self) -> None:
        self.calls.append("cycle")
        if len(self.calls) == 3:
            if self.error is not None:
                raise self.error
            assert self.bridging is not None
            self.bridging.stop()

    def close(self) -> None:
        self.calls.append("close")

    def abandon(self) -> None:
        self.calls.append("abandon")


@pytest.mark.parametrize(
    ("error", "last"),
    [(None, "close"), (LinkLostError("gone"), "abandon"), (KeyboardInterrupt(), "close")],
    ids=["stopped", "arm lost", "interrupted"],
)
def test_however_it_ends_the_arm_is_left_well(error: BaseException | None, last: str) -> None:
    bridge: Any = RecordedBridge(error)
    bridge.bridging = Bridging(bridge)
    if error is None:
        bridge.bridging.run()
    else:
        with pytest.raises(type(error)):
            bridge.bridging.run()
    assert bridge.calls == ["cycle"] * 3 + [last]


def test_the_signal_that_ends_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    bridge: Any = RecordedBridge()
    bridging = Bridging(bridge)
    monkeypatch.setattr(bridge, "cycle", lambda: os.kill(os.getpid(), signal.SIGINT))
    bridging.run()
    assert bridging.stopped_by == signal.SIGINT
    assert bridge.calls == ["close"]


def test_an_arm_is_free_again_where_its_bridge_cannot_be_built(tmp_path: Path) -> None:
    closed = []
    arm: Any = SimpleNamespace(joints=7, maker="franka", close=lambda: closed.append(True))
    with pytest.raises(ConfigError, match="is not an arm of 7 joints"):
        build_bridge(RobotModel.load("ur5"), arm, f"ipc://{tmp_path / 'robot'}")
    assert closed == [True]


def test_an_unknown_maker_is_refused() -> None:
    with pytest.raises(ConfigError, match="no bridge for 'kuka'; there are ur, franka"):
        connect_arm("kuka", "here", enforce_realtime=True)


@pytest.mark.parametrize("status", [Status.FAIL, Status.OK], ids=["unfit host", "missing library"])
def test_what_is_missing_is_a_sentence_and_status_3(monkeypatch: pytest.MonkeyPatch, status: Status) -> None:
    report = Report(0, 80, (Check(1, "PREEMPT_RT", status, "none"),))
    monkeypatch.setattr("kilohertz.rt.doctor.fitness.examine", lambda measure_s: report)
    monkeypatch.setitem(sys.modules, "pylibfranka", None)
    result = CliRunner().invoke(app, ["bridge", "franka", "panda", "--robot-ip", "192.0.2.1"])
    assert result.exit_code == REFUSED
    told = "--allow-no-rt" if status is Status.FAIL else "pip install 'kilohertz[franka]'"
    assert told in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1
