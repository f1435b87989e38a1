"""Writes the studies of tests: an arm that holds still for some milliseconds, and a search for its gains."""

from __future__ import annotations

from pathlib import Path

TEXT = """\
name: small
robot: ur5
scenario:
  name: hold
  duration_s: 0.05
  commands: [{at_s: 0, stand: {}}]
  plant: {joint_friction_Nm: 0.1}
runs: 3
vary:
  seed: {range: [0, 100]}
  plant.joint_friction_Nm: {uniform: [0, 0.5]}
outcome: not fell
"""


def write_study(folder: Path, *changes: tuple[str, str]) -> Path:
    """Writes the study with parts of its text replaced; returns its file."""
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    path = folder / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return path


SEARCH = """\
tune:
  gains:
    hand.kp_per_s2:
    hand.kd_per_s: [5, 400]
  cost: tracking.hand_rms_m.hand
  failed_cost: 1.0
  roll_outs: 60
  fresh_runs: 6
"""


def write_search(folder: Path, *changes: tuple[str, str]) -> Path:
    """Writes the study with a search for the gains of its hand; returns its file."""
    return write_study(folder, ("outcome: not fell\n", "outcome: not fell\n" + SEARCH), *changes)
