"""The texts the pages use, as Babel finds them in templates and modules, refusals of the rooms behind too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from babel.messages.extract import extract_from_dir

import serving.care
import serving.pages

PAGES = Path(serving.pages.__file__).parent
SERVING = PAGES.parent
CARE = Path(serving.care.__file__).parent
METHODS = [("**.j2", "jinja2.ext:babel_extract"), ("**.py", "python")]
KEYWORDS = {"_": None, "ngettext": (1, 2), "later": None, "say": None}
REFUSALS = {"RefusedError": None}
WORDS_OF_CARE = REFUSALS | {"said": (2,), "one_of": (3,)}
"""What is missing or unknown, told within a refusal."""
OPTIONS = {"**.j2": {"extensions": "jinja2.ext.i18n", "trim_blocks": "true", "lstrip_blocks": "true"}}


def texts_of_pages(folder: Path = PAGES) -> dict[str | tuple[str, str], str]:
    """Message (singular and plural where there are two) and a place where it is used."""
    return _texts(folder, KEYWORDS)


def texts_of_refusals(folder: Path = CARE) -> dict[str | tuple[str, str], str]:
    """Messages of refusals in a folder's modules, with the words told in them."""
    return _texts(folder, WORDS_OF_CARE)


def all_texts() -> dict[str | tuple[str, str], str]:
    """Of the pages, of care, and refusals elsewhere in the service."""
    return _texts(SERVING, REFUSALS) | texts_of_refusals() | texts_of_pages()


def _texts(folder: Path, keywords: dict[str, Any]) -> dict[str | tuple[str, str], str]:
    found = extract_from_dir(folder, METHODS, OPTIONS, keywords=keywords)
    return {message: f"{name}:{line}" for name, line, message, _comments, _context in found if message}
