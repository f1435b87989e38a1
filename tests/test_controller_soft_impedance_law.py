"""The law of a soft hand: torque, energy, damping and null space, against their definitions."""

import numpy as np
import pinocchio as pin
import pytest
from bodies import random_state, robot

from kilohertz.controller.gains.schema import Gains
from kilohertz.controller.soft.impedance_law import (
    ACTIVE_W,
    AXES,
    DAMPED_W,
    POSTURE_RATE,
    POSTURE_STIFFNESS,
    SHARE,
    SOFT_FEED,
    SOFT_RATIO,
    SPRING_J,
)
from kilohertz.controller.supervision.arm import Arm, arm_tasks
from kilohertz.controller.tasks import frame_pose
from kilohertz.controller.whole_body.from_gains import whole_body
from kilohertz.robots.compile.ahead import load_pending

K = np.array([900.0, 2000.0, 100.0, 30.0, 80.0, 10.0])
ARMS = ("panda", "ur5")


class Softened:
    """An arm at a random state with a soft hand, whose law is evaluated at states of the test's choice."""

    def __init__(self, name, seed, axes=0, speed=0.5):
        self.robot = robot(name)
        rng = np.random.default_rng(seed)
        tasks = arm_tasks(self.robot, Gains())
        self.body = whole_body(self.robot, Gains(), tasks, "exact", [task.name for task in tasks])
        self.soft = Arm(self.robot, Gains(), self.body).soft
        load_pending()
        self.q, self.v = random_state(self.robot, rng, 0.3, speed)
        self.law = self.soft.law
        self.law.law[:6], self.law.law[SOFT_RATIO] = K, 0.8
        self.law.settings[SHARE], self.law.settings[AXES] = 1.0, axes
        des = frame_pose.views(self.law.motion)
        self.at(self.q, self.v, evaluate=False)
        kin, f = self.body.arrays.kin, self.frame
        des.R[:] = kin.R[f] @ pin.exp3(0.4 * rng.normal(size=3))
        des.p[:] = kin.p[f] + 0.05 * rng.normal(size=3)
        self.des = des

    @property
    def frame(self):
        return self.soft._frames[0]

    def at(self, q, v, evaluate=True):
        self.body.update(q, v)
        if evaluate:
            self.soft._soften(self.frame)
        return self.law

    def jacobian(self):
        kin = self.body.arrays.kin
        R = kin.R[self.frame]
        turn = np.kron(np.eye(2), self.law.A.T @ R)
        return turn @ kin.J[self.frame]


@pytest.mark.parametrize("name", ARMS)
@pytest.mark.parametrize("axes", [0, 1])
def test_the_torque_is_the_gradient_of_the_energy_of_the_spring(name, axes):
    for seed in range(3):
        arm = Softened(name, seed, axes)
        still = np.zeros(arm.robot.nv)
        tau = arm.at(arm.q, still).tau.copy()
        step, slope = 1e-6, np.zeros(arm.robot.nv)
        for j in range(arm.robot.nv):
            up, down = arm.q.copy(), arm.q.copy()
            up[j], down[j] = up[j] + step, down[j] - step
            high = arm.at(up, still).energy[SPRING_J].copy()
            slope[j] = (high - arm.at(down, still).energy[SPRING_J]) / (2.0 * step)
        np.testing.assert_allclose(tau, -slope, atol=1e-5)


@pytest.mark.parametrize("name", ARMS)
def test_each_mode_of_arm_and_spring_has_the_damping_ratio(name):
    for seed in range(3):
        arm = Softened(name, seed)
        law = arm.at(arm.q, arm.v)
        root = np.diag(np.sqrt(K))
        modes = root @ law.W @ root
        # M x'' + D x' + K x = 0 with y = K^1/2 x is y'' + C y' + S y = 0, and C = 2 zeta S^1/2.
        C = root @ law.W @ law.D @ np.linalg.inv(root)
        values, vectors = np.linalg.eigh(modes)
        np.testing.assert_allclose(
            C, 2 * 0.8 * vectors @ np.diag(np.sqrt(values)) @ vectors.T, rtol=1e-6, atol=1e-7
        )
        assert np.linalg.eigvalsh(law.D).min() > 0.0


@pytest.mark.parametrize("name", ARMS)
def test_the_power_of_the_law_is_that_of_its_parts(name):
    """Torque times velocity is what the spring gives, less what the dampers take, plus the active power."""
    for seed in range(3):
        arm = Softened(name, seed)
        arm.law.law[SOFT_FEED:] = np.arange(6.0)
        arm.law.settings[[POSTURE_STIFFNESS, POSTURE_RATE]] = 20.0, 5.0
        arm.law.q_rest[:] = arm.q + 0.2
        arm.des.v[:] = 0.1, -0.2, 0.3
        law = arm.at(arm.q, arm.v)
        power = law.tau @ arm.v
        damped, active = law.energy[DAMPED_W], law.energy[ACTIVE_W]
        step = 1e-6
        energies = []
        for t in (-step, step):
            arm.des.p[:] += t * arm.des.v
            energies.append(arm.at(arm.q + t * arm.v, arm.v).energy[SPRING_J].copy())
            arm.des.p[:] -= t * arm.des.v
        stored = (energies[1] - energies[0]) / (2.0 * step)
        assert damped > 0.0
        assert power == pytest.approx(active - damped - stored, abs=1e-4)


def test_the_posture_does_no_work_at_the_hand_and_its_damping_takes_energy():
    for seed in range(5):
        arm = Softened("panda", seed)
        plain = arm.at(arm.q, arm.v).tau.copy()
        arm.law.settings[[POSTURE_STIFFNESS, POSTURE_RATE]] = 50.0, 6.0
        arm.law.q_rest[:] = arm.q - 0.3
        extra = arm.at(arm.q, arm.v).tau - plain
        M = np.triu(arm.body.arrays.kin.M)
        M = M + np.triu(M, 1).T
        moved = arm.jacobian() @ np.linalg.solve(M, extra)
        np.testing.assert_allclose(moved, 0.0, atol=2e-3)
        assert np.abs(extra).max() > 0.5
        arm.law.settings[POSTURE_STIFFNESS] = 0.0
        assert (arm.at(arm.q, arm.v).tau - plain) @ arm.v < 0.0


def test_the_whole_body_problem_gives_the_torque_of_the_law():
    for name in ARMS:
        arm = Softened(name, 1)
        arm.soft.start(0, 1.0)
        arm.soft.set_spring(K, 0.8, 0, 10.0)
        arm.law.law[:6] = K
        arm.soft.motion.p[:] += 0.004
        arm.body.set_mode((), ("posture",))
        arm.body.reference("posture")[arm.robot.na :] = 0.0
        arm.at(arm.q, arm.v, evaluate=False)
        arm.soft.advance(1e-3)
        arm.body.assemble()
        assert arm.body.solve()
        want = arm.law.tau + arm.body.arrays.kin.h
        np.testing.assert_allclose(arm.body.solution.tau, want, atol=1e-5)
