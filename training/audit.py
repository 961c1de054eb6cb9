"""What a candidate is asked beyond its figures: the champion beside it, leaks, unfairness."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from risk_model.errors import BundleError
from risk_model.features.declared import FEATURES, RELATIONS
from risk_model.lake.reading import Lake
from risk_model.protected import protected_on
from risk_model.registry import Registry
from risk_model.settings import Settings, TrainingSettings
from training.backtest import Backtest
from training.candidate import Candidate
from training.challenge import Comparison, Opponent, challenge
from training.fairness import audited
from training.first_labels import FirstLabels, judge_first_labels
from training.leaks import Leaks, find_leaks
from training.snapshots import Snapshots
from training.sources import read_past_the_cut
from training.splits import Plan


@dataclass(frozen=True)
class Audit:
    """What the gate and the card are told beside the figures."""

    comparison: Comparison
    first_labels: FirstLabels | None
    """What this county's labels say of a champion made by another county; None for one of its own."""
    leaks: Leaks
    fairness: dict[str, Any]

    def document(self) -> dict[str, Any]:
        """As ``train --json`` prints it."""
        return {
            "comparison": self.comparison.document(),
            "first_labels": self.first_labels.document() if self.first_labels else None,
            "leaks": self.leaks.document(),
            "fairness": self.fairness,
        }


def audit(
    lake: Lake,
    snapshots: Snapshots,
    planned: Plan,
    tested: Backtest,
    candidate: Candidate,
    told: pd.DataFrame,
    settings: Settings,
    registry: Registry | None,
) -> Audit:
    """Ask the champion of ``registry``, look for leaks, and see whose leavers the lists miss.

    Parameters
    ----------
    told : DataFrame
        Judged rows of the backtest, all pupils: ``label`` NaN where it is not known, ``listed_model``.
    """
    days = [split.known_on for split in planned.tests if split.known_on not in tested.skipped]
    protected = protected_on(lake, days)
    opponent, damage = _opponent(registry)
    return Audit(
        comparison=damage or _challenged(opponent, told, snapshots, settings, protected),
        first_labels=_first_labels(opponent, snapshots, planned.snapshots, settings),
        leaks=_leaks(candidate, snapshots, settings.training),
        fairness=audited(protected, snapshots, days, told, settings),
    )


def _opponent(registry: Registry | None) -> tuple[Opponent | None, Comparison | None]:
    """The champion, or why it cannot be asked: a damaged one must not keep its successor out."""
    champion = registry.champion() if registry else None
    if registry is None or champion is None:
        return None, Comparison(None)
    try:
        bundle = champion.load()
    except BundleError as error:
        return None, Comparison(champion.version, not_done=str(error))
    return Opponent(champion.version, bundle, registry.origin(champion.version) is not None), None


def _challenged(
    opponent: Opponent | None,
    told: pd.DataFrame,
    snapshots: Snapshots,
    settings: Settings,
    protected: pd.DataFrame,
) -> Comparison:
    if opponent is None:
        return Comparison(None)
    return challenge(told, snapshots, opponent, settings, protected)


def _first_labels(
    opponent: Opponent | None, snapshots: Snapshots, days: tuple[date, ...], settings: Settings
) -> FirstLabels | None:
    if opponent is None or not opponent.imported or opponent.unknown_features():
        return None
    return judge_first_labels(snapshots, days, opponent, settings)


def _leaks(candidate: Candidate, snapshots: Snapshots, training: TrainingSettings) -> Leaks:
    if candidate.trees is None:
        return Leaks((), (), (("leaks", f"No trees were fitted. {candidate.why}"),))
    fitted = candidate.trees
    labels = snapshots.leavers(fitted.split.days)
    names = [feature.name for feature in FEATURES]
    uncut = read_past_the_cut(FEATURES, RELATIONS)
    return find_leaks(fitted.fit, fitted.calibration, names, labels, training, uncut)
