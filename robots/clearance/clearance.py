"""Distances of a robot's parts from each other, for set-up, requests and planners.

`clearance_of(robot)` fits the capsules once and keeps them on disk if that takes long; `clearance(robot, q)`
returns the smallest distance at a posture.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pinocchio as pin
import scipy

from kilohertz.robots.clearance.body_capsules import BodyCapsules, body_shapes, fit_body
from kilohertz.robots.clearance.pairs import Pairs, find_pairs
from kilohertz.robots.clearance.segments import nearest_points
from kilohertz.robots.compile.cached_entry import DIGEST_LENGTH, cache_folder
from kilohertz.robots.model.description import CollisionDescription
from kilohertz.robots.model.kin import Floats, Ints
from kilohertz.robots.model.robot_model import RobotModel

_SLOW_S = 0.3
"""A result that took longer is kept on disk [s]."""
_FIELDS: dict[str, type] = {
    "joint": np.int64,
    "first": np.int64,
    "a": np.float64,
    "b": np.float64,
    "radius_m": np.float64,
}
_PAIR_FIELDS: dict[str, type] = {"parts": np.int64, "least_m": np.float64, "braking_m_s2": np.float64}


@dataclass(frozen=True)
class Nearest:
    """The two parts of a robot that are nearest to each other, or nearest to the distance that is kept.

    Attributes:
        distance_m: distance of their capsules; negative if they overlap [m].
        spare_m: the same, less the distance that is kept; negative if they are too close [m].
        pair: names of the two parts: that of a hand, else that of a part's first link.
    """

    distance_m: float
    spare_m: float
    pair: tuple[str, str]


@dataclass(frozen=True, eq=False)
class Clearance:
    """The parts of a robot as capsules, and the pairs of them that are kept clear of each other.

    Attributes:
        robot: the robot.
        body: its parts.
        pairs: the pairs.
    """

    robot: RobotModel
    body: BodyCapsules
    pairs: Pairs

    @property
    def notes(self) -> tuple[str, ...]:
        """One sentence about the parts that have no geometry, if there are any."""
        bare = self.body.bare
        if not bare:
            return ()
        named = ", ".join(f"'{name}'" for name in bare[:4]) + (" and others" if len(bare) > 4 else "")
        return (f"links without readable geometry, which are not kept clear of the body: {named}",)

    def nearest(self, q: Floats) -> Nearest:
        """Returns the pair with the least spare distance.

        Args:
            q: (nq,) configuration, in pinocchio's convention; the pose of a floating base has no effect.
        """
        if not len(self._first):
            return Nearest(np.inf, np.inf, ("", ""))
        distance, spare = self._measure(q)
        at = int(np.argmin(spare))
        first, second = self.pairs.parts[self._pair[at]]
        names = self.body.parts[first], self.body.parts[second]
        return Nearest(float(distance[at]), float(spare[at]), names)

    def inside(self, p_B: Floats, hand: str) -> str:
        """Returns the name of the part of the trunk that contains a goal of a hand, or "".

        Parts of the trunk are those from the base to the trunk that the hand can touch. Limbs are left out,
        because they can make room.

        Args:
            p_B: (3,) goal in the base frame, or in the world for a fixed base [m].
            hand: name of the hand.
        """
        robot, body = self.robot, self.body
        own = body.index(hand)
        trunk = robot.description.trunk
        upto = robot.pin_model.frames[robot.pin_model.getBodyId(trunk)].parentJoint if trunk else 0
        joints = {0, int(robot.floating), *robot.pin_model.supports[upto]}
        near = {i for pair in self.pairs.parts.tolist() if own in pair for i in pair}
        solid = {i for i in near - {own} if int(body.joint[i]) in joints}
        a, b = self._ends_in_base(robot.q_nominal)
        point = np.asarray(p_B, float)
        nearest, _ = nearest_points(a, b, point, point)
        gap = np.linalg.norm(nearest - point, axis=1) - body.radius_m
        at = body.part_of
        hit = [i for i in np.flatnonzero(gap < 0.0) if int(at[i]) in solid]
        return body.parts[int(at[min(hit, key=lambda i: gap[i])])] if hit else ""

    def _measure(self, q: Floats) -> tuple[Floats, Floats]:
        """Returns distance and spare distance of each pair of capsules [m]."""
        a, b = self._ends_in_base(q)
        i, j = self._first, self._second
        p, other = nearest_points(a[i], b[i], a[j], b[j])
        distance: Floats = np.linalg.norm(p - other, axis=1) - self.body.radius_m[i] - self.body.radius_m[j]
        return distance, distance - self.pairs.least_m[self._pair]

    def _ends_in_base(self, q: Floats) -> tuple[Floats, Floats]:
        posture = np.array(q, float)
        if self.robot.floating:
            posture[:7] = [0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]
        pin.forwardKinematics(self.robot.pin_model, self._data, posture)
        return self.body.ends(self._data)

    @cached_property
    def _data(self) -> pin.Data:
        return self.robot.pin_model.createData()

    @cached_property
    def _capsule_pairs(self) -> tuple[Ints, Ints, Ints]:
        first = self.body.first
        rows = [
            (i, j, pair)
            for pair, (one, other) in enumerate(self.pairs.parts.tolist())
            for i in range(first[one], first[one + 1])
            for j in range(first[other], first[other + 1])
        ]
        table = np.array(rows, np.int64).reshape(-1, 3)
        return table[:, 0], table[:, 1], table[:, 2]

    @property
    def _first(self) -> Ints:
        return self._capsule_pairs[0]

    @property
    def _second(self) -> Ints:
        return self._capsule_pairs[1]

    @property
    def _pair(self) -> Ints:
        return self._capsule_pairs[2]


_KNOWN: WeakKeyDictionary[RobotModel, Clearance] = WeakKeyDictionary()


def clearance(robot: RobotModel, q: Floats) -> Nearest:
    """Returns the smallest distance between two parts of a robot that can touch, and their names.

    Args:
        robot: the robot.
        q: (nq,) configuration, in pinocchio's convention.
    """
    return clearance_of(robot).nearest(q)


def clearance_of(robot: RobotModel) -> Clearance:
    """Returns capsules and pairs of a robot, which are computed once and kept on disk if that takes long."""
    known = _KNOWN.get(robot)
    if known is None:
        known = _KNOWN[robot] = _load(robot)
    return known


def _load(robot: RobotModel) -> Clearance:
    kept = cache_folder() / f"clearance_{robot.name}_{_digest(robot)}.json"
    try:
        return _from_json(robot, json.loads(kept.read_text()))
    except (OSError, ValueError, KeyError, TypeError):
        pass
    started_s = time.monotonic()
    shapes = body_shapes(robot)
    body = fit_body(robot, shapes)
    rules = robot.description.collision or CollisionDescription()
    found = Clearance(robot, body, find_pairs(robot, body, shapes, rules.margin_m, rules.ignore))
    if time.monotonic() - started_s > _SLOW_S:
        partial = kept.with_suffix(f".{time.monotonic_ns()}.part")
        try:
            partial.write_text(json.dumps(_to_json(found)))
            partial.replace(kept)
        except OSError:  # a full disk: it is computed again at the next start
            partial.unlink(missing_ok=True)
    return found


def _to_json(found: Clearance) -> dict[str, Any]:
    def plain(value: Any) -> Any:
        return value.tolist() if isinstance(value, np.ndarray) else value

    body = {key: plain(value) for key, value in vars(found.body).items()}
    return {"body": body, "pairs": {key: plain(value) for key, value in vars(found.pairs).items()}}


def _from_json(robot: RobotModel, kept: dict[str, Any]) -> Clearance:
    body, pairs = kept["body"], kept["pairs"]
    arrays: dict[str, Any] = {key: np.array(body[key], kind) for key, kind in _FIELDS.items()}
    for key in ("a", "b"):
        arrays[key] = arrays[key].reshape(-1, 3)
    found: dict[str, Any] = {key: np.array(pairs[key], kind) for key, kind in _PAIR_FIELDS.items()}
    found["parts"] = found["parts"].reshape(-1, 2)
    members = tuple(tuple(links) for links in body["members"])
    return Clearance(
        robot,
        BodyCapsules(tuple(body["parts"]), members, bare=tuple(body["bare"]), **arrays),
        Pairs(**found),
    )


def _digest(robot: RobotModel) -> str:
    """Returns a hash of all that the result depends on; of a mesh, its path, size and time of change."""
    digest = hashlib.sha256(f"{robot.model_sha256} {robot.config_sha256}".encode())
    for limit in (robot.position_lower_rad, robot.position_upper_rad, robot.torque_limit_Nm, robot.q_nominal):
        digest.update(limit.tobytes())
    digest.update(" ".join((np.__version__, scipy.__version__, pin.__version__)).encode())
    for source in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    for path in sorted(_mesh_files(robot)):
        try:
            state = path.stat()
        except OSError:
            continue
        digest.update(f"{path} {state.st_size} {state.st_mtime_ns}".encode())
    return digest.hexdigest()[:DIGEST_LENGTH]


def _mesh_files(robot: RobotModel) -> set[Path]:
    """Returns the files that the model names; all files of its folder for an MJCF file."""
    if robot.model_format == "mjcf":
        return {path for path in robot.model_path.parent.rglob("*") if path.is_file()}
    return {Path(name) for name in re.findall(r'filename="([^"]+)"', robot.urdf_text)}
