"""Columns of the model that cannot be right tonight: dead, stuck, unknown for many, out of their range."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from monitoring.drift.comparing import family_of, registers_of
from monitoring.drift.events import EXCEPTED, during
from monitoring.drift.profile import TABLE, ColumnProfile, Profile
from monitoring.findings import Finding, Level
from risk_model.settings import MonitoringSettings

if TYPE_CHECKING:
    import duckdb

DEAD_BEFORE = 0.999
"""A column as empty as this before was dead already."""
FEWEST_OUTSIDE = 20
OF_ABSENCES = frozenset({"beside_weekend_share", "after_holiday_share"})
"""Shares of a pupil's own absences: without a value for whoever was not absent, so most of all in the first
weeks of a term, whose day moves from year to year. Their nulls are told and alarm nobody."""


def judge_columns(
    tonight: Profile, reference: Profile, outside: dict[str, int], rules: MonitoringSettings
) -> list[Finding]:
    """Findings by column, against the same point of last year; ``outside`` counts values out of its range."""
    excepted = during(rules, tonight.as_of, reference.as_of) is not None
    weights = tonight.weights()
    found: list[Finding] = []
    for name, now in tonight.columns.items():
        before = reference.columns.get(name)
        if before is None or before.null_share >= DEAD_BEFORE:
            continue
        seasonal = excepted and family_of(name) in EXCEPTED
        used = name not in OF_ABSENCES and weights.get(name, 0.0) >= rules.least_importance / 2
        found += _judged(name, now, before, outside.get(name, 0), rules, quiet=seasonal or not used)
    return found


def _judged(
    name: str,
    now: ColumnProfile,
    before: ColumnProfile,
    outside: int,
    rules: MonitoringSettings,
    *,
    quiet: bool,
) -> Iterator[Finding]:
    told = {"column": name, "registers": registers_of(name)}

    def finding(code: str, cause: str, level: Level, **figures: float | None) -> Finding:
        return Finding(
            code, cause, level, "data_office", f"column:{name}", "tonight", now.n, {**told, **figures}
        )

    seldom: Level = "tell" if quiet else "investigate"
    if now.known == 0:
        # Whatever it weighs now: without a value it weighs nothing.
        yield finding("dead_column", "nulls", "investigate")
    elif now.null_share - before.null_share >= rules.null_rise:
        yield finding("null_rise", "nulls", seldom, now=now.null_share, before=before.null_share)
    elif not now.spread and before.spread and len(before.edges) > 2:
        yield finding("stuck_column", "stuck", "investigate")
    elif outside >= max(rules.outside_share * now.known, FEWEST_OUTSIDE):
        yield finding(
            "out_of_range", "range", seldom, share=outside / now.known, low=before.low, high=before.high
        )


def outside_of(con: duckdb.DuckDBPyConnection, tonight: Profile, reference: Profile) -> dict[str, int]:
    """How many of tonight's values lie half the width of the reference beyond its 0.1 % or 99.9 %."""
    bounds = {}
    for name, column in reference.columns.items():
        if name in tonight.columns and column.edges and column.low is not None and column.high is not None:
            room = max((column.high - column.low) / 2, abs(column.high) * 1e-6)
            bounds[name] = (column.low - room, column.high + room)
    if not bounds:
        return {}
    told = ", ".join(
        f'count(*) filter ("{name}" < {low!r} or "{name}" > {high!r})' for name, (low, high) in bounds.items()
    )
    return dict(zip(bounds, con.execute(f"select {told} from {TABLE}").fetchall()[0], strict=True))
