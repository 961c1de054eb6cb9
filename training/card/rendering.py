"""The card as HTML and as Markdown, from the same content."""

from __future__ import annotations

from typing import Any

from risk_model.explanation.words import percent

SHAPES = {"html": "card.html.j2", "md": "card.md.j2"}
DASH = "–"


def render(content: dict[str, Any], shape: str) -> str:
    """The card as ``html`` (one file, nothing from elsewhere) or ``md``."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("training", "card"),
        autoescape=shape == "html",  # noqa: S701
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    # In Markdown the filter "cell" escapes what comes from outside.
    environment.filters |= {
        "share": _share, "shares": _shares, "number": _number, "pair": _pair, "cell": _cell,
        "count_of": _count_of,
    }  # fmt: skip
    return environment.get_template(SHAPES[shape]).render(card=content)


def _share(value: float | None) -> str:
    return DASH if value is None else percent(value)


def _shares(bounds: list[float] | None) -> str:
    return DASH if not bounds else f"{percent(bounds[0])} to {percent(bounds[1])}"


def _number(value: float | None, digits: int = 2) -> str:
    return DASH if value is None else f"{value:.{digits}f}"


def _count_of(number: int | None) -> str:
    return DASH if number is None else f"{number:,}"


def _pair(bounds: list[float] | None, digits: int = 2) -> str:
    return DASH if not bounds else f"{bounds[0]:.{digits}f} to {bounds[1]:.{digits}f}"


def _cell(text: object) -> str:
    """Text within a cell of a Markdown table."""
    return str(text).replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
