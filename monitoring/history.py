"""What was said of earlier nights: a document each, for nights in a row, timelines and whoever asks later."""

from __future__ import annotations

import json
import os
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from risk_model.home import Home

SHOWN = timedelta(days=400)
"""How far back timelines reach."""
EVIDENTLY = ("evidently", 14)


class History:
    """The folder ``data/monitoring``; documents hold counts and schools, never a pupil."""

    def __init__(self, home: Home) -> None:
        self.folder = home.monitoring

    @property
    def profiles(self) -> Path:
        return self.folder / "profiles"

    def keep(self, as_of: date, document: dict[str, Any]) -> None:
        """Keep the document of a night, and as the latest unless a later one is kept."""
        nights = self.folder / "nights"
        nights.mkdir(parents=True, exist_ok=True, mode=0o700)
        write(nights / f"{as_of}.json", json.dumps(document, allow_nan=False))
        if max(self._days()) == as_of:
            write(self.folder / "latest.json", json.dumps(document, allow_nan=False))

    def before(self, as_of: date) -> list[dict[str, Any]]:
        """Documents of the nights before ``as_of``, newest first."""
        days = sorted((day for day in self._days() if as_of - SHOWN <= day < as_of), reverse=True)
        return [json.loads((self.folder / "nights" / f"{day}.json").read_text()) for day in days]

    def sweep(self, as_of: date, keep_days: int) -> None:
        """Forget what is older than ``keep_days``; Evidently's pages, 7 MB each, after a fortnight."""
        for folder, days in (
            ("nights", keep_days),
            ("profiles", keep_days),
            ("reports", keep_days),
            EVIDENTLY,
        ):
            oldest = (as_of - timedelta(days=days)).isoformat()
            for file in (self.folder / folder).glob("????-??-??*"):
                if file.name[:10] < oldest:
                    file.unlink()

    def _days(self) -> list[date]:
        return [date.fromisoformat(file.stem) for file in (self.folder / "nights").glob("????-??-??.json")]


def write(file: Path, text: str) -> None:
    """Replace ``file`` as a whole, readable by its owner only."""
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    making = file.with_name(f".{file.name}.{os.getpid()}")
    making.write_text(text, encoding="utf-8")
    making.chmod(0o600)
    making.replace(file)
