"""Which rows Evidently is given: a sample of tonight, one of a night long before, and a mature cohort."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pandas as pd

from monitoring.evidently.making import make
from monitoring.evidently.reasons import ALONE, OFF, THINNED
from monitoring.findings import Finding
from monitoring.performance.maturity import maturity
from monitoring.performance.outcomes import outcomes
from monitoring.runs import Service, StoredRun
from risk_model.home import Home
from risk_model.run_evidence import values_of_some
from risk_model.settings import Settings

if TYPE_CHECKING:
    from risk_model.lake.reading import Lake

YEAR = timedelta(days=364)
Answer = tuple[dict[str, Any], Finding | None]


@dataclass
class Waiting:
    """A report that is being made in a process of its own while other questions are asked."""

    answer: Answer | Future[Answer]
    reference: str | None = None
    worker: ThreadPoolExecutor | None = None

    def told(self) -> Answer:
        """What became of it; waits until that is known."""
        if not isinstance(self.answer, Future):
            return self.answer
        told, failed = self.answer.result()
        return {**told, "reference": self.reference}, failed

    def close(self) -> None:
        if self.worker is not None:
            self.worker.shutdown()


def begin_evidently(
    home: Home, settings: Settings, lake: Lake, service: Service, runs: Sequence[StoredRun], today: date
) -> Waiting:
    """Have Evidently's report made of the newest run, beside the run nearest to a year before."""
    rules, run = settings.monitoring, runs[-1]
    if not rules.evidently:
        return Waiting(({"not_done": OFF}, None))
    others = [other for other in runs[:-1] if other.features == run.features]
    if not others:
        return Waiting(({"not_done": ALONE}, None))
    reference = min(others, key=lambda other: abs(other.as_of - (run.as_of - YEAR)))
    samples = [_sample(home, lake, one, rules.evidently_rows) for one in (run, reference)]
    if any(sample.empty for sample in samples):
        return Waiting(({"not_done": THINNED}, None))
    judged = _judged(settings, lake, service, runs, today)
    worker = ThreadPoolExecutor(1, "evidently")
    folder, name = home.monitoring / "evidently", run.as_of.isoformat()
    answer = worker.submit(make, samples[0], samples[1], judged, folder, name, rules)
    return Waiting(answer, reference.as_of.isoformat(), worker)


def _sample(home: Home, lake: Lake, run: StoredRun, rows: int) -> pd.DataFrame:
    """Pupils by chance, the same ones if asked again; no identifiers."""
    values = values_of_some(lake.con, home, run.key, rows)
    return pd.DataFrame(values, columns=list(run.features)) if len(values) else pd.DataFrame()


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
