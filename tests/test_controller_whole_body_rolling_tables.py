"""Each sole knows the joint that rolls it, its edges, and the wrenches that an edge transmits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from bodies import CONTACT, robot, whole_body

from kilohertz.controller.whole_body.whole_body import WholeBody
from kilohertz.robots.model.kin import FZ, MX


def body_of(name: str) -> WholeBody:
    return whole_body(robot(name), contact=dataclasses.replace(CONTACT, rolls=True))


@pytest.mark.parametrize(
    ("name", "joints"),
    [
        ("g1", ["left_ankle_roll_joint", "right_ankle_roll_joint"]),
        ("talos", ["leg_left_6_joint", "leg_right_6_joint"]),
    ],
)
def test_the_ankle_rolls_the_sole(name: str, joints: list[str]) -> None:
    rolling = body_of(name).arrays.rolling
    assert [robot(name).joint_names[j] for j in rolling.ankle] == joints
    assert (rolling.edge_frame > 0).all()


@pytest.mark.parametrize("name", ["bolt", "panda"])
def test_points_and_fixed_bases_never_roll(name: str) -> None:
    assert (body_of(name).arrays.rolling.ankle == -1).all()


def test_soles_do_not_roll_unless_asked() -> None:
    arrays = whole_body(robot("g1")).arrays
    assert (arrays.rolling.ankle == -1).all()


def test_an_edge_transmits_no_moment_about_itself() -> None:
    body = body_of("g1")
    rolling, last = body.arrays.rolling, int(body.arrays.contacts.n_rows[0]) - 1
    force = np.zeros(6)
    force[FZ] = 100.0
    assert (rolling.edge_cone[0, :last] @ force <= 0.0).all()
    half_m = rolling.half_width_m[0]
    for side in (1.0, -1.0):
        force[MX] = side * 0.1 * half_m * force[FZ]
        assert (rolling.edge_cone[0, :last] @ force).max() > 0.0
        assert (rolling.flat_cone[0, :last] @ force).max() <= 0.0
    assert rolling.edge_cone[0, last] @ force == force[FZ]
