"""The list of tonight beside the one before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from monitoring.runs import StoredRun
from monitoring.stability.moves import Moves, moves
from risk_model.home import Home
from risk_model.ranking import rank
from risk_model.run_evidence import facts_of_run
from risk_model.settings import Settings

if TYPE_CHECKING:
    from risk_model.lake.reading import Lake
    from risk_model.model.bundle import Bundle


def ask_moves(
    home: Home,
    settings: Settings,
    lake: Lake,
    last: StoredRun | None,
    run: StoredRun,
    before: pd.DataFrame | None,
    now: pd.DataFrame,
    bundle: Bundle | None,
) -> Moves | None:
    """Overlap, entries and exits with their causes; None for the first run."""
    if last is None or before is None:
        return None
    days = (run.as_of - last.as_of).days
    changed = last.model_digest != run.model_digest
    if not changed or bundle is None or bundle.digest != run.model_digest:
        return moves(before, now, days)
    return moves(before, now, days, lambda: _listed_again(home, settings, lake, last, before, bundle))


def _listed_again(
    home: Home, settings: Settings, lake: Lake, last: StoredRun, before: pd.DataFrame, bundle: Bundle
) -> pd.Series:
    """Whom tonight's model would have listed by the values of the last run."""
    risks: list[pd.Series] = []
    for part in facts_of_run(lake.con, home, last.key):
        values = pd.DataFrame(part.values, columns=list(last.features)).reindex(columns=list(bundle.features))
        told = bundle.predict(values.to_numpy(dtype=np.float64))
        risks.append(pd.Series(told, index=part.student_ids))
    if not risks:
        return pd.Series(dtype=bool)
    again = before.assign(risk=before["student_id"].map(pd.concat(risks)).astype("float64"))
    return pd.Series(rank(again, settings.list)["listed"].to_numpy(dtype=bool), again["student_id"])
