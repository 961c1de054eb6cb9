"""The dispatcher: ``dropout-risk [--home DIR] [--config FILE] [--json] SUBCOMMAND``.

Subcommands are entry points of the group ``dropout_risk.commands``; a module is imported only
when its command is called (or for its one line in ``--help``, so command modules import nothing
heavy at the top).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any

import click
from click.exceptions import NoArgsIsHelpError

from risk_model.command.surface import Office, refuse
from risk_model.home import Home

GROUP = "dropout_risk.commands"


class Subcommands(click.Group):
    """Subcommands found by name among the installed entry points."""

    def _found(self) -> dict[str, EntryPoint]:
        return {point.name: point for point in entry_points(group=GROUP)}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._found())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        point = self._found().get(cmd_name)
        loaded: click.Command | None = None if point is None else point.load()
        return loaded

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """As click's, but a wrong call is one readable line as well, and a document under ``--json``."""
        given = list(sys.argv[1:] if args is None else args)
        if not standalone_mode:
            return super().main(given, prog_name, complete_var, standalone_mode=False, **extra)
        try:
            code = super().main(given, prog_name, complete_var, standalone_mode=False, **extra)
        except click.ClickException as error:
            code = _refuse_call(error, as_json="--json" in given)
        except click.Abort:
            code = refuse("stopped from the keyboard.", 1, as_json="--json" in given)
        sys.exit(code or 0)


def _refuse_call(error: click.ClickException, *, as_json: bool) -> int:
    if isinstance(error, NoArgsIsHelpError) and not as_json:
        error.show()
        return error.exit_code
    context = getattr(error, "ctx", None)
    what = "A subcommand is missing." if isinstance(error, NoArgsIsHelpError) else error.format_message()
    where = "dropout-risk" if context is None else context.command_path
    line = f"{' '.join(what.split())} `{where} --help` tells how it is called."
    return refuse(line, error.exit_code, as_json=as_json)


@click.group("dropout-risk", cls=Subcommands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    envvar="DROPOUT_RISK_HOME",
    help="Folder of data/, mlruns/ and dropout-risk.toml. [default: this folder]",
)
@click.option(
    "--config",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    envvar="DROPOUT_RISK_CONFIG",
    help="Configuration file. [default: dropout-risk.toml of the home]",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document on stdout.")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="dropout-risk")
@click.pass_context
def main(context: click.Context, home: Path, config: Path | None, as_json: bool, debug: bool) -> None:
    """Who is most at risk of leaving school tonight, why, and what could help."""
    place = Home(home.resolve())
    context.obj = Office(place, config or place.config, as_json=as_json, debug=debug)
