"""Which rows Evidently is given: a sample of tonight, one of a night long before, and a mature cohort."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from monitoring.evidently.making import make
from monitoring.findings import Finding
from monitoring.performance.maturity import maturity
from monitoring.performance.outcomes import outcomes
from monitoring.runs import Service, StoredRun
from risk_model.home import Home
from risk_model.run_evidence import facts_of_run
from risk_model.settings import Settings

if TYPE_CHECKING:
    from risk_model.lake.reading import Lake

YEAR = timedelta(days=364)
SEED = 20260901


def ask_evidently(
    home: Home, settings: Settings, lake: Lake, service: Service, runs: Sequence[StoredRun], today: date
) -> tuple[dict[str, Any], Finding | None]:
    """Its report of the newest run, beside the run nearest to a year before."""
    rules, run = settings.monitoring, runs[-1]
    if not rules.evidently:
        return {"not_done": "monitoring.evidently is off."}, None
    others = [other for other in runs[:-1] if other.features == run.features]
    if not others:
        return {"not_done": "There is no earlier night to compare with."}, None
    reference = min(others, key=lambda other: abs(other.as_of - (run.as_of - YEAR)))
    samples = [_sample(home, lake, one, rules.evidently_rows) for one in (run, reference)]
    if any(sample.empty for sample in samples):
        return {"not_done": "The values of these nights have been thinned away."}, None
    judged = _judged(settings, lake, service, runs, today)
    folder = home.monitoring / "evidently"
    told, failed = make(samples[0], samples[1], judged, folder, run.as_of.isoformat(), rules)
    return {**told, "reference": reference.as_of.isoformat()}, failed


def _sample(home: Home, lake: Lake, run: StoredRun, rows: int) -> pd.DataFrame:
    """Pupils by chance, the same ones if asked again; no identifiers."""
    parts = [part.values for part in facts_of_run(lake.con, home, run.key)]
    if not parts:
        return pd.DataFrame()
    dice = np.random.default_rng(SEED)
    total = sum(len(part) for part in parts)
    share = min(1.0, rows / total)
    kept = [part[dice.random(len(part)) < share] for part in parts]
    return pd.DataFrame(np.concatenate(kept), columns=list(run.features))


def _judged(
    settings: Settings, lake: Lake, service: Service, runs: Sequence[StoredRun], today: date
) -> pd.DataFrame | None:
    """``label`` and ``risk`` of the latest mature cohort; None where there is none, or too large a one."""
    reach = min(today, lake.latest_recorded_on() or today)
    mature = [run for run in runs if maturity(run.as_of, reach, settings.labels).state == "mature"]
    if not mature or service.pupils(mature[-1]) > settings.monitoring.most_pupils_from_registers:
        return None
    rows = outcomes(lake, service.scores(mature[-1]), mature[-1].as_of, today, settings.labels)
    return rows.dropna(subset=["label"])
