"""What follows from a question about absence: for other windows and kinds, days running, and comparisons.

Windows lie within each other, kinds add up to the absence, and no streak is longer than the days missed.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import isnan, nan

from risk_model.errors import UsageError

Values = Mapping[str, float]
"""By feature, NaN = null; a feature the model does not use is absent."""
KINDS = ("unexcused", "sick", "leave")
"""Kinds of absence; together they are the absence."""
SPANS = ("7", "14", "30", "90", "term")
SCHOOL_WEEK = 5
BACK = "absence_current"
ABSENCES = frozenset(f"{kind}_{span}" for kind in ("absence", *KINDS) for span in SPANS)
COMPARED = {
    "absence_30": ("absence_change_30", "absence_30_over_class", "absence_30_over_school"),
    "unexcused_30": ("unexcused_change_30", "unexcused_30_over_class"),
    "register_coverage_30": ("register_coverage_30_over_class",),
    "z_all_latest": ("z_change",),
    "travel_km": ("travel_km_over_school",),
}
"""Differences between a feature and something that stays: they move by as much."""


def after_absence(values: Values, asked: Values) -> dict[str, float]:
    """What follows from one rate of absence, or from coming back; nothing where none is asked about.

    Raises
    ------
    UsageError
        Several are asked about at once, the present value is not known, or the kind of absence is not said.
    """
    about = sorted(asked.keys() & (ABSENCES | {BACK}))
    if not about:
        return {}
    if len(about) > 1:
        raise UsageError(f"{', '.join(about)} hang together. Ask about one of them at a time.")
    name = about[0]
    if isnan(values[name]):
        raise UsageError(f"{name} of this pupil is not known, so nothing follows from it. Ask about another.")
    rates = _back(values, asked[BACK]) if name == BACK else _carried(values, name, asked[name])
    followed = {**rates, **differences(values, rates), **_streaks(values, rates, back=name == BACK)}
    followed |= {f"late_{span}": _room(values, rates, span) for span in SPANS if f"late_{span}" in values}
    followed.pop(name, None)
    return followed


def after_lateness(values: Values, asked: Values) -> dict[str, float]:
    """What follows from coming late more or less often; UsageError where it leaves no day to be late on."""
    about = sorted(name for name in asked if name.startswith("late_"))
    if len(about) > 1:
        raise UsageError(f"{', '.join(about)} hang together. Ask about one of them at a time.")
    if not about:
        return {}
    span, then = about[0].removeprefix("late_"), asked[about[0]]
    if then > _share(1 - values.get(f"absence_{span}", 0.0)):
        raise UsageError(f"{about[0]} and the absence of the same days are more than all days. Ask for less.")
    others = [other for other in SPANS if other != span and f"late_{other}" in values]
    return {f"late_{other}": _window(values, "late", other, span, then) for other in others}


def _carried(values: Values, name: str, then: float) -> dict[str, float]:
    """Every window and kind of absence after one of them has changed, the shape of the rest kept."""
    kind, asked_span = name.rsplit("_", 1)
    own = {
        span: _window(values, kind, span, asked_span, then) for span in SPANS if f"{kind}_{span}" in values
    }
    rates = {f"{kind}_{span}": rate for span, rate in own.items()}
    for span, rate in own.items():
        before = values[f"{kind}_{span}"]
        if kind == "absence":
            rates |= _by_kind(values, span, before, rate)
        else:
            rates |= _beside_kind(values, kind, span, rate - before, 1 - rate)
    return rates


def _beside_kind(values: Values, kind: str, span: str, more: float, room: float) -> dict[str, float]:
    """Absence after one kind of it rose by ``more``; the other kinds give way where there is no ``room``."""
    others = {f"{one}_{span}": values.get(f"{one}_{span}", nan) for one in KINDS if one != kind}
    known = {name: rate for name, rate in others.items() if not isnan(rate)}
    total = sum(known.values())
    rates = {name: rate * room / total for name, rate in known.items()} if total > room else known
    if f"absence_{span}" in values:
        rates = {**rates, f"absence_{span}": _share(values[f"absence_{span}"] + more)}
    return rates


def _window(values: Values, kind: str, span: str, asked_span: str, then: float) -> float:
    """A rate over another window: within the asked one in proportion, beyond it by as many days."""
    if span == asked_span:
        return then
    before, here = values[f"{kind}_{asked_span}"], values[f"{kind}_{span}"]
    days, asked_days = _days(values, span), _days(values, asked_span)
    if days > asked_days:
        return _share(here + (then - before) * asked_days / days)
    return _share(here * then / before) if before > 0 else then


def _by_kind(values: Values, span: str, before: float, then: float) -> dict[str, float]:
    kinds = [f"{kind}_{span}" for kind in KINDS if f"{kind}_{span}" in values]
    if before > 0:
        return {name: _share(values[name] * then / before) for name in kinds}
    if then > 0 and kinds:
        raise UsageError(
            f"This pupil missed nothing in the window {span!r}, so the kind of absence matters. "
            f"Ask about {' or '.join(kinds)} instead."
        )
    return {name: values[name] for name in kinds}


def _back(values: Values, then: float) -> dict[str, float]:
    """The rates of a pupil who came back on the last day: a day less of absence in every window."""
    if then != 0:
        raise UsageError(f"Of {BACK} only 0 can be asked: back at school. For more days ask about absence_7.")
    rates: dict[str, float] = {}
    for span in SPANS:
        before = values.get(f"absence_{span}", nan)
        if before > 0 and values[BACK] > 0:
            after = _share(before - 1 / _days(values, span))
            rates |= {f"absence_{span}": after, **_by_kind(values, span, before, after)}
    return rates


def _streaks(values: Values, rates: Values, *, back: bool) -> dict[str, float]:
    """Days running, which cannot be more than the days missed."""
    then = {**values, **rates}
    followed: dict[str, float] = {}
    for kind in ("absence", "unexcused"):
        longest, current = f"{kind}_longest", f"{kind}_current"
        followed[longest] = min(values.get(longest, nan), _missed(then, kind, ("90",)))
        followed[current] = min(values.get(current, nan), _missed(then, kind, SPANS))
        if back:
            followed[current] = 0.0
    ended = values.get("absence_current", nan) - followed["absence_current"]
    since = values.get("days_since_present", nan)
    followed["days_since_present"] = max(0.0, since - ended) if ended > 0 else since
    seen = ended > 0 or any(rates.get(f"absence_{span}", 1.0) < 1 for span in SPANS)
    followed["never_seen"] = 0.0 if seen and values.get("never_seen") == 1 else values.get("never_seen", nan)
    return {name: value for name, value in followed.items() if name in values and not isnan(values[name])}


def _missed(then: Values, kind: str, spans: tuple[str, ...]) -> float:
    """The fewest whole days missed in a window that was not missed altogether; no bound without one."""
    rates = {span: then.get(f"{kind}_{span}", nan) for span in spans}
    bounds = [round(rate * _days(then, span)) for span, rate in rates.items() if rate < 1]
    return float(min(bounds)) if bounds else float("inf")


def _room(values: Values, rates: Values, span: str) -> float:
    absence = rates.get(f"absence_{span}", values.get(f"absence_{span}", 0.0))
    return min(values[f"late_{span}"], _share(1 - absence))


def differences(values: Values, moved: Values) -> dict[str, float]:
    """The comparisons of ``moved`` features with what stays; they move by as much."""
    return {
        name: values[name] + value - values[source]
        for source, value in moved.items()
        for name in COMPARED.get(source, ())
        if name in values and source in values
    }


def _days(values: Values, span: str) -> float:
    """School days of a window; of the term so far those of its weeks, if they are known."""
    if span != "term":
        return float(span)
    weeks = values.get("weeks_in_term", nan)
    return 90.0 if isnan(weeks) else max(1.0, weeks) * SCHOOL_WEEK


def _share(value: float) -> float:
    return value if isnan(value) else min(1.0, max(0.0, value))
