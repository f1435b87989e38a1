"""Arms of the tests with a tool, and with a force-torque sensor at the wrist."""

from __future__ import annotations

from pathlib import Path

from kilohertz.robots.model.description import ROBOTS_FOLDER

LINKS = {"panda": "panda_hand_tcp", "ur5": "tool0"}
TOOL = "{mass_kg: 0.8, p_MC_m: [0.01, 0, 0.05], inertia_kgm2: [0.002, 0.002, 0.001], p_MT_m: [0, 0, 0.1]}"
WRIST = "{noise_N: 0.1, noise_Nm: 0.005, bias_N: 2, bias_Nm: 0.1}"


def arm(folder: Path, name: str, tool: str = TOOL, wrist: str = WRIST) -> Path:
    """Writes the robot.yaml of an arm with a tool and a sensor; "" for none of them. Returns its folder."""
    text = (ROBOTS_FOLDER / name / "robot.yaml").read_text()
    words = {"link": LINKS[name], "tool": tool, "wrist": wrist}
    hand = ", ".join(f"{key}: {value}" for key, value in words.items() if value)
    before = f"hand: {{link: {LINKS[name]}}}"
    assert before in text
    folder.mkdir(exist_ok=True)
    (folder / "robot.yaml").write_text(text.replace(before, f"hand: {{{hand}}}"))
    return folder
