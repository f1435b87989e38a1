"""Shows a simulation in the cell of a Jupyter notebook: live while it runs, and as a video afterwards.

The video is part of the notebook, so that a notebook that was run shows what happened without a kernel.
"""

from __future__ import annotations

import base64
import importlib.util
import io
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from kilohertz.refused import Refused
from kilohertz.robots.model.robot_model import RobotModel
from kilohertz.robots.model.rows import Vector
from kilohertz.sim.render import NO_GL, Painter, Picture, gl_platform
from kilohertz.sim.scenario_schema import Push, Scenario

UPDATE_S = 0.1
"""Shortest time between two pictures that are sent to the notebook [s]."""
JPEG_QUALITY, WEBP_QUALITY, H264_QUALITY = 80, 70, 26
MOST_FPS = 60
LEAST_PX, MOST_PX = 64, 1920
MOST_PICTURES = 6000
"""Pictures of a film, of 0.5 MB each while it is drawn; later steps are not shown."""
NO_NOTEBOOK = "show: this needs a Jupyter notebook; in a script, `khz sim ROBOT --plot DIR` writes a film"


class CellFilm:
    """Pictures of a simulation in one cell; the video takes their place when the cell ends.

    Args:
        robot: model of the robot.
        scenario: scenario of the simulation.
        seed: random seed of the simulation, for the ground.
        fps: pictures per second of simulated time.
        size_px: width and height of the pictures, even numbers [pixels].

    Raises:
        Refused: this is no notebook, this machine cannot draw, or an argument is not valid.
    """

    def __init__(
        self, robot: RobotModel, scenario: Scenario, seed: int, fps: int, size_px: tuple[int, int]
    ) -> None:
        shell = _notebook()
        if not (isinstance(fps, int) and 1 <= fps <= MOST_FPS):
            raise Refused(f"fps: this is a whole number from 1 to {MOST_FPS}")
        if not all(isinstance(n, int) and n % 2 == 0 and LEAST_PX <= n <= MOST_PX for n in size_px):
            raise Refused(f"size_px: width and height are even numbers from {LEAST_PX} to {MOST_PX}")
        platform = gl_platform()
        if platform is None:
            raise Refused(f"show: {NO_GL}")
        from IPython.display import display

        self._name, self._fps = robot.name, fps
        self._painter = Painter(robot, scenario, seed, platform, size_px=size_px)
        self._pictures: list[Picture] = []
        self._times_s: list[float] = []
        self._due_s = 0.0
        self._sent_s = 0.0
        self.open = True
        self._events = shell.events
        self._display = display(_Html("", ""), display_id=True)
        # The cell that runs now is the one that ends first.
        self._events.register("post_run_cell", self._on_end)

    def add(self, t_s: float, q: Vector) -> None:
        """Draws the robot, if a picture is due.

        Args:
            t_s: simulated time [s].
            q: (nq,) configuration of the robot.
        """
        # After a reset the time begins again.
        again = bool(self._times_s) and t_s < self._times_s[-1]
        due = again or t_s >= self._due_s - 1e-9
        if not (self.open and due and len(self._pictures) < MOST_PICTURES):
            return
        self._due_s = t_s + 1.0 / self._fps
        picture = self._painter.draw(t_s, q)
        self._pictures.append(picture)
        self._times_s.append(t_s)
        now_s = time.monotonic()
        if now_s - self._sent_s >= UPDATE_S:
            self._sent_s = now_s
            self._show_picture(picture)

    def push(self, t_s: float, push: Push) -> None:
        """Shows an arrow for a push that begins at a time [s]."""
        if self.open:
            self._painter.add_push(t_s, push)

    def _show_picture(self, picture: Picture) -> None:
        from IPython.display import Image as Shown

        data = io.BytesIO()
        Image.fromarray(picture).save(data, "jpeg", quality=JPEG_QUALITY)
        self._display.update(Shown(data=data.getvalue(), format="jpeg"))

    def _on_end(self, _: Any = None) -> None:
        self.finish()

    def finish(self) -> None:
        """Puts the video into the place of the pictures; a second call does nothing."""
        if not self.open:
            return
        self.open = False
        self._events.unregister("post_run_cell", self._on_end)
        self._painter.close()
        if self._pictures:
            text = f"{self._name}, {self._times_s[0]:.2f} to {self._times_s[-1]:.2f} s"
            self._display.update(_Html(film_html(self._pictures, self._fps, text), text))
        else:
            text = f"{self._name}: no step was run"
            self._display.update(_Html(text, text))
        self._pictures.clear()


def film_html(pictures: Sequence[Picture], fps: int, text: str) -> str:
    """Returns a film as HTML that needs no other file.

    Args:
        pictures: (height, width, 3) pictures, RGB.
        fps: pictures per second.
        text: what the film shows.

    Returns:
        A video with controls where FFmpeg is installed, else an animated picture.
    """
    program = _ffmpeg()
    height_px, width_px, _ = pictures[0].shape
    size = f'width="{width_px}" height="{height_px}"'
    if program is not None:
        source = "data:video/mp4;base64," + base64.b64encode(_mp4(program, pictures, fps)).decode()
        film = f'<video controls autoplay loop muted playsinline {size} src="{source}"></video>'
    else:
        source = "data:image/webp;base64," + base64.b64encode(_webp(pictures, fps)).decode()
        film = f'<img {size} alt="{text}" src="{source}">'
    return f'<div style="display:inline-block">{film}<br><small>{text}</small></div>'


def _notebook() -> Any:
    """Returns the shell of the notebook."""
    if importlib.util.find_spec("IPython") is None:
        raise Refused(NO_NOTEBOOK)
    from IPython import get_ipython

    shell = get_ipython()
    # A terminal has a shell too, but cannot show pictures.
    if shell is None or not hasattr(shell, "kernel"):
        raise Refused(NO_NOTEBOOK)
    return shell


class _Html:
    """What a cell shows: HTML, or a text where that is not shown."""

    def __init__(self, content: str, text: str) -> None:
        self._content, self._text = content, text

    def _repr_html_(self) -> str:
        return self._content

    def __repr__(self) -> str:
        return self._text


def _ffmpeg() -> str | None:
    """Returns the path of FFmpeg; None if it is not installed."""
    if importlib.util.find_spec("imageio_ffmpeg") is not None:
        import imageio_ffmpeg

        try:
            return str(imageio_ffmpeg.get_ffmpeg_exe())
        except RuntimeError:
            pass
    return shutil.which("ffmpeg")


def _mp4(program: str, pictures: Sequence[Picture], fps: int) -> bytes:
    height_px, width_px, _ = pictures[0].shape
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.mp4"
        given = f"-f rawvideo -pix_fmt rgb24 -s {width_px}x{height_px} -r {fps} -i -"
        # Every browser plays this format; the index at the beginning lets it start at once.
        wanted = f"-an -c:v libx264 -crf {H264_QUALITY} -pix_fmt yuv420p -movflags +faststart"
        subprocess.run(
            [program, "-v", "error", *given.split(), *wanted.split(), str(path)],
            input=b"".join(picture.tobytes() for picture in pictures),
            capture_output=True,
            check=True,
        )
        return path.read_bytes()


def _webp(pictures: Sequence[Picture], fps: int) -> bytes:
    first, *others = (Image.fromarray(picture) for picture in pictures)
    data = io.BytesIO()
    first.save(
        data,
        "webp",
        save_all=True,
        append_images=others,
        duration=round(1000 / fps),
        loop=0,
        quality=WEBP_QUALITY,
    )
    return data.getvalue()
