"""How much of what should be in the registers of attendance is there: by school and by county.

A figure of its own beside the rules that hold schools back: a school may send four days of five for years,
and never change enough to be told.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from monitoring.findings import Finding
from monitoring.quality.registers import RegisterFacts
from monitoring.quality.rules import names_of
from risk_model.settings import LabelSettings

SCHOOL_DAYS = 20
"""The latest school days that are looked at: four weeks."""
SHOWN = 50
"""Schools the document names, those with the lowest coverage first."""


def coverage(facts: RegisterFacts) -> pd.DataFrame:
    """``school_id, county_id, pupils, coverage`` (0–1), the lowest first.

    Marks of the latest school days (a complete headcount counts for all its pupils) over the marks that the
    pupils enrolled tonight would have. A day is a school day if at least half as many schools sent marks as
    on a usual one; a school without a mark has a coverage of 0.
    """
    days = school_days(facts)
    if facts.pupils.empty or not len(days):
        return pd.DataFrame(columns=["school_id", "county_id", "pupils", "coverage"])
    sent = facts.marks[facts.marks["day"].isin(days)].groupby("school_id")["rows"].sum()
    told = facts.pupils.copy()
    marks = told["school_id"].map(sent).fillna(0).to_numpy(dtype=np.float64)
    told["coverage"] = np.minimum(marks / (told["pupils"].to_numpy() * len(days)), 1.0)
    return told.sort_values(["coverage", "school_id"], ignore_index=True)


def school_days(facts: RegisterFacts) -> list[pd.Timestamp]:
    """The latest days on which schools sent marks as on any other, oldest first."""
    if facts.marks.empty:
        return []
    schools = facts.marks.groupby("day")["school_id"].nunique()
    return list(schools[schools >= schools.median() / 2].index.sort_values()[-SCHOOL_DAYS:])


def coverage_told(told: pd.DataFrame, facts: RegisterFacts) -> dict[str, Any] | None:
    """The part of the document: every county, and the schools with the lowest coverage."""
    if told.empty:
        return None
    days = school_days(facts)
    weighted = told.assign(there=told["coverage"] * told["pupils"], county_id=told["county_id"].fillna("–"))
    sums = weighted.groupby("county_id").agg(
        pupils=("pupils", "sum"), there=("there", "sum"), schools=("school_id", "size")
    )
    counties = [
        {"county_id": str(county), "schools": int(row.schools), "pupils": int(row.pupils),
         "coverage": float(row.there / row.pupils)}
        for county, row in zip(sums.index, sums.itertuples(index=False), strict=True)
    ]  # fmt: skip
    lowest = told.head(SHOWN).astype(object).where(told.head(SHOWN).notna(), None)
    return {
        "window": f"{days[0]:%Y-%m-%d}..{days[-1]:%Y-%m-%d}",
        "school_days": len(days),
        "counties": sorted(counties, key=lambda one: (one["coverage"], one["county_id"])),
        "lowest": lowest.to_dict("records"),
        "schools": len(told),
    }


def judge_coverage(told: pd.DataFrame, labels: LabelSettings) -> list[Finding]:
    """Schools so far below that their pupils would get no label; told, for the rules of silence alarm."""
    few = told[told["coverage"] < labels.minimum_coverage]
    if few.empty:
        return []
    return [
        Finding("low_coverage", "registers", "tell", "data_office", window=f"last {SCHOOL_DAYS} school days",
                n=len(few), figures={"least": labels.minimum_coverage, "names": names_of(few["school_id"])})
    ]  # fmt: skip
