"""May this model score pupils tonight? A list of named checks, each with its value and its limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from risk_model.model import exactness
from risk_model.settings import TrainingSettings
from training.candidate import Candidate, Soundness
from training.challenge import Comparison
from training.leaks import Leak, Leaks

OWN_RULE = "school_rule"
RATIO = (0.8, 1.25)
"""Expected over observed leavers. The interval over schools must reach into it: with few leavers it is
wide and says little, with many it is narrow and the bounds bind."""
MINIMUM_TEST_POSITIVES = 30
"""Leavers in the backtest below which its figures carry no decision."""
LARGEST_GAP = 1e-6
"""Contributions must add up to the risk this closely."""


Gain = tuple[float, float, float]
"""Recall at capacity above a baseline: as counted, lower and upper end of the paired 95 % interval."""


@dataclass(frozen=True)
class Check:
    """One condition of promotion."""

    name: str
    value: Any
    limit: Any
    passed: bool
    says: str


@dataclass(frozen=True)
class Gate:
    """All conditions; the model may be promoted if each is met."""

    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def failed(self) -> tuple[Check, ...]:
        return tuple(check for check in self.checks if not check.passed)

    def with_leaks(self, leaks: Leaks) -> Gate:
        """The same with a check per kind of leak that was looked for."""
        return Gate((*self.checks, *(_no_leaks(kind, leaks.of(kind)) for kind in leaks.checked)))

    def with_challenge(self, found: Comparison, settings: TrainingSettings) -> Gate:
        """The same with what is asked of a model that would take a champion's place."""
        if found.champion is None:
            return self
        return Gate((*self.checks, _not_worse_than_champion(found, settings), _churn(found, settings)))

    def document(self) -> dict[str, Any]:
        """As ``train --json`` prints it."""
        return {"passed": self.passed, "checks": [asdict(check) for check in self.checks]}


@dataclass(frozen=True)
class Evidence:
    """What the backtest has to say to the gate."""

    tests: int
    """Test snapshots judged."""
    positives: int
    roc_auc: float | None
    expected_over_observed: float | None
    expected_over_observed_interval: tuple[float, float] | None
    gains: Mapping[str, Gain | None]
    """By baseline; None where nobody left."""


def gate_for_trees(
    candidate: Candidate,
    evidence: Evidence,
    soundness: Soundness,
    history_days: int,
    settings: TrainingSettings,
) -> Gate:
    """Every check of calibrated trees."""
    return Gate(
        (
            _at_least("history", history_days, settings.minimum_history_days, "days of history"),
            _at_least("backtest", evidence.tests, 1, "test snapshots judged by matured labels"),
            _at_least("positives", evidence.positives, MINIMUM_TEST_POSITIVES, "leavers in the backtest"),
            *(_against(name, gain) for name, gain in evidence.gains.items()),
            _no_leak(evidence.roc_auc, settings.max_roc_auc),
            _ratio(evidence),
            _slope(candidate.calibrator.slope),
            *_sound(soundness),
        )
    )


def gate_for_rule(
    candidate: Candidate,
    soundness: Soundness,
    history_days: int,
    champion_kind: str | None,
    settings: TrainingSettings,
) -> Gate:
    """The school's rule may serve until there are trees; it never replaces them."""
    replaces = champion_kind == "lightgbm"
    says = f"{candidate.why} It may serve as long as no fitted model does." + (
        " One does: it stays." if replaces else ""
    )
    history = Check("history", history_days, settings.minimum_history_days, not replaces, says)
    return Gate((history, *_sound(soundness)))


def _at_least(name: str, value: int, limit: int, what: str) -> Check:
    return Check(name, value, limit, value >= limit, f"{value:,} {what}; at least {limit:,} are needed")


def _against(name: str, gain: Gain | None) -> Check:
    """The school's rule must be beaten; against a fitted baseline it is enough not to be shown worse.

    With the hundred leavers of a small county the interval is several points wide on either side even for
    a better model; were its lower end to decide, such a county would never have a list.
    """
    beats = name == OWN_RULE
    check = f"beats_{name}" if beats else f"not_worse_than_{name}"
    if gain is None:
        return Check(check, None, 0.0, False, "nobody left in the backtest")
    mean, low, high = gain
    says = f"recall at capacity {mean:+.3f} against {name} (95 % interval {low:+.3f} to {high:+.3f})"
    return Check(check, mean if beats else high, 0.0, mean > 0 if beats else high >= 0, says)


def _no_leak(auc: float | None, limit: float) -> Check:
    passed = auc is not None and auc < limit
    return Check("roc_auc", auc, limit, passed, f"an AUC of {limit} or more is a leak until it is explained")


def _no_leaks(kind: str, found: Sequence[Leak]) -> Check:
    if not found:
        return Check(f"leak:{kind}", None, None, True, "nothing was found")
    worst, more = found[0], len(found) - 1
    says = f"{worst.column}: {worst.says}" + (f"; and {more} more" if more else "")
    return Check(f"leak:{kind}", worst.value, worst.limit, False, says)


def _not_worse_than_champion(found: Comparison, settings: TrainingSettings) -> Check:
    name, limit = "recall_against_champion", settings.least_recall_change
    if found.recall_change is None:
        why = found.not_done or "nobody left on the days both were judged on"
        return Check(name, None, limit, True, f"not asked: {why}")
    mean, low, high = found.recall_change
    says = (
        f"recall at capacity {mean:+.3f} against champion {found.champion} on {len(found.snapshots)} days "
        f"(95 % interval {low:+.3f} to {high:+.3f}, {found.positives} leavers); its lower end must reach "
        f"{limit:+.2f}"
    )
    return Check(name, low, limit, low >= limit, says)


def _churn(found: Comparison, settings: TrainingSettings) -> Check:
    limit = settings.max_churn
    if found.churn is None:
        return Check(
            "churn", None, limit, True, f"not asked: {found.not_done or 'the champion lists nobody'}"
        )
    says = f"{found.churn:.0%} of the pupils the champion lists would fall off the list at once"
    return Check("churn", found.churn, limit, found.churn <= limit, says)


def _ratio(evidence: Evidence) -> Check:
    name, ratio = "expected_over_observed", evidence.expected_over_observed
    if evidence.expected_over_observed_interval is None:
        return Check(name, ratio, list(RATIO), False, "too few leavers for an interval")
    low, high = evidence.expected_over_observed_interval
    says = f"its 95 % interval over schools is {low:.2f} to {high:.2f} and must reach into the limits"
    return Check(name, ratio, list(RATIO), low <= RATIO[1] and high >= RATIO[0], says)


def _slope(slope: float) -> Check:
    return Check("calibration_slope", slope, 0.0, slope > 0, "risk rises where the margin rises")


def _sound(soundness: Soundness) -> Sequence[Check]:
    gap = soundness.largest_gap
    adds_up = gap is not None and gap <= LARGEST_GAP
    return (
        Check("bundle", soundness.verified, True, soundness.verified, soundness.says),
        Check("additivity", gap, LARGEST_GAP, adds_up, "contributions add up to the risk"),
        _exact(soundness.tables_gap),
    )


def _exact(gap: float | None) -> Check:
    says = "pattern tables and LightGBM give the same contributions"
    if gap is None:
        says = "not asked: the model has no pattern tables"
    return Check("exactness", gap, exactness.LARGEST_GAP, gap is None or gap <= exactness.LARGEST_GAP, says)
