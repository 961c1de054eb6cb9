"""What changed between two runs: the difference of a risk, split over features and model, nothing left.

Under one model the difference of the log-odds is split by :meth:`Bundle.between`: a feature whose value did
not move gets nothing. Where the model changed too, the rest of the whole difference is the change of model.
In which order the two are taken matters: the values move under the model of then, whom the pupil was judged
by; the model of today is used where the earlier one cannot be had, or needs what is no longer known.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import exp, fsum, isnan
from typing import Literal

from risk_model.errors import BundleError
from risk_model.model.bundle import TOLERANCE, Bundle

MODEL = "model"
"""Name of the part that the change of model made."""
WHOLE = "whole"
"""Name of the only part of a difference that could not be split."""
NO_SLOPE = 1e-6
"""Below this difference of log-odds a difference of risk is taken from the slope of the curve."""

Under = Literal["before", "now"]


@dataclass(frozen=True)
class Scored:
    """A pupil in one run: feature values (NaN = null), calibrated log-odds, and the model's digest."""

    values: Mapping[str, float]
    log_odds: float
    digest: str


@dataclass(frozen=True)
class Change:
    """Parts of a difference, by feature, :data:`MODEL` or :data:`WHOLE`; those of 0 are left out."""

    log_odds: Mapping[str, float]
    """They add up to the difference of the calibrated log-odds."""
    risk: Mapping[str, float]
    """They add up to the difference of the risks, 0–1."""
    under: Under | None
    """Whose model the values moved under; None if the difference could not be split."""


def split_change(before: Scored, now: Scored, bundle_of: Callable[[str], Bundle | None]) -> Change:
    """Split the difference of ``now`` from ``before``.

    ``bundle_of`` answers the model of a digest, None if it cannot be had; it is not asked where nothing
    moved. With no model of use the difference stays whole.
    """
    if before.digest == now.digest and _same(before.values, now.values):
        return Change({}, {}, "before")
    total = now.log_odds - before.log_odds
    orders: tuple[tuple[Under, str], ...] = (("before", before.digest), ("now", now.digest))
    for under, digest in orders[: 1 if before.digest == now.digest else 2]:
        bundle = bundle_of(digest)
        moved = None if bundle is None else _moved(bundle, before, now)
        if moved is None:
            continue
        rest = total - fsum(moved.values())
        if before.digest != now.digest:
            moved[MODEL] = rest
        elif not abs(rest) <= TOLERANCE:  # not the risks this model gives: nothing is split by it
            continue
        return _change(moved, before, now, under)
    return _change({WHOLE: total}, before, now, None)


def in_risk(parts: Mapping[str, float], before: float, now: float) -> dict[str, float]:
    """Parts of a difference of log-odds as parts of the difference of risk, in the same proportions.

    That is what each part brings if all move at one pace from ``before`` to ``now`` (log-odds): the integral
    of the logistic curve's slope along the way (R. Aumann, L. Shapley, Values of Non-Atomic Games, 1974).

    >>> halves = in_risk({"absence": 1.0, "results": 1.0}, -2.0, 0.0)
    >>> halves["absence"] == halves["results"], round(sum(halves.values()), 9)
    (True, 0.380797078)
    """
    pace = _pace(before, now)
    return {name: part * pace for name, part in parts.items()}


def risk_of(log_odds: float) -> float:
    """Calibrated risk, 0–1.

    >>> risk_of(0.0), round(risk_of(-800.0), 9)
    (0.5, 0.0)
    """
    if log_odds >= 0:
        return 1 / (1 + exp(-log_odds))
    return exp(log_odds) / (1 + exp(log_odds))


def _same(before: Mapping[str, float], now: Mapping[str, float]) -> bool:
    return before.keys() == now.keys() and all(
        value == now[name] or (isnan(value) and isnan(now[name])) for name, value in before.items()
    )


def _moved(bundle: Bundle, before: Scored, now: Scored) -> dict[str, float] | None:
    """Log-odds by feature under ``bundle``; None if one of the runs lacks a feature of it."""
    if not all(name in before.values and name in now.values for name in bundle.features):
        return None
    try:
        return bundle.between(before.values, now.values)
    except BundleError:
        return None


def _change(parts: Mapping[str, float], before: Scored, now: Scored, under: Under | None) -> Change:
    some = {name: part for name, part in parts.items() if part != 0}
    return Change(some, in_risk(some, before.log_odds, now.log_odds), under)


def _pace(before: float, now: float) -> float:
    """Difference of risk for each unit of log-odds on the way."""
    if abs(now - before) > NO_SLOPE:
        return (risk_of(now) - risk_of(before)) / (now - before)
    middle = risk_of((before + now) / 2)
    return middle * (1 - middle)
