"""The screen of `khz drive`: what the controller does, who commands it, and what the keys mean."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kilohertz.rt.drive.drive import Drive, Request
from kilohertz.rt.drive.held_keys import FIRST_S, REPEAT_S

_KEYS = (
    ("w s", "forward, backward"),
    ("a d", "left, right"),
    ("q e", "turn left, right; arrow keys drive too"),
    ("+ -", "faster, slower"),
    ("space", "stand"),
    ("x", "soft stop: the robot comes to rest, and the run ends"),
    ("g", "give the lease back, so that a program can drive"),
    ("Ctrl-C", "leave: the robot stands"),
)
_WITH_RELEASES = "The robot moves while a key is held."
_WITHOUT_RELEASES = (
    f"The robot moves while a key is held. This terminal does not report releases: a key counts as released "
    f"{REPEAT_S:g} s after its last repeat, {FIRST_S:g} s after a press without repeats. Hold one key at a "
    "time."
)
_PAD = "Gamepad {name}: hold a shoulder button; left stick walks, right stick turns."
_NO_PAD = "No gamepad is connected."


def drive_screen(
    drive: Drive, robot: str, endpoint: str, behaviours: Sequence[Request] = (), pad: str | None = None
) -> RenderableType:
    """Returns what the terminal shows.

    Args:
        drive: the person who drives.
        robot: name of the robot.
        endpoint: control endpoint of its controller.
        behaviours: behaviours that the keys 1 to 9 request.
        pad: name of the gamepad, "" while none is connected; None without gamepad.
    """
    lines: list[RenderableType] = [Text.assemble((robot, "bold"), f"   {endpoint}"), Text()]
    lines += [_state(drive), Text()]
    hold = _WITH_RELEASES if drive.keys.reports_releases else _WITHOUT_RELEASES
    lines += [Text(hold, style="bold"), _keys(behaviours)]
    if pad is not None:
        lines.append(Text(_PAD.format(name=pad) if pad else _NO_PAD))
    return Group(*lines)


def _state(drive: Drive) -> Table:
    table = Table.grid(padding=(0, 2))
    asked, status = drive.velocity, drive.status
    table.add_row("asked for", _velocity(*asked) + f"; speed {drive.speed_m_s:.1f} m/s")
    if status is not None:
        holder = f"{status.holder_role} '{status.holder}'" if status.holder else "nobody"
        dropped = f", {status.dropped} dropped: {status.why_dropped}" if status.dropped else ", 0 dropped"
        x, y = status.p_WB
        table.add_row("walking at", _velocity(*status.velocity_m_s, status.yaw_rate_rad_s))
        table.add_row("place", f"x {x:+.2f} m, y {y:+.2f} m, heading {status.yaw_rad:+.2f} rad")
        table.add_row("state", f"{status.state} at {status.t_s:.1f} s")
        table.add_row("behaviour", f"{status.behaviour}, {status.phase}")
        table.add_row("lease", holder)
        table.add_row("samples", f"{status.received} received{dropped}")
        table.add_row("remark", status.text)
    for t_s, text in drive.told:
        table.add_row(f"{t_s:.1f} s", Text(text, style="dim"))
    return table


def _velocity(forward: float, left: float, turn: float) -> str:
    return f"{forward:+.2f} m/s forward, {left:+.2f} m/s left, turning {turn:+.2f} rad/s"


def _keys(behaviours: Sequence[Request]) -> Table:
    table = Table.grid(padding=(0, 2))
    for key, meaning in _KEYS:
        table.add_row(Text(key, style="bold"), meaning)
    named = ", ".join(f"{number} {name}" for number, (name, _) in enumerate(behaviours[:9], 1))
    if named:
        table.add_row(Text("1 to 9", style="bold"), named)
    return table
