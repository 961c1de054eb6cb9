"""A model from another county, judged by this county's own first labels.

Long before a model of its own can be tested (about 430 days of history), the first labels mature (horizon
and reporting lag after the first snapshot). The imported champion has seen none of them, so every matured
snapshot is a test of it; the measure is the school's own rule with published coefficients, which has seen
none either.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from risk_model.evaluation.paired import paired_difference
from risk_model.evaluation.pooled import pooled
from risk_model.features.declared import FEATURES
from risk_model.settings import Settings
from training.challenge import Opponent, champion_risk
from training.listing import as_judged, lists_as_long
from training.rule import PRIOR
from training.snapshots import Snapshots

IMPORTED, RULE = "imported", "rule"


@dataclass(frozen=True)
class FirstLabels:
    """What the county's own labels say of the model it was given."""

    champion: str
    snapshots: tuple[date, ...]
    positives: int
    enough: bool
    """Whether so many leavers can carry a decision."""
    recall: float | None = None
    """At capacity; then that of the school's rule with lists as long."""
    rule_recall: float | None = None
    gain: tuple[float, float, float] | None = None
    """Recall above the rule's: as counted, and the ends of the paired 95 % interval."""
    expected_over_observed: float | None = None
    expected_over_observed_interval: tuple[float, float] | None = None
    worse_than_rule: bool = False
    miscalibrated: bool = False

    @property
    def poor(self) -> bool:
        """Enough leavers have shown that its lists, or its risks, cannot be trusted here."""
        return self.enough and (self.worse_than_rule or self.miscalibrated)

    @property
    def says(self) -> str:
        """One sentence for the gate, the terminal and the card."""
        about = f"Champion {self.champion} was made by another county"
        if not self.enough:
            return f"{about}; {self.positives} leavers of this one have matured: too few to judge it by"
        found = (
            f"{about}; of the first {self.positives} leavers of this one its lists held "
            f"{self.recall or 0:.0%}, the school's rule {self.rule_recall or 0:.0%}; "
            f"expected over observed {self.expected_over_observed or 0:.2f}"
        )
        wrong = ["its lists are worse than the rule's"] if self.worse_than_rule else []
        wrong += ["its risks are not of this county's size"] if self.miscalibrated else []
        return f"{found}: {' and '.join(wrong) or 'it stands'}"

    def document(self) -> dict[str, Any]:
        """As ``train --json`` prints it."""
        days = [day.isoformat() for day in self.snapshots]
        return {**asdict(self), "snapshots": days, "poor": self.poor, "says": self.says}


def judge_first_labels(
    snapshots: Snapshots, days: Sequence[date], champion: Opponent, settings: Settings
) -> FirstLabels:
    """Let an imported champion and the school's rule list the pupils of every matured snapshot.

    ``snapshots`` holds labels of ``days`` as known today; nobody is judged whose label is unknown.
    """
    parts = [_told(snapshots, day, champion, settings) for day in days]
    known = pd.concat(parts) if parts else pd.DataFrame({"label": []})
    positives = int((known["label"] == 1).sum())
    training = settings.training
    if positives < training.minimum_test_positives:
        return FirstLabels(champion.version, tuple(days), positives, enough=False)
    draws: dict[str, int] = {"samples": training.bootstrap_samples, "seed": training.seed}
    ours, theirs = as_judged(known, IMPORTED), as_judged(known, RULE)
    gain = paired_difference(ours, theirs, **draws)["capacity"]
    figures = pooled(ours, **draws)
    bounds = figures["intervals"]["expected_over_observed"]
    low, high = training.expected_over_observed
    return FirstLabels(
        champion=champion.version,
        snapshots=tuple(days),
        positives=positives,
        enough=True,
        recall=figures["recall_at"]["capacity"],
        rule_recall=pooled(theirs, samples=0)["recall_at"]["capacity"],
        gain=None if gain["lower"] is None else (gain["difference"], gain["lower"], gain["upper"]),
        expected_over_observed=figures["expected_over_observed"],
        expected_over_observed_interval=None if bounds is None else (bounds[0], bounds[1]),
        worse_than_rule=gain["upper"] is not None and gain["upper"] < 0,
        miscalibrated=bounds is not None and (bounds[0] > high or bounds[1] < low),
    )


def _told(snapshots: Snapshots, day: date, champion: Opponent, settings: Settings) -> pd.DataFrame:
    """The judged pupils of one day with both risks and both lists."""
    everybody = snapshots.everybody(day)
    names = [feature.name for feature in FEATURES]
    rule = everybody.x[:, [names.index(name) for name in PRIOR.features]].astype(np.float64)
    rows = everybody.pupils.assign(
        snapshot=pd.Timestamp(day),
        **{IMPORTED: champion_risk(everybody, champion.bundle), RULE: 1 / (1 + np.exp(-PRIOR.margin(rule)))},
    )
    labels = snapshots.labels([day])[["student_id", "label"]].astype({"label": "float64"})
    listed = lists_as_long(rows, IMPORTED, (RULE,), settings.list)
    return listed.merge(labels, on="student_id", validate="one_to_one").dropna(subset=["label"])
