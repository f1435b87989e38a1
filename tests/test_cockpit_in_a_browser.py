"""The cockpit in a real browser, with a G1 that walks in real time: what a person does there, and the page.

`KILOHERTZ_PICTURES=FOLDER` keeps the pictures: standing, walking, gains and stopped. The one of the README is
`walking.png`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from kilohertz.rt.telemetry.publisher import telemetry_endpoint
from kilohertz.rt.telemetry.subscriber import Subscriber

sync_api = pytest.importorskip("playwright.sync_api")
pytest.importorskip("viser")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.long,
    pytest.mark.host,
    pytest.mark.quiet,
    pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium"),
]

FLAGS = (
    "--headless=new --no-sandbox --use-gl=angle --use-angle=swiftshader --enable-unsafe-swiftshader "
    "--disable-background-networking"
)
SIZE = {"width": 1280, "height": 860}
PATIENCE_S = 120.0
TOKEN = "a-token-for-the-test"
SCENARIO = "name: standing\nduration_s: 600\ncommands:\n  - {at_s: 0, stand: {}}\n"
GAINS = "# Tuned by hand.\ncom:\n  weight: 50.0   # of the test\n"


class Place:
    """A running G1, its cockpit and a browser at its page."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self.gains = folder / "gains.yaml"
        self.gains.write_text(GAINS)
        scenario = folder / "standing.yaml"
        scenario.write_text(SCENARIO)
        self.controller = self._started(
            stack, "sim", "g1", "--realtime", "--scenario", scenario, "--gains", self.gains, "--watch-gains"
        )
        self.cockpit = self._started(stack, "view", "--telemetry", "g1", "--port", 0, "--token", TOKEN)
        assert self.cockpit.stdout is not None
        self.address = self.cockpit.stdout.readline().split()[-1]
        self.subscriber = stack.enter_context(_closing(Subscriber(telemetry_endpoint("g1"))))
        playwright = stack.enter_context(sync_api.sync_playwright())
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        stack.callback(browser.close)
        self.errors: list[str] = []
        self.page = browser.new_page(viewport=SIZE)
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.set_default_timeout(PATIENCE_S * 1e3)

    @staticmethod
    def _started(stack: ExitStack, *arguments: object) -> subprocess.Popen[str]:
        program = "from kilohertz.rt.cli.main import main; main()"
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
        process = subprocess.Popen(
            [sys.executable, "-c", program, *map(str, arguments)],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.callback(lambda: (process.kill(), process.wait(), process.stdout.close()))
        return process

    def state(self) -> dict[str, Any]:
        """The newest state of the robot, from its telemetry."""
        newest = self.subscriber.receive(PATIENCE_S)
        while (later := self.subscriber.receive(0.0)) is not None:
            newest = later
        assert newest is not None, "the run has ended"
        return newest

    def until(self, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Waits for a state of the robot."""
        end_s = time.monotonic() + PATIENCE_S
        while not condition(state := self.state()):
            assert time.monotonic() < end_s, {
                key: state[key] for key in ("state", "behaviour", "t_s", "p_WC")
            }
        return state

    def status(self) -> str:
        return str(self.page.get_by_text(re.compile(r"t = [\d.]+ s")).first.inner_text())

    def picture(self, name: str) -> np.ndarray[Any, Any]:
        """Takes a picture of the page, and returns it, (height, width, 3)."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(os.environ.get("KILOHERTZ_PICTURES") or folder) / f"{name}.png"
            self.page.screenshot(path=path)
            with Image.open(path) as image:
                return np.asarray(image.convert("RGB")).copy()

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)


class _closing:  # noqa: N801
    def __init__(self, subscriber: Subscriber) -> None:
        self._subscriber = subscriber

    def __enter__(self) -> Subscriber:
        return self._subscriber

    def __exit__(self, *_: object) -> None:
        self._subscriber.close()


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory(prefix="khz-") as folder, ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setenv("XDG_RUNTIME_DIR", folder)
        yield Place(stack, Path(folder))


def robot_pixels(picture: np.ndarray[Any, Any]) -> int:
    """Number of dark pixels in the middle of the page, where the helmet and the feet of the G1 are."""
    height, width, _ = picture.shape
    view = picture[height // 8 : -height // 8, 3 * width // 8 : 5 * width // 8]
    return int((view.max(axis=2) < 110).sum())


# The tests follow each other: each begins with the robot as the one before has left it.


def test_the_page_is_closed_without_its_token(place):
    answer = place.page.goto(place.address.split("?")[0])
    assert answer.status == 403


def test_the_robot_is_seen_standing(place):
    place.page.goto(place.address)
    place.button("Damp now").wait_for()
    place.page.get_by_role("alert").get_by_role("button").click()
    place.page.get_by_text("commands reach the controller").wait_for()
    # All meshes have to arrive and to be drawn, without a graphics card.
    end_s = time.monotonic() + PATIENCE_S
    while robot_pixels(place.picture("standing")) < 500:
        assert time.monotonic() < end_s, "there is no robot on the page"
    assert "stand running" in place.status()
    place.page.get_by_text("centre of mass: reference - estimate").wait_for()


def test_it_walks_while_a_button_is_held_and_stands_when_it_is_released(place):
    start = place.state()
    box = place.button("Forward").bounding_box()
    place.page.mouse.move(box["x"] + 30, box["y"] + 10)
    place.page.mouse.down()
    place.until(lambda state: state["p_WC"][0] > start["p_WC"][0] + 0.6)
    # A page without a graphics card is behind by seconds.
    place.page.get_by_text(re.compile("walk running")).first.wait_for()
    place.until(lambda state: state["p_WC"][0] > start["p_WC"][0] + 1.0)
    assert place.state()["behaviour"] == "walk"
    assert robot_pixels(place.picture("walking")) > 500
    place.page.mouse.up()
    standing = place.until(lambda state: all(state["contact"]) and np.linalg.norm(state["v_WC"]) < 0.02)
    assert standing["state"] == "active"
    assert abs(standing["p_WC"][1] - start["p_WC"][1]) < 0.2


def test_it_stands_soon_while_a_page_that_hangs_holds_the_button(place):
    start = place.state()
    box = place.button("Forward").bounding_box()
    place.page.mouse.move(box["x"] + 30, box["y"] + 10)
    place.page.mouse.down()
    place.until(lambda state: state["behaviour"] == "walk" and state["p_WC"][0] > start["p_WC"][0] + 0.1)
    # The page tells nothing while it hangs, and neither can it be told that the button is released.
    hangs_s = 20
    place.page.evaluate(
        f"setTimeout(() => {{ const end = Date.now() + {1000 * hangs_s}; while (Date.now() < end); }}, 0)"
    )
    hung = place.state()
    standing = place.until(
        lambda state: state["behaviour"] == "stand" or np.linalg.norm(state["v_WC"]) < 0.02
    )
    assert standing["t_s"] < hung["t_s"] + 5.0
    place.page.mouse.up()
    place.until(lambda state: all(state["contact"]) and np.linalg.norm(state["v_WC"]) < 0.02)


def test_a_button_pushes_the_simulated_robot(place):
    place.page.get_by_text("Push the simulated robot").click()
    button = place.button("Push to the left")
    button.wait_for()
    before = place.state()
    button.click()
    pushed = place.until(lambda state: state["v_WC"][1] > 0.05)
    assert pushed["state"] == "active"
    place.picture("pushed")
    place.until(lambda state: state["t_s"] > before["t_s"] + 5.0 and np.linalg.norm(state["v_WC"]) < 0.02)
    place.page.get_by_text("Push the simulated robot").click()


def red_tip(picture: np.ndarray[Any, Any]) -> tuple[int, int]:
    """Lowest red pixel of the gizmo at the left hand, (x, y): the tip of an arrow along the hand."""
    colours = picture.astype(int)
    red = (colours[..., 0] > 200) & (colours[..., 1] < 80) & (colours[..., 2] < 150)
    # Between the middle of the view and the panel on the right.
    red[:, : SIZE["width"] // 2] = False
    red[:, 5 * SIZE["width"] // 8 :] = False
    rows, columns = np.nonzero(red)
    assert len(rows) > 20, "there is no gizmo"
    lowest = int(rows.argmax())
    return int(columns[lowest]), int(rows[lowest])


def test_a_hand_follows_its_gizmo(place):
    place.page.get_by_label("Drag hands").check()
    place.until(lambda state: not any(state["hand_active"]))
    end_s = time.monotonic() + PATIENCE_S
    before = place.picture("before-gizmos")
    while np.abs(place.picture("gizmos").astype(int) - before).max(axis=2)[:, 400:800].max() < 100:
        assert time.monotonic() < end_s
    x, y = red_tip(place.picture("gizmos"))
    place.page.mouse.move(x, y - 4)
    place.page.mouse.down()
    for step in range(1, 11):
        place.page.mouse.move(x, y - 4 + 5 * step)
    moved = place.until(lambda state: state["hand_active"][0])
    place.page.mouse.up()
    first = moved["p_WH_des"][2]
    place.until(lambda state: state["p_WH_des"][2] < first - 0.01 or state["p_WH_des"][2] < 0.55)
    assert place.state()["state"] == "active"
    place.page.get_by_label("Drag hands").uncheck()
    resting = place.state()
    later = place.until(lambda state: state["t_s"] > resting["t_s"] + 2.0)
    assert later["state"] == "active"


def test_gains_are_a_draft_until_they_are_applied(place):
    place.page.get_by_role("tab", name="Gains").click()
    number = place.page.get_by_role("textbox").filter(visible=True)
    weight = place.page.locator("text=weight").first
    weight.wait_for()
    value = number.nth(6)
    value.fill("60")
    value.press("Enter")
    place.page.get_by_text("com.weight").wait_for()
    assert place.gains.read_text() == GAINS
    before = place.state()["gains_generation"]
    place.button("Apply").click()
    place.until(lambda state: state["gains_generation"] == before + 1)
    assert place.gains.read_text() == GAINS.replace("50.0", "60.0")
    # The verdict, with its numbers, follows when the trial is over.
    place.page.get_by_text(re.compile(r"gains 1 (accepted: tracking|rolled back)")).first.wait_for()
    place.picture("gains")
    place.button("Revert").click()
    place.until(lambda state: state["gains_generation"] == before + 2)
    assert place.gains.read_text() == GAINS


def test_the_last_minute_can_be_looked_at_again(place):
    ago = place.page.get_by_role("slider").first
    ago.focus()
    for _ in range(20):
        ago.press("ArrowRight")
    place.page.get_by_text(re.compile("past")).first.wait_for()
    frozen = place.status()
    shown_s = float(re.findall(r"t = ([\d.]+)", frozen)[0])
    place.until(lambda state: state["t_s"] > shown_s + 2.0)
    assert place.status() == frozen
    ago.press("Home")
    place.page.get_by_text(re.compile("live")).first.wait_for()


def test_stop_stops_it(place):
    place.button("Stop").click()
    place.page.get_by_text("the run has ended").wait_for()
    output, _ = place.controller.communicate(timeout=PATIENCE_S)
    assert "FELL" not in output
    assert place.controller.returncode in (0, 1)
    assert robot_pixels(place.picture("stopped")) > 500
    assert place.errors == []
