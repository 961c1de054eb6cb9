"""What the night itself tells: schools that keep an older list, pupils and schools gone, contradictions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import pandas as pd

from monitoring.findings import Finding
from monitoring.quality.rules import names_of
from risk_model.settings import MonitoringSettings

NAMED = 20
"""Schools held back that are told one by one."""
FEWEST = 10
LATE_DAYS = 3
"""A list older than so many days is told: over a weekend nobody may have run the night."""


def judge_held_back(
    schools: pd.DataFrame, live: pd.DataFrame, document: Mapping[str, Any], as_of: date
) -> list[Finding]:
    """A finding for each school that keeps an older list, with its date and the reason.

    ``schools`` are those of the run (``school_id, name, pupils, held_back``), ``live`` the lists shown.
    """
    found: list[Finding] = []
    if document.get("reason") and not document.get("published"):
        found.append(
            Finding("run_refused", "registers", "investigate", "data_office", window=f"{as_of}",
                    n=int(schools["pupils"].sum()), figures={"reason": document["reason"]})
        )  # fmt: skip
    held = schools[schools["held_back"].notna()]
    kept = live.set_index("school_id")["as_of"] if len(live) else pd.Series(dtype=object)
    for school in held.head(NAMED).itertuples(index=False):
        figures = {
            "name": f"school:{school.school_id}",
            "as_of": str(kept.get(school.school_id, "–")),
            "reason": school.held_back,
        }
        found.append(
            Finding("held_back", "registers", "investigate", "data_office", f"school:{school.school_id}",
                    f"{as_of}", int(school.pupils), figures)
        )  # fmt: skip
    if len(held) > NAMED:
        found.append(
            Finding(
                "held_back_many",
                "registers",
                "investigate",
                "data_office",
                window=f"{as_of}",
                n=len(held) - NAMED,
            )
        )
    return found


def judge_people(
    tonight: pd.DataFrame, last: pd.DataFrame | None, gone: frozenset[str], rules: MonitoringSettings
) -> list[Finding]:
    """Pupils and schools of the last run who are nowhere tonight.

    Parameters
    ----------
    tonight, last : frames of ``student_id, school_id``
    gone : pupils of whom the registers say that they left, or go by another identifier now.
    """
    if last is None or last.empty:
        return []
    return [*_vanished(tonight, last, gone, rules), *_schools_gone(tonight, last)]


def _vanished(
    tonight: pd.DataFrame, last: pd.DataFrame, gone: frozenset[str], rules: MonitoringSettings
) -> Iterator[Finding]:
    told = gone.union(tonight["student_id"])  # a set: pandas' isin takes seconds for a million texts
    missing = last[[pupil not in told for pupil in last["student_id"]]]
    share = len(missing) / len(last)
    if share >= rules.vanished_share and len(missing) >= FEWEST:
        most = missing["school_id"].value_counts().head(3).index.to_series()
        yield Finding(
            "vanished", "registers", "investigate", "data_office", window="since the last run",
            n=len(missing), figures={"share": share, "names": names_of(most)},
        )  # fmt: skip


def _schools_gone(tonight: pd.DataFrame, last: pd.DataFrame) -> Iterator[Finding]:
    sizes = last["school_id"].value_counts()
    schools = sizes[(sizes >= FEWEST) & ~sizes.index.isin(tonight["school_id"].unique())].index.to_series()
    if len(schools):
        yield Finding(
            "schools_gone", "registers", "investigate", "data_office", window="since the last run",
            n=len(schools), figures={"names": names_of(schools)},
        )  # fmt: skip


def judge_contradictions(
    document: Mapping[str, Any], pupils: int, rules: MonitoringSettings
) -> Iterator[Finding]:
    """Pupils at two places at once, if they are many."""
    twice = sum(1 for found in document.get("findings", ()) if found["finding"] == "two_open_spells")
    if pupils and twice >= FEWEST and twice / pupils >= rules.contradicted_share:
        yield Finding(
            "contradicted", "duplicates", "investigate", "data_office", window="tonight", n=twice,
            figures={"share": twice / pupils},
        )  # fmt: skip


def judge_night(as_of: date, day: date) -> Iterator[Finding]:
    """A night that did not run."""
    late = (day - as_of).days
    if late > LATE_DAYS:
        yield Finding(
            "night_missing", "registers", "investigate", "data_office", window=f"{day}", n=late,
            figures={"as_of": as_of.isoformat()},
        )  # fmt: skip
