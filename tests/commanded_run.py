"""Runs a robot in real time with telemetry and a command channel, in a process of its own.

Usage: python commanded_run.py ROBOT CONTROL_ENDPOINT DURATION_S [GAINS_FILE]
"""

from __future__ import annotations

import sys
from pathlib import Path

from kilohertz.rt.host.realtime import default_core
from kilohertz.rt.live.agent.process import running_agent
from kilohertz.rt.run.session import RunPlan, Session

TELEMETRY_HZ = 100.0


def run(robot: str, endpoint: str, duration_s: float, gains: Path | None) -> int:
    scenario = {
        "name": "commanded",
        "duration_s": duration_s,
        "commands": [{"at_s": 0, "stand": {}}],
        "sensors": {"noise": "none", "delay_ms": 0},
        "estimator": "truth",
    }
    plan = RunPlan(
        robot,
        scenario,
        realtime=True,
        gains=gains,
        watch_gains=gains is not None,
        telemetry_hz=TELEMETRY_HZ,
        control=endpoint,
    )
    session = Session(plan)
    assert session.commands is not None
    with running_agent(robot, session.commands.mailbox, endpoint, core=default_core()):
        print("running", flush=True)
        result = session.run()
    print(f"exit state {result.summary['exit_state']}, fell {result.summary['fell']}", flush=True)
    return result.exit_code


if __name__ == "__main__":
    name, control, seconds, *gains_file = sys.argv[1:]
    sys.exit(run(name, control, float(seconds), Path(gains_file[0]) if gains_file else None))
