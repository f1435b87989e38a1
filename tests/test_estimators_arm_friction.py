import numpy as np
from bodies import robot

from kilohertz.estimators.arm_friction import know_friction, learn_friction, new_friction

DT_S, RATE_PER_S = 1e-3, 80.0


def learnt(dry_Nm, viscous_Nms, other, duration_s=8.0):
    """Friction that is learnt from an ideal observer of joints that swing, beside another torque of time."""
    friction, n = new_friction(robot("ur5")), robot("ur5").na
    unknown, observed = np.zeros(n), np.zeros(n)
    for k in range(int(duration_s / DT_S)):
        t = k * DT_S
        v = 0.3 * np.sin(1.5 * t + np.arange(n))
        friction.v[:] = v
        lag = RATE_PER_S * DT_S / (1.0 + RATE_PER_S * DT_S)
        observed += lag * (
            -dry_Nm * np.tanh(v / 0.01) - viscous_Nms * v + other(t) + friction.torque - observed
        )
        unknown[:] = observed
        learn_friction(DT_S, RATE_PER_S, unknown, friction)
    return friction


def test_dry_friction_is_learnt_beside_a_torque_that_varies_slowly():
    friction = learnt(0.5, 0.2, lambda t: 3.0 * np.cos(1.5 * t))
    np.testing.assert_allclose(friction.dry, 0.5, atol=0.1)


def test_no_friction_is_learnt_where_there_is_none_and_never_a_negative_one():
    friction = learnt(0.0, 0.0, lambda t: 0.0)
    np.testing.assert_allclose(friction.dry, 0.0, atol=1e-9)
    friction = learnt(-0.5, -0.2, lambda t: 0.0)
    assert (friction.dry == 0.0).all()


def test_known_friction_is_no_longer_learnt():
    friction = new_friction(robot("ur5"))
    for j in range(robot("ur5").na):
        know_friction(friction, j, 0.4, 0.1)
    for k in range(2000):
        friction.v[:] = 0.3 * np.sin(3.0 * k * DT_S)
        learn_friction(DT_S, RATE_PER_S, np.zeros(len(friction.v)), friction)
    np.testing.assert_array_equal(friction.dry, 0.4)
    np.testing.assert_array_equal(friction.viscous, 0.1)
