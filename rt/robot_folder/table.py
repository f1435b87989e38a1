"""The examination of a robot as a table on the screen."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from kilohertz.rt.robot_folder.examine import MOST_TORQUE, Examination

_JOINTS_SHOWN = 12


def as_table(found: Examination) -> RenderableType:
    """Returns soles, balance, the most loaded joints, and all sentences of an examination."""
    robot = found.robot
    base = "floating base" if robot.floating else "fixed base"
    parts: list[RenderableType] = [
        Text.assemble((robot.name, "bold"), f"   {robot.na} joints, {robot.mass_kg:.1f} kg, {base}")
    ]
    if found.soles:
        parts.append(_padded(_soles(found)))
        parts.append(_padded(Text(_balance(found))))
    parts.append(_padded(_joints(found)))
    for title, sentences, style in (
        ("problem", found.problems, "bold red"),
        ("warning", found.warnings, "yellow"),
        ("note", found.notes, "dim"),
    ):
        parts += [Padding(Text.assemble((f"{title}: ", style), each), (0, 0, 0, 2)) for each in sentences]
    verdict = "passed" if found.passed else f"not passed: {len(found.problems)} problems"
    parts.append(_padded(Text(verdict, "bold green" if found.passed else "bold red")))
    return Group(*parts)


def _soles(found: Examination) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    table.add_column("sole")
    for column in ("tilt deg", "height mm", "area cm²"):
        table.add_column(column, justify="right")
    table.add_column("")
    for sole in found.soles:
        table.add_row(
            sole.name,
            f"{sole.tilt_deg:.2f}",
            f"{1e3 * sole.height_m:.1f}",
            f"{1e4 * sole.area_m2:.0f}",
            "" if sole.kind == "surface" else sole.kind,
        )
    return table


def _balance(found: Examination) -> str:
    if found.margin_m is None:
        return "The soles span no area: the robot cannot stand still on them."
    middle = found.support_m.mean(axis=0)
    ahead, left = 1e3 * (found.com_m[:2] - middle)
    return (
        f"centre of mass {1e3 * found.margin_m:.0f} mm inside the edge of the soles, {ahead:+.0f} mm ahead "
        f"and {left:+.0f} mm to the left of their middle, {found.com_m[2]:.2f} m high"
    )


def _joints(found: Examination) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim", padding=(0, 2))
    table.add_column("joint, most loaded first")
    for column in ("holds Nm", "limit Nm", "share", "to limit rad"):
        table.add_column(column, justify="right")
    by_load = sorted(found.joints, key=lambda joint: -joint.fraction)
    for joint in by_load[:_JOINTS_SHOWN]:
        style = "red" if joint.fraction > 1.0 else "yellow" if joint.fraction > MOST_TORQUE else ""
        table.add_row(
            joint.name,
            f"{joint.holding_Nm:.3g}",
            f"{joint.limit_Nm:.3g}",
            f"{joint.fraction:.0%}",
            f"{joint.room_rad:.2f}",
            style=style,
        )
    if len(by_load) > _JOINTS_SHOWN:
        table.add_row(f"and {len(by_load) - _JOINTS_SHOWN} more joints", style="dim")
    return table


def _padded(content: RenderableType) -> Padding:
    return Padding(content, (1, 0, 0, 2), expand=False)
