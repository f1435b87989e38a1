"""Makes runs that are broken on purpose, each with one known cause, for `khz log why`.

    python tests/broken_runs.py --into DIR --seeds 100 104 [--only push ...]

records their logs and prints how each ended; with --judge also the cause that `khz log why` names first.
place and the strength of the fault, and the noise.
"""

from __future__ import annotations

import argparse
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from kilohertz.robots.model.rows import SensorRow
from kilohertz.rt.host.threads import math_thread_limit
from kilohertz.rt.log.file import LogReader
from kilohertz.rt.run.session import RunPlan, Session
from kilohertz.rt.why.causes import NOTHING, verdict_of
from kilohertz.rt.why.margins import margins_of

Rng = np.random.Generator
DURATION_S = 6.0
PLANT = {"joint_friction_Nm": 0.2, "joint_damping_Nms": 0.05, "model_error": 0.05, "com_error_m": 0.005}


@dataclass
class Broken:
    """A run with one fault.

    Attributes:
        cause: the fault, in the words of `kilohertz.rt.story.causes`.
        seed: seed of the run and of the fault.
        scenario: scenario of the run.
        overrides: changed gains.
        at_s: time at which the fault begins [s].
        tamper: puts the fault into the parts of the run, if the scenario does not contain it.
        what: the fault in words.
    """

    cause: str
    seed: int
    scenario: dict[str, Any]
    at_s: float
    what: str
    overrides: tuple[str, ...] = ()
    tamper: Callable[[Session], None] = field(default=lambda session: None)


def _scenario(rng: Rng, **changes: Any) -> dict[str, Any]:
    """Returns a run that stands, or walks at a random velocity from 0.5 s on."""
    motion = changes.pop("motion", None) or ("walk" if rng.random() < 0.6 else "stand")
    commands: list[dict[str, Any]] = [{"at_s": 0.0, "stand": {}}]
    if motion == "walk":
        velocity = [round(float(rng.uniform(0.1, 0.45)), 2), round(float(rng.uniform(-0.05, 0.05)), 2)]
        commands.append({"at_s": 0.5, "walk": {"velocity_m_s": velocity}})
    base = {"name": "broken", "duration_s": DURATION_S, "plant": PLANT, "commands": commands}
    return {**base, **changes}


def push(seed: int, rng: Rng) -> Broken:
    scenario, at_s = _scenario(rng), float(rng.uniform(1.5, 3.5))
    impulse, angle = rng.uniform(35.0, 60.0), rng.uniform(0.0, 2.0 * np.pi)
    way = [float(impulse * np.cos(angle)), float(impulse * np.sin(angle)), 0.0]
    scenario["events"] = [
        {"at_s": round(at_s, 3), "push": {"link": "torso_link", "impulse_Ns": way, "duration_s": 0.1}}
    ]
    return Broken("push", seed, scenario, at_s, f"{impulse:.0f} Ns at {np.degrees(angle):.0f} deg")


def slippery_floor(seed: int, rng: Rng) -> Broken:
    friction = float(rng.uniform(0.03, 0.1))
    scenario = _scenario(rng, motion="walk", ground={"kind": "flat", "friction": friction})
    return Broken("slippery_floor", seed, scenario, 0.0, f"friction {friction:.2f}")


def early_touch_down(seed: int, rng: Rng) -> Broken:
    rise = float(rng.uniform(0.05, 0.09))
    ground = {"kind": "stairs", "rise_m": rise, "tread_m": 0.3, "count": 1, "landing_m": 0.25}
    scenario = _scenario(rng, motion="walk", ground=ground)
    speed = round(float(rng.uniform(0.25, 0.5)), 2)
    scenario["commands"][1]["walk"]["velocity_m_s"] = [speed, 0.0]
    return Broken("early_touch_down", seed, scenario, 1.0, f"block of {rise * 100:.0f} cm at {speed} m/s")


def imu_turned(seed: int, rng: Rng) -> Broken:
    axis = rng.normal(size=3) * (1.0, 1.0, 0.5)
    angle, at_s = float(rng.uniform(0.15, 0.6)), float(rng.uniform(1.5, 3.5))
    turn = axis / np.linalg.norm(axis) * angle
    scenario = _scenario(rng)
    if rng.random() < 0.5:
        scenario["sensors"] = {"imu_rpy_rad": [round(float(x), 3) for x in turn]}
        return Broken("imu_turned", seed, scenario, 0.0, f"by {np.round(turn, 2).tolist()} rad")
    R = Rotation.from_rotvec(turn).as_matrix()

    def tamper(session: Session) -> None:
        read = session.link.read

        def knocked(sensors: SensorRow) -> bool:
            arrived = read(sensors)
            if sensors.t_s[0] >= at_s:
                sensors.gyro[:], sensors.accel[:] = R @ sensors.gyro, R @ sensors.accel
            return arrived

        session.link.read = knocked  # type: ignore[method-assign]

    return Broken(
        "imu_turned", seed, scenario, at_s, f"knocked by {np.round(turn, 2).tolist()}", tamper=tamper
    )


def encoder_frozen(seed: int, rng: Rng) -> Broken:
    at_s = float(rng.uniform(1.5, 3.5))
    joint = int(rng.integers(12))

    def tamper(session: Session) -> None:
        read, held = session.link.read, np.zeros(2)

        def frozen(sensors: SensorRow) -> bool:
            arrived = read(sensors)
            if sensors.t_s[0] < at_s:
                held[:] = sensors.q[joint], sensors.v[joint]
            else:
                sensors.q[joint], sensors.v[joint] = held
            return arrived

        session.link.read = frozen  # type: ignore[method-assign]

    return Broken("encoder_frozen", seed, _scenario(rng), at_s, f"of leg joint {joint}", tamper=tamper)


def torque_limit(seed: int, rng: Rng) -> Broken:
    scenario = _scenario(rng, motion="walk")
    scenario["commands"][1]["walk"]["velocity_m_s"] = [round(float(rng.uniform(0.5, 0.75)), 2), 0.0]
    at_s = float(rng.uniform(1.0, 3.0))

    def tamper(session: Session) -> None:
        robot = session.link._robot  # type: ignore[attr-defined]
        advance, weak = robot.advance, []

        def weaker() -> None:
            if robot.t_s >= at_s and not weak:
                robot.drives._limit *= 0.5
                weak.append(True)
            advance()

        robot.advance = weaker

    return Broken("torque_limit", seed, scenario, at_s, "half of every torque limit", tamper=tamper)


def payload(seed: int, rng: Rng) -> Broken:
    at_s, mass = float(rng.uniform(1.5, 3.5)), float(rng.uniform(25.0, 45.0))
    place = [round(float(rng.uniform(0.0, 0.15)), 3), round(float(rng.uniform(-0.08, 0.08)), 3), 0.2]
    scenario = _scenario(rng)
    scenario["events"] = [
        {"at_s": round(at_s, 3), "payload": {"link": "torso_link", "mass_kg": mass, "p_LP_m": place}}
    ]
    return Broken("payload", seed, scenario, at_s, f"{mass:.0f} kg at {place}")


def link_lost(seed: int, rng: Rng) -> Broken:
    at_s = float(rng.uniform(1.5, 4.0))

    def tamper(session: Session) -> None:
        read = session.link.read
        late = lambda sensors: read(sensors) and sensors.t_s[0] < at_s  # noqa: E731
        session.link.read = late  # type: ignore[method-assign]

    return Broken("link_lost", seed, _scenario(rng), at_s, "no state arrives any more", tamper=tamper)


GAINS = (
    ("trunk.kp_per_s2=5000", "trunk.kd_per_s=200", "base.kp_per_s2=5000", "base.kd_per_s=200"),
    ("contact.damping_per_s=200",),
    ("posture.kp_per_s2=5000", "posture.kd_per_s=200", "posture.weight=100", "posture.leg_weight=100"),
    ("walk.swing.kp_per_s2=10000", "walk.swing.kd_per_s=500"),
)


def gains(seed: int, rng: Rng) -> Broken:
    changed = GAINS[int(rng.integers(len(GAINS)))]
    scenario = _scenario(rng, motion="walk" if "walk" in changed[-1] else None)
    return Broken("gains", seed, scenario, 0.0, " ".join(changed), overrides=changed)


def periods_missed(seed: int, rng: Rng) -> Broken:
    scenario, at_s = _scenario(rng), float(rng.uniform(1.5, 3.5))
    groups = [20, 10, 5, 2][int(rng.integers(4))]
    starts = (np.sort(rng.uniform(0.0, 0.3, 20 // groups)) + at_s) * 1000
    gaps = {int(start): groups for start in starts}

    def tamper(session: Session) -> None:
        link = session.link
        robot, advance, tick = link._robot, link.advance, [0]  # type: ignore[attr-defined]

        def late() -> None:
            advance()
            tick[0] += 1
            for _ in range(gaps.get(tick[0], 0)):
                robot.advance()

        link.advance = late  # type: ignore[method-assign]

    return Broken("periods_missed", seed, scenario, at_s, f"{len(gaps)} times {groups}", tamper=tamper)


def nothing(seed: int, rng: Rng) -> Broken:
    return Broken("nothing", seed, _scenario(rng), DURATION_S, "-")


KINDS: dict[str, Callable[[int, Rng], Broken]] = {
    kind.__name__: kind
    for kind in (
        push,
        slippery_floor,
        early_touch_down,
        imu_turned,
        encoder_frozen,
        torque_limit,
        payload,
        link_lost,
        gains,
        periods_missed,
        nothing,
    )
}


def make(cause: str, seed: int) -> Broken:
    """Returns the run with this fault and seed."""
    rng = np.random.default_rng([seed, zlib.crc32(cause.encode())])
    return KINDS[cause](seed, rng)


def record(broken: Broken, folder: Path) -> tuple[Path, dict[str, Any]]:
    """Runs it, and returns its log and its summary."""
    plan = RunPlan(
        "g1", broken.scenario, seed=broken.seed, log=folder, overrides=broken.overrides, rows_kept=1000
    )
    with math_thread_limit()():
        session = Session(plan, handle_signals=False)
        broken.tamper(session)
        result = session.run()
    assert result.log is not None
    return result.log, result.summary


def named(log: Path) -> str:
    """Returns the cause that is named for the run of a log."""
    with math_thread_limit()(), LogReader(log) as reader:
        return verdict_of(margins_of(reader)).cause


def main() -> None:
    """Records the runs of the command line, if they are not there yet, and prints the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--into", type=Path, required=True)
    parser.add_argument("--seeds", type=int, nargs=2, default=(0, 4))
    parser.add_argument("--only", nargs="*", default=list(KINDS))
    parser.add_argument("--judge", action="store_true")
    given = parser.parse_args()
    right = total = 0
    given.into.mkdir(parents=True, exist_ok=True)
    for seed in range(*given.seeds):
        for cause in given.only:
            broken = make(cause, seed)
            path = given.into / f"{cause}-{seed}.mcap"
            if not path.exists():
                log, summary = record(broken, given.into)
                log.rename(path)
                path.with_suffix(".json").write_text(json.dumps(summary))
            summary = json.loads(path.with_suffix(".json").read_text())
            end = f"{summary['exit_state']} fell {summary['fell_at_s']}"
            found = named(path) if given.judge else ""
            right += found == (cause if cause != "nothing" else NOTHING)
            total += 1
            print(f"{cause:17} {seed:4} {broken.at_s:6.3f} {broken.what:40.40} {end} {found}", flush=True)
    if given.judge:
        print(f"{right} of {total} named first")


if __name__ == "__main__":
    main()
