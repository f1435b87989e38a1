"""The reference pages that are generated each time the documentation is built."""

from __future__ import annotations

import importlib
import inspect
import re

from command_pages import command_page
from markdown_text import code, plain, table
from pydantic import BaseModel
from safety_case import safety_case_page
from schema_pages import all_models, bounds, default, kind, model_section, rows, summary, unit
from source_tree import ROOT, modules, packages

PAGE_OF_MODULES = "modules/{}.md"


def pages() -> dict[str, str]:
    """Path of each generated reference page below `.docs`, and its Markdown."""
    return {
        "reference/gains.md": gains_page(),
        "reference/robot.md": robot_page(),
        "reference/scenario.md": scenario_page(),
        "reference/behaviours.md": behaviours_page(),
        "reference/tasks.md": tasks_page(),
        "reference/cli.md": command_page(),
        "reference/python.md": python_page(),
        "reference/protocol.md": _document("robots/PROTOCOL.md"),
        "reference/commands.md": _document("rt/COMMANDS.md"),
        "reference/telemetry.md": _document("rt/TELEMETRY.md"),
        "reference/faults.md": _document("robots/FAULTS.md"),
        "reference/safety-case.md": safety_case_page(),
    }


def module_pages() -> dict[str, str]:
    """Path of each package's page below `.docs`, and its Markdown: the docstrings of its modules."""
    found = {}
    for package in packages():
        # The public face itself is on the page of the Python reference.
        names = [name for name in modules(package) if name != "kilohertz"]
        text = f"# {package}\n\n" + "".join(f"::: {name}\n\n" for name in names)
        found[PAGE_OF_MODULES.format(package)] = text
    return found


def gains_page() -> str:
    """Every key of gains.yaml."""
    from kilohertz.controller.gains.live import live_paths
    from kilohertz.controller.gains.schema import Gains

    live = {".".join(path) for path in live_paths()}
    head = ("Key", "Unit, or values", "Default", "Bounds", "Live", "Meaning")
    parts: list[str] = []

    def section(model: type[BaseModel], prefix: str) -> None:
        inner = []
        lines = []
        for key, field, text in rows(model, prefix):
            nested = isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
            if nested:
                inner.append((field.annotation, f"{key}."))
                continue
            value = "" if unit(key) else kind(field.annotation)
            shown = unit(key) or ("" if value == "number" else value)
            now = "yes" if key in live else "no"
            lines.append((code(key), shown, default(field), bounds(field), now, text))
        title = prefix.rstrip(".") or "Top level"
        body = _paragraphs(summary(model)) + "\n\n" + (table(head, lines) + "\n" if lines else "")
        parts.append(f"## {title}\n\n{body}")
        for model_below, prefix_below in inner:
            section(model_below, prefix_below)

    section(Gains, "")
    maps = [m for m in all_models(Gains) if m.__name__ in _named_models(Gains)]
    parts += [model_section(model) for model in maps]
    return (
        "# gains.yaml\n\n"
        "Every key with its unit, default and bounds, generated from the schema. A `gains.yaml` beside "
        "`robot.yaml` holds only what differs from the defaults. *Live* keys can be changed while the robot "
        "runs (`--watch-gains`); the others take effect at the next start. A weight has the unit that turns "
        "the square of what it weighs into a cost, as its meaning says.\n\n" + "".join(parts)
    )


def _named_models(root: type) -> set[str]:
    """Models that are values of a map, whose keys the user names."""
    found = set()
    for model in all_models(root):
        for field in model.model_fields.values():
            if "map from" in (text := kind(field.annotation)):
                found.update(re.findall(r"\[(\w+)\]\(#", text))
    return found


def robot_page() -> str:
    """Every key of robot.yaml and driver.yaml."""
    from kilohertz.robots.model.description import RobotDescription
    from kilohertz.robots.wire.driver import DriverConfig

    text = (
        "# robot.yaml\n\n"
        "Generated from the schema. The [tutorial](../tutorials/robot.md) writes one step by step.\n\n"
    )
    text += "".join(model_section(model) for model in all_models(RobotDescription))
    text += "# driver.yaml\n\n" + _paragraphs(
        "Beside robot.yaml, for a driver whose joints are not like the model's in order, name, sign, offset, "
        "gear or unit. See [the tutorial](../tutorials/driver.md).",
        escape=False,
    )
    return text + "\n\n" + model_section(DriverConfig)


def scenario_page() -> str:
    """Every key of a scenario, and the scenarios that ship."""
    from kilohertz.sim.scenario import SCENARIO_FOLDER, shipped_scenarios
    from kilohertz.sim.scenario_schema import Command, Scenario

    text = (
        "# Scenario\n\n"
        "Generated from the schema. A scenario is a YAML file, given as `--scenario FILE`, or the name of "
        "one that ships. Where it says `link`, it may also say `trunk` (the robot's main body), the name of "
        "a hand (the point of that hand) or `hands` (a payload is then shared equally by all hands).\n\n"
    )
    for model in all_models(Scenario):
        about = None
        if model is Command:
            about = (
                "One request to the controller: a time, and exactly one [behaviour](behaviours.md) with its "
                "parameters, such as `{at_s: 2, walk: {velocity_m_s: [0.4, 0.0]}}`."
            )
        text += model_section(model, text=about)
    text += "## Scenarios that ship\n\n"
    for name in shipped_scenarios():
        text += f"### {name}\n\n```yaml\n{(SCENARIO_FOLDER / f'{name}.yaml').read_text()}```\n\n"
    return text


def behaviours_page() -> str:
    """Every behaviour that ships, with its parameters."""
    from kilohertz.controller.behaviours.registry import load_behaviours

    text = (
        "# Behaviours\n\n"
        "What a robot can be asked to do: in a scenario as an entry of `commands`, `{at_s: 2, walk: {...}}`, "
        'and from Python as `sim.command("walk", ...)`. Generated from the registry of behaviours; '
        "[a tutorial](../tutorials/behaviour.md) adds one.\n\n"
    )
    below: list[type[BaseModel]] = []
    for name, behaviour in load_behaviours().items():
        able = [
            "robots with soles",
            *["robots on point feet"] * behaviour.works_on_points,
            *["arms"] * behaviour.fixed_base,
        ]
        about = f"{_paragraphs(summary(behaviour))}\n\nFor {', '.join(able)}."
        text += model_section(behaviour.Parameters, name, text=about)
        below += [model for model in all_models(behaviour.Parameters)[1:] if model not in below]
    return text + "".join(model_section(model) for model in below)


def tasks_page() -> str:
    """Every registered task kind."""
    from kilohertz.controller.problem import tables
    from kilohertz.controller.tasks.kind import load_kinds

    spaces = {
        tables.MOTION: "rows on $\\dot v$",
        tables.MOMENTUM: "rows on the rate of the centroidal momentum",
        tables.JOINT_DIAGONAL: "a diagonal on the joint accelerations",
        tables.WRENCH_DIAGONAL: "a diagonal on the wrench of one contact",
        tables.WRENCH: "rows on the wrenches of all contacts",
    }
    text = (
        "# Task kinds\n\n"
        "Generated from the registry of `kilohertz.controller.tasks`. The equations are on "
        "[Tasks](../concepts/tasks.md); [a tutorial](../tutorials/task.md) adds one.\n\n"
    )
    for name, kind_of_task in sorted(load_kinds().items()):
        module = importlib.import_module(kind_of_task.module)
        rows_text = str(kind_of_task.dim) if kind_of_task.dim else "one per joint"
        n_ref = kind_of_task.n_ref
        numbers = str(n_ref) if n_ref >= 0 else f"{-n_ref} per joint"
        text += f"## {name}\n\n{_paragraphs(inspect.cleandoc(module.__doc__ or ''))}\n\n"
        text += table(
            ("", ""),
            [
                ("space", spaces[kind_of_task.space]),
                ("rows", rows_text),
                ("reference numbers", numbers),
                ("returns", plain(inspect.cleandoc(module.spec.__doc__ or ""))),
            ],
        )
        text += "\n"
    return text


def python_page() -> str:
    """The public names of `import kilohertz`, and the extension points."""
    import kilohertz

    public = sorted(getattr(kilohertz, "__all__", ()))
    text = (
        "# Python\n\n"
        "`import kilohertz` offers these names; nothing else is promised to stay. "
        "[A tutorial](../tutorials/python.md) uses them.\n\n"
    )
    return text + "".join(f"::: kilohertz.{name}\n\n" for name in public)


def _document(path: str) -> str:
    """A document of the repository as a page; what it links to in the repository becomes plain text."""
    text = (ROOT / path).read_text()
    return re.sub(r"\[([^\]]+)\]\((?!https?:|#)[^)]*\)", r"\1", text)


def _paragraphs(text: str, escape: bool = True) -> str:
    paragraphs = text.split("\n\n")
    return "\n\n".join(plain(one) if escape else " ".join(one.split()) for one in paragraphs)
