"""Night to night: how much of the list stayed, and why each pupil came onto it or fell off it.

*Data*: the pupil's own risk crossed the line the list had. *Boundary*: it did not, the line moved past the
pupil. *Model*: with yesterday's values tonight's model would have decided so already. *Cohort*: the pupil
was not among those scored on one of the two nights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from monitoring.findings import Finding

CAUSES = ("data", "boundary", "model", "cohort")
FEWEST = 20


@dataclass(frozen=True)
class Moves:
    """Counts of one step from a list to the next; open cases without a score are left out."""

    before: int
    now: int
    stayed: int
    entered: dict[str, int]
    left: dict[str, int]
    """Entries and exits by cause."""
    days: int

    @property
    def overlap(self) -> float | None:
        """Share of the list before that is listed now."""
        return self.stayed / self.before if self.before else None

    def as_document(self) -> dict[str, Any]:
        return {
            "before": self.before, "now": self.now, "stayed": self.stayed, "overlap": self.overlap,
            "entered": self.entered, "left": self.left, "days": self.days,
        }  # fmt: skip


def moves(
    before: pd.DataFrame,
    now: pd.DataFrame,
    days: int,
    again: Callable[[], pd.Series] | None = None,
) -> Moves:
    """Compare two lists.

    Parameters
    ----------
    before, now : frames of ``student_id, school_id, risk, listed``, a row per pupil
    again : where the model changed, the pupils tonight's model would have listed by the values before
        (bool by ``student_id``); asked only then.
    """
    old, new = (_scored(frame) for frame in (before, now))
    on_before, on_now = set(old.index[old["listed"]]), set(new.index[new["listed"]])
    would = again() if again is not None else None
    line = old[old["listed"]].groupby("school_id")["risk"].min()
    entered = {pupil: _cause(pupil, old, new, line, would, came=True) for pupil in on_now - on_before}
    left = {pupil: _cause(pupil, old, new, line, would, came=False) for pupil in on_before - on_now}
    return Moves(
        len(on_before), len(on_now), len(on_before & on_now), _counted(entered), _counted(left), days
    )


def _scored(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[frame["risk"].notna()].drop_duplicates("student_id").set_index("student_id")


def _cause(
    pupil: str, old: pd.DataFrame, new: pd.DataFrame, line: pd.Series, would: pd.Series | None, *, came: bool
) -> str:
    if pupil not in old.index or pupil not in new.index:
        return "cohort"
    if would is not None and bool(would.get(pupil, not came)) == came:
        return "model"
    edge = line.get(old.at[pupil, "school_id"], np.nan)
    crossed = new.at[pupil, "risk"] >= edge if came else new.at[pupil, "risk"] < edge
    return "data" if crossed or np.isnan(edge) else "boundary"


def _counted(causes: dict[str, str]) -> dict[str, int]:
    return {cause: sum(1 for found in causes.values() if found == cause) for cause in CAUSES}


def judge_moves(found: Moves, usual: list[int], pupils: int, churn: float) -> list[Finding]:
    """A list that turned over at once, or is much shorter than lists were; ``usual`` are lengths before."""
    told: list[Finding] = []
    fell = found.before - found.stayed
    if found.overlap is not None and 1 - found.overlap >= churn and fell >= FEWEST:
        cause = max(found.left, key=lambda name: found.left[name])
        told.append(
            Finding("churn", "list", "investigate", "responsible", window=f"over {found.days} days", n=fell,
                    figures={"share": 1 - found.overlap, "cause": cause})
        )  # fmt: skip
    middle = float(np.median(usual)) if usual else 0.0
    if middle >= FEWEST and not middle / 2 <= found.now <= 2 * middle:
        told.append(
            Finding("short_list", "list", "investigate", "responsible", window="tonight", n=pupils,
                    figures={"listed": found.now, "usual": int(middle)})
        )  # fmt: skip
    return told
