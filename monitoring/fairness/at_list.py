"""Whose leavers the list finds, group by group; a small cell is not shown."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monitoring.findings import Finding
from monitoring.performance.measuring import at_list
from risk_model.evaluation.resampling import interval
from risk_model.protected import ATTRIBUTES, KNOWN
from risk_model.settings import Settings

if TYPE_CHECKING:
    from risk_model.lake.reading import Lake

Floats = NDArray[np.float64]
GROUPS = tuple(name for name in ATTRIBUTES if name != "county")


def listed_by_group(rows: pd.DataFrame, settings: Settings) -> dict[str, dict[str, Any]]:
    """Share of each group that is listed tonight: the only figure that needs no label.

    ``rows`` have ``listed`` and a column for each attribute of ``GROUPS``; a row is a pupil, or as many as
    ``pupils`` says, ``listed`` then being how many of them (:func:`counted_by_group`).
    """
    smallest = settings.monitoring.smallest_cell
    found: dict[str, dict[str, Any]] = {}
    for name in GROUPS:
        told: dict[str, Any] = {}
        for value, members in rows.groupby(name, observed=True):
            pupils = int(members["pupils"].sum()) if "pupils" in members else len(members)
            listed = int(members["listed"].sum())
            shown = pupils >= smallest and (listed == 0 or listed >= smallest)
            told[str(value)] = {
                "pupils": pupils if pupils >= smallest else None,
                "listed_share": listed / pupils if shown else None,
            }
        if len(told) > 1:
            found[name] = told
    return found


def counted_by_group(lake: Lake, scores: pd.DataFrame, day: date) -> pd.DataFrame:
    """Tonight's pupils with a risk, counted by all attributes together: ``pupils``, ``listed``, ``GROUPS``.

    In DuckDB: the attributes of a million pupils are a gigabyte of texts, their combinations a page.
    """
    lake.known_on(day)
    lake.con.register("tonights_list", scores.loc[scores["risk"].notna(), ["student_id", "listed"]])
    try:
        return lake.con.execute(
            f"with people as ({KNOWN}) select {', '.join(GROUPS)}, count(*) as pupils, "
            "sum(listed::int)::bigint as listed from tonights_list left join people using (student_id) "
            "group by all"
        ).df()
    finally:
        lake.con.unregister("tonights_list")


def found_by_group(rows: pd.DataFrame, settings: Settings) -> dict[str, dict[str, Any]]:
    """Recall and precision of each group of a mature cohort, and recall beside the largest group's."""
    schools = pd.factorize(rows["school_id"])[0]
    count = int(schools.max()) + 1 if len(rows) else 0
    training = settings.training
    draws = np.random.default_rng(training.seed).multinomial(
        count, np.full(count, 1 / max(count, 1)), training.bootstrap_samples
    )
    found: dict[str, dict[str, Any]] = {}
    for name in GROUPS:
        sizes = rows[name].value_counts()
        if len(sizes) < 2:
            continue
        reference = str(sizes.index[0])
        counts = {
            str(value): _by_school(rows, schools, (rows[name] == value).to_numpy(), count)
            for value in sizes.index
        }
        found[name] = {
            "reference": reference,
            "groups": {
                str(value): {
                    **at_list(rows[rows[name] == value], settings.monitoring),
                    **_ratio(counts[str(value)], counts[reference], draws, settings),
                }
                for value in sizes.index
            },
        }
    return found


def _by_school(
    rows: pd.DataFrame, schools: NDArray[np.intp], members: NDArray[np.bool_], count: int
) -> tuple[Floats, Floats]:
    """Leavers found and leavers, of a group, by school."""
    left = (rows["label"] == 1).to_numpy() & members
    hits = left & rows["listed"].to_numpy(dtype=bool)
    return tuple(np.bincount(schools, column.astype(float), minlength=count) for column in (hits, left))  # type: ignore[return-value]


def _ratio(
    group: tuple[Floats, Floats],
    reference: tuple[Floats, Floats],
    draws: NDArray[np.int64],
    settings: Settings,
) -> dict[str, Any]:
    enough = settings.fairness.minimum_positives
    if group[1].sum() < enough or reference[1].sum() < enough:
        return {"recall_ratio": None, "recall_ratio_interval": None}
    point = _recall(np.ones((1, draws.shape[1])), group) / _recall(np.ones((1, draws.shape[1])), reference)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratios = _recall(draws, group) / _recall(draws, reference)
    bounds = interval([float(value) if np.isfinite(value) else float("nan") for value in ratios])
    known = bool(np.isfinite(point[0]))
    return {
        "recall_ratio": float(point[0]) if known else None,
        "recall_ratio_interval": list(bounds) if bounds else None,
    }


def _recall(times: NDArray[Any], counts: tuple[Floats, Floats]) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        found: Floats = (times @ counts[0]) / (times @ counts[1])
    return found


def judge_groups(found: dict[str, dict[str, Any]], as_of: str, settings: Settings) -> Iterator[Finding]:
    """Groups whose leavers are found less often, beyond doubt."""
    for name, attribute in found.items():
        for group, told in attribute["groups"].items():
            ratio, bounds = told["recall_ratio"], told["recall_ratio_interval"]
            if group == attribute["reference"] or ratio is None or bounds is None:
                continue
            if ratio < settings.fairness.least_recall_ratio and bounds[1] < 1:
                yield Finding(
                    "group_missed", "fairness", "investigate", "responsible", unit=f"group:{name}={group}",
                    window=as_of, n=told["positives"] or 0,
                    figures={
                        "attribute": name, "group": group, "reference": attribute["reference"],
                        "ratio": ratio, "low": bounds[0], "high": bounds[1],
                    },
                )  # fmt: skip
