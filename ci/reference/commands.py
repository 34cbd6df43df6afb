"""Commands and their options, asked of click itself."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

import click

from ci.reference.markdown import code, page, plain, table
from harness.cli import main

HEAD = "`vtchaos COMMAND --help` says the same. Every command ends with one of the [exit codes](exit-codes.md)."


def commands() -> str:
    found = list(_commands(main, ("vtchaos",)))
    overview = table(
        ("command", "what it does"),
        ((f"[`{' '.join(path)}`](#{'-'.join(path)})", _short(command)) for path, command in found),
    )
    return page("Commands", HEAD, overview, *(_section(path, command) for path, command in found))


def _commands(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name in sorted(command.commands):
        yield from _commands(command.commands[name], (*path, name))


def _short(command: click.Command) -> str:
    return plain(" ".join(_help(command).partition("\n\n")[0].split()))


def _help(command: click.Command) -> str:
    return inspect.cleandoc(command.help or "").replace("\b\n", "")


def _section(path: tuple[str, ...], command: click.Command) -> str:
    context = click.Context(command, info_name=" ".join(path))
    arguments = [each for each in command.params if isinstance(each, click.Argument)]
    usage = " ".join((*path, *(each.make_metavar(context) for each in arguments)))
    options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    parts = [f"## {' '.join(path)}", f"    {usage} [OPTIONS]" if options else f"    {usage}", plain(_help(command))]
    if options:
        parts.append(table(("option", "meaning", "default"), (_option(each, context) for each in options)))
    return "\n\n".join(parts)


def _option(option: click.Option, context: click.Context) -> tuple[str, str, str]:
    names = "/".join((*option.opts, *option.secondary_opts))
    value = "" if option.is_flag else f" {option.make_metavar(context)}"
    repeated = " (may be repeated)" if option.multiple else ""
    return code(f"{names}{value}"), plain(option.help or "") + repeated, _default(option)


def _default(option: click.Option) -> str:
    shown = isinstance(option.default, str | int | float) and not isinstance(option.default, bool)
    return code(option.default) if shown and option.default != "" else ""
