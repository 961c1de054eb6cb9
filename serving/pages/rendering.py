"""Templates to pages: Jinja with the texts of the reader's language."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from babel.dates import format_date, format_datetime, format_skeleton
from jinja2 import Environment, PackageLoader, StrictUndefined

from risk_model.explanation.words import Language, percent, risk_in_words, with_unit
from serving.pages.translations import LANGUAGES, translations

STYLE = Path(__file__).with_name("style.css")
ICON = Path(__file__).with_name("icon.svg")
LOCALES: dict[Language, str] = {"en": "en_GB", "zh": "zh_CN"}
DASH = "–"
FEW_TIMES = 10
"""From here on tenths of a multiple tell nothing."""


def render(template: str, language: Language, **content: Any) -> str:
    """The page ``template`` in ``language``; every text in ``content`` is escaped."""
    return environment(language).get_template(f"{template}.html.j2").render(content)


@cache
def style_version() -> str:
    """Changes with the style sheet, so that browsers may keep it for as long as they like."""
    return sha256(STYLE.read_bytes()).hexdigest()[:12]


@cache
def environment(language: Language) -> Environment:
    """The templates in one language."""
    found = Environment(
        loader=PackageLoader("serving.pages", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    found.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    found.filters |= {
        "day": lambda value: day_text(value, language),
        "month": lambda value: format_skeleton("yMMM", value, locale=LOCALES[language]),
        "moment": lambda value: moment_text(value, language),
        "share": lambda value: DASH if value is None else percent(value),
        "in_words": lambda value: risk_in_words(value, language),
        "with_unit": lambda value, unit: with_unit(value, unit, language),
        "times": times,
    }
    found.globals |= {
        "language": language,
        "languages": LANGUAGES,
        "style": f"/static/style.{style_version()}.css",
    }
    return found


def say(language: Language, message: str, **values: Any) -> str:
    """A text of the pages, for Python: ``message`` as it is written, in English."""
    told = translations(language).gettext(message)
    return told % values if values else told


def day_text(value: date | str | None, language: Language) -> str:
    """A day as people write it; a dash for none.

    >>> day_text("2026-03-02", "en"), day_text(date(2026, 3, 2), "zh")
    ('2 Mar 2026', '2026年3月2日')
    """
    if value is None:
        return DASH
    told = date.fromisoformat(value) if isinstance(value, str) else value
    return str(format_date(told, "medium", locale=LOCALES[language]))


def moment_text(value: datetime | None, language: Language) -> str:
    """A moment (UTC, where it says nothing else) to the minute, on the clock of the service.

    >>> len(moment_text(datetime(2026, 3, 2, 7, 5), "zh")) >= len("2026/3/2 07:05")
    True
    """
    if value is None:
        return DASH
    here = (value if value.tzinfo else value.replace(tzinfo=UTC)).astimezone()
    return str(format_datetime(here, "short", tzinfo=here.tzinfo, locale=LOCALES[language]))


def times(factor: float) -> str:
    """By how much odds are multiplied.

    >>> times(12.3), times(2.04), times(0.51)
    ('×12', '×2.0', '×0.51')
    """
    return "×" + (
        f"{factor:,.0f}" if factor >= FEW_TIMES else f"{factor:.1f}" if factor >= 1 else f"{factor:.2f}"
    )
