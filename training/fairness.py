"""Does the list find the leavers of every group, and are its false alarms shared out fairly?

Judged where it counts: at the list the staff can work through. Point figures are fairlearn's (Bird et al.
2020); intervals are a bootstrap over schools, both for each figure and for its ratio to the largest group.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from risk_model.evaluation.resampling import interval
from risk_model.features.declared import FEATURES
from risk_model.protected import ATTRIBUTES, unlike
from risk_model.settings import FairnessSettings, Settings
from training.proxies import proxies
from training.snapshots import Snapshots

RATES = ("recall", "precision", "false_alarm_rate", "expected_over_observed")
SAMPLES = 200
Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Group:
    """Counts of one group in each school, (schools,) each."""

    name: str
    true_positives: Matrix
    positives: Matrix
    listed: Matrix
    students: Matrix
    expected: Matrix
    missing: float
    """Mean share of the group's feature values that are null."""

    def rates(self, times: Matrix) -> dict[str, Matrix]:
        """Each rate for ``times`` (draws, schools), (draws,); NaN where nobody counts."""
        hits, left = times @ self.true_positives, times @ self.positives
        listed, students = times @ self.listed, times @ self.students
        return {
            "recall": _share_of(hits, left),
            "precision": _share_of(hits, listed),
            "false_alarm_rate": _share_of(listed - hits, students - left),
            "expected_over_observed": _share_of(times @ self.expected, left),
        }


def _share_of(top: Matrix, bottom: Matrix) -> Matrix:
    """``top / bottom``; NaN where there is nothing to divide by."""
    found: Matrix = np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)
    return found


def audit(
    told: pd.DataFrame,
    protected: pd.DataFrame,
    settings: FairnessSettings,
    *,
    seed: int,
    model: str = "model",
) -> dict[str, Any]:
    """The model's list by group, as the document of ``train`` has it.

    Parameters
    ----------
    told : DataFrame
        Judged rows of the backtest: ``snapshot, student_id, school_id, county_id, label, <model>,
        listed_<model>`` and ``missing``, the share of features that are null.
    protected : DataFrame
        Of :func:`risk_model.protected.protected_on`.
    """
    empty: dict[str, Any] = {"minimum_group": settings.minimum_group, "attributes": {}, "findings": []}
    if told.empty or not (told["label"] == 1).any():
        why = "No leaver has been judged: nobody can be missed more often than others."
        return {**empty, "not_done": [{"what": name, "why": why} for name in ATTRIBUTES]}
    rows = told.merge(protected, on=["snapshot", "student_id"], how="left").rename(
        columns={"county_id": "county"}
    )
    draws = school_draws(rows["school_id"], seed, SAMPLES)
    document = {**empty, "not_done": []}
    for name in ATTRIBUTES:
        _add(document, name, rows, draws, settings, model)
    return document


def school_draws(schools: pd.Series, seed: int, samples: int) -> Matrix:
    """How often each school is drawn (1 + samples, schools): as they are in the first row, then resamples."""
    count = schools.nunique()
    drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), samples)
    return np.vstack([np.ones(count), drawn]).astype(np.float64)


def _add(
    document: dict[str, Any],
    name: str,
    rows: pd.DataFrame,
    draws: Matrix,
    settings: FairnessSettings,
    model: str,
) -> None:
    groups = _groups(rows, name, model)
    why = unlike(name, [group.name for group in groups])
    if why:
        document["not_done"].append({"what": name, "why": why})
        return
    reference = max(groups, key=lambda group: group.students.sum())
    points = _points(rows, name, model)
    told = {group.name: _told(group, reference, points, draws, settings) for group in groups}
    unknown = int(rows[name].isna().sum())
    found = {"reference": reference.name, "groups": told, "gaps": _gaps(told), "unknown": unknown}
    document["attributes"][name] = found
    document["findings"] += [
        said for group in groups if (said := _finding(name, group, reference, told[group.name], settings))
    ]


def _points(rows: pd.DataFrame, name: str, model: str) -> pd.DataFrame:
    """Recall, precision and rate of false alarms of each group's list, NaN where undefined."""
    from fairlearn.metrics import MetricFrame, false_positive_rate, true_positive_rate
    from sklearn.metrics import precision_score

    known = rows[rows[name].notna()]
    measured = MetricFrame(
        metrics={
            "recall": true_positive_rate,
            "precision": partial(precision_score, zero_division=np.nan),
            "false_alarm_rate": false_positive_rate,
        },
        y_true=known["label"].astype(int),
        y_pred=known[f"listed_{model}"].astype(int),
        sensitive_features=known[name].astype(str),
    )
    by_group: pd.DataFrame = measured.by_group
    return by_group


def _groups(rows: pd.DataFrame, name: str, model: str) -> list[Group]:
    code, schools = pd.factorize(rows["school_id"], sort=True)
    found = []
    for value, members in rows.assign(school=code).groupby(name, sort=True, observed=True):
        left, on_list = members["label"] == 1, members[f"listed_{model}"].astype(bool)
        columns = (left & on_list, left, on_list, pd.Series(1.0, members.index), members[model])
        counts = [
            np.bincount(members["school"], column.astype(float), minlength=len(schools)) for column in columns
        ]
        found.append(Group(str(value), *counts, missing=float(members["missing"].mean())))
    return found


def _told(
    group: Group, reference: Group, points: pd.DataFrame, draws: Matrix, settings: FairnessSettings
) -> dict[str, Any]:
    """The figures of a group; None each where it is too small to tell, and a word about it."""
    students, left = int(group.students.sum()), int(group.positives.sum())
    counts = {"students": students, "positives": left, "listed": int(group.listed.sum())}
    if students < settings.minimum_group or left < settings.minimum_positives:
        names = [f"{name}{end}" for name in (*RATES, "recall_ratio") for end in ("", "_interval")]
        few = f"too few to tell ({students} pupils, {left} of them left)"
        return {**counts, **dict.fromkeys(names), "missing": group.missing, "said": few}
    rates, others = group.rates(draws), reference.rates(draws)
    rates["recall_ratio"] = _share_of(rates["recall"], others["recall"])
    figures: dict[str, Any] = {}
    for name, values in rates.items():
        figures[name] = None if np.isnan(values[0]) else float(values[0])
        if name in points.columns:
            figures[name] = None if np.isnan(values[0]) else float(points.loc[group.name, name])
        bounds = interval(values[1:].tolist())
        figures[f"{name}_interval"] = list(bounds) if bounds else None
    return {**counts, **figures, "missing": group.missing, "said": None}


def _gaps(told: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Largest difference and smallest ratio between the groups large enough to tell."""
    gaps = {}
    for rate in RATES:
        known = [one[rate] for one in told.values() if one[rate] is not None]
        enough = len(known) > 1
        gaps[rate] = {
            "absolute": max(known) - min(known) if enough else None,
            "relative": min(known) / max(known) if enough and max(known) > 0 else None,
        }
    return gaps


def _finding(
    name: str, group: Group, reference: Group, told: dict[str, Any], settings: FairnessSettings
) -> str | None:
    """A sentence about a group that is found less often than the largest one, or hardly recorded."""
    if group is reference:
        return None
    about = f"{int(group.students.sum()):,} rows of pupils with {name} = {group.name}"
    said = []
    ratio, bounds = told["recall_ratio"], told["recall_ratio_interval"]
    if ratio is not None and ratio < settings.least_recall_ratio and bounds and bounds[1] < 1:
        said.append(
            f"their leavers are found {ratio:.2f} times as often as those of {name} = {reference.name} "
            f"(interval {bounds[0]:.2f} to {bounds[1]:.2f})"
        )
    if group.missing > reference.missing + settings.most_missing_more and told["said"] is None:
        said.append(
            f"{group.missing:.0%} of their values are unknown, of the others' {reference.missing:.0%}: "
            "their registers are incomplete"
        )
    return f"{about}: {'; '.join(said)}." if said else None


def audited(
    protected: pd.DataFrame, source: Snapshots, days: Sequence[date], told: pd.DataFrame, settings: Settings
) -> dict[str, Any]:
    """The audit of a backtest over ``days``, with the proxies on the latest of them."""
    seed = settings.training.seed
    known = told[told["label"].notna()]
    document = audit(known, protected, settings.fairness, seed=seed)
    if days and document["attributes"]:
        found = _proxies_on(days[-1], source, protected, seed)
        for name, attribute in document["attributes"].items():
            attribute["proxy"] = found[name]
    return document


def _proxies_on(day: date, source: Snapshots, protected: pd.DataFrame, seed: int) -> dict[str, Any]:
    everybody = source.everybody(day)
    there = protected[protected["snapshot"] == pd.Timestamp(day)].drop(columns="snapshot")
    pupils = everybody.pupils[["student_id", "county_id"]].rename(columns={"county_id": "county"})
    names = [feature.name for feature in FEATURES]
    return proxies(everybody.x, pupils.merge(there, on="student_id", how="left"), names, seed=seed)
