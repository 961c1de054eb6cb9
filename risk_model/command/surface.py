"""What every subcommand is made of: its context, its result, and how both meet the shell.

A subcommand is a function ``(office, …) -> Result`` decorated with :func:`command`. It never
prints: the decorator prints the document (``--json``) or the text, and turns errors into one
readable line and the exit code of ``contract.md`` §3.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from risk_model.errors import RiskModelError
from risk_model.home import Home

if TYPE_CHECKING:
    from rich.console import Console

    from risk_model.settings import Settings


@dataclass
class Office:
    """What a subcommand gets: the home, the settings, and where progress goes."""

    home: Home
    config: Path
    as_json: bool = False
    debug: bool = False

    @cached_property
    def settings(self) -> Settings:
        from risk_model.settings import load_settings

        return load_settings(self.config)

    @cached_property
    def console(self) -> Console:
        from rich.console import Console

        return Console(stderr=True)

    def say(self, line: str) -> None:
        """A line for the person at the terminal or the log, on stderr."""
        print(line, file=sys.stderr, flush=True)

    @contextmanager
    def progress(self, what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """A progress bar on a terminal, silence in a pipe; the yielded function advances it."""
        if not sys.stderr.isatty():
            yield _nowhere
            return
        from rich.progress import Progress

        with Progress(console=self.console, transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda steps: bar.advance(task, steps)


@dataclass(frozen=True)
class Result:
    """What a subcommand answers: a document for machines, a text for people, an exit code."""

    document: Any
    text: str = ""
    exit_code: int = 0
    binary: bytes | None = field(default=None, repr=False)
    """Written to stdout as it is (an XLSX or Parquet list without ``--out``)."""


def _nowhere(steps: int) -> None:
    """Advance nothing: nobody is watching."""


def office_of(context: click.Context) -> Office:
    """The office of this call, made from the options before the subcommand."""
    office = context.find_object(Office)
    if office is None:
        folder = Path.cwd()
        office = Office(Home(folder), Home(folder).config)
    return office


def command(name: str, **attributes: Any) -> Callable[[Callable[..., Result]], click.Command]:
    """Make a click command ``name`` of a function ``(office, **options) -> Result``."""

    def decorate(function: Callable[..., Result]) -> click.Command:
        @click.pass_context
        def run(context: click.Context, /, as_json: bool, **options: Any) -> None:
            office = office_of(context)
            office.as_json = office.as_json or as_json
            context.exit(_answer(office, lambda: function(office, **options)))

        # The options stand on the function, put there by the click decorators below @command.
        params = [*reversed(getattr(function, "__click_params__", [])), _json_option()]
        return click.Command(name, callback=run, params=params, help=function.__doc__, **attributes)

    return decorate


def group(name: str, **attributes: Any) -> Callable[[Callable[[], None]], click.Group]:
    """Make a click group ``name`` of subcommands; ``--json`` may stand before or after theirs."""

    def decorate(function: Callable[[], None]) -> click.Group:
        @click.pass_context
        def run(context: click.Context, /, as_json: bool) -> None:
            context.obj = office_of(context)
            context.obj.as_json = context.obj.as_json or as_json

        params: list[click.Parameter] = [_json_option()]
        return click.Group(name, callback=run, params=params, help=function.__doc__, **attributes)

    return decorate


def _json_option() -> click.Option:
    return click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON document.")


def _answer(office: Office, work: Callable[[], Result]) -> int:
    try:
        result = work()
    except RiskModelError as error:
        if office.debug:
            raise
        return refuse(str(error), error.exit_code, error.document, as_json=office.as_json)
    except OSError as error:
        if office.debug:
            raise
        return refuse(f"{error}. Nothing of this run was published.", 1, as_json=office.as_json)
    except Exception as error:  # the edge: whatever it is, a person reads one line, not a traceback
        if office.debug:
            raise
        what = " ".join(str(error).split())[:200]
        return refuse(
            f"this should not happen ({type(error).__name__}: {what}). "
            "Yesterday's state stays live. Run again with --debug and report the traceback.",
            1,
            as_json=office.as_json,
        )
    if result.binary is not None and not office.as_json:
        sys.stdout.buffer.write(result.binary)
    elif office.as_json:
        _print_json(result.document)
    elif result.text:
        print(result.text.rstrip("\n"))
    return result.exit_code


def refuse(why: str, exit_code: int, document: Any = None, *, as_json: bool) -> int:
    """Say what is wrong, for machines as ``document`` or else ``{"error", "exit_code"}``; the exit code."""
    if as_json:
        _print_json({"error": why, "exit_code": exit_code} if document is None else document)
    print(f"dropout-risk: {why}", file=sys.stderr)
    return exit_code


def _print_json(document: Any) -> None:
    print(json.dumps(document, ensure_ascii=False, default=_plain, allow_nan=False))


def _plain(value: Any) -> Any:
    if isinstance(value, date | datetime):
        return value.isoformat()
    if isinstance(value, Path):
        return str(value)
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} has no place in a JSON document")


class Day(click.ParamType[date]):
    """A day as ``2025-09-01``, ``20250901``, ``2025/9/1`` or ``today``."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        if isinstance(value, date):
            return value
        if value == "today":
            return date.today()
        for layout in ("%Y-%m-%d", "%Y%m%d", "%Y/%m/%d"):
            try:
                return datetime.strptime(value, layout).date()
            except ValueError:
                continue
        return self.fail(f"{value!r} is not a day; write it as 2025-09-01.", param, ctx)


DAY = Day()
