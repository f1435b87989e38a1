"""Fits a robot's parameters to logs, and writes them as an overlay for robot.yaml with their uncertainties.

Friction, armature and load come from `kilohertz.rt.offline.identify`, over all logs together without the end
of each, on which the fit is then judged. Delay and sensor noise are measured directly.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from kilohertz.robots.config.config_error import ConfigError
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.rt.log.schema import WARM_UP
from kilohertz.rt.offline.drive_delay import commanded_torque, delay_in_ticks
from kilohertz.rt.offline.estimate import Estimate, Samples
from kilohertz.rt.offline.identify import Identified, identified_from, motions_of, residual_rms_Nm
from kilohertz.rt.offline.signals import noise_sd

Array = NDArray[np.float64]

HELD_OUT = 0.25
"""Fraction at the end of each log on which the fit is judged, and which it does not use."""
INERTIA_ERROR = 0.1
"""Prior SD of mass and first moment of a link without a load, relative to that of
`khz log identify`, which is half of the link's mass."""
NOISE = {
    "encoder_rad": "q",
    "velocity_rad_s": "v",
    "torque_Nm": "tau",
    "gyro_rad_s": "gyro",
    "accel_m_s2": "accel",
}
"""Noise figures, and the field of the sensor row each comes from."""
_SAMPLE_TICKS = 1
"""A measured torque is that which was applied up to the sample; the command that follows from a sample acts
on the next one at the earliest [ticks]."""
_OVERLAY = {
    "armature_kgm2": "armature_kgm2",
    "joint_friction_Nm": "coulomb_Nm",
    "joint_damping_Nms": "viscous_Nms",
}


@dataclass(frozen=True)
class Fit:
    """Parameters of a robot that were fitted to logs.

    Attributes:
        identified: friction, armature and inertial offsets.
        armature_kgm2: by joint, armature: value of the model plus offset [kg m^2].
        held_out_Nm: RMS of the torque residual on the ends of the logs, with the model and with the fit [Nm].
        delay_ms: time from a sensor sample to the torque that answers it [ms]; None if the logs do not tell.
        noise: SD of each sensor from sample to sample, by key of NOISE; None for one that is not in the logs.
    """

    identified: Identified
    armature_kgm2: dict[str, float]
    held_out_Nm: tuple[float, float]
    delay_ms: float | None
    noise: dict[str, float | None]

    @property
    def better(self) -> bool:
        """Whether the fit has the smaller residual on data that it has not seen."""
        return self.held_out_Nm[1] < self.held_out_Nm[0]

    def figures(self) -> dict[str, Any]:
        """Returns everything as plain objects for JSON."""
        return {
            **self.identified.figures(),
            "armature_kgm2": self.armature_kgm2,
            "held_out_residual_rms_Nm": {"model": self.held_out_Nm[0], "fit": self.held_out_Nm[1]},
            "better_on_held_out": self.better,
            "delay_ms": self.delay_ms,
            "noise": self.noise,
        }

    def overlay(self, robot: RobotModel) -> str:
        """Returns the determined keys for robot.yaml, with the SD of each value as a comment."""
        lines = [f"# Fitted values for {robot.name}: copy these keys into its robot.yaml."]
        before, after = self.held_out_Nm
        lines.append(
            f"# Torque residual on held-out data: {before:.4g} Nm before, {after:.4g} Nm with them, RMS."
        )
        joints = self.identified.joints
        for key, name in _OVERLAY.items():
            known = [joint for joint, values in joints.items() if values[name]["determined"]]
            if not known:
                continue
            lines.append(f"{key}:")
            for joint in known:
                found = joints[joint][name]
                value = self.armature_kgm2[joint] if name == "armature_kgm2" else found["value"]
                lines.append(f"  {joint}: {max(value, 0.0):.4g}    # SD {found['sd']:.2g}")
        load = self.identified.load
        if load is not None:
            lines.append(f"# {load['mass_kg']:+.3g} kg at {load['link']} explain most of the rest.")
        if self.delay_ms is not None:
            lines.append(
                f"# Delay from a sensor sample to the torque that answers it: {self.delay_ms:.2f} ms."
            )
        return "\n".join(lines) + "\n"


def fit(
    logs: Sequence[tuple[Samples, Estimate | None]],
    commands: Sequence[Any],
    robot: RobotModel,
    period_s: float,
) -> Fit:
    """Fits parameters to logs of one robot.

    Args:
        logs: samples with measured torques of each log, and the state of a floating base.
        commands: command rows of each log; None for a log that was imported.
        robot: the robot.
        period_s: control period of the logs with commands [s].

    Raises:
        ConfigError: the logs are too short.
    """
    parts = [motions_of(samples, robot, estimate, HELD_OUT) for samples, estimate in logs]
    if not all(len(end.q) for _, end in parts):
        raise ConfigError("a log is too short to hold out a part of it on which the fit is judged")
    found, x = identified_from([start for start, _ in parts], robot, INERTIA_ERROR)
    model = np.broadcast_to(np.asarray(robot.armature_kgm2, np.float64), robot.na)
    armature = {
        name: float(model[j] + found.joints[name]["armature_kgm2"]["value"])
        for j, name in enumerate(robot.joint_names)
    }
    held_out = residual_rms_Nm([end for _, end in parts], robot, x)
    delays = [
        _delay(samples, command, robot)
        for (samples, _), command in zip(logs, commands, strict=True)
        if command is not None
    ]
    known = [delay for delay in delays if math.isfinite(delay)]
    delay_ms = float(np.median(known)) * period_s * 1e3 if known else None
    return Fit(found, armature, held_out, delay_ms, _noise([samples for samples, _ in logs]))


def _delay(samples: Samples, command: Any, robot: RobotModel) -> float:
    """Returns the delay of the drives in a log [ticks]; NaN if it does not tell."""
    asked = commanded_torque(samples.sensors, command, np.asarray(robot.torque_limit_Nm, np.float64))
    _, ticks = delay_in_ticks(asked, samples.sensors["tau"])
    return ticks - _SAMPLE_TICKS


def _noise(logs: Sequence[Samples]) -> dict[str, float | None]:
    out: dict[str, float | None] = {}
    for key, column in NOISE.items():
        found = []
        for samples in logs:
            if column in (samples.sensors.dtype.names or ()):
                values = samples.sensors[column].reshape(len(samples.t_s), -1)
                if np.isfinite(values).all() and values.any():
                    found.append(float(np.sqrt(np.median(noise_sd(samples.t_s, values) ** 2))))
        known = [value for value in found if math.isfinite(value)]
        out[key] = float(np.median(known)) if known else None
    return out


def commands_of(rows: NDArray[Any]) -> Any:
    """Returns the command rows of a log's rows, without that of the warm-up; None for an imported log."""
    if "command" not in (rows.dtype.names or ()):
        return None
    return rows["command"][rows["tick"] != WARM_UP]
