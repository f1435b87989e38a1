"""The story of a run: at most ten lines, and the same as plain objects."""

import json

from why_runs import calm

from kilohertz.rt.why.causes import CAUSES, verdict_of
from kilohertz.rt.why.story import figures_of, story_of


def broken():
    m = calm()
    m.rows["sensors"]["q"][700:, 3] = 0.3
    m.reasons.append((1000, "the encoder is frozen"))
    return m


def test_the_story_names_end_cause_and_margins():
    m = broken()
    story = story_of(m, verdict_of(m))
    assert len(story) <= 10
    assert story[0] == "g1, invented, seed 0: stopped at 1.000 s: the encoder is frozen"
    assert story[1].startswith(f"cause: {CAUSES['encoder_frozen']}, at 0.70")
    assert any(line.startswith("used at 1.000 s: torque ") for line in story)


def test_a_calm_run_has_a_short_story():
    m = calm(300)
    story = story_of(m, verdict_of(m))
    assert story[0].endswith("controlled to the end, 0.299 s")
    assert story[1] == f"cause: {CAUSES['nothing_wrong']}"


def test_a_long_list_of_signs_is_cut():
    m = broken()
    m.rows["sensors"]["t_s"][750:] += 0.02
    m.leg_wrench_F[800:, :, 2] += 150.0
    m.doubts.contradiction_m_s2[850:] = 1.0
    m.vel_F[900:, :, 0] = 0.5
    assert len(story_of(m, verdict_of(m))) <= 10


def test_the_figures_are_json():
    m = broken()
    figures = json.loads(json.dumps(figures_of(m, verdict_of(m)), allow_nan=False))
    assert figures["cause"] == "encoder_frozen"
    assert figures["stopped_because"] == "the encoder is frozen"
    assert figures["signs"][0]["cause"] == "encoder_frozen"
    assert {"torque", "joint range", "capture point"} <= set(figures["margins"][0])
    assert figures["interventions"][-1]["what"] == "controlled stop"
