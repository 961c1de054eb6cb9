"""What a page is made with: the reader's language and reason, the database, the home."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from risk_model.explanation.words import Language
from risk_model.home import Home
from risk_model.settings import Settings
from serving.access.deciding import AccessReason, Viewer
from serving.pages.rendering import say


@dataclass(frozen=True)
class Desk:
    """One request, after the guard has let it in."""

    request: Any
    connection: Connection
    language: Language
    at: datetime
    home: Home
    settings: Settings
    viewer: Viewer
    reason: AccessReason | None
    """Why the reader may see the pupil or unit; none on pages of their own."""

    def say(self, message: str, **values: Any) -> str:
        """A text in the reader's language."""
        return say(self.language, message, **values)

    @property
    def reason_kind(self) -> str | None:
        """``class_teacher``, ``principal`` …; none on the reader's own pages."""
        return self.reason.kind if self.reason else None

    @property
    def own_settings(self) -> Settings:
        """The settings, with reasons in the reader's language."""
        spoken = self.settings.list.model_copy(update={"language": self.language})
        return self.settings.model_copy(update={"list": spoken})
