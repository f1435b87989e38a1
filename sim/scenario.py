"""Loads a scenario and fits it to a robot: links, hands and times that the file alone cannot vouch for.

Where a scenario says `link`, it may also say `trunk` (the robot's main body), the name of a hand (the
point of that hand) or `hands` (a payload is then shared equally by all hands), so that one file suits
many robots.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from kilohertz.robots.config.config_error import ConfigError, Problem, did_you_mean
from kilohertz.robots.config.yaml_file import Positions, check_data, load_yaml_located
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.footing import footing_problems, nominal_point
from kilohertz.sim.scenario_schema import Command, Reach, Scenario

Vector = NDArray[np.float64]

SCENARIO_FOLDER = Path(__file__).parent / "scenarios"
TRUNK = "trunk"
ALL_HANDS = "hands"


def shipped_scenarios() -> list[str]:
    """The names of the scenarios that ship, in alphabetical order."""
    return sorted(path.stem for path in SCENARIO_FOLDER.glob("*.yaml"))


def default_scenario_name(robot: RobotModel) -> str:
    """What is run where nothing is named: `default`, on points `default-points`, for arms `default-arm`.

    An arm without a hand, or with several, of which the scenario cannot know the right one, stands.
    """
    if not robot.floating:
        return "default-arm" if len(robot.hands) == 1 else "stand"
    return "default-points" if all(len(c.corners_F) == 1 for c in robot.contacts) else "default"


def find_scenario(name_or_path: str) -> Path:
    """The file of a shipped scenario, or the path itself where it looks like one.

    Raises:
        ConfigError: no such scenario; the sentence lists those that ship.
    """
    path = SCENARIO_FOLDER / f"{name_or_path}.yaml"
    if name_or_path in shipped_scenarios():
        return path
    if name_or_path.endswith((".yaml", ".yml")) or "/" in name_or_path or Path(name_or_path).is_file():
        return Path(name_or_path)
    names = shipped_scenarios()
    raise ConfigError(
        f"scenario '{name_or_path}' is neither a shipped one nor a file{did_you_mean(name_or_path, names)}; "
        f"these ship: {', '.join(names)}"
    )


def load_scenario(name_or_path: str, robot: RobotModel) -> Scenario:
    """Reads a scenario and checks it against the robot that is to run it.

    Args:
        name_or_path: a shipped scenario's name or a file.
        robot: the robot; its links and hands must be those that the scenario names.

    Returns:
        The scenario, its commands and events in order, hands filled in and reach targets in the world.

    Raises:
        ConfigError: what does not fit, with file and line; all problems at once.
    """
    return load_scenario_located(name_or_path, robot)[0]


def load_scenario_located(
    source: str | Path | Mapping[str, Any], robot: RobotModel
) -> tuple[Scenario, Positions]:
    """Like `load_scenario`, and also returns where each key stands, for checks of what the robot can do.

    Args:
        source: a shipped scenario's name, a file, or the content of one.
        robot: the robot that is to run it.
    """
    if isinstance(source, Mapping):
        scenario, positions = check_data(source, Scenario)
    else:
        scenario, positions = load_yaml_located(find_scenario(str(source)), Scenario)
    ConfigError.raise_if_any(
        [
            *_late(scenario, positions),
            *_unknown_names(scenario, positions, robot),
            *footing_problems(scenario, positions, robot),
        ]
    )
    commands = tuple(_fit_command(command, robot) for command in scenario.commands)
    return scenario.model_copy(update={"commands": commands}).in_order(), positions


def trunk_link(robot: RobotModel) -> str:
    """The link of the robot's main body: robot.yaml's `trunk`, else the IMU's, else the root's."""
    description = robot.description
    if description.trunk is not None:
        return description.trunk
    if description.imu is not None:
        return description.imu.link
    return link_names(robot)[0]


def link_names(robot: RobotModel) -> list[str]:
    """The links of the robot's model file, root first."""
    return [frame.name for frame in robot.pin_model.frames if frame.type == pin.FrameType.BODY]


@dataclass(frozen=True)
class Attachment:
    """A point that is fixed to a link.

    Attributes:
        link: the link's name.
        p_LP_m: the point in the link's frame.
        share: the part of the whole that acts here, in (0, 1].
    """

    link: str
    p_LP_m: Vector
    share: float = 1.0


def attachments(robot: RobotModel, link: str, p_LP_m: tuple[float, float, float]) -> tuple[Attachment, ...]:
    """What a scenario's `link` and `p_LP_m` mean on this robot.

    For a hand the point is given in the hand's frame, for `hands` in each hand's.
    """
    point = np.array(p_LP_m, dtype=np.float64)
    hands = robot.hand_names if link == ALL_HANDS else (link,) if link in robot.hand_names else ()
    if hands:
        return tuple(_on_hand(robot, name, point, 1.0 / len(hands)) for name in hands)
    return (Attachment(trunk_link(robot) if link == TRUNK else link, point),)


def _on_hand(robot: RobotModel, name: str, p_HP_m: Vector, share: float) -> Attachment:
    hand = robot.hands[robot.hand_names.index(name)]
    return Attachment(hand.link, frame_in_link(robot, hand.frame_id).act(p_HP_m), share)


def frame_in_link(robot: RobotModel, frame_id: int) -> pin.SE3:
    """Pose of an operational frame (of a sole, a hand, the IMU) in the frame of its link."""
    frame = robot.pin_model.frames[frame_id]
    return robot.pin_model.frames[frame.parentFrame].placement.actInv(frame.placement)


def _late(scenario: Scenario, positions: Positions) -> Iterator[Problem]:
    for list_name in ("commands", "events"):
        for index, entry in enumerate(getattr(scenario, list_name)):
            if entry.at_s >= scenario.duration_s:
                yield positions.problem(
                    (list_name, index, "at_s"),
                    f"is at or after the end of the run ({scenario.duration_s:g} s)",
                )
    times: dict[float, int] = {}
    for index, command in enumerate(scenario.commands):
        if command.at_s in times:
            yield positions.problem(
                ("commands", index, "at_s"), f"is the same time as commands[{times[command.at_s]}]"
            )
        times[command.at_s] = index


def _unknown_names(scenario: Scenario, positions: Positions, robot: RobotModel) -> Iterator[Problem]:
    links = link_names(robot)
    known = [*links, TRUNK, *robot.hand_names, *([ALL_HANDS] if robot.hand_names else [])]
    for index, event in enumerate(scenario.events):
        for kind, what in (("push", event.push), ("payload", event.payload)):
            if what is not None and what.link not in known:
                yield positions.problem(
                    ("events", index, kind, "link"), f"'{what.link}' is not a link of {robot.name}", known
                )
            elif what is not None and kind == "push" and what.link == ALL_HANDS:
                yield positions.problem(
                    ("events", index, kind, "link"), "a push acts on one link, not on hands"
                )
    for index, command in enumerate(scenario.commands):
        behaviour = command.reach or command.circle
        if behaviour is None:
            continue
        loc = ("commands", index, command.kind, "hand")
        if behaviour.hand is None and len(robot.hand_names) != 1:
            which = ", ".join(robot.hand_names) or "none"
            yield positions.problem(
                loc, f"is missing, and {robot.name} has not exactly one hand (it has {which})"
            )
        elif behaviour.hand is not None and behaviour.hand not in robot.hand_names:
            yield positions.problem(
                loc, f"'{behaviour.hand}' is not a hand of {robot.name}", robot.hand_names
            )


def _fit_command(command: Command, robot: RobotModel) -> Command:
    """Fills in the only hand, and turns an offset into a point of the world."""
    behaviour = command.reach or command.circle
    if behaviour is None:
        return command
    changes: dict[str, object] = {}
    hand = behaviour.hand or robot.hand_names[0]
    if behaviour.hand is None:
        changes["hand"] = hand
    if isinstance(behaviour, Reach) and behaviour.offset_m is not None:
        start = nominal_point(robot, robot.hands[robot.hand_names.index(hand)].frame_id)
        changes["p_WH_m"] = tuple(float(x) for x in start + np.array(behaviour.offset_m))
        changes["offset_m"] = None
    return command.model_copy(update={command.kind: behaviour.model_copy(update=changes)})
