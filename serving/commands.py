"""The subcommands ``score``, ``lists`` and ``explain``; nothing heavy is imported before one is called."""

from __future__ import annotations

import shutil
import sys
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from risk_model.command.surface import DAY, Office, Result, command
from risk_model.errors import UsageError

if TYPE_CHECKING:
    from serving.lists import Page

HELD_BACK = 6
FORMATS = ("table", "csv", "xlsx", "json", "parquet")
LAYOUTS = {".csv": "csv", ".xlsx": "xlsx", ".json": "json", ".parquet": "parquet", ".txt": "table"}
"""The format a file's ending asks for."""


def _size(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    from risk_model.settings import size_in_bytes

    try:
        size_in_bytes(text or "1GB")
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return text


@command("score")
@click.option("--as-of", type=DAY, help="Score as of this day. [default: the latest the registers know of]")
@click.option(
    "--workers", type=click.IntRange(min=1), help="Processors to work with. [default: all of this machine]"
)
@click.option("--scheduler", metavar="ADDRESS", help="Let this Dask cluster work, as tcp://host:8786.")
@click.option(
    "--memory-limit",
    metavar="SIZE",
    callback=_size,
    help="What all processes may use together, as 4GB. [default: setting]",
)
@click.option(
    "--force", is_flag=True, help="Publish although the cohort is empty or much smaller than the last."
)
@click.option("--republish", is_flag=True, help="Publish although a newer run is published.")
def score(
    office: Office,
    as_of: date | None,
    workers: int | None,
    scheduler: str | None,
    memory_limit: str | None,
    force: bool,
    republish: bool,
) -> Result:
    """Score, rank and explain everybody, and publish the lists."""
    from serving.nightly import Order, score_night

    if workers is not None and scheduler is not None:
        raise UsageError("--workers and --scheduler exclude each other: a cluster brings its own workers.")
    order = Order(as_of, force, republish, workers, scheduler, memory_limit)
    with office.accounts() as accounts:
        with accounts.stage("directory", "staff, classes and names"):
            _refresh_directory(office)
        document = score_night(office.home, office.settings, order, office.say, accounts)
    return Result(document, _score_text(document), HELD_BACK if document["held_back"] else 0)


def _refresh_directory(office: Office) -> None:
    """Who may see whom is known before there is something to see; without registers ``score`` says so."""
    from serving.database import open_database
    from serving.directory.refreshing import refresh_directory

    if (office.home.lake / "catalog.sqlite").exists():
        with open_database(office.home, office.settings) as engine:
            refresh_directory(office.home, office.settings, engine)


@command("lists")
@click.option("--unit", metavar="ID", help="province:P, county:C, township:T, school:A or class:A:7A:2025.")
@click.option(
    "--top", type=click.IntRange(min=1), help="Only the so many highest ranked, without open cases."
)
@click.option("--as-of", type=DAY, help="The list as it stood for this day. [default: the published one]")
@click.option("--format", "layout", type=click.Choice(FORMATS), help="[default: by --out, else table]")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Write into this file.")
@click.option("--all", "everybody", is_flag=True, help="Everybody, not only the listed.")
def lists(
    office: Office,
    unit: str | None,
    top: int | None,
    as_of: date | None,
    layout: str | None,
    out: Path | None,
    everybody: bool,
) -> Result:
    """The published list of a unit: open cases first, then by rank, each with its reasons."""
    from serving.audit.commands import note_look
    from serving.database import open_database
    from serving.lists import Asked, published_page
    from serving.units import parse_unit

    asked = parse_unit(unit)
    layout = layout or _layout_of(out)
    with (
        open_database(office.home, office.settings, create=False) as engine,
        engine.connect() as connection,
    ):
        note_look(office, "look" if out is None else "export", unit=str(asked), detail=f"lists {layout}")
        language = office.settings.list.language
        page = published_page(
            connection, asked, Asked(top=top, as_of=as_of, everybody=everybody, language=language)
        )
    return _list_result(office, page, layout, out)


@command("explain")
@click.argument("student")
@click.option("--as-of", type=DAY, help="As it stood for this day. [default: the published run]")
@click.option(
    "--what-if",
    "questions",
    multiple=True,
    metavar="FEATURE=VALUE",
    help="Ask what the model would say with this value, as boarding=true or absence_30=0.05; repeatable.",
)
def explain(office: Office, student: str, as_of: date | None, questions: tuple[str, ...]) -> Result:
    """Why a pupil has this risk, what changed since the run before, and what if."""
    from risk_model.explanation.whatif import read_changes
    from serving.audit.commands import note_look
    from serving.database import open_database
    from serving.explaining import explain as explained
    from serving.explanation_text import explanation_text

    settings = office.settings
    asked = read_changes(questions) if questions else None
    with (
        open_database(office.home, settings, create=False) as engine,
        engine.connect() as connection,
    ):
        note_look(office, "look", student_id=student, detail="explain")
        document = explained(connection, office.home, settings, student, as_of, asked)
    text = explanation_text(document, settings.list.language, settings.labels.horizon_days)
    return Result(document, text)


def _score_text(document: dict[str, Any]) -> str:
    lines = [
        f"{document['students']:,} pupils as of {document['as_of']}, model {document['model_version']}: "
        f"{document['listed']:,} listed, {'published' if document['published'] else 'NOT published'}, "
        f"in {document['seconds']['total']:.1f} s and {document['peak_memory_mb']:,.0f} MB.",
    ]
    if document["reason"] and not document["held_back"]:
        lines.append(document["reason"])
    for unit in document["held_back"]:
        live = f"the list of {unit['as_of']} stays" if unit["as_of"] else "it has no list"
        lines.append(f"{unit['unit']} is held back, {live}: {unit['reason']}")
    shadow = document.get("shadow")
    if shadow:
        lines.append(_shadow_text(shadow))
    twice = len(document["findings"])
    if twice:
        lines.append(
            f"{twice:,} pupils are enrolled at two places at once; --json names them. Correct one spell."
        )
    return "\n".join(lines)


def _shadow_text(shadow: dict[str, Any]) -> str:
    """What is told of the challenger, which nobody's list comes from."""
    if "failed" in shadow:
        return f"The challenger {shadow['challenger']} could not score: {shadow['failed']}"
    churn = "–" if shadow["churn"] is None else f"{shadow['churn']:.0%}"
    return (
        f"Unseen, challenger {shadow['challenger']} would list {shadow['would_list']:,}, "
        f"{shadow['both']:,} of them the same; {churn} of the listed would fall off."
    )


def _layout_of(out: Path | None) -> str:
    """The format a file's name asks for; a table without a file."""
    if out is None:
        return "table"
    layout = LAYOUTS.get(out.suffix.lower())
    if layout is None:
        raise UsageError(
            f"{out.name} has none of the known endings {', '.join(LAYOUTS)}. Choose one, or add --format."
        )
    return layout


def _list_result(office: Office, page: Page, layout: str, out: Path | None) -> Result:
    from serving.exports import EXPORTS, write_private

    if layout != "table" or office.as_json:
        _say_what_is_missing(office, page)
    if out is None and office.as_json:
        return Result(page.rows)
    if out is None and layout == "table":
        return Result(page.rows, _table_text(office, page))
    content = _table_text(office, page).encode() if layout == "table" else EXPORTS[layout](page.rows)
    if out is None:
        return Result(page.rows, binary=content)
    write_private(out, content)
    return Result(page.rows, f"{len(page.rows):,} rows written to {out}.")


def _table_text(office: Office, page: Page) -> str:
    from serving.page_text import WIDTH, page_text

    width = shutil.get_terminal_size((WIDTH, 0)).columns if sys.stdout.isatty() else WIDTH
    settings = office.settings
    return page_text(page, settings.list.language, settings.labels.horizon_days, width)


def _say_what_is_missing(office: Office, page: Page) -> None:
    """On stderr, for rows cannot say it."""
    for older in page.older if page.unit.above_school else ():
        office.say(f"Not in this list, because its own is older: {older.school_id} ({older.as_of}).")
