"""Nights of a made-up county for the rules of monitoring: frames in place of registers, a fault from one on.

The same functions are asked as by ``monitor``; a night is 1,800 pupils of twelve schools in two counties.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import duckdb
import numpy as np
import pandas as pd

from monitoring.decision import triggers
from monitoring.drift.asking import compared, profile_of_run
from monitoring.drift.profile import Profile, load_facts
from monitoring.fairness.at_list import found_by_group, judge_groups
from monitoring.findings import Finding
from monitoring.performance.judging import judge_cohorts
from monitoring.performance.measuring import measure
from monitoring.quality.lists import judge_contradictions, judge_held_back, judge_night, judge_people
from monitoring.quality.registers import RegisterFacts
from monitoring.quality.rules import judge_register_facts
from monitoring.runs import StoredRun
from monitoring.stability.moves import judge_moves, moves
from risk_model.model.manifest import Manifest
from risk_model.ranking import rank
from risk_model.run_evidence import PartFacts
from risk_model.settings import Settings

MONDAY = date(2026, 3, 2)
PUPILS, SCHOOLS = 1800, 12
COLUMNS = {
    "absence_30": 9.0, "unexcused_30": 14.0, "sick_30": 2.0, "leave_30": 2.0, "score_latest": -4.0,
    "failed_core_latest": 0.5, "z_all_mean": -0.6, "months_over_age": 0.03, "travel_km": 0.12,
    "travel_minutes": 0.012, "nearest_school_km": 0.05, "boarding": 0.3, "parents_away": 0.25,
    "poverty_monitored": 0.7, "mother_schooling": -0.05, "register_coverage_30": -1.5,
}  # fmt: skip
"""Features of the county with the log-odds of a unit of each."""
BASE = -1.6


@dataclass
class Night:
    """All that is looked at on a night."""

    number: int
    pupils: pd.DataFrame
    """Features, ``student_id, school_id, county_id, class_key, grade, status``."""
    facts: RegisterFacts
    schools: pd.DataFrame
    manifest: Manifest
    document: dict[str, Any] = field(default_factory=lambda: {"published": True})
    live: pd.DataFrame = field(default_factory=lambda: pd.DataFrame({"school_id": [], "as_of": []}))
    margin_shift: float = 0.0
    scales: dict[str, float] = field(default_factory=dict)
    """By how much the model's coefficients are multiplied: another model under the same name."""
    capacity_share: float = 0.05
    shuffled_list: bool = False
    cohorts: list[dict[str, Any]] = field(default_factory=list)
    groups: dict[str, Any] = field(default_factory=dict)
    late: int = 0
    """Days the list is older than the night."""

    @property
    def as_of(self) -> date:
        return MONDAY + timedelta(days=self.number)


Fault = Callable[[Night, np.random.Generator], None]


def made_up_night(number: int, seed: int = 1) -> Night:
    """A clean night: the same pupils every night, a little of each feature new."""
    lasting, dice = np.random.default_rng(seed), np.random.default_rng((seed, number + 10_000))
    school = np.arange(PUPILS) % SCHOOLS
    rate = np.clip(lasting.beta(1, 20, PUPILS) * dice.lognormal(0, 0.1, PUPILS), 0, 1)
    score = np.clip(lasting.normal(0.68, 0.15, PUPILS), 0, 1)
    km = lasting.lognormal(1.2, 0.7, PUPILS)
    pupils = pd.DataFrame(
        {
            "student_id": [f"P{place:05d}" for place in range(PUPILS)],
            "school_id": [f"S{place:02d}" for place in school],
            "county_id": np.where(school < 6, "K1", "K2"),
            "class_key": [f"S{place:02d}:{place // SCHOOLS % 5}" for place in range(PUPILS)],
            "grade": 1 + np.arange(PUPILS) // SCHOOLS % 9,
            "status": "scored",
            "absence_30": rate,
            "unexcused_30": rate * lasting.beta(2, 4, PUPILS),
            "sick_30": rate * lasting.beta(3, 4, PUPILS),
            "leave_30": rate * lasting.beta(1, 6, PUPILS),
            "score_latest": score,
            "failed_core_latest": (score < 0.55).astype(float) + (score < 0.45),
            "z_all_mean": (score - 0.68) / 0.15 + lasting.normal(0, 0.3, PUPILS),
            "months_over_age": np.round(lasting.gamma(2, 3, PUPILS)),
            "travel_km": km,
            "travel_minutes": km * lasting.lognormal(1.8, 0.3, PUPILS),
            "nearest_school_km": km * lasting.uniform(0.3, 1, PUPILS),
            "boarding": (km > 6).astype(float),
            "parents_away": lasting.integers(0, 3, PUPILS).astype(float),
            "poverty_monitored": (lasting.random(PUPILS) < 0.1).astype(float),
            "mother_schooling": np.round(lasting.normal(8, 3, PUPILS)),
            "register_coverage_30": np.clip(dice.beta(40, 1, PUPILS), 0, 1),
        }
    )
    for name in ("travel_minutes", "mother_schooling"):
        pupils.loc[lasting.random(PUPILS) < 0.1, name] = np.nan
    schools = pupils.groupby(["school_id", "county_id"], as_index=False).size()
    schools = schools.rename(columns={"size": "pupils"}).assign(name=schools["school_id"], held_back=None)
    as_of = MONDAY + timedelta(days=number)
    return Night(number, pupils, clean_facts(as_of, dice), schools, made_up_manifest())


def clean_facts(as_of: date, dice: np.random.Generator) -> RegisterFacts:
    """What the registers tell of nine weeks up to the night; results, exits and values as always."""
    days = [as_of - timedelta(days=back) for back in range(1, 64)]
    rows = []
    for day in days:
        for school in range(SCHOOLS):
            if day.weekday() < 5:
                told = dice.multinomial(150, [0.03, 0.01, 0.01, 0.02, 0.93])
                rows.append((f"S{school:02d}", pd.Timestamp(day), int(told.sum()), *told[:4].tolist()))
    names = ["school_id", "day", "rows", "absent_sick", "absent_leave", "absent_unexcused", "late"]
    ended = [pd.Timestamp(as_of) - pd.Timedelta(days=60 + n % 60) for n in range(40)]
    exits = pd.DataFrame({"ended_on": ended})
    exits["recorded_on"] = exits["ended_on"] + pd.to_timedelta(dice.integers(0, 25, 40), unit="D")
    categories = pd.DataFrame(
        [("students", "ethnicity", "汉族", 3, 1500), ("students", "ethnicity", "苗族", 0, 300),
         ("results", "subject", "mathematics", 0, 4000), ("schools", "county_id", "K1", 0, 6),
         ("schools", "county_id", "K2", 0, 6)],
        columns=["register", "column", "value", "recent", "before"],
    )  # fmt: skip
    scales = pd.DataFrame({"points": [100.0, 120.0], "recent": [800, 400], "before": [5000, 2500]})
    filled = frozenset({"students", "enrolments", "attendance", "results", "families", "schools", "calendar"})
    return RegisterFacts(
        as_of, pd.DataFrame(rows, columns=names), 0, categories, scales, exits, False, filled
    )


def made_up_manifest(**changes: Any) -> Manifest:
    told: dict[str, Any] = {
        "lake_snapshot": 1, "as_of": date(2026, 1, 15), "trained_snapshots": (), "label": ("dropped_out",),
        "horizon_days": 90, "code_hash": "", "lock_hash": "", "settings_hash": "", "seed": 1,
        "kind": "logistic", "features": tuple(COLUMNS), "parts": {},
    }  # fmt: skip
    return Manifest(**{**told, **changes})


def scored(night: Night, settings: Settings) -> tuple[pd.DataFrame, np.ndarray]:
    """Scores as the service database has them, and contributions (pupils, features)."""
    values = night.pupils[list(COLUMNS)]
    usual = made_up_night(0).pupils[list(COLUMNS)].mean()
    weights = np.array([COLUMNS[name] * night.scales.get(name, 1.0) for name in COLUMNS])
    parts = (values - usual).fillna(0).to_numpy() * weights
    margin = BASE - 2.2 + parts.sum(axis=1) + night.margin_shift
    scores = night.pupils[["student_id", "school_id", "county_id", "class_key", "grade", "status"]].assign(
        risk=1 / (1 + np.exp(-margin))
    )
    rules = settings.list.model_copy(update={"capacity_share": night.capacity_share, "minimum_risk": 0.0})
    ranked = rank(scores, rules)
    scores = scores.assign(rank_in_school=ranked["rank_in_school"], listed=ranked["listed"])
    if night.shuffled_list:
        order = np.random.default_rng(night.number).permutation(len(scores))
        scores["listed"] = scores["listed"].to_numpy()[order]
        scores["risk"] = scores["risk"].to_numpy()[order]
    return scores, parts


@dataclass
class Watch:
    """Nights looked at one after the other, as the history of a home would have it."""

    settings: Settings = field(default_factory=Settings)
    con: duckdb.DuckDBPyConnection = field(default_factory=duckdb.connect)
    reference: Profile | None = None
    earlier: list[dict[str, Any]] = field(default_factory=list)
    last: pd.DataFrame | None = None
    lengths: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.reference, _ = self.profile(made_up_night(-364, seed=2))

    def go_on(self) -> Watch:
        """Another watch with the same nights behind it, to be gone on with otherwise."""
        other = copy(self)
        other.earlier, other.lengths = list(self.earlier), list(self.lengths)
        return other

    def profile(self, night: Night) -> tuple[Profile, pd.DataFrame]:
        scores, parts = scored(night, self.settings)
        matrix = night.pupils[list(COLUMNS)].to_numpy(dtype=np.float64)
        facts = PartFacts(scores["student_id"].to_numpy(), matrix, parts)
        rows, importance = load_facts(self.con, [facts], list(COLUMNS))
        run = StoredRun(1, "key", night.as_of, "1", "digest", 0.0, tuple(COLUMNS), "published", {})
        return profile_of_run(self.con, run, scores, rows, importance), scores

    def look(self, night: Night) -> list[Finding]:
        rules = self.settings.monitoring
        tonight, scores = self.profile(night)
        drifted = compared(self.con, tonight, self.reference, None, self.earlier, self.settings)
        found = [
            *judge_held_back(night.schools, night.live, night.document, night.as_of),
            *judge_register_facts(night.facts, self.settings.labels, rules),
            *judge_people(scores, self.last, frozenset(), rules),
            *judge_contradictions(night.document, len(scores), rules),
            *judge_night(night.as_of, night.as_of + timedelta(days=night.late)),
            *triggers(night.manifest, night.as_of, night.facts.filled, rules),
            *drifted.findings,
            *judge_cohorts(night.cohorts, "1", rules),
            *judge_groups(night.groups, "2025-11-01", self.settings),
        ]
        if self.last is not None:
            step = moves(self.last, scores, 1)
            found += judge_moves(step, self.lengths, len(scores), rules.most_churn)
        self.earlier.insert(0, {"drift": drifted.document["history"]})
        self.last = scores
        self.lengths.insert(0, int(scores["listed"].sum()))
        return found


def cohort(
    truth: Callable[[np.ndarray, np.random.Generator], np.ndarray],
    *,
    as_of: str = "2025-10-01",
    state: str = "mature",
    unknown: float = 0.0,
    times: int = 6,
    shift: float = 0.0,
    seed: int = 3,
) -> tuple[dict[str, Any], pd.DataFrame]:
    """A cohort with labels drawn from ``truth(margin)``: six of the made-up counties side by side."""
    settings = Settings()
    dice = np.random.default_rng(seed)
    parts = []
    for number in range(times):
        night = made_up_night(0, seed=seed + number)
        night.margin_shift = shift
        scores, _ = scored(night, settings)
        names = {name: scores[name] + f"-{number}" for name in ("school_id", "student_id")}
        parts.append(scores.assign(**names))
    rows = pd.concat(parts, ignore_index=True)
    margin = np.log(rows["risk"] / (1 - rows["risk"])).to_numpy() - shift
    left = (dice.random(len(rows)) < 1 / (1 + np.exp(-truth(margin, dice)))).astype(float)
    missing = dice.random(len(rows)) < unknown
    rows = rows.assign(label=np.where(missing, np.nan, left), care_affected=False)
    rows["state"] = np.where(missing, "unknown", "negative")
    figures = measure(rows, settings)
    told = {"run": "r", "as_of": as_of, "model_version": "1", "state": state, "days": 90, "of": 90}
    return {**told, "figures": figures}, rows


def groups_of(rows: pd.DataFrame) -> dict[str, Any]:
    """Groups at the list of a cohort: ``sex`` alone is told apart."""
    others = ("ethnicity", "disability", "left_behind", "poverty", "relocated", "boarding")
    return found_by_group(rows.assign(**dict.fromkeys(others, "same")), Settings())
