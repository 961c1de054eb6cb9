"""Which features follow from others, so that a question about one moves them together, or is refused.

Absence of thirty days cannot fall to nothing while the pupil has been away for fourteen: what is asked of one
feature is carried to all that the same registers would change. Where that cannot be computed from the values
at hand, the feature is held as it is, and the answer says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan, nan

from risk_model.errors import UsageError
from risk_model.explanation.derived_absence import (
    ABSENCES,
    Values,
    after_absence,
    after_lateness,
    differences,
)

FOLLOWS: Mapping[str, tuple[str, ...]] = {
    "day_pupil_km": ("boarding", "travel_km"),
    "travel_km_over_school": ("travel_km",),
    "detour_km": ("travel_km",),
    "absence_change_30": ("absence_30",),
    "unexcused_change_30": ("unexcused_30",),
    "absence_30_over_class": ("absence_30",),
    "absence_30_over_school": ("absence_30",),
    "unexcused_30_over_class": ("unexcused_30",),
    "register_coverage_30_over_class": ("register_coverage_30",),
    "never_seen": ("absence_current",),
    "unexcused_current": ("absence_current",),
    "days_since_present": ("absence_current",),
    "absence_longest": ("absence_90",),
    "unexcused_longest": ("unexcused_90",),
    "absence_episodes": ("absence_90",),
    "beside_weekend_share": ("absence_90",),
    "after_holiday_share": ("absence_90",),
    "failed_share": ("failed_latest",),
    "missed_share": ("missed_latest",),
    "z_all_mean": ("z_all_latest",),
    "z_core_mean": ("z_core_latest",),
    "z_change": ("z_all_latest",),
    "z_trend": ("z_all_latest",),
    "class_percentile": ("z_all_latest",),
}
"""Features that are functions of others: what to ask about instead."""


def together(values: Values, asked: Values) -> dict[str, float]:
    """What follows from ``asked`` for the other features in ``values``, whether or not it moves them.

    Raises
    ------
    UsageError
        Two of the questions hang together, or what follows cannot be said of this pupil.
    """
    followed = {**after_absence(values, asked), **after_lateness(values, asked), **_exams(values, asked)}
    for name in asked.keys() - ABSENCES:
        followed |= differences(values, {name: asked[name]})
    followed |= _way(values, asked)
    hanging = sorted(asked.keys() & followed.keys())
    if hanging:
        raise UsageError(f"{', '.join(hanging)} follows from the rest of the question. Ask without it.")
    return {name: value for name, value in followed.items() if name in values}


def _way(values: Values, asked: Values) -> dict[str, float]:
    if not asked.keys() & {"travel_km", "boarding"} or "day_pupil_km" not in values:
        return _detour(values, asked)
    then = {**values, **asked}
    boards, km = then.get("boarding", nan), then.get("travel_km", nan)
    if boards == 0 and isnan(km):
        raise UsageError(
            "The way to school of this pupil is not known, so what going home every day would mean cannot be "
            "said. Record the way first."
        )
    return {**_detour(values, asked), "day_pupil_km": 0.0 if boards == 1 else km if boards == 0 else nan}


def _detour(values: Values, asked: Values) -> dict[str, float]:
    """Where the way is the straight line, a shorter one is a shorter detour, and never less than none."""
    names = ("travel_km", "nearest_school_km", "detour_km")
    km, nearest, detour = (values.get(name, nan) for name in names)
    if "travel_km" not in asked or not abs(km - nearest - detour) < 1e-3:
        return {}
    return {"detour_km": max(min(detour, 0.0), asked["travel_km"] - nearest)}


def _exams(values: Values, asked: Values) -> dict[str, float]:
    """A core subject failed is a subject failed."""
    every, core = "failed_latest", "failed_core_latest"
    then = {**values, **asked}
    if every in asked and core in asked and asked[core] > asked[every]:
        raise UsageError(f"{core} counts some of {every}, so it cannot be more. Ask for less of it.")
    if every in asked and core in values and core not in asked:
        return {core: min(values[core], then[every])}
    if core in asked and every in values and every not in asked:
        return {every: max(then[core], values[every] + asked[core] - values[core])}
    return {}
