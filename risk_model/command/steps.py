"""Subcommands that are made of other subcommands call them as the shell does: through the entry points."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Any

import click

from risk_model.command.main import GROUP
from risk_model.command.surface import Office
from risk_model.errors import RiskModelError, UsageError


@dataclass(frozen=True)
class Step:
    """How one step ended: its document, its exit code, what it said on stdout."""

    document: Any
    exit_code: int


class StepFailedError(RiskModelError):
    """A step ended with an exit code that stops the chain."""

    def __init__(self, name: str, step: Step) -> None:
        super().__init__(
            f"The step {name!r} ended with exit code {step.exit_code}; its message stands above.",
            document={name: step.document},
        )
        self.exit_code = step.exit_code


def exists(name: str) -> bool:
    """Whether a subcommand of that name is installed: later rooms add theirs."""
    return bool(entry_points(group=GROUP, name=name))


def call(office: Office, name: str, *arguments: str, allowed: Sequence[int] = (0,)) -> Step:
    """Run ``dropout-risk NAME ARGUMENTS --json`` in this process, in the same home.

    Raises
    ------
    StepFailedError
        The step ended with an exit code that is not in ``allowed``.
    """
    text, code = _run(office, name, arguments, as_json=True)
    step = Step(json.loads(text or "null"), code)
    if step.exit_code not in allowed:
        raise StepFailedError(name, step)
    return step


def said(office: Office, name: str, *arguments: str) -> str:
    """What a person reads who calls the subcommand."""
    text, _ = _run(office, name, arguments, as_json=False)
    return text


def _run(office: Office, name: str, arguments: Sequence[str], *, as_json: bool) -> tuple[str, int]:
    (point,) = entry_points(group=GROUP, name=name)
    inner = Office(office.home, office.config, as_json, office.debug, run=office.run)
    stdout = io.StringIO()
    with contextlib.redirect_stdout(stdout):
        try:
            code = point.load().main([*arguments], prog_name=name, obj=inner, standalone_mode=False)
        except click.ClickException as error:
            raise UsageError(f"{name}: {error.format_message()}") from None
    return stdout.getvalue(), int(code or 0)
