"""Every command of the command line with its arguments and options, from the parser itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer

from hwscale.cli import app


def commands() -> Iterator[tuple[str, Any]]:
    """Full name and parser of every command that does something, in the order of `hwscale --help`."""
    yield from _below("hwscale", typer.main.get_command(app))


def _below(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    children = getattr(command, "commands", None)
    if children is None:
        yield name, command
        return
    for child, its in children.items():
        yield from _below(f"{name} {child}", its)


def markdown() -> str:
    """One section per command."""
    return "\n".join(_section(name, command) for name, command in commands())


def _section(name: str, command: Any) -> str:
    said = [line.strip() for line in (command.help or "").split("\n\n")]
    sentences = [" ".join(line.split()) for line in said if line and not line.startswith("hwscale ")]
    examples = [" ".join(line.split()) for line in said if line.startswith("hwscale ")]
    arguments = [each for each in command.params if each.param_type_name == "argument"]
    options = [each for each in command.params if each.param_type_name == "option" and not each.hidden]
    usage = " ".join([name, *(_usage(each) for each in arguments), *(["[OPTIONS]"] if options else [])])
    lines = [
        f"## {name}",
        "",
        *(f"{_plain(sentence)}\n" for sentence in sentences),
        "```console",
        f"$ {usage}",
        "```",
        "",
    ]
    if examples:
        lines += ["For example:", "", "```console", *(f"$ {example}" for example in examples), "```", ""]
    if arguments:
        lines += ["| argument | meaning |", "|---|---|"]
        lines += [f"| `{_cell(_shown(each))}` | {_cell(_plain(each.help or ''))} |" for each in arguments] + [""]
    if options:
        context = typer.Context(command, info_name=name)
        lines += ["| option | meaning |", "|---|---|"]
        lines += [_option(each, context) for each in options] + [""]
    return "\n".join(lines)


def _shown(argument: Any) -> str:
    return str(argument.metavar or argument.name.upper())


def _usage(argument: Any) -> str:
    shown = f"{_shown(argument)}..." if argument.nargs == -1 else _shown(argument)
    return shown if argument.required else f"[{shown}]"


def _option(option: Any, context: Any) -> str:
    flags, words = option.get_help_record(context)
    return f"| `{_cell(flags)}` | {_cell(_plain(' '.join(words.split())))} |"


def _plain(words: str) -> str:
    """Text of a terminal as Markdown: nothing in it but backticks means anything."""
    parts = words.split("`")
    escaped = [
        "".join(f"\\{c}" if c in "*_<>[]#" else c for c in part) if at % 2 == 0 else part
        for at, part in enumerate(parts)
    ]
    return "`".join(escaped)


def _cell(words: str) -> str:
    return words.replace("|", "\\|")
