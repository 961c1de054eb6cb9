"""The question of drift, asked of a night: its profile, its references, what is told of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from monitoring.drift.comparing import Comparison, compare, nearest
from monitoring.drift.judging import judge_drift, summary
from monitoring.drift.profile import Profile, column_profiles, counted, load_facts, of_array, save
from monitoring.drift.reference import (
    from_registers,
    made_before,
    mixes_of,
    monday_of,
    of_training,
    scored_about,
)
from monitoring.drift.same_day import YEAR, same_school_day
from monitoring.findings import Finding
from monitoring.history import History
from monitoring.quality.columns import judge_columns, outside_of
from monitoring.runs import StoredRun
from risk_model.home import Home
from risk_model.run_evidence import facts_of_run
from risk_model.settings import MonitoringSettings, Settings

if TYPE_CHECKING:
    import duckdb

    from risk_model.lake.reading import Lake
    from risk_model.model.bundle import Bundle

ABOUT = (timedelta(days=-14), timedelta(days=14))
"""Weeks a school year may lie earlier or later than the one before."""
SOON = 60
"""Days within which an earlier night counts as one in a row."""


@dataclass(frozen=True)
class Drifted:
    """Findings, and the part of the document."""

    findings: list[Finding]
    document: dict[str, Any]
    rows: int


def ask_drift(
    home: Home,
    settings: Settings,
    lake: Lake,
    run: StoredRun,
    scores: pd.DataFrame,
    history: History,
    bundle: Bundle | None,
) -> Drifted:
    """Compare the run with the same point of last school year, and with what the model was made from."""
    before, about = _last_year(history, lake, run, settings, len(scores), bundle)
    training = of_training(bundle.manifest, run.model_version) if bundle is not None else None
    rows, importance = load_facts(lake.con, facts_of_run(lake.con, home, run.key), run.features)
    if rows == 0:
        told = Finding(
            "not_asked", "tool", "tell", "data_scientist", unit="question:drift", window=f"{run.as_of}",
            figures={"what": "drift", "reason": "the values of this night have been thinned away"},
        )  # fmt: skip
        return Drifted([told], {"comparison": None, "training": None, "history": None}, 0)
    tonight = profile_of_run(lake.con, run, scores, rows, importance)
    save(tonight, history.profiles)
    return compared(lake.con, tonight, before, training, earlier_nights(history, run.as_of), settings, about)


def _last_year(
    history: History, lake: Lake, run: StoredRun, settings: Settings, pupils: int, bundle: Bundle | None
) -> tuple[Profile | None, list[Profile]]:
    """The same point of last school year – as far into its term, else the same week – and weeks about it."""

    def there(then: date, days_off: int) -> Profile | None:
        return _reference(history, lake, run, then, days_off, settings, pupils, bundle)

    off = settings.monitoring.reference_days_off
    same = same_school_day(lake, run.as_of)
    week, *others = [there(monday_of(run.as_of - YEAR + moved), off) for moved in (timedelta(0), *ABOUT)]
    found = [there(same, 0) if same else None, week]
    before, *rest = [*(one for one in found if one is not None), None]
    return before, [one for one in (*rest, *others) if one is not None]


def _reference(
    history: History,
    lake: Lake,
    run: StoredRun,
    then: date,
    days_off: int,
    settings: Settings,
    pupils: int,
    bundle: Bundle | None,
) -> Profile | None:
    """The day ``then``: a night scored at most ``days_off`` from it, else made from the registers."""
    rules = settings.monitoring
    scored = scored_about(history.profiles, then, run.model_digest, days_off)
    if scored is not None and scored.model_digest == run.model_digest:
        return scored
    made = made_before(history.profiles, then, run.model_digest)
    if made is not None:
        return made
    few = pupils <= rules.most_pupils_from_registers
    same = bundle is not None and bundle.digest == run.model_digest
    if bundle is not None and same and few and rules.reference_from_registers:
        made = from_registers(history.profiles, lake, then, settings, bundle, run.model_version)
        if made is not None:
            return made
    return scored


def profile_of_run(
    con: duckdb.DuckDBPyConnection,
    run: StoredRun,
    scores: pd.DataFrame,
    rows: int,
    importance: dict[str, float],
) -> Profile:
    """The profile of a run whose values are in ``tonight``."""
    listed = scores["listed"] & scores["risk"].notna()
    return Profile(
        run.as_of, "run", run.model_digest, run.model_version, rows,
        column_profiles(con, run.features), of_array(scores["risk"].to_numpy(dtype=np.float64)), importance,
        mixes_of(scores), int(listed.sum()), float(scores["risk"][listed].mean()) if listed.any() else None,
    )  # fmt: skip


def earlier_nights(history: History, as_of: date) -> list[dict[str, Any]]:
    """Nights shortly before, newest first, as the rules of drift read them."""
    nights = history.before(as_of)
    near = [night for night in nights if (as_of - date.fromisoformat(night["as_of"])).days <= SOON]
    return [{"drift": (night.get("drift") or {}).get("history")} for night in near]


def compared(
    con: duckdb.DuckDBPyConnection,
    tonight: Profile,
    before: Profile | None,
    training: Profile | None,
    earlier: list[dict[str, Any]],
    settings: Settings,
    about: Sequence[Profile] = (),
) -> Drifted:
    """Findings and document of both comparisons; that with the training alarms only if there is no other.

    ``about`` are weeks shortly before and after the same point of last year: exams and the start of a term
    move by a week or two, and what is like any of these weeks is no fault.
    """
    rules = settings.monitoring
    findings: list[Finding] = []
    main = before or training
    found = {
        name: None if reference is None else _compare(con, tonight, reference, settings)
        for name, reference in (("comparison", before), ("training", training))
    }
    if main is not None:
        comparison = found["comparison"] or found["training"]
        assert comparison is not None
        if found["comparison"] is not None:
            comparison = nearest(comparison, [_compare(con, tonight, week, settings) for week in about])
            found["comparison"] = comparison
        findings += _column_faults(con, tonight, [main, *about], rules)
        findings += judge_drift(tonight, main, comparison, earlier, rules)
        kept: dict[str, Any] | None = summary(comparison, tonight.as_of)
    else:
        kept = None
    document: dict[str, Any] = {name: told and told.as_document() for name, told in found.items()}
    return Drifted(findings, {**document, "history": kept}, tonight.pupils)


def _column_faults(
    con: duckdb.DuckDBPyConnection, tonight: Profile, weeks: Sequence[Profile], rules: MonitoringSettings
) -> list[Finding]:
    """Faults of columns that stand beside each of ``weeks``, as they are beside the first."""
    told = [judge_columns(tonight, week, outside_of(con, tonight, week), rules) for week in weeks]
    shared = set.intersection(*({one.key for one in findings} for findings in told))
    return [finding for finding in told[0] if finding.key in shared]


def _compare(
    con: duckdb.DuckDBPyConnection, tonight: Profile, reference: Profile, settings: Settings
) -> Comparison:
    counts = counted(con, {name: column.edges for name, column in reference.columns.items()})
    risks = _risk_counts(tonight, reference)
    return compare(tonight, reference, counts, risks, settings.monitoring)


def _risk_counts(tonight: Profile, reference: Profile) -> tuple[int, ...]:
    """Tonight's risks in the bins of the reference, spread evenly within tonight's own bins."""
    edges, own = reference.risk.edges, tonight.risk
    if not edges or not own.edges or own.low is None or own.high is None:
        return (0,) * (len(edges) + 1)
    places = [min(own.low, own.edges[0]), *own.edges, max(own.high, own.edges[-1])]
    running = np.concatenate(([0.0], np.cumsum(own.counts)))
    below = np.interp(edges, places, running)
    return tuple(int(count) for count in np.round(np.diff([0.0, *below, float(running[-1])])))
