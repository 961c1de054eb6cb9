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
from time import perf_counter
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import click

from risk_model.errors import RiskModelError, disk_trouble
from risk_model.home import Home

if TYPE_CHECKING:
    from risk_model.accounts import Accounts
    from risk_model.command.watching import Log
    from risk_model.settings import Settings

SCHEDULED = frozenset({"import", "train", "score", "monitor", "nightly"})
"""Commands a scheduler calls: what they tell is a log, unless somebody watches on a terminal."""
METERED = frozenset({"import", "train", "score", "monitor"})
"""Commands whose last run is written down for Prometheus."""


@dataclass
class Office:
    """What a subcommand gets: the home, the settings, and where progress goes."""

    home: Home
    config: Path
    as_json: bool = False
    debug: bool = False
    command: str = ""
    """The subcommand at work."""
    run: str = field(default_factory=lambda: uuid4().hex[:12])
    """Names this call in the log, with all the steps it is made of."""

    @cached_property
    def settings(self) -> Settings:
        from risk_model.settings import load_settings

        return load_settings(self.config)

    @cached_property
    def log(self) -> Log | None:
        """Where structured lines go; none if people are told instead."""
        layout = self.settings.log.format
        watched = layout == "auto" and (sys.stderr.isatty() or self.command not in SCHEDULED)
        if layout == "text" or watched:
            return None
        from risk_model.command.watching import Log

        return Log(self.command, self.run)

    def say(self, line: str) -> None:
        """A sentence for the person at the terminal, or in the log, on stderr."""
        if self.log is not None:
            self.log.line("said", message=line)
        else:
            print(line, file=sys.stderr, flush=True)

    @contextmanager
    def accounts(self) -> Iterator[Accounts]:
        """Accounts of the command, whose stages are shown while they last: see ``command/watching.py``."""
        from risk_model.accounts import Accounts
        from risk_model.command.watching import watching

        with watching(self.log, terminal=sys.stderr.isatty()) as watcher:
            yield Accounts(watcher)

    @contextmanager
    def progress(self, what: str, total: int | None = None) -> Iterator[Callable[[int], None]]:
        """One stage of ``total`` steps, shown while it lasts; the yielded function advances it."""
        with self.accounts() as accounts, accounts.stage(what, what, total) as stage:
            yield stage.count


@dataclass(frozen=True)
class Result:
    """What a subcommand answers: a document for machines, a text for people, an exit code."""

    document: Any
    text: str = ""
    exit_code: int = 0
    binary: bytes | None = field(default=None, repr=False)
    """Written to stdout as it is (an XLSX or Parquet list without ``--out``)."""


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
            office.command = name
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
    """Do the work, write down how it ended, print what came of it as it was asked for; the exit code.

    Why something went wrong is the last line on stderr.
    """
    begun = perf_counter()
    try:
        result = work()
    except BaseException as error:
        if office.debug or not isinstance(error, Exception):
            _end(office, 1, None, perf_counter() - begun)
            raise
        # The edge: whatever it is, a person reads one line, not a traceback.
        why, code, document = _said_of(error, office.home)
        _end(office, code, document, perf_counter() - begun)
        return refuse(why, code, document, as_json=office.as_json)
    _end(office, result.exit_code, result.document, perf_counter() - begun)
    if result.binary is not None and not office.as_json:
        sys.stdout.buffer.write(result.binary)
    elif office.as_json:
        _print_json(result.document)
    elif result.text:
        print(result.text.rstrip("\n"))
    return result.exit_code


def _end(office: Office, code: int, document: Any, seconds: float) -> None:
    """The last line of the log, and the figures of this run for Prometheus; neither fails the command."""
    if office.command not in SCHEDULED:
        return
    try:
        settings, log = office.settings, office.log
    except RiskModelError:  # the settings are what is wrong, and that was said
        return
    if log is not None:
        log.line("ended", "info" if code in (0, 6) else "error", exit_code=code, seconds=round(seconds, 3))
    if office.command in METERED:
        from risk_model.metrics import write_metrics

        why = write_metrics(office.home, settings, office.command, document, code, seconds)
        if why:
            office.say(f"The figures for Prometheus were not written: {why}")


def _said_of(error: Exception, home: Home) -> tuple[str, int, Any]:
    """What is wrong and what to do next, the exit code, and the document there is all the same."""
    if isinstance(error, RiskModelError):
        return str(error), error.exit_code, error.document
    of_disk = disk_trouble(error, home.folder)
    if of_disk is not None:
        return of_disk, 1, None
    what = " ".join(str(error).split())
    if isinstance(error, OSError):
        return f"{what}. Nothing of this run was published.", 1, None
    return (
        f"this should not happen ({type(error).__name__}: {what[:200]}). "
        "Yesterday's state stays live. Run again with --debug and report the traceback.",
        1,
        None,
    )


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
