"""A request to the controller as a row of numbers: the behaviour, the time when it begins and its parameters.

The header is the same for every behaviour; the payload holds the numbers that the behaviour declares.
Recorded requests of other behaviours therefore remain valid when a behaviour is added.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pydantic

from kilohertz.controller.behaviours.base import Behaviour, BehaviourError, Payload, UpperBodyParameters
from kilohertz.controller.behaviours.registry import Behaviours, behaviours_of
from kilohertz.controller.joint_motion.plan_row import MOST_JOINTS, START, JointState, PlanRow
from kilohertz.controller.problem.soles import can_rest
from kilohertz.controller.streams.stream_row import MOST_HANDS
from kilohertz.controller.upper_body.gaze_range import GAZE_SIZE, write_gaze
from kilohertz.controller.upper_body.hand_targets import HAND_TARGET_SIZE, write_hand_targets
from kilohertz.robots.config.config_error import ConfigError, did_you_mean
from kilohertz.robots.config.yaml_sentences import findings, key_path
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Row, Vector

_HEADER = (("behaviour", 1), ("at_s", 1), ("stop", 1))
_ALIKE = 0.05
"""Largest difference of each number of requests for the same motion [m], [m/s], [rad], [rad/s]."""


def behaviour_id(name: str) -> int:
    """Returns the number of a behaviour in a row, which depends on its name only."""
    return zlib.crc32(name.encode())


class RequestRow(Row):
    """One request to the controller.

    Args:
        kind: class of the behaviour.

    Attributes:
        kind: class of the behaviour.
        behaviour: (1,) number of the behaviour, see `behaviour_id`.
        at_s: (1,) time when the behaviour begins [s].
        stop: (1,) 1 for a request to come to rest, after which the controller is idle; else 0.
        payload: numbers of the behaviour, by the names of its `fields`.
        hand_targets: (MOST_HANDS, HAND_TARGET_SIZE) target of each hand, see `upper_body.hand_targets`; no
            rows for a behaviour that accepts no targets of hands and gaze.
        gaze: (GAZE_SIZE,) gaze target, see `upper_body.gaze_range`; empty for such a behaviour.
    """

    behaviour: Vector
    at_s: Vector
    stop: Vector
    hands: Vector
    gaze: Vector

    def __init__(self, kind: type[Behaviour]) -> None:
        upper_body = issubclass(kind.Parameters, UpperBodyParameters)
        targets, gaze = (MOST_HANDS * HAND_TARGET_SIZE, GAZE_SIZE) if upper_body else (0, 0)
        super().__init__((*_HEADER, *kind.fields, ("hands", targets), ("gaze", gaze)))
        self.kind = kind
        self.payload: Payload = {name: getattr(self, name) for name, _ in kind.fields}
        self.hand_targets = self.hands.reshape(-1, HAND_TARGET_SIZE)
        self.behaviour[0] = behaviour_id(kind.name)


def most_request_numbers(robot: RobotModel) -> int:
    """Returns the length of the longest request that this robot can get, in numbers."""
    return max(RequestRow(kind).data.size for kind in behaviours_of(robot).values())


def same_motion(a: RequestRow | None, b: RequestRow) -> bool:
    """Returns whether two requests make the robot move alike; a is None if there was none before."""
    if a is None or a.kind is not b.kind or a.stop[0] != b.stop[0]:
        return False
    before, after = a.data[len(_HEADER) :], b.data[len(_HEADER) :]
    # Numbers that are not given are NaN.
    alike = (np.abs(after - before) <= _ALIKE) | (np.isnan(before) & np.isnan(after))
    return bool(alike.all())


def make_request(
    robot: RobotModel,
    name: str,
    parameters: Mapping[str, Any],
    at_s: float = 0.0,
    *,
    stop: bool = False,
    start: JointState | None = None,
) -> RequestRow:
    """Returns the request for a behaviour with parameters, named as in a scenario.

    Args:
        robot: the robot that receives the request.
        name: name of the behaviour.
        parameters: parameters of the behaviour, with units in their names.
        at_s: time when the behaviour begins [s].
        stop: whether the controller becomes idle as soon as the robot is at rest.
        start: state of an arm's joints in which the behaviour begins; None for rest at the nominal posture.

    Returns:
        The request.

    Raises:
        BehaviourError: this robot cannot do what is requested; one sentence, with the parameter concerned.
    """
    kinds = behaviours_of(robot)
    if name not in kinds:
        raise BehaviourError(
            (), f"there is no behaviour '{name}'{did_you_mean(name, kinds)}; there are {', '.join(kinds)}"
        )
    kind = kinds[name]
    _check_base(robot, kind, kinds)
    given = _validated(kind, parameters)
    kind.check(robot, given)
    _check_feet(robot, kind)
    row = RequestRow(kind)
    row.at_s[0], row.stop[0] = at_s, float(stop)
    if START in row.payload and not robot.floating and robot.na <= MOST_JOINTS:
        begins = JointState.at_rest(robot.q_nominal) if start is None else start
        PlanRow.of(row.payload, robot.na).write_start(begins)
    kind.write(robot, given, row.payload)
    if isinstance(given, UpperBodyParameters):
        targets = given.model_dump(include={"hands", "gaze"}, exclude_none=True)
        write_hand_targets(robot, targets.get("hands", {}), row.hand_targets)
        if "gaze" in targets:
            write_gaze(robot, targets["gaze"], row.gaze)
    return row


def request_from_numbers(robot: RobotModel, numbers: Sequence[float]) -> RequestRow:
    """Restores a request from recorded numbers.

    Args:
        robot: the robot that received the request.
        numbers: recorded numbers of the row.

    Raises:
        ConfigError: the behaviour is not installed, or it has other parameters than when it was recorded.
    """
    for kind in behaviours_of(robot).values():
        if numbers and numbers[0] == behaviour_id(kind.name):
            row = RequestRow(kind)
            if len(numbers) != row.data.size:
                raise ConfigError(
                    f"the recorded request '{kind.name}' has other parameters than in this version"
                )
            row.data[:] = numbers
            return row
    raise ConfigError("a recorded request asks for a behaviour that is not installed here")


def soft_stop(robot: RobotModel) -> RequestRow:
    """Returns the request that brings a robot to rest before its joints are damped.

    An arm holds still. A biped comes to rest and crouches, because it would drop by its whole height if it
    were damped while it stands. A robot on point feet cannot rest, and steps in place.
    """
    if not robot.floating:
        return make_request(robot, "stand", {}, stop=True)
    if not can_rest(robot):
        return make_request(robot, "walk", {"velocity_m_s": (0.0, 0.0)}, stop=True)
    return make_request(robot, "sit", {}, stop=True)


def _check_base(robot: RobotModel, kind: type[Behaviour], kinds: Behaviours) -> None:
    """Raises BehaviourError if the robot is fixed to the ground and the behaviour needs legs."""
    if not robot.floating and not kind.fixed_base:
        others = [other.name for other in kinds.values() if other.fixed_base]
        raise BehaviourError(
            (), f"'{robot.name}' is fixed to the ground: it cannot {kind.name}; ask for {', '.join(others)}"
        )


def _check_feet(robot: RobotModel, kind: type[Behaviour]) -> None:
    """Raises BehaviourError if the robot has point feet and the behaviour needs it to stand still."""
    if robot.floating and not kind.works_on_points and not can_rest(robot):
        raise BehaviourError(
            (),
            f"'{robot.name}' has point feet and cannot stand still; ask it to walk, at 0 m/s to step in "
            "place",
        )


def _validated(kind: type[Behaviour], parameters: Mapping[str, Any]) -> Any:
    data = _plain(parameters)
    try:
        return kind.Parameters.model_validate(data)
    except pydantic.ValidationError as error:
        finding = findings(data, error)[0]
        where = f"{key_path(finding.loc)} " if finding.loc else ""
        hint = ""
        if finding.unknown_key:
            known = kind.Parameters.model_fields
            hint = did_you_mean(str(finding.loc[-1]), known)
            if not hint and len(finding.loc) == 1:
                hint = f"; {kind.name} takes {', '.join(known) or 'none'}"
        raise BehaviourError(finding.loc, f"'{kind.name}': {where}{finding.sentence}{hint}") from None


def _plain(value: Any) -> Any:
    """Converts arrays and tuples, also nested ones, to the lists and dicts that a file would hold."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value
