"""A gait phase keeps the foot positions at its start."""

from kilohertz.controller.walking.gait_state import DOUBLE_SUPPORT, SWING, GaitState


def test_feet_that_move_on_leave_the_phase_where_it_began() -> None:
    gait_state = GaitState(left=1)
    gait_state.feet[:], gait_state.soles_z[:] = [(0.0, -0.1, 0.0), (0.4, 0.1, 0.2)], [0.0, 0.02]
    gait_state.begin(DOUBLE_SUPPORT, 1)
    gait_state.t_s = 0.05
    gait_state.feet[0] = (0.1, -0.1, 0.0)
    assert (gait_state.side, gait_state.swing) == (1.0, 0)
    assert (gait_state.standing, gait_state.leaving) == ((0.4, 0.1, 0.2), (0.0, -0.1, 0.0))
    assert (gait_state.standing_z, gait_state.leaving_z) == (0.02, 0.0)
    gait_state.begin(SWING, 0)
    assert (gait_state.phase, gait_state.t_s, gait_state.side) == (SWING, 0.0, -1.0)
    assert gait_state.standing == (0.1, -0.1, 0.0)
    assert gait_state.middle == (0.25, 0.0, 0.1)
    assert gait_state.middle_z == 0.01


def test_a_stance_sole_that_sinks_lowers_its_height_and_one_that_rises_does_not() -> None:
    gait_state = GaitState(left=0)
    gait_state.soles_z[:] = [0.02, 0.0]
    gait_state.begin(SWING, 0)
    for z, standing_z in ((0.01, 0.01), (0.015, 0.01), (-0.002, -0.002)):
        gait_state.soles_z[0] = z
        gait_state.sink()
        assert gait_state.standing_z == standing_z
    assert gait_state.leaving_z == 0.0
