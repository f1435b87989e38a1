"""A controller that only watches, beside one that commands the robot, on one simulated robot."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from test_sim_server import Served, serve

from kilohertz.robots.wire.link import LinkLostError
from kilohertz.robots.wire.watch_link import WatchLink
from kilohertz.rt.run.session import RunPlan, Session

pytestmark = pytest.mark.host

STAND = {"name": "still", "duration_s": 2, "commands": [{"at_s": 0, "stand": {}}]}
SQUAT = STAND | {
    "commands": [{"at_s": 0, "stand": {}}, {"at_s": 0.3, "squat": {"depth_m": 0.15, "period_s": 1.2}}]
}
COLUMNS = ("q_true", "v_true", "q_est", "tau", "tau_true")


def plan(endpoint, seconds, **options):
    return RunPlan("g1", options.pop("scenario", STAND), seconds, endpoint=endpoint, lockstep=True, **options)


class Watching:
    """A watching controller in a thread of its own; `result` is that of its run."""

    def __init__(self, endpoint, seconds, **options):
        self.session = Session(plan(endpoint, seconds, readonly=True, **options), handle_signals=False)
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        self.result = self.session.run()

    def __enter__(self):
        self._thread.start()
        until_s = time.monotonic() + 60.0
        while not self.session.link.link.waits and time.monotonic() < until_s:
            time.sleep(0.01)
        return self

    def __exit__(self, *_):
        self._thread.join()


def commanded(endpoint, seconds):
    return Session(plan(endpoint, seconds), handle_signals=False).run()


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    with Served(serve(f"ipc://{tmp_path_factory.mktemp('alone')}/robot", "g1", "squat")) as served:
        return commanded(served.endpoint, 1.5)


@pytest.mark.long
def test_a_watcher_with_the_same_gains_finds_the_same_torques_and_changes_no_bit(tmp_path, alone):
    with (
        Served(serve(f"ipc://{tmp_path}/robot", "g1", "squat")) as served,
        Watching(served.endpoint, 60.0) as watching,
    ):
        run = commanded(served.endpoint, 1.5)
    for column in COLUMNS:
        np.testing.assert_array_equal(run.trace.kept(column), alone.trace.kept(column), err_msg=column)
    shadow = watching.result.summary["shadow"]
    assert shadow["against"] == "commands"
    assert shadow["compared"] >= 1400
    assert (shadow["different"], shadow["torque_max_fraction"]) == (0, 0.0)
    assert shadow["safe_to_take_over"], shadow["reasons"]
    assert shadow["commander_round_trip_us"]["p50"] > 0.0
    # It ends with the controller that it watches, long before the end of its own plan.
    assert watching.result.exit_code == 0
    assert watching.result.loop.ticks < 2000


@pytest.mark.long
def test_a_watcher_that_would_do_something_else_says_so_and_changes_no_bit(tmp_path, alone):
    with (
        Served(serve(f"ipc://{tmp_path}/robot", "g1", "squat")) as served,
        Watching(served.endpoint, 60.0, scenario=SQUAT) as watching,
    ):
        run = commanded(served.endpoint, 1.5)
    for column in COLUMNS:
        np.testing.assert_array_equal(run.trace.kept(column), alone.trace.kept(column), err_msg=column)
    shadow = watching.result.summary["shadow"]
    assert shadow["different"] > 1000
    assert not shadow["safe_to_take_over"]
    assert any("differ" in reason for reason in shadow["reasons"])
    assert watching.result.exit_code == 0


def test_without_anybody_who_commands_the_robot_there_is_nothing_to_watch(tmp_path):
    with Served(serve(f"ipc://{tmp_path}/robot", "g1", "squat")) as served:
        session = Session(plan(served.endpoint, 1.0, readonly=True), handle_signals=False)
        link = session.link.link
        assert isinstance(link, WatchLink)
        with pytest.raises(LinkLostError, match="nobody commands the robot"):
            link.arm(timeout_s=0.2)
        session.link.close()
        assert served.server.side.mode == 0
