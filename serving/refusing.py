"""Refusals people read on a page: written once, in English, and told in the reader's language."""

from __future__ import annotations

from risk_model.errors import UsageError
from risk_model.explanation.words import Language
from serving.pages.translations import translations


class RefusedError(UsageError):
    """What somebody asked for is refused; the message says what to do instead.

    ``message`` has its places as ``%(name)s``; it and values that are words stand in the catalog of the pages
    (``serving/pages/locale``). It never repeats what was sent.
    """

    def __init__(self, message: str, **values: object) -> None:
        super().__init__(message % values if values else message)
        self.message, self.values = message, values

    def said(self, language: Language) -> str:
        """The refusal in a language.

        >>> RefusedError("The next day lies ahead, within a year.").said("zh")
        '下次日期应在今天起一年之内。'
        """
        told = translations(language).gettext
        values = {
            name: told(value) if isinstance(value, str) else value for name, value in self.values.items()
        }
        return told(self.message) % values if values else told(self.message)
