"""Compares the logs of two runs figure by figure, and says which differences are more than noise.

Each figure is a mean over blocks of one second. Only blocks are compared that follow the same request in both
runs, 2 s after it at the earliest, and not during a push or in the 2 s after it. The spread of the blocks
gives the noise of the difference. It is the noise within these two runs: another random seed, another day or
another robot adds to it, which two runs alone cannot show.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector
from kilohertz.rt.log.file import LogReader, read_rows
from kilohertz.rt.log.header import LogHeader
from kilohertz.rt.log.schema import WARM_UP
from kilohertz.rt.loop.trace import STATES

NEEDED = ("tick", "request", "state", "rung", "sensors", "command", "estimate", "balance")
BLOCK_S, SETTLING_S = 1.0, 2.0
SIGMAS = 3.0
"""Number of standard deviations of its noise above which a difference counts."""
LEAST_BLOCKS = 3
LEAST_CHANGE = 0.02
"""Relative difference below which a figure counts as equal, however small its noise is."""
_HANDS_EVERY = 10
"""Number of ticks between two ticks in which hand positions are computed."""
_BETTER = {"torque_margin": 1.0}
"""Sign of a change for the better, of figures that should be large; all others should be small."""
_SQUARED = ("com_tracking_m", "hand_tracking_m", "effort", "chatter_Nm")
"""Figures that are root mean squares."""

Blocks = dict[str, dict[str, list[float]]]
"""Values of the blocks by request and by figure; of an RMS figure, mean squares."""


@dataclass(frozen=True)
class Difference:
    """Difference of one figure between two runs.

    Attributes:
        figure: name of the figure.
        a, b: its values in the runs.
        noise: standard deviation of the noise of `b` minus `a`.
        verdict: "better", "worse", or "same" for a difference that is within its noise.
    """

    figure: str
    a: float
    b: float
    noise: float
    verdict: str


@dataclass(frozen=True)
class Comparison:
    """Comparison of two runs.

    Attributes:
        differences: one for each figure that both runs have.
        seconds: compared time of each run [s].
        notes: in what else the runs differ, as sentences.
    """

    differences: list[Difference]
    seconds: tuple[float, float]
    notes: list[str]

    def figures(self) -> dict[str, Any]:
        """Returns the comparison as plain objects for JSON."""
        return {
            "seconds": list(self.seconds),
            "figures": {each.figure: vars(each) for each in self.differences},
            "better": [each.figure for each in self.differences if each.verdict == "better"],
            "worse": [each.figure for each in self.differences if each.verdict == "worse"],
            "notes": self.notes,
        }


def compare(a: LogReader, b: LogReader, robot: str | None = None) -> Comparison:
    """Compares two logs; B is better or worse than A.

    Args:
        a: reader of the first log, at its beginning.
        b: reader of the second log, likewise.
        robot: name or folder of the robot, if its folder has been moved.

    Raises:
        ConfigError: the logs are of different robots, lack fields, or have no motion in common.
    """
    if (a.header.robot_name, a.header.joint_names) != (b.header.robot_name, b.header.joint_names):
        raise ConfigError(
            f"{a.path} is a run of '{a.header.robot_name}', {b.path} of '{b.header.robot_name}': "
            "only runs of the same robot can be compared"
        )
    models = [RobotModel.load(robot or reader.header.robot, stands=False) for reader in (a, b)]
    before, after = (blocks_of(*pair) for pair in zip((a, b), models, strict=True))
    differences = list(differences_of(before, after))
    if not differences:
        raise ConfigError(
            f"{a.path} and {b.path} have less than {LEAST_BLOCKS} s of the same motion in common, "
            f"{SETTLING_S:g} s after a request at the earliest"
        )
    shared = [key for key in before if key in after]
    seconds = [BLOCK_S * sum(len(found[key]["effort"]) for key in shared) for found in (before, after)]
    return Comparison(differences, (seconds[0], seconds[1]), list(_notes(a.header, b.header)))


def _notes(a: LogHeader, b: LogHeader) -> Iterator[str]:
    if a.seed != b.seed:
        yield f"the random seeds differ ({a.seed}, {b.seed}): they cause differences too; compare several"
    if a.scenario != b.scenario:
        yield f"the scenarios differ ({a.scenario['name']}, {b.scenario['name']})"
    for name in ("version", "model_sha256"):
        if getattr(a, name) != getattr(b, name):
            yield f"{name} differs ({getattr(a, name)[:12]}, {getattr(b, name)[:12]})"
    if a.gains == b.gains:
        yield "the gains at the start are the same"
    if a.live or b.live:
        yield "gains could change during a run: `gains_sets` in its summary has the figures of each set"


def blocks_of(reader: LogReader, robot: RobotModel) -> Blocks:
    """Returns the figures of each block of a log, by the request that the robot followed."""
    reader.require_run()
    reader.require(*NEEDED)
    groups = [name for name in (*NEEDED, "hands") if name in (reader.row.names or ())]
    rows = read_rows(reader, groups)
    rows = rows[rows["tick"] != WARM_UP]
    header, period_s = reader.header, reader.header.period_ns * 1e-9
    columns = _columns(rows, header, robot, measured="outside" in (reader.row.names or ()))
    length = round(BLOCK_S / period_s)
    found: Blocks = defaultdict(lambda: defaultdict(list))
    counts = _counts(rows, header)
    # A block follows one request from its beginning to its end, and none of its ticks is left out.
    edges = np.flatnonzero(np.diff(rows["request"]) != 0) + 1
    for first, last in zip([0, *edges.tolist()], [*edges.tolist(), len(rows)], strict=True):
        key = _request_key(header, int(rows["request"][first])) if first < last else ""
        begin = first + round(SETTLING_S / period_s)
        for at in range(begin, last - length + 1, length):
            if counts[at : at + length].all():
                for name, (values, every) in columns.items():
                    chosen = values[-(-at // every) : -(-(at + length) // every)]
                    value = chosen.min() if name == "torque_margin" else chosen.mean()
                    if math.isfinite(value):
                        found[key][name].append(float(value))
    return found


def _request_key(header: LogHeader, index: int) -> str:
    """Returns the numbers of a request without the time at which it begins."""
    numbers = header.requests[index] if 0 <= index < len(header.requests) else []
    return json.dumps([*numbers[:1], *numbers[2:]])


def _counts(rows: NDArray[Any], header: LogHeader) -> NDArray[np.bool_]:
    t_s = rows["tick"] * (header.period_ns * 1e-9)
    counts: NDArray[np.bool_] = rows["state"] == STATES.index("active")
    for event in header.scenario.get("events", ()):
        if event["push"] is not None:
            end_s = event["at_s"] + event["push"]["duration_s"] + SETTLING_S
            counts &= (t_s < event["at_s"]) | (t_s >= end_s)
    return counts


def _columns(
    rows: NDArray[Any], header: LogHeader, robot: RobotModel, *, measured: bool
) -> dict[str, tuple[Vector, int]]:
    """Returns the values of each figure, and the number of ticks between two values."""
    tau, limit = rows["command"]["tau_ff"], np.array(header.torque_limit_Nm)
    fraction = tau / limit
    change = np.diff(tau, axis=0, prepend=tau[:1])
    columns = {
        "effort": (np.mean(fraction**2, axis=1), 1),
        "chatter_Nm": (np.mean(change**2, axis=1), 1),
        "torque_margin": (1.0 - np.abs(fraction).max(axis=1), 1),
        "power_W": (np.abs(tau * rows["sensors"]["v"]).sum(axis=1), 1),
        "without_solution": ((rows["rung"] > 0).astype(float), 1),
    }
    if robot.floating:
        off = rows["balance"]["p_WC_des"] - rows["balance"]["p_WC"]
        columns = {"com_tracking_m": (np.sum(off**2, axis=1), 1), **columns}
    # A base that is measured from outside has its place in another frame than the references of the hands.
    if "hands" in (rows.dtype.names or ()) and not measured:
        columns = {"hand_tracking_m": (_hand_off2(rows[::_HANDS_EVERY], robot), _HANDS_EVERY), **columns}
    return columns


def _hand_off2(rows: NDArray[Any], robot: RobotModel) -> Vector:
    """Returns the squared distance of the worst hand from its reference; NaN where no hand has one [m^2]."""
    off2 = np.full((len(rows), len(robot.hands)), -np.inf)
    p_des = rows["hands"]["p_WH_des"].reshape(len(rows), -1, 3)
    data = robot.pin_model.createData()
    for i in np.flatnonzero(rows["hands"]["hand_active"].any(axis=1)).tolist():
        pin.framesForwardKinematics(robot.pin_model, data, rows["estimate"]["q"][i])
        for h, hand in enumerate(robot.hands):
            if rows["hands"]["hand_active"][i, h]:
                off2[i, h] = np.sum((p_des[i, h] - data.oMf[hand.frame_id].translation) ** 2)
    worst: Vector = off2.max(axis=1)
    worst[np.isinf(worst)] = math.nan
    return worst


def differences_of(before: Blocks, after: Blocks) -> Iterator[Difference]:
    """Yields the difference of each figure, over the requests that both runs followed for long enough."""
    names = dict.fromkeys(name for found in before.values() for name in found)
    for name in names:
        pairs = [(before[key].get(name, []), after[key].get(name, [])) for key in before if key in after]
        pairs = [pair for pair in pairs if min(map(len, pair)) >= LEAST_BLOCKS]
        if pairs:
            yield _difference(name, pairs)


def _difference(name: str, pairs: list[tuple[list[float], list[float]]]) -> Difference:
    weights = np.array([min(map(len, pair)) for pair in pairs], dtype=float)
    weights /= weights.sum()
    a, b = (float(weights @ [np.mean(pair[side]) for pair in pairs]) for side in (0, 1))
    noise2 = float(weights**2 @ [_mean_noise2(x) + _mean_noise2(y) for x, y in pairs])
    noise = math.sqrt(noise2)
    change = _BETTER.get(name, -1.0) * (b - a)
    counts = abs(b - a) > SIGMAS * noise and abs(b - a) > LEAST_CHANGE * max(abs(a), abs(b))
    verdict = ("better" if change > 0.0 else "worse") if counts else "same"
    if name in _SQUARED:
        root_a, root_b = math.sqrt(a), math.sqrt(b)
        scale = root_a + root_b
        return Difference(name, root_a, root_b, noise / scale if scale else 0.0, verdict)
    return Difference(name, a, b, noise, verdict)


def _mean_noise2(values: list[float]) -> float:
    """Returns the variance of the mean of values in a row, which may depend on the ones before."""
    x = np.array(values)
    x -= x.mean()
    variance = float(x @ x) / (len(x) - 1)
    if variance == 0.0:
        return 0.0
    related = max(float(x[1:] @ x[:-1]) / float(x @ x), 0.0)
    return variance / len(x) * (1.0 + related) / (1.0 - related)
