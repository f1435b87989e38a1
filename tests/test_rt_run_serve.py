from __future__ import annotations

import os
import socket
import threading

import pytest

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.wire import messages as wire
from kilohertz.robots.wire.zmq_link import ZmqLink
from kilohertz.rt.loop.clock import GridClock
from kilohertz.rt.run.serve import Serving, build_server, server_core

pytestmark = pytest.mark.host


def test_it_serves_period_by_period_until_it_is_told_to_stop(tmp_path):
    server = build_server("ur5", f"ipc://{tmp_path / 'robot'}", scenario="stand")
    slept = []

    def sleep_until(due_ns):
        slept.append(due_ns)
        if len(slept) == 50:
            serving.stop()

    serving = Serving(server, GridClock(sleep_until=sleep_until, now=lambda: slept[-1] if slept else 0))
    # Signals are the main thread's, and so is the priority that serving takes.
    thread = threading.Thread(target=serving.run)
    thread.start()
    thread.join(timeout=60)
    assert not thread.is_alive()
    assert len(slept) == 50
    assert server.side.mode == wire.DAMPING
    assert serving.farewell().endswith("mode damping")


def test_periods_that_the_loop_missed_count_for_the_watchdog(tmp_path, monkeypatch):
    server = build_server("ur5", f"ipc://{tmp_path / 'robot'}", scenario="stand")
    now_ns, missed = [0], []
    monkeypatch.setattr(server.side, "tick", missed.append)

    def sleep_until(due_ns):
        now_ns[0] = due_ns

    serving = Serving(server, GridClock(sleep_until=sleep_until, now=lambda: now_ns[0]))
    serving.clock.start()
    for stall_ns in (0, 0, 5_200_000, 0):
        now_ns[0] += stall_ns
        serving.period()
    assert missed == [0, 0, 5, 0]
    server.close()


def test_it_says_at_the_end_who_was_cut_off(tmp_path):
    server = build_server("ur5", f"ipc://{tmp_path / 'robot'}", scenario="stand", lockstep=True)
    serving = Serving(server)
    assert "cut off" not in serving.farewell()
    with socket.socket(socket.AF_UNIX) as peer:
        peer.connect(str(tmp_path / "robot"))
        peer.sendall(b"GET / HTTP/1.1\r\n\r\n")
        for _ in range(3):
            server.serve_tick()
    text = f"1 connections cut off; the last one: cut off process {os.getpid()} of user {os.getuid()}: "
    assert text in serving.farewell()
    server.close()


def test_it_tells_how_long_commands_took(tmp_path):
    server = build_server("ur5", f"ipc://{tmp_path / 'robot'}", scenario="stand", lockstep=True)
    serving = Serving(server)
    thread = threading.Thread(target=serving.run)
    thread.start()
    link = ZmqLink(server.robot, server.endpoint, lockstep=True)
    link.arm()
    sensors, command = server.robot.new_sensor_row(), server.robot.new_command_row()
    for _ in range(20):
        assert link.read(sensors)
        link.write(command)
    link.close()
    serving.stop()
    thread.join()
    assert link.farewell[0] >= 20
    assert f"{link.farewell[0]} commands taken" in serving.farewell()
    assert "p99.9" in serving.farewell()


def test_what_cannot_be_served_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="khz keys"):
        build_server("ur5", "tcp://0.0.0.0:4000")
    with pytest.raises(ConfigError, match="did you mean"):
        build_server("ur5", f"ipc://{tmp_path / 'robot'}", scenario="stnd")


def test_robot_and_controller_do_not_share_a_core_that_they_need_not():
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one core only")
    from kilohertz.rt.host.realtime import default_core

    assert server_core() != default_core()
