"""Finds the coupled joints and the joints without a motor of an MJCF file, and removes locked joints."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pinocchio as pin

from kilohertz.robots.model.coupled_joints import Group, Locks, lock_groups
from kilohertz.robots.model.mjcf import free_root, moving_root
from kilohertz.robots.model.model_error import ModelFileError
from kilohertz.robots.model.rows import Vector

_CLOSED = 1e-9
"""Largest residual of a closed coupling [m or rad]."""
_NEWTON_STEPS = 50


def lock_coupled(
    model: mujoco.MjModel,
    locked: Mapping[str, float],
    posture: Mapping[str, float],
    with_motor: Collection[str] | None,
    named_links: Collection[str],
) -> Locks:
    """Locks joints that are coupled by equality constraints or tendons, and joints without an actuator.

    They are locked where the constraints hold: at positions that robot.yaml gives, else near those of the
    file.

    Args:
        model: compiled file.
        locked: joints that robot.yaml locks, with their positions [rad, or m for a sliding joint].
        posture: nominal joint positions that robot.yaml gives [rad, or m for a sliding joint].
        with_motor: joints that have a motor by robot.yaml although the file has no actuator for them; None if
            all have one.
        named_links: links of hands, contacts, IMU, trunk and eyes.

    Raises:
        ModelFileError: a constraint or a joint without a motor moves a part that matters for the control.
    """
    given = {model.joint(name).id: value for name, value in locked.items()}
    sets = [(reason, joints - set(given), remedy) for reason, joints, remedy in _sets(model, with_motor)]
    merged = _merge([each for each in sets if each[1]])
    wanted = {
        joint: posture[name]
        for _, joints, _ in merged
        for joint in joints
        if (name := model.joint(joint).name) in posture
    }
    free = {joint for _, joints, _ in merged for joint in joints}
    qpos = _closed(model, given | wanted, free - set(wanted)) if free else model.qpos0
    if qpos is None:
        qpos = _closed(model, given | wanted, free)
    if qpos is None:
        raise ModelFileError("has couplings of joints (equality) that cannot be met by the locked joints")
    groups = []
    for reason, joints, remedy in merged:
        bodies = _carried(model, joints)
        groups.append(
            Group(
                reason,
                {model.joint(j).name: float(qpos[model.jnt_qposadr[j]]) for j in sorted(joints)},
                float(model.body_mass[sorted(bodies)].sum()),
                frozenset(model.body(body).name for body in bodies),
                remedy,
            )
        )
    return lock_groups(groups, float(model.body_mass.sum()), named_links)


def _sets(model: mujoco.MjModel, with_motor: Collection[str] | None) -> Iterable[tuple[str, set[int], str]]:
    """Yields reason, joints and remedy of each set of joints that cannot be moved independently."""
    for index in range(model.neq):
        if model.eq_active0[index]:
            joints = _coupled(model, index)
            kind = mujoco.mjtEq(model.eq_type[index]).name.removeprefix("mjEQ_").lower()
            name = model.equality(index).name or ", ".join(model.joint(j).name for j in sorted(joints))
            yield f"the equality constraint '{name}' ({kind}) couples joints", joints, "remove the constraint"
    for index in range(model.ntendon):
        name = model.tendon(index).name
        if model.tendon_stiffness[index] or model.tendon_limited[index] or model.tendon_frictionloss[index]:
            yield (
                f"the tendon '{name}' has a spring, friction or limits",
                _of_tendon(model, index),
                "remove the tendon",
            )
        elif _drives(model, mujoco.mjtTrn.mjTRN_TENDON, index):
            yield (
                f"the tendon '{name}' drives joints",
                _of_tendon(model, index),
                "give each joint an actuator",
            )
    if model.nu and with_motor is not None:
        moved = {int(j) for index in range(model.ntendon) for j in _of_tendon(model, index)}
        for joint in range(model.njnt):
            name = model.joint(joint).name
            free = model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_FREE
            driven = any(
                _drives(model, kind, joint)
                for kind in (mujoco.mjtTrn.mjTRN_JOINT, mujoco.mjtTrn.mjTRN_JOINTINPARENT)
            )
            if name and not (free or driven or name in with_motor or joint in moved):
                remedy = f"give its motor's limit in torque_limit_Nm: {{{name}: ...}}"
                yield f"joint '{name}' has no actuator", {joint}, remedy


def _drives(model: mujoco.MjModel, kind: mujoco.mjtTrn, index: int) -> bool:
    return bool(((model.actuator_trntype == kind) & (model.actuator_trnid[:, 0] == index)).any())


def _coupled(model: mujoco.MjModel, index: int) -> set[int]:
    """Returns the joints that an equality constraint couples."""
    kinds, kind = mujoco.mjtEq, mujoco.mjtEq(int(model.eq_type[index]))
    objects = [int(i) for i in (model.eq_obj1id[index], model.eq_obj2id[index]) if i >= 0]
    if kind == kinds.mjEQ_JOINT:
        return set(objects)
    if kind == kinds.mjEQ_TENDON:
        return {joint for tendon in objects for joint in _of_tendon(model, tendon)}
    if kind in (kinds.mjEQ_CONNECT, kinds.mjEQ_WELD):
        if model.eq_objtype[index] == mujoco.mjtObj.mjOBJ_SITE:
            objects = [int(model.site_bodyid[site]) for site in objects]
        return _between(model, objects if len(objects) == 2 else [*objects, 0])
    raise ModelFileError(f"has the equality constraint {index} of a flexible body: remove it")


def _of_tendon(model: mujoco.MjModel, tendon: int) -> set[int]:
    first = int(model.tendon_adr[tendon])
    joints: set[int] = set()
    bodies: list[int] = []
    for wrap in range(first, first + int(model.tendon_num[tendon])):
        kind, at = model.wrap_type[wrap], int(model.wrap_objid[wrap])
        if kind == mujoco.mjtWrap.mjWRAP_JOINT:
            joints.add(at)
        elif kind == mujoco.mjtWrap.mjWRAP_SITE:
            bodies.append(int(model.site_bodyid[at]))
    for one, other in itertools.pairwise(bodies):
        joints |= _between(model, [one, other])
    return joints


def _between(model: mujoco.MjModel, bodies: list[int]) -> set[int]:
    """Returns the joints on the path between two bodies."""
    paths = []
    for body in bodies:
        path: set[int] = set()
        while body > 0:
            path |= set(range(model.body_jntadr[body], model.body_jntadr[body] + model.body_jntnum[body]))
            body = int(model.body_parentid[body])
        paths.append(path)
    return paths[0] ^ paths[1]


def _merge(sets: list[tuple[str, set[int], str]]) -> list[tuple[str, set[int], str]]:
    """Merges sets that share joints; the first reason and remedy of each stay."""
    merged: list[tuple[str, set[int], str]] = []
    for reason, joints, remedy in sets:
        joined = (reason, set(joints), remedy)
        for other in [each for each in merged if each[1] & joined[1]]:
            merged.remove(other)
            joined = (other[0], other[1] | joined[1], other[2])
        merged.append(joined)
    return merged


def _carried(model: mujoco.MjModel, joints: Collection[int]) -> set[int]:
    roots = {int(model.jnt_bodyid[joint]) for joint in joints}
    carried = set()
    for body in range(1, model.nbody):
        at = body
        while at > 0 and at not in roots:
            at = int(model.body_parentid[at])
        if at:
            carried.add(body)
    return carried


def _closed(model: mujoco.MjModel, given: Mapping[int, float], free: Collection[int]) -> Vector | None:
    """Returns the qpos near the file's at which all equality constraints hold, by Newton's method.

    Args:
        model: compiled file.
        given: positions of joints that are not changed unless they are in `free`.
        free: joints to change.

    Returns:
        (nq,) positions; None if the constraints cannot be met.
    """
    kind = model.opt.jacobian
    model.opt.jacobian = mujoco.mjtJacobian.mjJAC_DENSE
    data = mujoco.MjData(model)
    data.qpos[:] = model.qpos0
    for joint, value in given.items():
        data.qpos[model.jnt_qposadr[joint]] = value
    dofs = [int(model.jnt_dofadr[joint]) for joint in sorted(free)]
    addresses = [int(model.jnt_qposadr[joint]) for joint in sorted(free)]
    found = None
    for _ in range(_NEWTON_STEPS):
        mujoco.mj_fwdPosition(model, data)
        rows = data.efc_type == mujoco.mjtConstraint.mjCNSTR_EQUALITY
        residual = data.efc_pos[rows]
        if np.abs(residual).max(initial=0.0) < _CLOSED:
            found = np.array(data.qpos)
            break
        # MuJoCo may make the rows longer than nv.
        J = data.efc_J.reshape(len(rows), -1)[rows][:, dofs]
        data.qpos[addresses] -= np.linalg.lstsq(J, residual, rcond=1e-9)[0]
    model.opt.jacobian = kind
    return found


def remove_locked(spec: Any, model: mujoco.MjModel, locked: Mapping[str, float]) -> None:
    """Removes locked joints from a spec, and moves their bodies to where the joints are locked.

    Args:
        spec: spec of the file; what refers to the joints must be removed before.
        model: the same file, compiled.
        locked: position of each locked joint [rad, or m for a sliding joint].
    """
    axes, anchors = np.array(model.jnt_axis), np.array(model.jnt_pos)
    for name, value in locked.items():
        joint = model.joint(name).id
        axis, anchor = axes[joint], anchors[joint]
        turn = value - float(model.qpos0[model.jnt_qposadr[joint]])
        if model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_HINGE:
            R = pin.exp3(turn * axis)
            displacement = pin.SE3(R, anchor - R @ anchor)
        else:
            displacement = pin.SE3(np.eye(3), turn * axis)
        body = spec.joint(name).parent
        pose = _pose(spec, body) * displacement
        quaternion = pin.Quaternion(pose.rotation).coeffs()
        body.pos = pose.translation
        body.alt.type = mujoco.mjtOrientation.mjORIENTATION_QUAT
        body.quat = quaternion[[3, 0, 1, 2]]
        # The joints of the same body before this one move what this one has turned.
        for earlier in range(int(model.body_jntadr[model.jnt_bodyid[joint]]), joint):
            axes[earlier] = displacement.rotation.T @ axes[earlier]
            anchors[earlier] = displacement.actInv(anchors[earlier])
            before = spec.joint(model.joint(earlier).name)
            if before is not None:
                frame = _pose_of_frame(spec, before)
                before.axis, before.pos = frame.rotation.T @ axes[earlier], frame.actInv(anchors[earlier])
        spec.delete(spec.joint(name))


def _pose_of_frame(spec: Any, joint: Any) -> pin.SE3:
    """Returns the pose in its body of the <frame> that a joint of a spec stands in."""
    pose, frame = pin.SE3.Identity(), joint.frame
    while frame is not None:
        pose, frame = _pose(spec, frame) * pose, frame.frame
    return pose


def _pose(spec: Any, element: Any) -> pin.SE3:
    w, x, y, z = _orientation(spec, element)
    return pin.SE3(pin.Quaternion(w, x, y, z).normalized().matrix(), np.array(element.pos))


def _orientation(spec: Any, body: Any) -> Vector:
    """Returns the (4,) quaternion w, x, y, z of a body or frame in its parent, however the file gives it."""
    if body.alt.type == mujoco.mjtOrientation.mjORIENTATION_QUAT:
        return np.array(body.quat, dtype=np.float64)
    return np.array(
        spec.resolve_orientation(
            degree=bool(spec.compiler.degree), sequence=spec.compiler.eulerseq, orientation=body.alt
        ),
        dtype=np.float64,
    )


def compile_without(path: Path, model: mujoco.MjModel, locked: Mapping[str, float]) -> mujoco.MjModel:
    """Compiles an MJCF file without its locked joints, and without what may refer to them.

    Args:
        path: path of the file.
        model: the file, compiled; if its root has a free joint, that of the result has one too.
        locked: position of each locked joint [rad, or m for a sliding joint].
    """
    spec = mujoco.MjSpec.from_file(str(path))
    for element in [*spec.actuators, *spec.sensors, *spec.keys, *spec.equalities, *spec.tendons]:
        spec.delete(element)
    root = model.body(moving_root(model))
    if root.jntnum[0] and model.jnt_type[root.jntadr[0]] == mujoco.mjtJoint.mjJNT_FREE:
        free_root(spec, root.name)
    remove_locked(spec, model, locked)
    return spec.compile()
