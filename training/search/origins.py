"""The days of the past on which trials are judged, and how one trial does on them.

A trial is fitted on each origin as the backtest would have done on that day, and judged by labels that were
known on the first test day of the backtest. So no test day has a part in choosing: neither its pupils nor
what was learnt after it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from risk_model.evaluation.judged import Judged
from risk_model.evaluation.lists import NAMES, PERCENTS, Lists
from risk_model.features.feature import Feature
from risk_model.model.platt import CalibrationError
from risk_model.settings import ListSettings, TrainingSettings
from training.backtest import Material, Source, TooFewLeaversError, enough, fit_model, material
from training.fit import Rows, stops_early
from training.splits import Split

MINIMUM_JUDGED_POSITIVES = 10
"""Leavers after an origin below which it says nothing about anything."""
CLUSTERS = 200
"""Schools are lumped into at most so many groups, so that a province's trials stay small on disk."""
SMALLEST = 1e-12


@dataclass(frozen=True)
class Origin:
    """One day of the past with all that a trial needs."""

    given: Material
    judged: Rows
    """Everybody who left after the origin and a re-weighted sample of the others."""

    @property
    def day(self) -> date:
        return self.given.split.known_on

    @property
    def stops_early(self) -> bool:
        return stops_early(self.given.calibration)


@dataclass(frozen=True)
class Score:
    """How one trial did on one origin."""

    loss: NDArray[np.float64]
    """(CLUSTERS,) log-loss of each group of schools; the sum is 1 for who knows the base rate alone."""
    recall: float
    """At the length of the office's list."""
    rounds: int


def prepare(
    source: Source, splits: Sequence[Split], known_on: date
) -> tuple[tuple[Origin, ...], dict[date, str]]:
    """Origins with leavers enough, and why the other days are none."""
    given, skipped = [], {}
    for split in splits:
        source.label_as_known_on(split.known_on, split.days)
        rows = material(source, split)
        try:
            enough(rows)
        except TooFewLeaversError as error:
            skipped[split.known_on] = str(error)
        else:
            given.append(rows)
    source.label_as_known_on(known_on, [rows.split.known_on for rows in given])
    origins = [Origin(rows, source.rows((rows.split.known_on,))) for rows in given]
    thin = [origin for origin in origins if origin.judged.positives < MINIMUM_JUDGED_POSITIVES]
    skipped |= {origin.day: f"{origin.judged.positives} leavers after it" for origin in thin}
    return tuple(origin for origin in origins if origin.day not in skipped), skipped


def list_length(settings: ListSettings) -> str:
    """Of the lengths that are counted, the one nearest to the share of a school the office lists.

    >>> list_length(ListSettings(capacity_share=0.04))
    '5%'
    """
    share = 100 * settings.capacity_share
    return NAMES[min(range(len(PERCENTS)), key=lambda i: abs(PERCENTS[i] - share))]


def tried(
    origins: Sequence[Origin],
    features: Sequence[Feature],
    settings: TrainingSettings,
    changes: Mapping[str, Any] | None,
    length: str,
) -> list[Score]:
    """How the numbers ``changes`` (None: the default) do on each origin.

    ``settings.threads`` origins are fitted at a time, each on one thread.
    """
    from threadpoolctl import threadpool_limits

    one: Callable[[Origin], Score] = lambda origin: _score(origin, features, settings, changes, length)  # noqa: E731
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(settings.threads) as pool:
        return list(pool.map(one, origins))


def _score(
    origin: Origin,
    features: Sequence[Feature],
    settings: TrainingSettings,
    changes: Mapping[str, Any] | None,
    length: str,
) -> Score:
    rows = origin.judged
    base = float(np.average(rows.y, weights=rows.weight))
    try:
        fitted = fit_model(origin.given, features, settings, changes)
    except CalibrationError:  # risk falls where the margin rises: as good as knowing the base rate alone
        return _counted(rows, np.full(len(rows.y), base), base, length, 0)
    return _counted(rows, fitted.predict(rows.x), base, length, fitted.booster.num_trees())


def _counted(rows: Rows, risk: NDArray[np.float64], base: float, length: str, rounds: int) -> Score:
    lost = rows.weight * _log_loss(rows.y, risk)
    unknowing = float(rows.weight @ _log_loss(rows.y, np.full(len(risk), base)))
    found = Lists(Judged(rows.y, risk)).count(rows.weight)
    by_cluster = np.bincount(_clusters(rows), lost, minlength=CLUSTERS) / unknowing
    return Score(by_cluster, float(found.recall[NAMES.index(length)]), rounds)


def _log_loss(y: NDArray[np.int8], risk: NDArray[np.float64]) -> NDArray[np.float64]:
    kept = np.clip(risk, SMALLEST, 1 - SMALLEST)
    return -np.where(y == 1, np.log(kept), np.log1p(-kept))


def _clusters(rows: Rows) -> NDArray[np.intp]:
    """(n,) The group of schools of each row; the same on every machine and day."""
    schools = rows.pupils["school_id"]
    group = {school: crc32(str(school).encode()) % CLUSTERS for school in schools.unique()}
    return schools.map(group).to_numpy(dtype=np.intp)
