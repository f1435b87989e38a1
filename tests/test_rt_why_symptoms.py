"""Every sign of trouble is found in margins into which it was put, at its time, and in no calm ones."""

import numpy as np
import pytest
from why_runs import calm

from kilohertz.rt.why import symptoms

ALL = (
    symptoms.missed,
    symptoms.frozen,
    symptoms.pushed,
    symptoms.loaded,
    symptoms.struck,
    symptoms.touched,
    symptoms.slid,
    symptoms.weak,
    symptoms.chattered,
    symptoms.unlinked,
)
AT = 900


@pytest.mark.parametrize("look", ALL, ids=lambda look: look.__name__)
def test_a_calm_run_has_no_sign(look):
    m = calm()
    assert look(m, len(m.rows)) is None


def test_missed_periods_are_counted():
    m = calm()
    m.rows["sensors"]["t_s"][AT:] += 0.02
    sign = symptoms.missed(m, len(m.rows))
    assert sign.figures == {"periods": 20.0, "in_a_row": 20.0}
    assert sign.at_s == pytest.approx(AT * 1e-3 + 0.02)


def test_a_frozen_encoder_is_named():
    m = calm()
    m.rows["sensors"]["q"][AT:, 3] = m.rows["sensors"]["q"][AT, 3]
    sign = symptoms.frozen(m, len(m.rows))
    assert sign.joint == m.robot.joint_names[3]
    assert sign.at_s == pytest.approx(AT * 1e-3, abs=2e-3)


def test_a_simulation_without_noise_is_not_frozen():
    m = calm()
    for name in ("q", "v", "gyro", "accel"):
        m.rows["sensors"][name][:] = m.rows["sensors"][name][0]
    assert symptoms.frozen(m, len(m.rows)) is None


def test_the_impulse_and_direction_of_a_push_are_measured():
    m = calm()
    impulse = np.array([0.0, 20.0])
    rise = np.clip((np.arange(len(m.rows)) - AT) / 100.0, 0.0, 1.0)[:, None]
    m.rows["balance"]["v_WC"][:, :2] = rise * impulse / m.robot.mass_kg
    sign = symptoms.pushed(m, len(m.rows))
    assert sign.figures["impulse_Ns"] == pytest.approx(20.0, rel=0.1)
    assert sign.figures["direction_deg"] == pytest.approx(90.0, abs=3.0)
    assert sign.at_s == pytest.approx(AT * 1e-3, abs=0.02)
    assert "to the left" in sign.text


def test_an_additional_load_is_weighed():
    m = calm()
    m.leg_wrench_F[AT:, :, 2] += 0.5 * 20.0 * 9.81
    sign = symptoms.loaded(m, len(m.rows))
    assert sign.figures["mass_kg"] == pytest.approx(20.0, rel=0.05)
    assert sign.at_s == pytest.approx(AT * 1e-3, abs=0.06)


def swinging(m):
    """Lifts the left foot from tick 700 to 1100, by plan and in the estimate."""
    m.planned[700:1100, 0] = False
    m.rows["estimate"]["contact"][700:1100, 0] = 0.0
    m.leg_wrench_F[700:1100, 0] = 0.0


def test_a_swinging_foot_that_strikes_something_is_named():
    m = calm()
    swinging(m)
    assert symptoms.struck(m, len(m.rows)) is None
    m.leg_wrench_F[AT : AT + 40, 0, 0] = -120.0
    sign = symptoms.struck(m, len(m.rows))
    assert sign.joint == "left_foot"
    assert sign.figures["early_s"] == pytest.approx(0.2, abs=0.01)


def test_a_foot_that_lands_early_and_high_is_named():
    m = calm()
    swinging(m)
    m.rows["estimate"]["contact"][AT:1100, 0] = 1.0
    assert symptoms.touched(m, len(m.rows)) is None
    m.p_WF[AT:, 0, 2] = 0.06
    sign = symptoms.touched(m, len(m.rows))
    assert sign.figures == {"early_s": 0.2, "height_m": pytest.approx(0.06)}


@pytest.mark.parametrize(("force_N", "found"), [(15.0, True), (120.0, False)])
def test_only_a_foot_that_slides_under_little_force_is_on_a_slippery_floor(force_N, found):
    m = calm()
    m.vel_F[AT : AT + 60, 1, 0] = 0.4
    m.leg_wrench_F[:, 1, 0] = force_N
    sign = symptoms.slid(m, len(m.rows))
    assert (sign is not None) == found
    if sign is not None:
        assert sign.figures["friction"] == pytest.approx(force_N / m.leg_wrench_F[0, 1, 2])


def test_a_sole_that_rolls_over_its_edge_does_not_slide():
    m = calm()
    contact = m.robot.contacts[1]
    edge = contact.corners_F[:, 0].max()
    m.leg_wrench_F[:, 1, 4] = -edge * m.leg_wrench_F[:, 1, 2]
    m.vel_F[AT : AT + 60, 1, 4] = 3.0
    assert symptoms.slid(m, len(m.rows)) is None


def test_a_drive_that_gives_less_than_commanded_is_named():
    m = calm()
    limit = m.robot.torque_limit_Nm[3]
    m.rows["command"]["tau_ff"][AT:, 3] = 0.8 * limit
    m.rows["sensors"]["tau"][AT:, 3] = 0.5 * limit
    sign = symptoms.weak(m, len(m.rows))
    assert sign.joint == m.robot.joint_names[3]
    assert sign.figures["largest_Nm"] == pytest.approx(0.5 * limit)
    assert sign.figures["lack_Nm"] == pytest.approx(0.3 * limit, rel=0.01)


def test_torques_that_alternate_chatter():
    m = calm()
    ticks = np.arange(len(m.rows))[:, None]
    m.rows["command"]["tau_ff"][:] += (
        np.where(ticks < AT, 0.0, 0.01 * (-1.0) ** ticks) * m.robot.torque_limit_Nm
    )
    sign = symptoms.chattered(m, len(m.rows))
    assert sign.value == pytest.approx(0.04, rel=0.05)
    assert sign.at_s == pytest.approx(AT * 1e-3, abs=0.2)


@pytest.mark.parametrize(
    ("text", "found"), [("no state came", True), (f"{symptoms.ON_ITS_OWN}: too far", False)]
)
def test_a_robot_that_stops_itself_is_no_lost_link(text, found):
    m = calm()
    m.events.append({"t_s": 1.0, "kind": "link_lost", "text": text})
    assert (symptoms.unlinked(m, len(m.rows)) is not None) == found


def test_the_end_is_that_of_the_controller_or_of_the_loop():
    m = calm()
    assert symptoms.end_of(m) == (len(m.rows), "")
    m.events.append({"t_s": 1.0, "kind": "link_lost", "text": "gone"})
    assert symptoms.end_of(m) == (len(m.rows), "gone")
    m.reasons.append((AT, "a fall"))
    assert symptoms.end_of(m) == (AT, "a fall")


def test_directions_have_words():
    assert [symptoms.way_of(d) for d in (0, 90, 180, -90, 359)] == [
        "forward",
        "to the left",
        "backward",
        "to the right",
        "forward",
    ]
