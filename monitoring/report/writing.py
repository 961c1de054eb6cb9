"""The report as one HTML file a language: nothing from elsewhere, a first screen that decides."""

from __future__ import annotations

from datetime import date
from typing import Any

from monitoring.history import History, write
from monitoring.report.content import content
from monitoring.words import Language

LANGUAGES: tuple[Language, ...] = ("en", "zh")
DASH = "–"


def write_reports(history: History, as_of: date, document: dict[str, Any], cell: int = 10) -> dict[str, str]:
    """Write the report of a night in each language; their paths."""
    earlier = history.before(as_of)
    paths: dict[str, str] = {}
    for language in LANGUAGES:
        file = history.folder / "reports" / f"{as_of}-{language}.html"
        write(file, render(content(document, earlier, language, cell)))
        paths[language] = str(file)
    return paths


def render(told: dict[str, Any]) -> str:
    """The page of what :func:`~monitoring.report.content.content` made."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("monitoring", "report"), autoescape=True, undefined=StrictUndefined,
        trim_blocks=True, lstrip_blocks=True,
    )  # fmt: skip
    environment.filters |= {"share": _share, "number": _number}
    return environment.get_template("report.html.j2").render(page=told, say=told["say"])


def _share(value: float | None, digits: int = 0) -> str:
    return DASH if value is None else f"{value:.{digits}%}"


def _number(value: float | None, digits: int = 2) -> str:
    return DASH if value is None else f"{value:.{digits}f}"
