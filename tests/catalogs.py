"""The texts the pages use, as Babel finds them in templates and modules."""

from __future__ import annotations

from pathlib import Path

from babel.messages.extract import extract_from_dir

import serving.pages

PAGES = Path(serving.pages.__file__).parent
METHODS = [("**.j2", "jinja2.ext:babel_extract"), ("**.py", "python")]
KEYWORDS = {"_": None, "ngettext": (1, 2), "later": None, "say": None}
OPTIONS = {"**.j2": {"extensions": "jinja2.ext.i18n", "trim_blocks": "true", "lstrip_blocks": "true"}}


def texts_of_pages(folder: Path = PAGES) -> dict[str | tuple[str, str], str]:
    """Message (singular and plural where there are two) and a place where it is used."""
    found = extract_from_dir(folder, METHODS, OPTIONS, keywords=KEYWORDS)
    return {message: f"{name}:{line}" for name, line, message, _comments, _context in found if message}
