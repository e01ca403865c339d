"""Groups of verbs that are loaded when asked for, so that `--help` and completion answer at once."""

from __future__ import annotations

import importlib
import importlib.util
import keyword
from collections.abc import Mapping
from typing import Any

import click


class LazyVerbs(click.Group):
    """A group whose verb `a-b` is the `command` of the module `<package>.a_b`, imported when it is run or explained.

    A verb that Python keeps for itself has an underscore after it (`import_.py`). `verbs` maps each name to the line
    that the group's help shows; a verb whose module is not there is not offered."""

    def __init__(self, *arguments: Any, package: str, verbs: Mapping[str, str], **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._package, self._verbs = package, verbs

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [verb for verb in self._verbs if importlib.util.find_spec(self._module(verb)) is not None]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        command = importlib.import_module(self._module(cmd_name)).command
        if not isinstance(command, click.Command):
            raise TypeError(f"{self._module(cmd_name)}.command is not a click command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the verbs without importing any."""
        rows = [(verb, self._verbs[verb]) for verb in self.list_commands(ctx)]
        if rows:
            with formatter.section("Commands"):
                formatter.write_dl(rows)

    def _module(self, verb: str) -> str:
        name = verb.replace("-", "_")
        return f"{self._package}.{name}_" if keyword.iskeyword(name) else f"{self._package}.{name}"
