from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

import kilohertz as khz
from kilohertz import notebook
from kilohertz.sim.render import gl_platform

pytestmark = pytest.mark.host

FPS = 5
CELLS = (
    "import kilohertz as khz\nsim = khz.Simulation('panda')",
    f"sim.show(fps={FPS}, size_px=(160, 120))\nwhile sim.t_s < 1.0:\n    sim.step()\n",
    # Steps of a later cell leave the video as it is.
    "for _ in range(500):\n    sim.step()\nsim.t_s",
    "sim.show(fps=5, size_px=(160, 120))\nsim.step()\nraise ValueError('of the user')",
)


def pictures() -> list[np.ndarray]:
    rows = np.linspace(0, 200, 90, dtype=np.uint8)[:, None, None]
    return [np.broadcast_to(rows + 10 * i, (90, 120, 3)).astype(np.uint8) for i in range(5)]


def content_of(html: str, kind: str) -> bytes:
    (encoded,) = re.findall(rf'src="data:{kind};base64,([^"]+)"', html)
    return base64.b64decode(encoded)


def test_a_film_is_an_animated_picture_where_ffmpeg_is_not_installed(monkeypatch):
    monkeypatch.setattr(notebook, "_ffmpeg", lambda: None)
    html = notebook.film_html(pictures(), 10, "a robot")
    with Image.open(io.BytesIO(content_of(html, "image/webp"))) as film:
        assert (film.n_frames, film.size) == (5, (120, 90))
        film.seek(4)
        assert np.abs(np.asarray(film.convert("RGB")).astype(int) - pictures()[4]).mean() < 6


def test_a_film_is_a_video_where_ffmpeg_is_installed():
    if notebook._ffmpeg() is None:
        pytest.skip("FFmpeg is not installed")
    html = notebook.film_html(pictures(), 10, "a robot")
    assert "<video controls" in html
    video = content_of(html, "video/mp4")
    # The index comes before the pictures, so that a browser can start at once.
    assert video[4:8] == b"ftyp"
    assert 0 < video.index(b"moov") < video.index(b"mdat")


def test_without_a_notebook_it_is_refused():
    with khz.Simulation("panda") as sim, pytest.raises(khz.Refused, match="needs a Jupyter notebook"):
        sim.show()


@pytest.mark.long
def test_the_cells_of_a_notebook_keep_their_films():
    nbformat = pytest.importorskip("nbformat", reason="the package nbclient is not installed")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    if gl_platform() is None:
        pytest.skip("neither EGL nor OSMesa works")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    seen: list[str] = []

    class Client(nbclient.NotebookClient):
        def process_message(self, message, cell, index):
            seen.extend(message["content"].get("data", ()))
            return super().process_message(message, cell, index)

    Client(book, timeout=300, allow_errors=True).execute()
    _, shown, later, broken = book.cells
    ((film,),) = ([output["data"] for output in shown.outputs],)
    assert film["text/plain"] == "panda, 0.00 to 0.80 s"
    video = content_of(film["text/html"], "(?:video/mp4|image/webp)")
    assert len(video) > 1000
    # While the cell ran, at least its first picture was shown.
    assert "image/jpeg" in seen
    assert [output["data"] for output in later.outputs] == [{"text/plain": "1.5"}]
    # The video of a cell that fails is there, too.
    assert broken.outputs[0]["data"]["text/plain"] == "panda, 1.50 to 1.50 s"
    assert broken.outputs[-1]["ename"] == "ValueError"
