"""Loads a scenario and checks it against a robot: links, hands and times, which the schema cannot check.

The key `link` of a scenario takes the name of a link, `trunk` (the robot's main body), the name of a hand
(the point of this hand) or `hands` (a payload is then shared equally by all hands), so that one file suits
many robots.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from kilohertz.robots.config.config_error import ConfigError, Problem, did_you_mean
from kilohertz.robots.config.yaml_file import Config, Positions, check_data, load_yaml_located
from kilohertz.robots.model.hand_model import HandModel
from kilohertz.robots.model.posture_check import support_corners, support_margin_m
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.sim.footing import footing_problems
from kilohertz.sim.scaling import scaled_to
from kilohertz.sim.scenario_schema import Flat, Scenario, scenario_type
from kilohertz.sim.surroundings_schema import SharedLoad

Vector = NDArray[np.float64]

SCENARIO_FOLDER = Path(__file__).parent / "scenarios"
TRUNK = "trunk"
TOOL = "tool/"
"""Prefix of the name of the simulated body of a hand's tool; the name of the hand follows."""
ALL_HANDS = "hands"


def shipped_scenarios() -> list[str]:
    """Returns the names of the scenarios shipped with Kilohertz, in alphabetical order."""
    return sorted(path.stem for path in SCENARIO_FOLDER.glob("*.yaml"))


def default_scenario_name(robot: RobotModel) -> str:
    """Returns the scenario that is run by default.

    This is `default` for a robot whose soles span an area, on however many feet, `default-points` for one on
    two points, which has to step, `default-arm` for an arm with one hand, `default-arms` for a fixed base
    with a `left_hand` and a `right_hand`, and `stand` for one with other hands or none.
    """
    if not robot.floating:
        if set(robot.hand_names) == {"left_hand", "right_hand"}:
            return "default-arms"
        return "default-arm" if len(robot.hands) == 1 else "stand"
    data = robot.pin_model.createData()
    pin.framesForwardKinematics(robot.pin_model, data, robot.q_nominal)
    corners = support_corners(data, robot.contacts)
    if support_margin_m(corners.mean(axis=0), corners) is not None:
        return "default"
    return "default-points" if len(robot.contacts) == 2 else "stand"


def find_scenario(name_or_path: str) -> Path:
    """Returns the file of a scenario.

    Args:
        name_or_path: name of a shipped scenario, or path of a scenario file.

    Raises:
        ConfigError: there is no such scenario; the text lists the shipped ones.
    """
    path = SCENARIO_FOLDER / f"{name_or_path}.yaml"
    if name_or_path in shipped_scenarios():
        return path
    if name_or_path.endswith((".yaml", ".yml")) or "/" in name_or_path or os.path.isfile(name_or_path):
        return Path(name_or_path)
    names = shipped_scenarios()
    raise ConfigError(
        f"there is no scenario '{name_or_path[:200]}'{did_you_mean(name_or_path, names)}: give the path of a "
        f"scenario file, or one of {', '.join(names)}"
    )


def load_scenario(
    name_or_path: str, robot: RobotModel, behaviours: Mapping[str, type[Config]] | None = None
) -> Scenario:
    """Reads a scenario and checks it against the robot that is to run it.

    Args:
        name_or_path: a shipped scenario's name or a file.
        robot: the robot; its links and hands must be those that the scenario names.
        behaviours: schema of the parameters of each behaviour, by name; None leaves commands unchecked, as
            they do not concern the simulated robot.

    Returns:
        The scenario, its commands and events in order of time.

    Raises:
        ConfigError: what does not fit, with file and line; all problems at once.
    """
    return load_scenario_located(name_or_path, robot, behaviours)[0]


def load_scenario_located(
    source: str | Path | Mapping[str, Any],
    robot: RobotModel,
    behaviours: Mapping[str, type[Config]] | None = None,
) -> tuple[Scenario, Positions]:
    """Like `load_scenario`, and also returns where each key stands, for checks of what the robot can do.

    Args:
        source: name of a shipped scenario, a file, or the content of one.
        robot: the robot that is to run it.
        behaviours: as for `load_scenario`.
    """
    schema = Scenario if behaviours is None else scenario_type(behaviours)
    if isinstance(source, Mapping):
        scenario, positions = check_data(source, schema)
    else:
        scenario, positions = load_yaml_located(find_scenario(str(source)), schema)
    ConfigError.raise_if_any(
        [
            *_late(scenario, positions),
            *_unknown_names(scenario, positions, robot),
            *_gantry_problems(scenario, positions, robot),
            *footing_problems(scenario, positions, robot),
        ]
    )
    return scaled_to(scenario, robot).in_order(), positions


def trunk_link(robot: RobotModel) -> str:
    """Returns the link of the main body: `trunk` in robot.yaml, else the IMU's link, else the root link."""
    description = robot.description
    if description.trunk is not None:
        return description.trunk
    if description.imu is not None:
        return description.imu.link
    return link_names(robot)[0]


def link_names(robot: RobotModel) -> list[str]:
    """Returns the names of the links of the robot's model, with the root link first."""
    return [frame.name for frame in robot.pin_model.frames if frame.type == pin.FrameType.BODY]


@dataclass(frozen=True)
class Attachment:
    """A point that is fixed to a link.

    Attributes:
        link: name of the link.
        p_LP_m: (3,) position of the point in the frame of the link [m].
        share: fraction of the payload that acts at this point, in (0, 1].
    """

    link: str
    p_LP_m: Vector
    share: float = 1.0


def attachments(robot: RobotModel, link: str, p_LP_m: tuple[float, float, float]) -> tuple[Attachment, ...]:
    """Returns the points of a robot to which a scenario's `link` and `p_LP_m` refer.

    Args:
        robot: model of the robot.
        link: name of a link or of a hand, `trunk` or `hands`.
        p_LP_m: point in the frame of the link; for a hand in the frame of the hand, for `hands` in that of
            each hand.
    """
    point = np.array(p_LP_m, dtype=np.float64)
    hands = robot.hand_names if link == ALL_HANDS else (link,) if link in robot.hand_names else ()
    if hands:
        return tuple(_on_hand(robot, name, point, 1.0 / len(hands)) for name in hands)
    return (Attachment(trunk_link(robot) if link == TRUNK else link, point),)


def _on_hand(robot: RobotModel, name: str, p_HP_m: Vector, share: float) -> Attachment:
    hand = robot.hands[robot.hand_names.index(name)]
    return Attachment(hand_body(hand), frame_in_link(robot, hand.frame_id).act(p_HP_m), share)


def hand_body(hand: HandModel) -> str:
    """Returns the name of the simulated body that is a hand: its tool, or its link if it has none.

    The tool is a body of its own, with the frame of the link, where a force-torque sensor is before it.
    """
    return f"{TOOL}{hand.name}" if hand.tool is not None or hand.wrist is not None else hand.link


def frame_in_link(robot: RobotModel, frame_id: int) -> pin.SE3:
    """Returns the pose of an operational frame (of a sole, a hand or the IMU) in the frame of its link."""
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
        for kind, act in (("hand_push", event.hand_push), ("hand_lead", event.hand_lead)):
            if act is not None and act.hand not in robot.hand_names:
                sentence = f"'{act.hand}' is not a hand of {robot.name}"
                yield positions.problem(("events", index, kind, "hand"), sentence, robot.hand_names)
        yield from _load_problems(index, event.shared_load, positions, robot)
    measured = [robot.hands[wrist.hand].name for wrist in robot.wrists]
    for index, event in enumerate(scenario.events):
        if event.wrist_fault is not None and event.wrist_fault.hand not in measured:
            sentence = f"'{event.wrist_fault.hand}' is not a hand of {robot.name} with a `wrist` sensor"
            yield positions.problem(("events", index, "wrist_fault", "hand"), sentence, measured)
    for name in scenario.tips:
        if name not in robot.hand_names:
            sentence = f"'{name}' is not a hand of {robot.name}"
            yield positions.problem(("tips", name), sentence, robot.hand_names)
    for name, obstacle in scenario.obstacles.items():
        if obstacle.from_hand is not None and obstacle.from_hand not in robot.hand_names:
            sentence = f"'{obstacle.from_hand}' is not a hand of {robot.name}"
            yield positions.problem(("obstacles", name, "from_hand"), sentence, robot.hand_names)
    for key in ("obstacles", "tips"):
        if getattr(scenario, key) and robot.floating:
            yield positions.problem((key,), f"are for arms, and {robot.name} stands on legs: remove them")


def _load_problems(
    index: int, load: SharedLoad | None, positions: Positions, robot: RobotModel
) -> Iterator[Problem]:
    if load is None:
        return
    key = ("events", index, "shared_load")
    if robot.floating:
        yield positions.problem(
            key, f"is for arms, and {robot.name} stands on legs: add a payload to its hands"
        )
    for hand in load.hands:
        if hand not in robot.hand_names:
            sentence = f"'{hand}' is not a hand of {robot.name}"
            yield positions.problem((*key, "hands"), sentence, robot.hand_names)
    if load.hands[0] == load.hands[1]:
        yield positions.problem((*key, "hands"), "are twice the same: a load is shared by two hands")


def _gantry_problems(scenario: Scenario, positions: Positions, robot: RobotModel) -> Iterator[Problem]:
    gantry = scenario.gantry
    if gantry is None:
        return
    if not robot.floating or not robot.contacts:
        yield positions.problem(("gantry",), f"is for robots on legs, and {robot.name} has none: remove it")
        return
    known = [*link_names(robot), TRUNK, *robot.hand_names]
    if gantry.link not in known:
        yield positions.problem(("gantry", "link"), f"'{gantry.link}' is not a link of {robot.name}", known)
    if not isinstance(scenario.ground, Flat):
        yield positions.problem(("gantry",), "stands on flat ground: set ground to {kind: flat}")
    for key in ("lower_at_s", "raise_at_s"):
        at_s = getattr(gantry, key)
        if at_s is not None and at_s >= scenario.duration_s:
            sentence = f"is at or after the end of the run ({scenario.duration_s:g} s)"
            yield positions.problem(("gantry", key), sentence)
