"""Each run's cohort, judged as its labels mature, and kept.

A mature one is judged again when what its labels were made from has changed: late exits, corrected marks,
rows taken back. One cohort is looked at a night, each at most once a week; what was said before stays in
``earlier``.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from monitoring.care_effect.bins import near_line
from monitoring.care_effect.lots import counted_arms
from monitoring.fairness.at_list import found_by_group
from monitoring.performance.facts import facts_of_window
from monitoring.performance.maturity import Maturity, maturity
from monitoring.performance.measuring import measure
from monitoring.performance.outcomes import marks_for, outcomes
from monitoring.runs import Service, StoredRun
from risk_model.draw_record import DrawRecordError, read_draw
from risk_model.home import Home
from risk_model.protected import protected_on
from risk_model.run_evidence import facts_of_run
from risk_model.school_rule import ABSENT_30, ABSENT_TERM, FAILED_CORE, flags
from risk_model.settings import Settings

if TYPE_CHECKING:
    from risk_model.lake.reading import Lake

WEEK = 7
"""A partial cohort is judged anew after so many days; so long after, too, a mature one is looked at again."""
REVISED = ("positives", "found", "known", "listed")
"""Counts that make a mature cohort another when they change."""


def chosen(runs: Sequence[StoredRun], judged: Collection[str], settings: Settings) -> list[StoredRun]:
    """Runs some weeks apart, newest first; one that was ``judged`` before (its key) stays chosen."""
    apart = settings.monitoring.cohort_every_days
    found = [run for run in runs if run.key in judged or run in first_of_rounds(runs)]
    for run in runs:
        if all(abs((run.as_of - other.as_of).days) >= apart for other in found):
            found.append(run)
    windows = settings.labels.horizon_days // apart + 2
    newest = sorted(found, key=lambda run: run.as_of, reverse=True)
    return newest[: settings.monitoring.most_cohorts + windows]


def cohorts(
    home: Home, settings: Settings, service: Service, lake: Lake, runs: Sequence[StoredRun], today: date
) -> list[dict[str, Any]]:
    """What is known of each run's cohort, newest first; kept under ``data/monitoring/cohorts``.

    Cohorts whose run has been thinned away since stay as they were judged.
    """
    folder = home.monitoring / "cohorts"
    reach = min(today, lake.latest_recorded_on() or today)
    asked = chosen(runs, {file.stem for file in folder.glob("*.json")}, settings)
    again = _to_look_at_again(folder, asked, today)
    now = {
        run.key: _cohort(
            home, settings, service, lake, run, today, maturity(run.as_of, reach, settings.labels),
            again=run is again,
        )
        for run in asked
    }  # fmt: skip
    before = [json.loads(file.read_text()) for file in folder.glob("*.json") if file.stem not in now]
    told = [*now.values(), *(cohort for cohort in before if cohort["as_of"] <= today.isoformat())]
    return sorted(told, key=lambda cohort: str(cohort["as_of"]), reverse=True)


def first_of_rounds(runs: Sequence[StoredRun]) -> list[StoredRun]:
    """Of each round of the random comparison its first night: whom it drew is followed from then on."""
    first: dict[str, StoredRun] = {}
    for run in runs:
        drawn = run.document.get("comparison")
        if drawn is not None:
            first.setdefault(drawn["round"], run)
    return list(first.values())


def _to_look_at_again(folder: Path, asked: Sequence[StoredRun], today: date) -> StoredRun | None:
    """The run whose mature cohort was not looked at for longest; none if each was within the week."""
    due: list[tuple[str, StoredRun]] = []
    for run in asked:
        kept = _kept(folder / f"{run.key}.json")
        looked = kept and kept["state"] == "mature" and str(kept.get("looked_on", kept["judged_on"]))
        if looked and (today - date.fromisoformat(looked)).days >= WEEK:
            due.append((looked, run))
    return min(due, key=lambda one: one[0])[1] if due else None


def _cohort(
    home: Home,
    settings: Settings,
    service: Service,
    lake: Lake,
    run: StoredRun,
    today: date,
    grown: Maturity,
    *,
    again: bool,
) -> dict[str, Any]:
    file = home.monitoring / "cohorts" / f"{run.key}.json"
    kept = _kept(file)
    if kept and not again and (kept["state"] == "mature" or _is_fresh(kept, grown, today)):
        return kept
    facts = facts_of_window(lake, run.as_of, grown.days, today) if grown.state == "mature" else None
    if kept and again and kept.get("facts") == facts:
        told = {**kept, "looked_on": today.isoformat()}
    else:
        told = _judged_now(home, settings, service, lake, run, today, grown)
        told |= {"facts": facts} if facts is not None else {}
        if kept and kept["state"] == "mature":
            told = revised(kept, told)
    _keep(file, told)
    return told


def revised(kept: dict[str, Any], told: dict[str, Any]) -> dict[str, Any]:
    """A mature cohort judged again: ``told`` with what was said before, or ``kept`` if that is the same."""
    before, now = kept["figures"]["counts"], told["figures"]["counts"]
    if all(before[name] == now[name] for name in REVISED):
        return {**kept, "facts": told["facts"], "looked_on": told["judged_on"]}
    said = {"judged_on": kept["judged_on"], "precision": kept["figures"].get("precision"),
            "recall": kept["figures"].get("recall"), **{name: before[name] for name in REVISED}}  # fmt: skip
    return {**told, "looked_on": told["judged_on"], "earlier": [*kept.get("earlier", []), said]}


def _judged_now(
    home: Home, settings: Settings, service: Service, lake: Lake, run: StoredRun, today: date, grown: Maturity
) -> dict[str, Any]:
    told: dict[str, Any] = {
        "run": run.key, "as_of": run.as_of.isoformat(), "model_version": run.model_version,
        "state": grown.state, "days": grown.days, "of": grown.of, "judged_on": today.isoformat(),
    }  # fmt: skip
    scores = service.scores(run)
    if grown.state == "immature":
        told["figures"] = measure(scores.assign(label=np.nan, state="immature"), settings)
        told["figures"]["expected_precision"] = _expected(scores)
        told["figures"]["counts"]["listed"] = int(scores["listed"][scores["risk"].notna()].sum())
        return told
    rules = settings.labels.model_copy(update={"horizon_days": grown.days})
    marks = marks_for(home, lake, run.as_of, today)
    rows = outcomes(lake, scores, run.as_of, today, rules, marks)
    rows = rows.merge(_flags(home, lake, run), "left", "student_id")
    drawn, lots = _lots(home, lake, run, rows)
    return told | judged(rows, run.as_of, lake, settings, grown, drawn) | {"lots": lots}


def _lots(
    home: Home, lake: Lake, run: StoredRun, rows: pd.DataFrame
) -> tuple[frozenset[str], dict[str, Any] | None]:
    """Pupils drawn by lot that night, and how many of each arm left; a record that cannot be read is told."""
    told = run.document.get("comparison")
    if told is None:
        return frozenset(), None
    named = {"round": told["round"], "decided_by": told["decided_by"], "until": told["until"]}
    try:
        drawn = read_draw(lake.con, home, run.key, told["digest"])
    except DrawRecordError as error:
        return frozenset(), {**named, "not_done": str(error), "arms": []}
    return frozenset(drawn["student_id"]), {**named, "arms": counted_arms(rows, drawn)}


def _kept(file: Path) -> dict[str, Any] | None:
    return dict(json.loads(file.read_text())) if file.exists() else None


def _is_fresh(kept: dict[str, Any], grown: Maturity, today: date) -> bool:
    since = (today - date.fromisoformat(kept["judged_on"])).days
    return bool(kept["state"] == grown.state and 0 <= since < WEEK)


def judged(
    rows: pd.DataFrame,
    as_of: date,
    lake: Lake,
    settings: Settings,
    grown: Maturity,
    drawn: frozenset[str] = frozenset(),
) -> dict[str, Any]:
    """Figures of a cohort with labels; of a mature one also groups and who was near the line.

    Who was ``drawn`` by lot stands on either side of the line whatever the risk: not compared across it.
    """
    if rows.get("flags") is not None and rows["flags"].isna().all():
        rows = rows.drop(columns="flags")
    elif "flags" in rows:
        rows["flags"] = rows["flags"].fillna(0)
    figures = measure(rows, settings)
    if grown.state != "mature":
        # The risks are of the whole window; what is known of it is a part.
        return {"figures": figures | {"expected_precision": _expected(rows)}}
    known = rows[rows["label"].notna()]
    protected = protected_on(lake, [as_of]).drop(columns="snapshot")
    return {
        "figures": figures,
        "groups": found_by_group(known.merge(protected, "left", "student_id"), settings),
        "near_line": near_line(
            known[~known["student_id"].isin(drawn)].reset_index(drop=True), settings.monitoring.care_bandwidth
        ),
    }


def _expected(scores: pd.DataFrame) -> float | None:
    listed = scores["risk"][scores["listed"].astype(bool) & scores["risk"].notna()]
    return float(listed.mean()) if len(listed) else None


def _flags(home: Home, lake: Lake, run: StoredRun) -> pd.DataFrame:
    """How many conditions of the school's rule each pupil met that night, from its stored values."""
    parts = []
    if {ABSENT_30, ABSENT_TERM, FAILED_CORE} <= set(run.features):
        for part in facts_of_run(lake.con, home, run.key):
            parts.append(
                pd.DataFrame({"student_id": part.student_ids, "flags": flags(part.values, run.features)})
            )
    return (
        pd.concat(parts)
        if parts
        else pd.DataFrame({"student_id": pd.Series(dtype=object), "flags": pd.Series(dtype=float)})
    )


def _keep(file: Path, told: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.write_text(json.dumps(told, allow_nan=False))


def disjoint(judged: Sequence[dict[str, Any]], days: int) -> list[dict[str, Any]]:
    """Mature cohorts whose windows do not overlap, newest first: a leaver counts once."""
    found: list[dict[str, Any]] = []
    for cohort in sorted(judged, key=lambda one: str(one["as_of"]), reverse=True):
        day = date.fromisoformat(cohort["as_of"])
        if cohort["state"] == "mature" and (
            not found or (date.fromisoformat(found[-1]["as_of"]) - day).days >= days
        ):
            found.append(cohort)
    return found
