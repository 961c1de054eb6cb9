"""Does a feature know what it cannot know? Each finding names its column and blocks promotion.

A leak shows as a model too good to be true, and only in production as one that is worthless. So the rows
the model is fitted on are searched before anybody believes its figures.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from risk_model.settings import TrainingSettings
from training.fit import Rows

KINDS = (
    "single_feature", "missingness", "known_after", "already_gone", "overlap", "twins", "shuffled_label",
)  # fmt: skip
SHUFFLES = 8
SPREADS = 4.0
"""The mean must also lie so many of its own standard errors away from chance."""


@dataclass(frozen=True)
class Leak:
    """One finding: which column, or which part of the data, knows too much."""

    kind: str
    column: str
    value: float
    limit: float
    says: str


@dataclass(frozen=True)
class Leaks:
    """All findings, and what was looked at."""

    findings: tuple[Leak, ...]
    checked: tuple[str, ...]
    not_done: tuple[tuple[str, str], ...] = ()
    """Kinds that could not be looked at, with the reason."""

    def of(self, kind: str) -> tuple[Leak, ...]:
        """Findings of one kind, worst first."""
        found = [leak for leak in self.findings if leak.kind == kind]
        return tuple(sorted(found, key=lambda leak: -abs(leak.value - leak.limit)))

    def document(self) -> dict[str, Any]:
        """As ``train --json`` prints it."""
        return {
            "findings": [asdict(leak) for leak in self.findings],
            "checked": list(self.checked),
            "not_done": [{"what": kind, "why": why} for kind, why in self.not_done],
        }


def find_leaks(
    fit: Rows,
    calibration: Rows,
    names: Sequence[str],
    labels: pd.DataFrame,
    settings: TrainingSettings,
    uncut: Mapping[str, Sequence[str]],
) -> Leaks:
    """Search the rows a model is fitted and calibrated on.

    Parameters
    ----------
    fit, calibration : Rows
        Of the final split, (n, k) feature values with labels and weights.
    names : sequence of str
        The k columns.
    labels : DataFrame
        ``snapshot, student_id, label, happened_on`` of the same snapshots; of the leavers at least.
    uncut : mapping
        What each feature reads past the cut, of :func:`training.sources.read_past_the_cut`.
    """
    searches: dict[str, Callable[[], list[Leak]]] = {
        "single_feature": lambda: _single_features(fit, names, settings.max_feature_auc),
        "missingness": lambda: _missingness(fit, names, settings.max_missing_auc),
        "known_after": lambda: _known_after(uncut),
        "already_gone": lambda: _already_gone(labels),
        "overlap": lambda: _overlap(fit, calibration),
        "twins": lambda: _twins(fit, settings.max_twin_share),
        "shuffled_label": lambda: _shuffled(fit, calibration, settings),
    }
    if fit.positives == 0 or fit.positives == len(fit.y):
        why = "The rows hold no leavers, or nobody else: nothing can be told apart."
        return Leaks((), (), tuple((kind, why) for kind in KINDS))
    return Leaks(tuple(leak for search in searches.values() for leak in search()), tuple(searches))


def _single_features(rows: Rows, names: Sequence[str], limit: float) -> list[Leak]:
    return [
        Leak(
            "single_feature",
            name,
            auc,
            limit,
            f"{name} alone tells leavers from others with an AUC of {auc:.3f} (limit {limit}); no honest "
            "feature does. Look at what it is made of, and when that was recorded",
        )
        for name, auc in zip(names, (_auc(column, rows) for column in rows.x.T), strict=True)
        if auc >= limit
    ]


def _missingness(rows: Rows, names: Sequence[str], limit: float) -> list[Leak]:
    found = []
    for name, column in zip(names, rows.x.T, strict=True):
        auc = _auc(np.isnan(column).astype(np.float32), rows)
        if auc >= limit:
            found.append(
                Leak(
                    "missingness",
                    name,
                    auc,
                    limit,
                    f"Whether {name} is known at all tells leavers from others with an AUC of {auc:.3f} "
                    f"(limit {limit}); a register filled in because pupils left does that",
                )
            )
    return found


def _auc(values: NDArray[np.float32], rows: Rows) -> float:
    """Weighted AUC of a column, in its better direction; nulls stand in the middle (as the median)."""
    from sklearn.metrics import roc_auc_score

    known = values[~np.isnan(values)]
    if len(known) == 0:
        return 0.5
    filled = np.where(np.isnan(values), np.median(known), values)
    auc = float(roc_auc_score(rows.y, filled, sample_weight=rows.weight))
    return max(auc, 1 - auc)


def _known_after(uncut: Mapping[str, Sequence[str]]) -> list[Leak]:
    """Features that may know what was recorded after their snapshot, strong or not."""
    return [
        Leak(
            "known_after",
            name,
            float(len(read)),
            0.0,
            f"{name} reads {', '.join(read)}, which no snapshot cuts: it may know what the office learnt "
            "only after the event. Read known.* instead",
        )
        for name, read in uncut.items()
    ]


def _already_gone(labels: pd.DataFrame) -> list[Leak]:
    """Leavers whose leaving had happened on the snapshot: the model would be praised for the past."""
    left = labels[labels["label"] == 1]
    gone = pd.to_datetime(left["happened_on"]) <= pd.to_datetime(left["snapshot"])
    share = float(gone.mean()) if len(left) else 0.0
    says = f"{int(gone.sum())} of {len(left)} leavers had left on their snapshot; they are no prediction"
    return [Leak("already_gone", "happened_on", share, 0.0, says)] if share > 0 else []


def _overlap(fit: Rows, calibration: Rows) -> list[Leak]:
    """The same pupil on the same day in two slices."""
    keys = ["snapshot", "student_id"]
    both = fit.pupils[keys].merge(calibration.pupils[keys].drop_duplicates(), on=keys)
    if both.empty:
        return []
    share = len(both) / len(fit.y)
    says = f"{len(both)} rows stand in the slice for the fit and in the one for the calibration"
    return [Leak("overlap", "student_id", share, 0.0, says)]


def _twins(rows: Rows, limit: float) -> list[Leak]:
    """Leavers whose whole row of values occurs again on the same day under another identifier.

    Two pupils of one snapshot may by chance have equal values; more than ``limit`` of the leavers may not.
    """
    # +0.0 makes one of the two zeros, and every null gets the same bytes.
    values = np.where(np.isnan(rows.x), np.float32(np.nan), rows.x + np.float32(0.0))
    frame = pd.DataFrame(
        {"snapshot": rows.pupils["snapshot"].to_numpy(), "row": [line.tobytes() for line in values]}
    )
    twice = frame.duplicated(keep=False).to_numpy() & (rows.y == 1)
    share = float(twice.sum() / rows.positives)
    says = (
        f"{int(twice.sum())} of {rows.positives} leavers share every value with another pupil of the day; "
        "the same pupils may stand in the registers twice"
    )
    return [Leak("twins", "student_id", share, limit, says)] if share > limit else []


def _shuffled(fit: Rows, calibration: Rows, settings: TrainingSettings) -> list[Leak]:
    """Fitted on shuffled labels, a model must know nothing: what it still knows came another way."""
    from sklearn.metrics import roc_auc_score

    if calibration.positives in (0, len(calibration.y)):
        return []
    dice = np.random.default_rng(settings.seed)
    found = [
        roc_auc_score(calibration.y, _blind(fit, calibration, dice), sample_weight=calibration.weight)
        for _ in range(SHUFFLES)
    ]
    mean = float(np.mean(found))
    # One column that leads everything throws each fit far to one side or the other.
    limit = max(settings.max_shuffled_gap, SPREADS * float(np.std(found, ddof=1)) / SHUFFLES**0.5)
    says = f"Fitted on shuffled labels the model still has a mean AUC of {mean:.3f} over {SHUFFLES} fits"
    if abs(mean - 0.5) <= limit:
        return []
    return [Leak("shuffled_label", "label", mean, 0.5 + limit, says)]


def _blind(fit: Rows, calibration: Rows, dice: np.random.Generator) -> NDArray[np.float64]:
    """Margins on the calibration slice of a few trees fitted on labels dealt out anew."""
    import lightgbm as lgb

    y = dice.permutation(fit.y)
    options = {"objective": "binary", "max_depth": 2, "num_leaves": 4, "verbose": -1, "num_threads": 1}
    options |= {"seed": 1, "deterministic": True, "force_row_wise": True, "feature_fraction": 0.3}
    booster = lgb.train(options, lgb.Dataset(fit.x, label=y), num_boost_round=30)
    return np.asarray(booster.predict(calibration.x, raw_score=True), dtype=np.float64)
