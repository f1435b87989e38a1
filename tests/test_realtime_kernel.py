"""Runs `khz doctor` and a control loop over the wire on a PREEMPT_RT kernel in an emulated computer."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest
from portable_code import PORTABLE, ROBOT, compile_portable
from realtime_machine import Ended, NotHereError, RealtimeMachine

from kilohertz.robots.wire.sockets import IO_PRIORITY

pytestmark = [pytest.mark.host, pytest.mark.quiet, pytest.mark.long]

KHZ = f"{sys.executable} -c 'from kilohertz.rt.cli.main import main; main()'"
CORE = 1
GOOD = f"isolcpus=managed_irq,domain,{CORE} nohz_full={CORE} rcu_nocbs={CORE} irqaffinity=0"
TICKS, SLOW_MOTION = 500, 20

PREPARE = f"""
export {" ".join(f"{name}='{value}'" for name, value in PORTABLE.items())}
export HOME=/root PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
cd /tmp
uname -v >/mnt/kernel
cat /sys/kernel/realtime >>/mnt/kernel
{KHZ} doctor --seconds 0 --json /mnt/doctor.json
echo $? >/mnt/doctor.status
"""

# The controller starts on its own core, for the robot, at FIFO priority, leaves little of the other one. What
# /proc says of both is kept when the controller has become real-time, and a second later. A host that takes
# the emulated processors away for a while makes them lose periods, or the link for so long that the robot
# damps, which no kernel can keep: then once more.
RUN = f"""
{KHZ} serve {ROBOT} --scenario stand --slow-motion {SLOW_MOTION} --bind ipc:///tmp/robot >/mnt/serve &
serve=$!
until grep -q serving /mnt/serve; do kill -0 $serve || exit 9; sleep 0.2; done
realtime() {{ set -- $(sed 's/.*) //' /proc/$run/stat); [ "${{39}}" = 1 ]; }}
attempt() {{
    taskset -c {CORE} {KHZ} run {ROBOT} --connect ipc:///tmp/robot --scenario stand \\
        --duration {TICKS / 1000} --slow-motion {SLOW_MOTION} --json /mnt/run.json &
    run=$!
    until realtime; do kill -0 $run || return 8; sleep 0.1; done
    sleep 1.5
    cat /proc/$run/status >/mnt/process
    cat /proc/$run/stat >/mnt/earlier
    (cat /proc/$serve/stat; grep Cpus_allowed_list /proc/$serve/status) >/mnt/robot
    for task in /proc/$run/task/*; do cat $task/stat; grep Cpus_allowed_list $task/status; done >/mnt/tasks
    sleep 1
    cat /proc/$run/stat >/mnt/later
    wait $run
}}
for i in 1 2 3; do
    attempt
    status=$?
    [ $status = 0 ] && grep -q '"overruns": 0,' /mnt/run.json && break
done
kill $serve
wait $serve
exit $status
"""


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> RealtimeMachine:
    try:
        return RealtimeMachine(tmp_path_factory.mktemp("machine"))
    except NotHereError as missing:
        pytest.skip(str(missing))


def checks(ended: Ended) -> dict[str, dict[str, Any]]:
    report = json.loads((ended.results / "doctor.json").read_text())
    return {check["name"]: check for check in report["checks"]}


def fields(stat: str) -> list[str]:
    """Fields of /proc/PID/stat from the third on, by their numbers in proc(5) less three."""
    return stat.rpartition(")")[2].split()


def test_on_a_default_command_line_the_doctor_names_what_is_missing(machine: RealtimeMachine) -> None:
    ended = machine.run("default", PREPARE)
    version, realtime = (ended.results / "kernel").read_text().splitlines()
    assert "PREEMPT_RT" in version
    assert realtime == "1"
    found = checks(ended)
    assert found["PREEMPT_RT"]["status"] == "ok"
    for name in ("isolcpus", "managed interrupts", "nohz_full", "rcu_nocbs", "IRQ affinity of new devices"):
        assert found[name]["status"] == "warn"
        assert "irqaffinity=0" in found[name]["remedy"]


def test_on_a_good_host_checks_are_ok_and_a_run_over_the_wire_loses_nothing(
    machine: RealtimeMachine,
) -> None:
    compiled = compile_portable()
    assert compiled.returncode == 0, compiled.stderr
    ended = machine.run("good", PREPARE + RUN, boot=GOOD)
    found = checks(ended)
    assert (ended.results / "doctor.status").read_text().strip() == "0"
    assert {check["status"] for check in found.values() if check["group"] in (1, 2, 4)} == {"ok"}
    assert found["IRQ affinity of new devices"]["status"] == "ok"
    assert f"core affinity {CORE}" in found

    assert ended.status == 0, ended.stdout + ended.stderr
    run = json.loads((ended.results / "run.json").read_text())
    assert (run["ticks"], run["overruns"], run["exit_state"]) == (TICKS, 0, "active")
    assert run["link"]["commands_accepted"] >= TICKS
    assert run["link"]["commands_late"] == run["link"]["commands_unsent"] == 0

    process = dict(
        line.split(":", 1) for line in (ended.results / "process").read_text().splitlines() if ":" in line
    )
    assert int(process["VmLck"].split()[0]) >= 0.95 * int(process["VmRSS"].split()[0])
    tasks = (ended.results / "tasks").read_text().splitlines()
    priorities = [(fields(stat)[37], fields(stat)[38]) for stat in tasks[::2]]
    assert priorities[0] == ("80", "1")
    assert (str(IO_PRIORITY), "1") in priorities[1:]
    assert tasks[1].split()[1] == str(CORE)
    robot, cores = (ended.results / "robot").read_text().splitlines()
    assert (fields(robot)[37], fields(robot)[38]) == ("80", "1")
    assert cores.split()[1] == "0"
    # No page fault, minor or major, in a second of ticks.
    earlier, later = (fields((ended.results / name).read_text()) for name in ("earlier", "later"))
    assert (earlier[7], earlier[9]) == (later[7], later[9])
