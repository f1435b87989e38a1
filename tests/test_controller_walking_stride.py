"""A phase remembers where its feet were as it began."""

from controller.walking.stride import SWING, TRANSFER, Stride


def test_feet_that_move_on_leave_the_phase_where_it_began() -> None:
    stride = Stride(left=1)
    stride.feet[:], stride.soles_z[:] = [(0.0, -0.1, 0.0), (0.4, 0.1, 0.2)], [0.0, 0.02]
    stride.begin(TRANSFER, 1)
    stride.t_s = 0.05
    stride.feet[0] = (0.1, -0.1, 0.0)
    assert (stride.side, stride.swing) == (1.0, 0)
    assert (stride.standing, stride.leaving) == ((0.4, 0.1, 0.2), (0.0, -0.1, 0.0))
    assert (stride.standing_z, stride.leaving_z) == (0.02, 0.0)
    stride.begin(SWING, 0)
    assert (stride.phase, stride.t_s, stride.side) == (SWING, 0.0, -1.0)
    assert stride.standing == (0.1, -0.1, 0.0)
    assert stride.middle == (0.25, 0.0, 0.1)
    assert stride.middle_z == 0.01
