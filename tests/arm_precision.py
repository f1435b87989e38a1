"""Runs of an arm that draws a circle, against the simulator's truth, with unknown friction and links."""

from __future__ import annotations

import kilohertz as khz

HAND = {"panda": "panda_hand", "ur5": "tool0"}
"""Link that carries the payload of each arm."""
PLANT = {"joint_friction_Nm": 0.5, "joint_damping_Nms": 0.5, "model_error": 0.05, "com_error_m": 0.005}
SENSORS = {"noise": {"encoder_rad": 1e-5, "velocity_rad_s": 2e-3}, "delay_ms": 1}


def circle(*, period_s=4.0, duration_s=5.0, commands=None, events=(), **other):
    """Scenario: the hand draws a circle of 20 cm, or follows other commands."""
    commands = commands or [{"at_s": 0, "circle": {"radius_m": 0.1, "period_s": period_s}}]
    scenario = {"duration_s": duration_s, "plant": PLANT, "sensors": SENSORS, "commands": commands}
    return scenario | ({"events": list(events)} if events else {}) | other


def run(robot, scenario, **options):
    """Runs a scenario; returns RMS and largest error of the hand [mm], and the run."""
    result = khz.simulate(robot, scenario=scenario, **options)
    tracking = result.summary["tracking"]
    return 1e3 * tracking["hand_rms_m"]["hand"], 1e3 * tracking["hand_max_m"]["hand"], result


def payload(robot, mass_kg, at_s=0.0):
    """Event: a payload on the hand."""
    return {"at_s": at_s, "payload": {"link": HAND[robot], "mass_kg": mass_kg, "p_LP_m": [0.02, 0.0, 0.05]}}
