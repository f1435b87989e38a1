"""Compares noise, innovations and contact forces of a log with the estimator's gains, and suggests gains."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from ruamel.yaml import YAML

from kilohertz.controller.gains.schema import Gains, gains_path
from kilohertz.estimators.pose_noise import SAMPLE_S
from kilohertz.robots.config.user_file import decoded, read_user_file
from kilohertz.robots.config.yaml_file import MAX_BYTES
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.offline.estimate import Estimate, Samples
from kilohertz.rt.offline.signals import native_period_s, noise_sd

Array = NDArray[np.float64]

_SENSORS = {
    "gyro": ("gyro", "gyro_noise_rad_s", "rad/s", "gyro noise"),
    "accel": ("accel", "accel_noise_m_s2", "m/s^2", "accelerometer noise"),
    "encoder": ("q", "joints.encoder_noise_rad", "rad", "encoder noise"),
    "joint_velocity": ("v", "joints.velocity_noise_rad_s", "rad/s", "noise of the joint velocities"),
}
_BENDS = (("position", "leg_bend_m"), ("orientation", "leg_bend_rad"))
_BIASES = (("gyro", "gyro_bias_rad_s", "rad/s"), ("accel", "accel_bias_m_s2", "m/s^2"))
_MORE, _LESS = 1.5, 0.4
_BIAS_SIGMAS = 3.0
_UNLOADED = 0.25
_LEAST_SAMPLES = 10
_FREEDOM = 3.0


@dataclass
class Findings:
    """What a log says about the gains.

    Attributes:
        innovation: `expected` spread according to the gains and `measured` one, by quantity. Sensors: SD from
            sample to sample at the native rate of the log. Contacts: innovations divided by their SD, so that
            1 is expected.
        suggested: values for the gains, as in gains.yaml.
        contact_force_N: suggested thresholds `make` and `break` [N]; empty if no contact was lifted.
        verdicts: sentences.
    """

    innovation: dict[str, dict[str, Any]] = field(default_factory=dict)
    suggested: dict[str, Any] = field(default_factory=dict)
    contact_force_N: dict[str, float] = field(default_factory=dict)
    verdicts: list[str] = field(default_factory=list)

    def judge(self, name: str, key: str, gain: float, expected: float, measured: float, unit: str) -> None:
        """Adds the comparison of one quantity, with a verdict and a suggestion if the gain does not fit.

        Args:
            name: name of the quantity in sentences and in `innovation`, separated by "|".
            key: key below `estimator` in gains.yaml.
            gain: present value of the key.
            expected: spread according to the gains.
            measured: spread in the log.
            unit: unit of the spread; "" for a normalised one.
        """
        short, words = name.split("|")
        self.innovation[short] = {"expected": _few(expected), "measured": _few(measured), "unit": unit}
        ratio = measured / expected
        if ratio > _MORE:
            better = _few(gain * ratio)
            self.suggest(key, better)
            what = f"{words} is {ratio:.2g} times what the gains say"
            self.verdicts.append(f"{what}; try estimator.{key}: {better:g} instead of {gain:g}")
        elif ratio < _LESS:
            self.verdicts.append(f"{words} is {ratio:.2g} times what the gains say: they are cautious here")

    def suggest(self, key: str, value: float) -> None:
        """Suggests a value for a key below `estimator`; the larger of two suggestions for a key is kept."""
        *parents, last = key.split(".")
        into = self.suggested
        for parent in parents:
            into = into.setdefault(parent, {})
        into[last] = max(value, into.get(last, value))


def examine(samples: Samples, estimate: Estimate, robot: RobotModel, gains: Gains) -> Findings:
    """Compares a log and the estimate from it with the gains of the estimator.

    Args:
        samples: the samples.
        estimate: the estimate with these gains.
        robot: the robot.
        gains: the gains.
    """
    found = Findings()
    _sensor_noise(found, samples, gains)
    _contact_innovations(found, estimate, robot, gains)
    for i, (name, key, unit) in enumerate(_BIASES):
        bias = (estimate.gyro_bias, estimate.accel_bias)[i]
        sd = float(getattr(gains.estimator, key))
        size = float(np.abs(bias[len(bias) // 2 :].mean(axis=0)).max())
        if sd > 0.0 and size > _BIAS_SIGMAS * sd:
            found.suggest(key, _few(size))
            found.verdicts.append(
                f"the {name}'s bias is {size:.2g} {unit}, {size / sd:.2g} times its SD in the gains; "
                f"calibrate the IMU, or try estimator.{key}: {_few(size):g}"
            )
    _contact_thresholds(found, samples, robot, gains)
    if estimate.refused:
        found.verdicts.append(f"the estimator refused {estimate.refused} samples that were not plausible")
    return found


def _sensor_noise(found: Findings, samples: Samples, gains: Gains) -> None:
    for name, (column, key, unit, words) in _SENSORS.items():
        values = samples.sensors[column]
        gain = _gain(gains, key)
        period_s = native_period_s(samples.t_s, values)
        # Noise is a spectral density: the spread of a sample grows with the rate.
        expected = gain * float(np.sqrt(SAMPLE_S / period_s))
        # Of many joints the usual one: third differences of a fast joint at a low rate are also motion.
        measured = float(np.sqrt(np.median(noise_sd(samples.t_s, values) ** 2)))
        if np.isfinite(measured):
            found.judge(f"{name}|{words}", key, gain, expected, measured, unit)


def _contact_innovations(found: Findings, estimate: Estimate, robot: RobotModel, gains: Gains) -> None:
    for c, contact in enumerate(robot.contact_names):
        for part, (words, key) in enumerate(_BENDS):
            surprise = estimate.surprise[:, c, part]
            # A slot without this measurement has distance 0.
            surprise = surprise[np.isfinite(surprise) & (surprise > 0.0)]
            if len(surprise) >= _LEAST_SAMPLES:
                spread = float(np.sqrt(surprise.mean() / _FREEDOM))
                name = f"{contact}.{words}|the innovation of the {words} of {contact}"
                found.judge(name, key, max(_gain(gains, key), 1e-5), 1.0, spread, "")


def _contact_thresholds(found: Findings, samples: Samples, robot: RobotModel, gains: Gains) -> None:
    """Suggests thresholds between the forces of lifted and of loaded contacts."""
    if not robot.contacts:
        return
    force_N = samples.sensors["contact_force_N"].reshape(len(samples.t_s), -1)
    weight_N = robot.mass_kg * GRAVITY_M_S2
    parts = [_parted(column[np.isfinite(column)]) for column in force_N.T]
    lifted = [part for part in parts if part is not None]
    if not np.isfinite(force_N).any():
        found.verdicts.append("contact forces are unknown: thresholds cannot be suggested")
        if not np.isfinite(samples.sensors["tau"]).any():
            found.verdicts.append(
                "joint torques are unknown too: all contacts were taken as closed, so that a foot that was "
                "lifted counted as slipping; import forces or torques to see contacts"
            )
        return
    if not lifted:
        found.verdicts.append("no contact was lifted in this log: it says nothing about thresholds")
        return
    floor_N = max(part[0] for part in lifted)
    loaded_N = min(part[1] for part in lifted)
    break_N, make_N = floor_N + 0.15 * (loaded_N - floor_N), floor_N + 0.3 * (loaded_N - floor_N)
    found.contact_force_N = {"make": round(make_N, 1), "break": round(break_N, 1)}
    low, high = (round(max(force / weight_N, 0.005), 3) for force in (break_N, make_N))
    now = gains.estimator.contact
    words = f"a lifted contact shows up to {floor_N:.0f} N and a loaded one usually {loaded_N:.0f} N"
    if floor_N < now.break_fraction * weight_N and now.make_fraction * weight_N < 0.6 * loaded_N:
        found.verdicts.append(f"{words}: the thresholds of the gains fit")
        return
    found.suggested["contact"] = {"make_fraction": high, "break_fraction": low}
    found.verdicts.append(
        f"{words}; try thresholds of {make_N:.0f} N to close and {break_N:.0f} N to open, "
        f"estimator.contact make_fraction: {high:g}, break_fraction: {low:g}"
    )


def _parted(force_N: Array) -> tuple[float, float] | None:
    """Parts the forces of a contact into lifted and loaded.

    Args:
        force_N: (n,) known forces [N].

    Returns:
        Nearly the largest force while lifted, and the median force while loaded; None if it was never lifted.

    Source: Otsu, "A threshold selection method from gray-level histograms", 1979.
    """
    if len(force_N) < _LEAST_SAMPLES:
        return None
    ordered = np.sort(force_N)
    count = np.arange(1, len(ordered))
    below, total = np.cumsum(ordered)[:-1], ordered.sum()
    between = count * (len(ordered) - count) * (below / count - (total - below) / (len(ordered) - count)) ** 2
    cut = int(between.argmax()) + 1
    low, high = ordered[:cut], ordered[cut:]
    if len(low) < _LEAST_SAMPLES or len(high) < _LEAST_SAMPLES:
        return None
    loaded = float(np.median(high))
    # The lower part of a contact that shares the load is no lifted contact; the transfer of load is in both.
    swinging = low[low < float(np.median(low)) + 0.1 * loaded]
    if float(np.median(low)) > _UNLOADED * loaded:
        return None
    return float(np.percentile(swinging, 99.0)), loaded


def _gain(gains: Gains, key: str) -> float:
    value: Any = gains.estimator
    for part in key.split("."):
        value = getattr(value, part)
    return float(value)


def _few(number: float) -> float:
    return float(f"{number:.3g}")


def suggestion_text(found: Findings) -> str:
    """Returns the suggested keys alone as YAML; "" if there are none."""
    if not found.suggested:
        return ""
    return _as_yaml({"estimator": found.suggested}, found)


def gains_text(robot: RobotModel, file: Path | None, found: Findings) -> str:
    """Returns the text of a gains file with all suggestions, for `--gains`.

    Args:
        robot: the robot.
        file: gains file of the run; None for the robot's own, whose other values and comments are kept.
        found: the findings.
    """
    source = file or gains_path(robot)
    content = (
        YAML().load(decoded(read_user_file(source, MAX_BYTES), source)) if source is not None else None
    ) or {}
    _merge(content, {"estimator": found.suggested} if found.suggested else {})
    return _as_yaml(content, found)


def _as_yaml(content: Any, found: Findings) -> str:
    out = io.StringIO()
    if "contact" in found.suggested:
        force_N = found.contact_force_N
        out.write(f"# a contact closes above {force_N['make']:g} N and opens below {force_N['break']:g} N\n")
    YAML().dump(content, out)
    return out.getvalue()


def _merge(into: Any, values: dict[str, Any]) -> None:
    for key, value in values.items():
        if isinstance(value, dict):
            if not isinstance(into.get(key), dict):
                into[key] = {}
            _merge(into[key], value)
        else:
            into[key] = value
