"""Which alerts are new, which last, which are over, which are silenced: everybody is told once."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from monitoring.findings import Finding
from monitoring.history import write
from risk_model.errors import UsageError


@dataclass(frozen=True)
class Silence:
    """An alert nobody is told of until a day, and why."""

    key: str
    until: date
    why: str


@dataclass(frozen=True)
class Standing:
    """An alert tonight."""

    finding: Finding
    since: date
    nights: int
    silence: Silence | None
    due: bool
    """To be sent tonight: new, back again, graver than it was, or lasting for another week."""

    def as_document(self) -> dict[str, Any]:
        return {
            **self.finding.as_document(),
            "since": self.since.isoformat(),
            "nights": self.nights,
            "silenced_until": self.silence and self.silence.until.isoformat(),
            "silenced_why": self.silence and self.silence.why,
            "due": self.due,
        }


class Alerts:
    """What was alarmed before, and the silences: ``alerts.json`` and ``silences.json`` of a folder."""

    def __init__(self, folder: Path) -> None:
        self._kept, self._silences = folder / "alerts.json", folder / "silences.json"

    def silences(self, today: date) -> dict[str, Silence]:
        """Those in force on ``today``, by key."""
        told = json.loads(self._silences.read_text()) if self._silences.exists() else []
        found = [Silence(one["key"], date.fromisoformat(one["until"]), one["why"]) for one in told]
        return {silence.key: silence for silence in found if silence.until >= today}

    def silence(self, key: str, until: date | None, why: str, today: date) -> Silence:
        """Tell nobody of ``key`` until a day.

        Raises
        ------
        UsageError
            There is no such alert, no end date after today, or no reason.
        """
        known = self._before()
        if key not in known:
            raise UsageError(f"There is no alert {key!r}. Known are: {', '.join(sorted(known)) or 'none'}.")
        if until is None or until <= today or not why.strip():
            raise UsageError("A silence needs --until, a day to come, and --why, a reason. Give both.")
        made = Silence(key, until, why.strip())
        kept = {**self.silences(today), key: made}
        told = [{**asdict(one), "until": one.until.isoformat()} for one in kept.values()]
        write(self._silences, json.dumps(told, ensure_ascii=False))
        return made

    def standing(self, findings: Sequence[Finding], today: date, remind_days: int) -> list[Standing]:
        """Tonight's alerts; the same night asked twice says the same."""
        before, silences = self._before(), self.silences(today)
        return [
            _standing(finding, before.get(finding.key), silences.get(finding.key), today, remind_days)
            for finding in findings
            if finding.is_alert
        ]

    def keep(self, standing: Sequence[Standing], sent: Sequence[Standing], today: date) -> None:
        """Write down what stands now and what was sent; an alert that is over is forgotten."""
        before, told = self._before(), {one.finding.key for one in sent}
        kept = {
            one.finding.key: {
                "since": one.since.isoformat(),
                "nights": one.nights,
                "last": today.isoformat(),
                "level": one.finding.level,
                "sent": today.isoformat()
                if one.finding.key in told
                else before.get(one.finding.key, {}).get("sent"),
            }
            for one in standing
        }
        write(self._kept, json.dumps(kept, ensure_ascii=False))

    def _before(self) -> dict[str, dict[str, Any]]:
        return dict(json.loads(self._kept.read_text())) if self._kept.exists() else {}


def _standing(
    finding: Finding, before: dict[str, Any] | None, silence: Silence | None, today: date, remind_days: int
) -> Standing:
    if before is None:
        return Standing(finding, today, 1, silence, due=silence is None)
    again = before["last"] == today.isoformat()
    nights = before["nights"] + (0 if again else 1)
    sent = date.fromisoformat(before["sent"]) if before["sent"] else None
    graver = before["level"] != finding.level and finding.level == "retrain"
    due = sent is None or graver or (today - sent).days >= remind_days
    return Standing(finding, date.fromisoformat(before["since"]), nights, silence, due and silence is None)
