"""May this model score pupils tonight? A list of named checks, each with its value and its limit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from risk_model.model import exactness
from risk_model.model.golden import LARGEST_GAP as LARGEST_GOLDEN_GAP
from risk_model.protected import ATTRIBUTES
from risk_model.settings import FairnessSettings, Settings, TrainingSettings
from training.candidate import Candidate, Soundness
from training.challenge import Comparison
from training.first_labels import FirstLabels
from training.leaks import Leak, Leaks

OWN_RULE = "school_rule"
LARGEST_GAP = 1e-6
"""Contributions must add up to the risk this closely: a promise of every page, not a matter of judgement."""
SOUND = frozenset({"bundle", "additivity", "golden_rows", "exactness"})
"""Checks of the bundle itself; without them it may not even score unseen."""
CALIBRATION = ("expected_over_observed", "expected_over_observed_top5", "calibration_slope")
"""Measures of the backtest whose interval over schools must reach into the limits of the settings."""

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

    @property
    def sound(self) -> bool:
        """Whether the bundle can be read back, explains its risks and answers its golden rows."""
        return not {check.name for check in self.failed} & SOUND

    def with_leaks(self, leaks: Leaks) -> Gate:
        """The same with a check per kind of leak that was looked for."""
        return Gate((*self.checks, *(_no_leaks(kind, leaks.of(kind)) for kind in leaks.checked)))

    def with_challenge(self, found: Comparison, settings: Settings) -> Gate:
        """The same with what is asked of a model that would take a champion's place."""
        if found.champion is None:
            return self
        training = settings.training
        checks = (_not_worse_than_champion(found, training), _churn(found, training))
        fair = (_not_less_fair(name, found, settings.fairness) for name in ATTRIBUTES)
        return Gate((*self.checks, *checks, *fair))

    def with_first_labels(self, found: FirstLabels | None, settings: TrainingSettings) -> Gate:
        """The same with what this county's own labels say of a champion made by another one."""
        return Gate((*self.checks, *_first_labels(found, settings)))

    def document(self) -> dict[str, Any]:
        """As ``train --json`` prints it."""
        return {"passed": self.passed, "checks": [asdict(check) for check in self.checks]}


@dataclass(frozen=True)
class Measured:
    """A figure of the backtest with its 95 % interval over schools; None where it could not be told."""

    value: float | None
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Evidence:
    """What the backtest has to say to the gate."""

    tests: int
    """Test snapshots judged."""
    positives: int
    roc_auc: float | None
    gains: Mapping[str, Gain | None]
    """By baseline; None where nobody left."""
    calibration: Mapping[str, Measured]
    """By the names of ``CALIBRATION``."""


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
            _at_least(
                "positives", evidence.positives, settings.minimum_test_positives, "leavers in the backtest"
            ),
            *(_against(name, gain) for name, gain in evidence.gains.items()),
            _no_leak(evidence.roc_auc, settings.max_roc_auc),
            *(_calibrated(name, evidence.calibration[name], settings) for name in CALIBRATION),
            _rising(candidate.calibrator.slope),
            *_sound(soundness),
        )
    )


def gate_for_rule(
    candidate: Candidate,
    soundness: Soundness,
    history_days: int,
    champion_kind: str | None,
    settings: TrainingSettings,
    first_labels: FirstLabels | None = None,
) -> Gate:
    """The school's rule may serve until there are trees; it never replaces them.

    One exception: trees of another county which this county's own first labels have shown to be worse.
    """
    poor = first_labels is not None and first_labels.poor
    stays = champion_kind == "lightgbm" and not poor
    says = f"{candidate.why} It may serve as long as no fitted model does." + (
        " One does: it stays." if stays else ""
    )
    history = Check("history", history_days, settings.minimum_history_days, not stays, says)
    return Gate((history, *_first_labels(first_labels, settings), *_sound(soundness)))


def _first_labels(found: FirstLabels | None, settings: TrainingSettings) -> Sequence[Check]:
    """What is told of an imported champion; it keeps nobody out, for the candidate is not it."""
    if found is None:
        return ()
    limit = settings.minimum_test_positives
    return (Check("imported_champion", found.positives, limit, True, found.says),)


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


def _not_less_fair(name: str, found: Comparison, settings: FairnessSettings) -> Check:
    """No group may be found less often, beside the largest one, than it is by the champion."""
    limit, check = settings.least_recall_ratio_change, f"fairness:{name}"
    why = found.not_done or found.fairness.why_not(name)
    if why:
        return Check(check, None, limit, True, f"not asked: {why}")
    worst = found.fairness.of(name)[0]
    mean, low, high = worst.change or (0.0, 0.0, 0.0)
    untold = [one.said for one in found.fairness.of(name) if one.said]
    says = (
        f"{worst.students:,} rows of pupils with {name} = {worst.group}, {worst.positives} of them left: "
        f"found {worst.challenger or 0:.2f} times as often as those of {name} = {worst.reference}, by the "
        f"champion {worst.champion or 0:.2f} times ({mean:+.2f}, 95 % interval {low:+.2f} to {high:+.2f}; "
        f"its lower end must reach {limit:+.2f})"
    )
    return Check(check, low, limit, low >= limit, "; ".join([says, *untold]))


def _calibrated(name: str, found: Measured, settings: TrainingSettings) -> Check:
    slope = name == "calibration_slope"
    bounds = settings.calibration_slope if slope else settings.expected_over_observed
    if found.interval is None:
        return Check(name, found.value, list(bounds), False, "too few leavers for an interval")
    low, high = found.interval
    says = f"its 95 % interval over schools is {low:.2f} to {high:.2f} and must reach into the limits"
    return Check(name, found.value, list(bounds), low <= bounds[1] and high >= bounds[0], says)


def _rising(slope: float) -> Check:
    return Check("rising_risk", slope, 0.0, slope > 0, "risk rises where the margin rises")


def _sound(soundness: Soundness) -> Sequence[Check]:
    gap = soundness.largest_gap
    adds_up = gap is not None and gap <= LARGEST_GAP
    golden = soundness.golden_gap
    answers = golden is not None and golden <= LARGEST_GOLDEN_GAP
    return (
        Check("bundle", soundness.verified, True, soundness.verified, soundness.says),
        Check("additivity", gap, LARGEST_GAP, adds_up, "contributions add up to the risk"),
        Check("golden_rows", golden, LARGEST_GOLDEN_GAP, answers, "read back, it answers its golden rows"),
        _exact(soundness.tables_gap),
    )


def _exact(gap: float | None) -> Check:
    says = "pattern tables and LightGBM give the same contributions"
    if gap is None:
        says = "not asked: the model has no pattern tables"
    return Check("exactness", gap, exactness.LARGEST_GAP, gap is None or gap <= exactness.LARGEST_GAP, says)
