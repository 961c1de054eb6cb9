"""English and Chinese texts of the pages: English is written in place, Chinese in ``locale/zh.po``.

The catalog is compiled when it is first asked for; no binary file is kept.
"""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations

from risk_model.explanation.words import Language

LOCALE = Path(__file__).with_name("locale")
LANGUAGES: dict[Language, str] = {"en": "English", "zh": "中文"}


def later(message: str) -> str:
    """Marks a text that is translated where it is shown."""
    return message


@cache
def translations(language: Language) -> NullTranslations:
    """The texts of a language; those of English are the messages themselves."""
    if language == "en":
        return NullTranslations()
    with (LOCALE / f"{language}.po").open("rb") as file:
        catalog = read_po(file, locale=language)
    compiled = BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return Translations(compiled)
