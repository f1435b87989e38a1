"""Provides a toy biped with two joints and one hand, for the tests of summaries and plots."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

NQ, NV, NA, NC, NH = 9, 8, 2, 2, 1


def toy_contact(name):
    corners_F = np.array([[-0.1, -0.05, 0.0], [0.1, 0.05, 0.0], [0.1, -0.05, 0.0], [-0.1, 0.05, 0.0]])
    return SimpleNamespace(name=name, corners_F=corners_F, friction=0.6)


def toy_robot(**changes):
    robot = dict(
        name="toy",
        nq=NQ,
        nq_base=7,
        nv=NV,
        n_base=6,
        na=NA,
        floating=True,
        mass_kg=40.0,
        joint_names=("hip_joint", "knee_joint"),
        contact_names=("left_foot", "right_foot"),
        contacts=(toy_contact("left_foot"), toy_contact("right_foot")),
        hand_names=("hand",),
        torque_limit_Nm=np.array([10.0, 20.0]),
        description=SimpleNamespace(copper_loss_W_Nm2={"hip_joint": 0.5, "knee_joint": 0.25}),
    )
    return SimpleNamespace(**(robot | changes))


def toy_tick(t_s=0.0, state="active", rung=0, iterations=25, tau=(0.0, 0.0), residual=0.0, cone=0.0):
    output = SimpleNamespace(
        state=state,
        rung=rung,
        qp_iterations=iterations,
        dynamics_residual_N=residual,
        cone_violation_N=cone,
        p_WC=np.zeros(3),
        v_WC=np.zeros(3),
        p_WC_des=np.array([0.1, 0.2, 0.3]),
        v_WC_des=np.zeros(3),
        p_WS=np.zeros(3),
        p_RC=np.zeros(3),
        w_F=np.zeros((NC, 6)),
        tau=np.zeros(NA),
        p_WH_des=np.zeros((NH, 3)),
        hand_active=np.zeros(NH, dtype=bool),
        zmp_des=np.zeros(2),
    )
    estimator = SimpleNamespace(
        q=np.r_[np.zeros(6), 1.0, 0.0, 0.0],
        q_O=np.r_[np.zeros(6), 1.0, 0.0, 0.0],
        v=np.zeros(NV),
        contact=np.ones(NC, dtype=bool),
    )
    truth = SimpleNamespace(
        known=True,
        t_s=t_s,
        q=np.r_[np.zeros(6), 1.0, 0.0, 0.0],
        v=np.zeros(NV),
        p_WC=np.zeros(3),
        p_WR=np.zeros(3),
        v_WC=np.zeros(3),
        p_WF=np.zeros((NC, 3)),
        contact_force_W=np.zeros((NC, 3)),
        normal_force_N=np.zeros(NC),
        cop_W=np.zeros((NC, 3)),
        tau=np.array(tau, dtype=float),
        p_WH=np.zeros((NH, 3)),
        f_WH=np.zeros((NH, 3)),
    )
    return output, estimator, truth
