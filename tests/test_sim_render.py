"""Runs can be drawn without a display, and it is said where they cannot."""

import numpy as np
import pytest
from PIL import Image
from sim_runs import ROBOTS, robot, scenario

from kilohertz.sim.render import Painter, frame_indices, gl_platform, render_gif, render_png

pytestmark = pytest.mark.host

needs_gl = pytest.mark.skipif(gl_platform() is None, reason="neither EGL nor OSMesa on this machine")
SMALL = (160, 120)


def test_frames_follow_the_clock_of_the_film():
    times_s = np.arange(0.0, 3.0, 0.001)
    assert list(frame_indices(times_s, fps=2.0, speed=1.0)) == [0, 500, 1000, 1500, 2000, 2500]
    assert list(frame_indices(times_s, fps=2.0, speed=3.0)) == [0, 1500]
    assert list(frame_indices(np.zeros(0), fps=2.0, speed=1.0)) == []


def test_without_graphics_one_sentence_says_so(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("MUJOCO_GL", "off")
    path = tmp_path / "a.png"
    assert render_png(path, robot("bolt"), scenario(), 0.0, robot("bolt").q_nominal) is None
    assert not path.exists()
    assert capsys.readouterr().err.count("\n") == 1


@needs_gl
@pytest.mark.parametrize("name", ROBOTS)
def test_a_robot_stands_out_from_an_empty_floor(tmp_path, name):
    model = robot(name)
    gone = model.q_nominal.copy()
    if model.floating:
        gone[2] = -50.0
    path = render_png(tmp_path / "a.png", model, scenario(), 0.0, model.q_nominal, size_px=SMALL)
    with Image.open(path) as image:
        assert image.size == SMALL
        picture = np.asarray(image, float)
    # Some of the picture is light, some is dark, and it is not the floor's pattern alone.
    assert picture.std() > 10.0
    if model.floating:
        empty = render_png(tmp_path / "b.png", model, scenario(), 0.0, gone, size_px=SMALL)
        with Image.open(empty) as image:
            changed = np.abs(picture - np.asarray(image, float)).max(axis=2) > 30.0
        assert changed.mean() > 0.01


@needs_gl
def test_a_robot_that_climbs_stays_in_the_picture():
    model, heads = robot("g1"), []
    painter = Painter(model, scenario(), 0, gl_platform(), size_px=SMALL)
    for height_m in (0.0, 1.0):
        q = model.q_nominal.copy()
        q[2] += height_m
        dark = painter.draw(0.0, q).max(axis=2) < 60  # its head, before the sky
        heads.append(np.flatnonzero(dark.any(axis=1))[0])
    painter.close()
    assert 0 < heads[1] < heads[0] < SMALL[1] / 4


@needs_gl
def test_higher_ground_has_another_colour():
    model, pictures = robot("bolt"), []
    for height_m in (0.0, 0.04):
        ground = {"kind": "blocks", "height_m": height_m}
        painter = Painter(model, scenario(ground=ground), 0, gl_platform(), size_px=SMALL)
        pictures.append(painter.draw(0.0, model.q_nominal).astype(float))
        painter.close()
    redness = [picture[..., 0] - picture[..., 2] for picture in pictures]
    assert np.percentile(redness[1], 95) > np.percentile(redness[0], 95) + 20.0


@needs_gl
def test_a_film_shows_pushes_and_payloads(tmp_path):
    model = robot("bolt")
    run = scenario(
        events=[
            {"at_s": 0.2, "push": {"link": "trunk", "impulse_Ns": (0.0, 5.0, 0.0)}},
            {"at_s": 0.9, "payload": {"link": "trunk", "mass_kg": 2.0, "p_LP_m": (0.0, 0.0, 0.15)}},
        ]
    )
    times_s = np.arange(0.0, 1.2, 0.01)
    q = np.tile(model.q_nominal, (len(times_s), 1))
    told = []
    path = render_gif(
        tmp_path / "a.gif", model, run, times_s, q, fps=5.0, size_px=SMALL, progress=lambda *n: told.append(n)
    )
    assert told == [(drawn, 6) for drawn in range(6)]
    with Image.open(path) as film:
        assert film.n_frames == 4  # what stands still is one long frame
        frames = []
        for index in range(film.n_frames):
            film.seek(index)
            frames.append(np.asarray(film.convert("RGB"), float))
    for before, after in ((0, 1), (1, 2), (2, 3)):  # the arrow comes, the arrow goes, the payload comes
        assert (np.abs(frames[after] - frames[before]).max(axis=2) > 60).sum() > 20
    assert path.stat().st_size < 60_000
