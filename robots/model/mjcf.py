"""Builds the controller's model of an MJCF file from MuJoCo's compiled model, and its actuator limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mujoco
import numpy as np
import pinocchio as pin

from kilohertz.robots.model.description import IGNORE_SPRINGS
from kilohertz.robots.model.model_error import ModelFileError
from kilohertz.robots.model.rows import Vector

LARGEST = 1e9
_BOUNDED = {
    "body_mass": "a mass",
    "body_inertia": "a moment of inertia",
    "body_ipos": "a centre of mass",
    "body_iquat": "an orientation of an inertia",
    "body_pos": "a position of a body",
    "body_quat": "an orientation of a body",
    "jnt_pos": "a position of a joint",
    "jnt_axis": "an axis of a joint",
    "jnt_range": "a limit of a joint",
    "dof_armature": "an armature",
    "qpos0": "a reference of a joint",
}
"""Arrays of a compiled model that must be finite and not absurdly large, and what is in them."""


def compile_mjcf(path: Path) -> mujoco.MjModel:
    """Compiles an MJCF file with MuJoCo.

    Raises:
        ModelFileError: MuJoCo cannot read the file.
    """
    try:
        model = mujoco.MjModel.from_xml_path(str(path))
    except (ValueError, RuntimeError, MemoryError) as error:
        raise ModelFileError(f"MuJoCo cannot read it: {' '.join(str(error).split())}") from None
    for name, what in _BOUNDED.items():
        if not np.isfinite(getattr(model, name)).all():
            raise ModelFileError(f"has {what} that is not a finite number")
        if not (np.abs(getattr(model, name)) < LARGEST).all():
            raise ModelFileError(f"has {what} above {LARGEST:.0e}, which no robot has")
    return model


def free_root(spec: Any, root: str) -> bool:
    """Gives the robot's root body a free joint if it has no joint, as in files that were made from a URDF.

    Six joints that move the root freely are replaced. Keyframes and sensors of the spec, which do not fit the
    new joint, are removed.

    Args:
        spec: spec of the file, which is changed.
        root: name of the root body.

    Returns:
        Whether it had no free joint.
    """
    body = spec.body(root)
    if body.joints and not _moves_freely([joint.type for joint in body.joints]):
        return False
    for element in [*spec.keys, *spec.sensors, *body.joints]:
        spec.delete(element)
    body.add_freejoint()
    return True


def has_free_root(model: mujoco.MjModel) -> bool:
    """Whether the root body has a free joint, or three sliding and three turning joints without an actuator.

    Raises:
        ModelFileError: see `moving_root`.
    """
    joints = _joints_of(model, moving_root(model))
    kinds = [int(model.jnt_type[joint]) for joint in joints]
    if mujoco.mjtJoint.mjJNT_FREE in kinds:
        return True
    return _moves_freely(kinds) and not any(_is_driven(model, joint) for joint in joints)


def _moves_freely(kinds: list[int]) -> bool:
    slide, hinge = int(mujoco.mjtJoint.mjJNT_SLIDE), int(mujoco.mjtJoint.mjJNT_HINGE)
    return sorted(int(kind) for kind in kinds) == sorted([slide] * 3 + [hinge] * 3)


def _joints_of(model: mujoco.MjModel, body: int) -> range:
    first = int(model.body_jntadr[body])
    return range(first, first + int(model.body_jntnum[body]))


def _is_driven(model: mujoco.MjModel, joint: int) -> bool:
    by_joint = (model.actuator_trntype == mujoco.mjtTrn.mjTRN_JOINT) | (
        model.actuator_trntype == mujoco.mjtTrn.mjTRN_JOINTINPARENT
    )
    return bool((by_joint & (model.actuator_trnid[:, 0] == joint)).any())


def moving_root(model: mujoco.MjModel) -> int:
    """Returns the id of the robot's root body: the child of the world that carries all joints.

    Raises:
        ModelFileError: no joint moves, joints are below two children of the world, or the root has no name.
    """
    roots = sorted({int(model.body_rootid[body]) for body in model.jnt_bodyid})
    if not roots:
        raise ModelFileError("has no joint that can move")
    if len(roots) > 1:
        named = " and ".join(f"'{model.body(root).name}'" for root in roots[:2])
        raise ModelFileError(
            f"has {len(roots)} root bodies with joints, such as {named}: give a file with the robot alone, "
            "and put the arms of one robot into one common body"
        )
    if not model.body(roots[0]).name:
        raise ModelFileError("has a root body without a name: give it one")
    return roots[0]


def check_joints(model: mujoco.MjModel) -> None:
    """Refuses a file whose joints have no names or that has ball joints, two roots or a root in a plane.

    Args:
        model: the whole file, before joints are locked.

    Raises:
        ModelFileError: see above.
    """
    root = moving_root(model)
    for joint in range(model.njnt):
        _check_joint(model, joint)
    joints = _joints_of(model, root)
    if (
        model.nu
        and len(joints) > 1
        and not has_free_root(model)
        and not any(_is_driven(model, joint) for joint in joints)
    ):
        names = _listed([model.joint(joint).name for joint in joints])
        raise ModelFileError(
            f"the root body '{model.body(root).name}' moves by joints without an actuator ({names}), as that "
            "of a robot in a plane: give the body a <freejoint/> instead"
        )


def check_mjcf(model: mujoco.MjModel, whole: mujoco.MjModel, ignore_springs: bool = False) -> tuple[str, ...]:
    """Refuses springs of joints, and says which parts of a file the controller's model does not have.

    Args:
        model: compiled file without its locked joints.
        whole: the whole file, with its actuators.
        ignore_springs: whether springs that are weaker than the motors of their joints are left out.

    Returns:
        One sentence for each part of the file that is left out.

    Raises:
        ModelFileError: a joint has a spring that is not left out.
    """
    root = moving_root(model)
    notes = _check_springs(model, whole, ignore_springs)
    lifted = [model.body(body).name for body in range(1, model.nbody) if model.body_gravcomp[body]]
    if lifted:
        notes.append(
            f"gravity compensation (gravcomp) of {_listed(lifted)} is ignored: the links have weight"
        )
    scenery = [
        model.body(body).name or "without a name"
        for body in range(1, model.nbody)
        if model.body_parentid[body] == 0 and body != root
    ]
    if scenery:
        notes.append(f"{_listed(scenery)}: a body that is not part of the robot is left out")
    if model.npair:
        notes.append("the contact pairs of the file are left out: its shapes collide by the usual rules")
    return tuple(notes)


def _check_springs(model: mujoco.MjModel, whole: mujoco.MjModel, ignore: bool) -> list[str]:
    names, worst_Nm = [], 0.0
    for joint in range(model.njnt):
        # Stiffness of higher orders multiplies the second and third power of the angle.
        orders = np.concatenate([model.jnt_stiffness[joint : joint + 1], model.jnt_stiffnesspoly[joint]])
        if not orders.any() or model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_FREE:
            continue
        name, stiffness = model.joint(joint).name, float(orders[np.flatnonzero(orders)[0]])
        at = model.qpos_spring[model.jnt_qposadr[joint]]
        ends = model.jnt_range[joint] if model.jnt_limited[joint] else at + np.array([-np.pi, np.pi])
        stretch = np.abs(ends - at)
        torque = sum(abs(float(factor)) * stretch ** (order + 1) for order, factor in enumerate(orders))
        most_Nm = float(np.max(torque))
        weak = most_Nm <= float(actuator_limits(whole, (name,))[0]) < np.inf
        if not (ignore and weak):
            remedy = f", or leave out weak springs with '{IGNORE_SPRINGS}: true'" if weak else ""
            stronger = "" if weak else f", of up to {most_Nm:.3g} Nm, which its motor may not overcome,"
            raise ModelFileError(
                f"joint '{name}' has a spring (stiffness {stiffness:g}){stronger or ','} which the "
                f"controller's model cannot have: remove its stiffness{remedy}"
            )
        names.append(name)
        worst_Nm = max(worst_Nm, most_Nm)
    if not names:
        return []
    return [
        f"springs of the joints {_listed(names)} (up to {worst_Nm:.3g} Nm within their limits) are left out "
        f"of the controller's model and of the simulation ({IGNORE_SPRINGS})"
    ]


def _check_joint(model: mujoco.MjModel, joint: int) -> None:
    kind, body = model.jnt_type[joint], int(model.jnt_bodyid[joint])
    where = f"body '{model.body(body).name}'"
    if kind == mujoco.mjtJoint.mjJNT_FREE:
        if model.body_jntnum[body] > 1:
            raise ModelFileError(f"{where} has a free joint and another joint")
        return
    name = model.joint(joint).name
    if not name:
        raise ModelFileError(f"{where} has a joint without a name: give it one")
    if kind == mujoco.mjtJoint.mjJNT_BALL:
        raise ModelFileError(
            f"{where} has a ball joint, '{name}'; a joint must have one degree of freedom: give the body "
            "three hinge joints, each with its motor, instead"
        )


def _listed(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def pinocchio_model(model: mujoco.MjModel) -> pin.Model:
    """Builds pinocchio's model from MuJoCo's compiled model, so that both have the same defaults and units.

    pinocchio's own reader of MJCF does not follow includes, `<frame>`, defaults after their use and the `ref`
    of joints. A fixed root keeps its pose in the file. The position of a joint is MuJoCo's, so that it is
    `ref` in the configuration of the file. The joints of a body with several follow one another in the order
    of the file, and only the last one carries the body.

    Args:
        model: compiled file that `check_joints` accepts.

    Returns:
        Model with a free-flyer root if the root body has a free joint. It has a frame for each named link of
        the robot and for each site, position limits [rad or m] and armature [kg m^2].
    """
    built = pin.Model()
    root = moving_root(model)
    joint_of = {0: (0, pin.SE3.Identity())}
    frame_of: dict[int, int] = {}
    for body in range(1, model.nbody):
        if model.body_rootid[body] != root:
            continue
        parent, pose_PB = joint_of[int(model.body_parentid[body])]
        pose_PB = pose_PB * _pose(model.body_pos[body], model.body_quat[body])
        for joint in _joints_of(model, body):
            parent, pose_PB = _add_joint(built, model, joint, parent, pose_PB)
        joint_of[body] = (parent, pose_PB)
        inertial = _pose(model.body_ipos[body], model.body_iquat[body])
        moments = inertial.rotation @ np.diag(model.body_inertia[body]) @ inertial.rotation.T
        inertia = pin.Inertia(float(model.body_mass[body]), inertial.translation, moments)
        built.appendBodyToJoint(parent, inertia, pose_PB)
        if name := model.body(body).name:
            frame_of[body] = built.addBodyFrame(name, parent, pose_PB, -1)
    for site in range(model.nsite):
        body, name = int(model.site_bodyid[site]), model.site(site).name
        if body in joint_of and name and not built.existFrame(name):
            parent, pose_PB = joint_of[body]
            pose = pose_PB * _pose(model.site_pos[site], model.site_quat[site])
            built.addFrame(pin.Frame(name, parent, frame_of.get(body, 0), pose, pin.FrameType.OP_FRAME))
    return built


def _add_joint(
    built: pin.Model, model: mujoco.MjModel, joint: int, parent: int, pose_PB: pin.SE3
) -> tuple[int, pin.SE3]:
    """Adds a joint whose frame has the axes of its body; returns its index and the pose of the body in it."""
    if model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_FREE:
        # The file's pose of a floating root is only its start, which the nominal posture replaces.
        name = model.joint(joint).name or "root_joint"
        index = built.addJoint(0, pin.JointModelFreeFlyer(), pin.SE3.Identity(), name)
        built.addJointFrame(index)
        return index, pin.SE3.Identity()
    axis, ref = model.jnt_axis[joint], float(model.qpos0[model.jnt_qposadr[joint]])
    offset = pin.SE3(np.eye(3), model.jnt_pos[joint])
    if model.jnt_type[joint] == mujoco.mjtJoint.mjJNT_HINGE:
        kinds = (pin.JointModelRX, pin.JointModelRY, pin.JointModelRZ)
        kind, to_zero = pin.JointModelRevoluteUnaligned, pin.SE3(pin.exp3(-ref * axis), np.zeros(3))
    else:
        kinds = (pin.JointModelPX, pin.JointModelPY, pin.JointModelPZ)
        kind, to_zero = pin.JointModelPrismaticUnaligned, pin.SE3(np.eye(3), -ref * axis)
    aligned = [made for made, unit in zip(kinds, np.eye(3), strict=True) if (axis == unit).all()]
    limits = model.jnt_range[joint] if model.jnt_limited[joint] else np.array([-np.inf, np.inf])
    unlimited = np.full(1, np.inf)
    index = built.addJoint(
        parent,
        aligned[0]() if aligned else kind(axis),
        pose_PB * offset * to_zero,
        model.joint(joint).name,
        unlimited,
        unlimited,
        limits[:1],
        limits[1:],
    )
    armature = built.armature.copy()
    armature[built.joints[index].idx_v] = model.dof_armature[model.jnt_dofadr[joint]]
    built.armature = armature
    built.addJointFrame(index)
    return index, offset.inverse()


def _pose(position: Vector, quaternion: Vector) -> pin.SE3:
    return pin.SE3(pin.Quaternion(*quaternion).matrix(), np.array(position))


def actuator_limits(model: mujoco.MjModel, joint_names: tuple[str, ...]) -> Vector:
    """Returns torque limits from the joints' own force ranges and from the actuators that drive them.

    Args:
        model: the file, compiled by MuJoCo.
        joint_names: na joints of the file, in the order of the result.

    Returns:
        (na,) smallest magnitude to which each joint is limited [Nm]; infinite for a joint without a limit.
    """
    limits = np.full(len(joint_names), np.inf)
    for index, name in enumerate(joint_names):
        joint = model.joint(name).id
        if model.jnt_actfrclimited[joint]:
            limits[index] = np.abs(model.jnt_actfrcrange[joint]).min()
        for actuator in range(model.nu):
            drives_joint = model.actuator_trntype[actuator] == mujoco.mjtTrn.mjTRN_JOINT
            if drives_joint and model.actuator_trnid[actuator, 0] == joint:
                limits[index] = min(limits[index], _actuator_limit(model, actuator))
    return limits


def _actuator_limit(model: mujoco.MjModel, actuator: int) -> float:
    gear = abs(model.actuator_gear[actuator, 0])
    if model.actuator_forcelimited[actuator]:
        return float(np.abs(model.actuator_forcerange[actuator]).min() * gear)
    is_motor = model.actuator_biastype[actuator] == mujoco.mjtBias.mjBIAS_NONE
    if model.actuator_ctrllimited[actuator] and is_motor:
        gain = abs(model.actuator_gainprm[actuator, 0])
        return float(np.abs(model.actuator_ctrlrange[actuator]).min() * gain * gear)
    return float(np.inf)
