"""What the robot is asked to do, as a row of numbers: recorded, replayed and sent like any other row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pinocchio as pin

from kilohertz.controller.problem.soles import can_rest, com_height, sole_corners
from kilohertz.controller.upper_body.gaze_range import GAZE_SIZE, write_gaze
from kilohertz.controller.upper_body.hand_targets import HAND_TARGET_SIZE, MOST_HANDS, write_hand_targets
from kilohertz.controller.upper_body.reach import arm_length_m, nearest_pose
from kilohertz.controller.walking.footstep_check import FootstepError, check_footsteps
from kilohertz.controller.walking.route import FOOTSTEP_SIZE, MOST_FOOTSTEPS
from kilohertz.controller.walking.speed import check_speed
from kilohertz.robots.model.gravity import GRAVITY_M_S2
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Row, Vector

DAMP, STAND, SWAY, SQUAT, REACH, CIRCLE, WALK, SIT, FOOTSTEPS = range(9)
_CODES = {
    "damp": DAMP,
    "stand": STAND,
    "sway": SWAY,
    "squat": SQUAT,
    "reach": REACH,
    "circle": CIRCLE,
    "walk": WALK,
    "sit": SIT,
    "footsteps": FOOTSTEPS,
}
_AXES = {"x": 0, "y": 1}
_PLANES = {"xy": (0, 1), "xz": (0, 2), "yz": (1, 2)}
_SIT_DEPTH = 0.3
"""Of the same height: how far down a robot goes before it lets itself be damped."""
_DEEPEST_SQUAT = 0.4
"""Of the nominal height of the centre of mass; deeper, and the knees or ankles of no shipped robot follow."""


_HARDEST_SQUAT_G, _HARDEST_CIRCLE_G = 0.5, 2.0
"""Largest acceleration that may be asked for; half way to where the soles leave the ground, and what an arm
hardly does."""
_MISSED_M, _MISSED_RAD = 0.02, 0.2


class RequestRow(Row):
    """One request; fields that a behaviour does not use are 0.

    Fields: behaviour [1] (code), at_s [1]; amplitude_m [1], period_s [1], axes [2] (sway: axis; circle:
    plane); hand [1] (index), p_WH [3] (NaN: stay), R_WH [9] (row by row; NaN: stay), offset [3] (from the
    hand's place at the start of the run; NaN: not relative); velocity [3] (walk: forward, to the left [m/s],
    turning [rad/s]); n_footsteps [1], footsteps (each: contact (index), x, y, z [m], yaw [rad] from the
    middle of the soles as it begins); hands (what each is to hold meanwhile, see
    `kilohertz.controller.upper_body.hand_targets`); gaze
    (see `kilohertz.controller.upper_body.gaze_range`).
    """

    behaviour: Vector
    at_s: Vector
    amplitude_m: Vector
    period_s: Vector
    axes: Vector
    hand: Vector
    p_WH: Vector
    R_WH: Vector
    offset: Vector
    velocity: Vector
    n_footsteps: Vector
    footsteps: Vector
    hands: Vector
    gaze: Vector

    def __init__(self) -> None:
        super().__init__(
            (
                ("behaviour", 1),
                ("at_s", 1),
                ("amplitude_m", 1),
                ("period_s", 1),
                ("axes", 2),
                ("hand", 1),
                ("p_WH", 3),
                ("R_WH", 9),
                ("offset", 3),
                ("velocity", 3),
                ("n_footsteps", 1),
                ("footsteps", MOST_FOOTSTEPS * FOOTSTEP_SIZE),
                ("hands", MOST_HANDS * HAND_TARGET_SIZE),
                ("gaze", GAZE_SIZE),
            )
        )

    def route(self) -> Vector:
        """(n, 5) view of the footsteps."""
        used = int(self.n_footsteps[0]) * FOOTSTEP_SIZE
        return self.footsteps[:used].reshape(-1, FOOTSTEP_SIZE)

    def hand_targets(self) -> Vector:
        """(MOST_HANDS, HAND_TARGET_SIZE) view of what the hands are to do."""
        return self.hands.reshape(MOST_HANDS, HAND_TARGET_SIZE)


def make_request(robot: RobotModel, kind: str, params: Mapping[str, Any], at_s: float = 0.0) -> RequestRow:
    """The row for a behaviour and its parameters, named as in a scenario.

    Args:
        robot: the robot that is to do it.
        kind: damp, stand, sway, squat, reach, circle, walk, sit or footsteps.
        params: with units in their names, as `amplitude_m`; see the scenario format.
        at_s: when it begins [s].

    Returns:
        The row.

    Raises:
        ValueError: for what this robot cannot do; a `FootstepError` or `TargetError` says where.
    """
    if kind not in _CODES:
        raise ValueError(f"there is no behaviour '{kind}'; there are {', '.join(_CODES)}")
    if kind in ("sway", "squat", "walk", "sit", "footsteps") and not robot.floating:
        raise ValueError(
            f"'{robot.name}' is fixed to the ground: it cannot {kind}; ask for stand, reach or circle"
        )
    row = RequestRow()
    row.behaviour[0], row.at_s[0] = _CODES[kind], at_s
    row.p_WH[:] = row.R_WH[:] = row.offset[:] = math.nan
    if kind == "sway":
        row.amplitude_m[0] = _positive(kind, params, "amplitude_m")
        row.period_s[0] = _positive(kind, params, "period_s")
        row.axes[0] = _AXES[_one_of(kind, params, "axis", "y", _AXES)]
        _check_sway(robot, row)
    elif kind == "squat":
        row.amplitude_m[0] = _positive(kind, params, "depth_m")
        row.period_s[0] = _positive(kind, params, "period_s")
        height = com_height(robot)
        if row.amplitude_m[0] > _DEEPEST_SQUAT * height:
            raise ValueError(
                f"a squat of {row.amplitude_m[0]:.2f} m is too deep for '{robot.name}', whose centre of mass "
                f"stands {height:.2f} m high; ask for at most {_DEEPEST_SQUAT * height:.2f} m"
            )
        # Down and up again is a sine of half the depth.
        _check_swing(kind, row, 0.5 * float(row.amplitude_m[0]), _HARDEST_SQUAT_G)
    elif kind == "sit":
        row.amplitude_m[0] = _SIT_DEPTH * com_height(robot)
    elif kind == "walk":
        row.velocity[:2] = _vector(kind, params, "velocity_m_s", "two")
        row.velocity[2] = params.get("yaw_rate_rad_s", 0.0)
        check_speed(robot, row.velocity)
    elif kind == "footsteps":
        _write_footsteps(robot, row, params.get("steps", ()))
    elif kind in ("reach", "circle"):
        row.hand[0] = _hand_index(robot, params.get("hand"))
        if params.get("p_WH_m") is not None:
            row.p_WH[:] = _vector(kind, params, "p_WH_m")
        if params.get("offset_m") is not None:
            row.offset[:] = _vector(kind, params, "offset_m")
        if params.get("rpy_WH_rad") is not None:
            row.R_WH[:] = pin.rpy.rpyToMatrix(_vector(kind, params, "rpy_WH_rad")).ravel()
        if kind == "circle":
            row.amplitude_m[0] = _positive(kind, params, "radius_m")
            row.period_s[0] = _positive(kind, params, "period_s")
            row.axes[:] = _PLANES[_one_of(kind, params, "plane", "yz", _PLANES)]
            _check_swing(kind, row, float(row.amplitude_m[0]), _HARDEST_CIRCLE_G)
        _check_reach(robot, row)
    write_hand_targets(robot, params.get("hands") or {}, row.hand_targets())
    if params.get("gaze") is not None:
        write_gaze(robot, params["gaze"], row.gaze)
    if kind not in ("damp", "walk") and robot.floating and not can_rest(robot):
        raise ValueError(
            f"'{robot.name}' has point feet and cannot stand still; ask it to walk, at 0 m/s to step in place"
        )
    return row


def soft_stop(robot: RobotModel) -> RequestRow:
    """What a robot does before it is damped because somebody wants it to stop.

    An arm holds still. A biped that were damped as it stands would drop by its whole height: it comes to rest
    and crouches first. One on points cannot rest, and steps on the spot.
    """
    if not robot.floating:
        return make_request(robot, "stand", {})
    if not can_rest(robot):
        return make_request(robot, "walk", {"velocity_m_s": (0.0, 0.0)})
    return make_request(robot, "sit", {})


def _write_footsteps(robot: RobotModel, row: RequestRow, steps: Sequence[Mapping[str, Any]]) -> None:
    if len(steps) > MOST_FOOTSTEPS:
        raise ValueError(f"footsteps are at most {MOST_FOOTSTEPS}, not {len(steps)}; split them up")
    row.n_footsteps[0] = len(steps)
    for i, (step, place) in enumerate(zip(steps, row.route(), strict=True)):
        foot = step.get("foot")
        if foot not in robot.contact_names:
            raise FootstepError(
                i, f"'{foot}' is no foot of '{robot.name}'; {' or '.join(robot.contact_names)}"
            )
        place[0] = robot.contact_names.index(str(foot))
        place[1:4] = _vector("footsteps", step, "p_SF_m")
        place[4] = step.get("yaw_rad", 0.0)
    check_footsteps(robot, row.route())


def _positive(kind: str, params: Mapping[str, Any], key: str) -> float:
    value = params.get(key)
    if not isinstance(value, (int, float)) or not 0.0 < value < math.inf:
        raise ValueError(f"'{kind}' needs {key}, a number above 0, not {value}")
    return float(value)


def _vector(kind: str, params: Mapping[str, Any], key: str, size: str = "three") -> Vector:
    given = params.get(key)
    value = np.array(math.nan if given is None else given, dtype=np.float64)
    if value.shape != ({"two": 2, "three": 3}[size],) or not np.isfinite(value).all():
        raise ValueError(f"'{kind}' needs {size} numbers as {key}, not {given}")
    return value


def _one_of(kind: str, params: Mapping[str, Any], key: str, default: str, names: Mapping[str, Any]) -> str:
    name = str(params.get(key, default))
    if name not in names:
        raise ValueError(f"'{kind}' knows no {key} '{name}'; there are {', '.join(names)}")
    return name


def _hand_index(robot: RobotModel, hand: str | None) -> int:
    if not robot.hands:
        raise ValueError(f"'{robot.name}' has no hands in its robot.yaml")
    if hand is None:
        return 0
    if hand not in robot.hand_names:
        raise ValueError(f"'{robot.name}' has no hand '{hand}'; it has {', '.join(robot.hand_names)}")
    return robot.hand_names.index(hand)


def _check_swing(kind: str, row: RequestRow, amplitude_m: float, most_g: float) -> None:
    """Refuses a sine that is too fast for anything with a mass."""
    period_s = float(row.period_s[0])
    shortest_s = 2.0 * math.pi * math.sqrt(amplitude_m / (most_g * GRAVITY_M_S2))
    if period_s < shortest_s:
        raise ValueError(
            f"a {kind} of {row.amplitude_m[0]:.2f} m every {period_s:g} s needs more than {most_g:g} times "
            f"gravity's acceleration; ask for a period_s of at least {shortest_s:.2f}"
        )


def _check_reach(robot: RobotModel, row: RequestRow) -> None:
    """Refuses what a hand certainly does not get to: where an arm is bolted down, every place it misses.

    A robot that stands leans and crouches for it, and may have walked: there only a circle's size counts.
    """
    i = int(row.hand[0])
    name, length_m = robot.hand_names[i], arm_length_m(robot, robot.hands[i])
    if row.amplitude_m[0] > length_m:
        raise ValueError(
            f"a circle of radius {row.amplitude_m[0]:.2f} m is too large for {name}, whose arm is "
            f"{length_m:.2f} m long"
        )
    if robot.floating or not math.isfinite(row.p_WH[0]):
        return
    R_WH = row.R_WH.reshape(3, 3) if math.isfinite(row.R_WH[0]) else None
    nearest = nearest_pose(robot, robot.hands[i], row.p_WH, R_WH)
    if nearest.off_m > _MISSED_M or nearest.off_rad > _MISSED_RAD:
        raise ValueError(f"{name} does not get there{nearest.told(R_WH is not None)}")


def _check_sway(robot: RobotModel, row: RequestRow) -> None:
    """Refuses a sway whose zero-moment point would leave the soles."""
    corners = sole_corners(robot)
    axis = int(row.axes[0])
    half_width = float(np.ptp(corners[:, axis])) / 2.0
    height = com_height(robot)
    # A sine of the centre of mass moves the zero-moment point by (1 + (w / omega)^2) times its amplitude.
    gain = 1.0 + (2.0 * math.pi / row.period_s[0]) ** 2 * height / GRAVITY_M_S2
    if row.amplitude_m[0] * gain > half_width:
        raise ValueError(
            f"a sway of {row.amplitude_m[0]:.3f} m every {row.period_s[0]:.1f} s would tip '{robot.name}' "
            f"over its soles; ask for at most {half_width / gain:.3f} m, or a longer period_s"
        )
