"""Which drift is told and which alarms: important, far, no chance, several nights running, no known event."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from typing import Any

from monitoring.drift.comparing import ColumnDrift, Comparison, registers_of
from monitoring.drift.events import EXCEPTED, during
from monitoring.drift.profile import Profile
from monitoring.findings import Finding, Level
from risk_model.settings import MonitoringSettings

Night = dict[str, Any]
"""The document of an earlier night, as the history keeps it."""


def judge_drift(
    tonight: Profile,
    reference: Profile,
    comparison: Comparison,
    earlier: Sequence[Night],
    rules: MonitoringSettings,
) -> list[Finding]:
    """Findings of a comparison; ``earlier`` are the nights before, newest first.

    Drift is told the first night and alarms on the ``rules.nights``-th in a row. During a known event, and
    on the fortnight after it, attendance and season alarm nobody.
    """
    # What the model was made from holds all seasons: one of them is no drift.
    excepted = during(rules, tonight.as_of, reference.as_of) is not None or reference.source == "training"
    return [
        *_columns(comparison, earlier, rules, excepted=excepted),
        *_whole(comparison, earlier, rules, excepted=excepted),
        *_cohort(tonight, reference, comparison, earlier, rules),
    ]


def _columns(
    comparison: Comparison, earlier: Sequence[Night], rules: MonitoringSettings, *, excepted: bool
) -> Iterator[Finding]:
    for column in comparison.columns:
        if not column.drifted:
            continue
        nights = 1 + _running(earlier, _column_drifted(column.column))
        quiet = column.weight < rules.least_importance or (excepted and column.family in EXCEPTED)
        yield Finding(
            "column_drift",
            cause_of(column),
            _level(nights, rules, quiet),
            "data_scientist",
            unit=f"column:{column.column}",
            window=f"against {comparison.reference}",
            n=comparison.n,
            figures={
                "column": column.column,
                "reference": comparison.reference,
                "nights": nights,
                "psi": column.psi,
                "moved": column.moved,
                "weight": column.weight,
                "registers": registers_of(column.column),
            },
        )


def cause_of(column: ColumnDrift) -> str:
    """Where to look: the family names the register."""
    return f"inputs:{column.family}"


def _whole(
    comparison: Comparison, earlier: Sequence[Night], rules: MonitoringSettings, *, excepted: bool
) -> Iterator[Finding]:
    def told(code: str, cause: str, holds: Callable[[Night], bool], **figures: Any) -> Finding:
        nights = 1 + _running(earlier, holds)
        return Finding(
            code, cause, _level(nights, rules, excepted), "data_scientist",
            window=f"against {comparison.reference}", n=comparison.n,
            figures={**figures, "reference": comparison.reference, "nights": nights},
        )  # fmt: skip

    if comparison.weighted >= rules.weighted_drift:
        yield told(
            "input_drift", "inputs", lambda night: night["weighted"] >= rules.weighted_drift,
            drift=comparison.weighted,
        )  # fmt: skip
    if comparison.score_psi is not None and comparison.score_psi >= rules.score_psi:
        yield told(
            "score_drift", "scores", lambda night: (night["score_psi"] or 0) >= rules.score_psi,
            psi=comparison.score_psi, now=comparison.risk_now, before=comparison.risk_before,
        )  # fmt: skip
    if comparison.reasons and comparison.reason_shift >= rules.reason_shift:
        grown = {name: now - before for name, (before, now) in comparison.reasons.items()}
        yield told(
            "reason_drift", "reasons", lambda night: night["reason_shift"] >= rules.reason_shift,
            moved=comparison.reason_shift, family=max(grown, key=lambda name: grown[name]),
        )  # fmt: skip


def _cohort(
    tonight: Profile,
    reference: Profile,
    comparison: Comparison,
    earlier: Sequence[Night],
    rules: MonitoringSettings,
) -> Iterator[Finding]:
    for what, distance in comparison.mixes.items():
        if distance < rules.jensen_shannon:
            continue
        before, now = _share(reference.mixes[what]), _share(tonight.mixes[what])
        value = max({*before, *now}, key=lambda name: abs(now.get(name, 0) - before.get(name, 0)))
        nights = 1 + _running(
            earlier, lambda night, what=what: night["mixes"].get(what, 0) >= rules.jensen_shannon
        )
        yield Finding(
            "cohort_drift",
            "cohort",
            _level(nights, rules, quiet=False),
            "data_scientist",
            unit=f"mix:{what}",
            window=f"against {comparison.reference}",
            n=comparison.n,
            figures={
                "reference": comparison.reference,
                "what": what,
                "distance": distance,
                "value": value,
                "before": before.get(value, 0.0),
                "now": now.get(value, 0.0),
            },
        )
    for county in sorted(set(tonight.mixes.get("county", {})) - set(reference.mixes.get("county", {}))):
        pupils = tonight.mixes["county"][county]
        yield Finding(
            "new_county", "cohort", "investigate", "data_scientist", unit=f"county:{county}",
            window=f"since {reference.as_of}", n=pupils, figures={"value": f"county:{county}"},
        )  # fmt: skip


def _share(mix: Any) -> dict[str, float]:
    total = sum(mix.values()) or 1
    return {name: count / total for name, count in mix.items()}


def _column_drifted(column: str) -> Callable[[Night], bool]:
    return lambda night: column in night["drifted"]


def _mixed_otherwise(what: str, least: float) -> Callable[[Night], bool]:
    return lambda night: night["mixes"].get(what, 0) >= least


def _running(earlier: Sequence[Night], holds: Callable[[Night], bool]) -> int:
    """On how many of the nights before, without a gap, it held."""
    count = 0
    for night in earlier:
        drift = night.get("drift")
        if drift is None or not holds(drift):
            break
        count += 1
    return count


def _level(nights: int, rules: MonitoringSettings, quiet: bool) -> Level:
    return "investigate" if nights >= rules.nights and not quiet else "tell"


def summary(comparison: Comparison, as_of: date) -> dict[str, Any]:
    """What the history keeps of a comparison, for nights in a row and for the timeline."""
    return {
        "as_of": as_of.isoformat(),
        "reference": comparison.reference,
        "source": comparison.source,
        "weighted": comparison.weighted,
        "score_psi": comparison.score_psi,
        "reason_shift": comparison.reason_shift,
        "mixes": dict(comparison.mixes),
        "drifted": [column.column for column in comparison.columns if column.drifted],
        "n": comparison.n,
        "n_reference": comparison.n_reference,
    }
