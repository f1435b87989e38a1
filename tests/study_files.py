"""Writes the studies of tests: an arm that holds still for some milliseconds."""

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
