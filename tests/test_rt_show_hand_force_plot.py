"""The plot of the forces on the hands."""

from test_rt_show_plots import toy_trace
from toy_run import toy_robot

from kilohertz.rt.show.hand_force_plot import hand_force_figure


def test_a_hand_on_which_a_force_acts_has_three_panels(tmp_path):
    robot = toy_robot(floating=False, nq=2, nv=2, n_base=0, contacts=())
    trace = toy_trace(robot, hand=True)
    trace.f_WH_true[10:20, 0, 1] = 5.0
    figure = hand_force_figure(trace, robot, "toy")
    assert [axes.get_ylabel() for axes in figure.axes] == [
        "force on the hand [N]",
        "deflection [mm]",
        "force on the hand [N]",
    ]
    figure.savefig(tmp_path / "forces.png")
