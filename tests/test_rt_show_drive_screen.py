"""The screen of `khz drive` shows the controller's state, who commands it, and how a release is noticed."""

from __future__ import annotations

from rich.console import Console
from test_rt_drive_drive import STATUS, FakeClient

from kilohertz.rt.drive.drive import Drive
from kilohertz.rt.drive.key_decoder import REPORTS_RELEASES, KeyEvent
from kilohertz.rt.show.drive_screen import drive_screen


def screen(drive: Drive, **options: object) -> str:
    console = Console(width=120)
    with console.capture() as capture:
        console.print(drive_screen(drive, "g1", "ipc:///tmp/g1-control", **options))  # type: ignore[arg-type]
    return capture.get()


def test_all_that_matters_is_on_it() -> None:
    drive = Drive(FakeClient())
    text = screen(drive, behaviours=[("bow", {}), ("squat", {})])
    assert "does not report releases" in text
    assert "0.7 s" in text
    assert "1 bow, 2 squat" in text
    assert "Gamepad" not in text
    drive.step(1.0, [KeyEvent(REPORTS_RELEASES), KeyEvent("press", "w")])
    drive.told.append((4.0, "the person 'a' holds the lease"))
    text = screen(drive, pad="")
    assert "does not report releases" not in text
    assert "No gamepad is connected" in text
    for part in (
        "+0.40 m/s forward",
        "speed 0.4 m/s",
        "active",
        "walk, running",
        "nobody",
        "4.0 s",
        "0 dropped",
    ):
        assert part in text
    assert STATUS.holder == ""
    assert "hold a shoulder button" in screen(drive, pad="a pad")
