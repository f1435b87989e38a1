"""Description of a whole-body problem and its references, from which `tsid_peer` builds it in TSID."""

from __future__ import annotations

from typing import Any

import numpy as np

from kilohertz.controller.standing.standing import Standing
from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.model.kin import Floats
from kilohertz.rt.bench.develop.subjects import Subject


def describe(subject: Subject) -> dict[str, Any]:
    """The problem that the exact controller of a subject solves, as plain objects for JSON."""
    robot, gains, body = subject.robot, subject.gains, subject.bodies["exact"]
    tasks = {task.name: task for task in body.declared if task.name in subject.tasks}
    posture = body.reference("posture")
    return {
        "urdf": robot.urdf_text,
        "floating": robot.floating,
        "q": robot.q_nominal.tolist(),
        "armature": robot.armature_kgm2.tolist(),
        "frames": [_frame(body, f"sole {c}", contact.frame_id) for c, contact in enumerate(robot.contacts)]
        + [_frame(body, hand.name, hand.frame_id) for hand in robot.hands],
        "contacts": [_contact(body, c) for c in range(len(robot.contacts))],
        "com": _com(body, gains.com.weight) if "com" in tasks else None,
        "orientations": [
            {
                "name": name,
                "frame": tasks[name].frame,
                "kp": float(body.gain(name)[0]),
                "kd": float(body.gain(name)[1]),
                "weight": float(body.weight(name)[0]),
            }
            for name in ("base", "trunk")
            if name in tasks
        ],
        "poses": [
            {
                "name": name,
                "kp": np.repeat(body.gain(name)[[0, 2]], 3).tolist(),
                "kd": np.repeat(body.gain(name)[[1, 3]], 3).tolist(),
                "weight": float(body.weight(name)[0]),
            }
            for name in _hands(subject)
        ],
        "momentum": {
            "kp": float(body.gain("angular_momentum")[0]),
            "weight": float(body.weight("angular_momentum")[0]),
        }
        if "angular_momentum" in tasks
        else None,
        "posture": {
            "kp": float(body.gain("posture")[0]),
            "kd": float(body.gain("posture")[1]),
            "q": posture[: robot.na].tolist(),
            "weights": posture[robot.na :].tolist(),
        },
        "limits": {
            "torque": robot.torque_limit_Nm.tolist(),
            "lower": robot.position_lower_rad.tolist(),
            "upper": robot.position_upper_rad.tolist(),
            "velocity": robot.velocity_limit_rad_s.tolist(),
        },
        "largest_rad_s2": gains.limits.largest_rad_s2,
    }


def references(subject: Subject) -> Floats:
    """References of the present tick: centre of mass (9), heading (9), 24 numbers for each pose."""
    body, motion = subject.bodies["exact"], subject.motions["exact"]
    standing = [body.reference("com"), motion.R_des.ravel()] if isinstance(motion, Standing) else []
    return np.concatenate([*standing, *(body.reference(name) for name in _hands(subject))])


def _hands(subject: Subject) -> list[str]:
    return [name for name in subject.robot.hand_names if name in subject.tasks]


def _frame(body: WholeBody, name: str, frame_id: int) -> dict[str, Any]:
    """A frame of the controller that the URDF does not contain."""
    model = body.robot.pin_model
    placement = body.arrays.kin.placement[body.frame_index[model.frames[frame_id].name]]
    return {
        "name": name,
        "joint": model.names[model.frames[frame_id].parentJoint],
        "R": placement[:3].tolist(),
        "p": placement[3].tolist(),
    }


def _contact(body: WholeBody, c: int) -> dict[str, Any]:
    contact, contacts = body.robot.contacts[c], body.arrays.contacts
    last = contacts.n_rows[c] - 1
    force = body.reference(f"{contact.name}.force")
    return {
        "frame": f"sole {c}",
        "corners": body.geometry[c].cone_corners_C.tolist(),
        "friction": contact.friction / np.sqrt(2.0),
        "least_N": float(contacts.lower[c, last]),
        "largest_N": float(contacts.upper[c, last]),
        "damping": float(contacts.damping_per_s[c]),
        "force": force[:6].tolist(),
        "weights": force[6:12].tolist(),
    }


def _com(body: WholeBody, weight: float) -> dict[str, Any]:
    gain = body.gain("com")
    return {"kp": gain[:3].tolist(), "kd": gain[3:6].tolist(), "weight": weight}
