"""Reference of the command line, from its own tree of commands."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from typing import Any

import typer.main
from markdown_text import code, plain, table


def commands() -> Iterator[tuple[str, Any]]:
    """Every command of `khz` and its groups: the words that call it, and itself."""
    from kilohertz.rt.cli.main import app

    def below(words: str, command: Any) -> Iterator[tuple[str, Any]]:
        yield words, command
        for name, inner in getattr(command, "commands", {}).items():
            if not inner.hidden:
                yield from below(f"{words} {name}", inner)

    yield from below("khz", typer.main.get_command(app))


def option_names(parameter: Any) -> list[str]:
    """How an option is written, such as `--seed`; of an argument nothing."""
    return [name for name in (*parameter.opts, *parameter.secondary_opts) if name.startswith("-")]


def _placeholder(parameter: Any) -> str:
    if getattr(parameter, "is_flag", False):
        return ""
    return str(parameter.metavar or parameter.name.upper())


def _default(parameter: Any) -> str:
    value = parameter.default
    if isinstance(value, enum.Enum):
        value = value.value
    if parameter.required:
        return "required"
    return "" if value is None or value is False or value == () or callable(value) else code(value)


def _usage(words: str, command: Any) -> str:
    parts, optional = [words], False
    if getattr(command, "commands", None):
        parts.append("COMMAND ...")
    for parameter in command.params:
        names = option_names(parameter)
        text = " ".join([names[0], _placeholder(parameter)]).strip() if names else _placeholder(parameter)
        if names and not parameter.required:
            optional = True
            continue
        parts.append(text if parameter.required else f"[{text}]")
    return " ".join([*parts, *["[OPTIONS]"] * optional])


def _section(words: str, command: Any) -> str:
    level = "#" * min(2 + max(words.count(" ") - 1, 0), 4)
    text = f"{level} {words}\n\n```text\n{_usage(words, command)}\n```\n\n"
    help_text = "\n\n".join(plain(paragraph) for paragraph in (command.help or "").split("\n\n"))
    lines = []
    for parameter in command.params:
        names = option_names(parameter) or [_placeholder(parameter)]
        shown = " ".join([", ".join(names), _placeholder(parameter) if option_names(parameter) else ""])
        lines.append((code(shown.strip()), _default(parameter), plain(parameter.help or "")))
    text += f"{help_text}\n\n"
    return text + (table(("", "Default", "Meaning"), lines) + "\n" if lines else "")


def command_page() -> str:
    """The page on all commands."""
    text = (
        "# Command line\n\n"
        "Generated from the commands themselves. `--help` prints the same in the terminal.\n\n"
        "Exit status: 0 done; 1 the robot fell, or a safety stop ended the run; 2 wrong usage; 3 refused "
        "(the message names file, line and key); 4 the link was lost; 5 Kilohertz itself failed; 130 "
        "stopped by Ctrl-C, with all files written; 141 the reader of the output, such as `head`, went "
        "away.\n\n"
    )
    return text + "".join(_section(words, command) for words, command in commands())
