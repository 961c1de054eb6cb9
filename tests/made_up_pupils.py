"""Pupils out of thin air for tests of the training room: features, risks and outcomes without registers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd

from risk_model.features.declared import FEATURES, Feature
from risk_model.school_rule import ABSENT_30, ABSENT_TERM, FAILED_CORE
from training.fit import Rows
from training.rule import COVERAGE
from training.snapshots import Everybody

NAMES = (ABSENT_30, ABSENT_TERM, FAILED_CORE, COVERAGE)


def features() -> tuple[Feature, ...]:
    """The features of the rule."""
    by_name = {feature.name: feature for feature in FEATURES}
    return tuple(by_name[name] for name in NAMES)


@dataclass
class MadeUp:
    """A county of ``pupils`` per snapshot whose leaving follows absence and failure, or nothing at all."""

    pupils: int = 600
    shuffled: bool = False
    seed: int = 1
    asked: list[tuple[date, tuple[date, ...]]] = field(default_factory=list)
    """Every day labels were asked for as known on, and of which snapshots."""

    def label_as_known_on(self, day: date, snapshots: Sequence[date]) -> None:
        self.asked.append((day, tuple(snapshots)))

    def everybody(self, day: date) -> Everybody:
        x, pupils, _ = self._on(day)
        return Everybody(x, pupils)

    def labels(self, snapshots: Sequence[date]) -> pd.DataFrame:
        parts = []
        for day in snapshots:
            _, pupils, y = self._on(day)
            part = pd.DataFrame(
                {"student_id": pupils["student_id"], "snapshot": pd.Timestamp(day), "label": y}
            )
            parts.append(part)
        found = pd.concat(parts, ignore_index=True)
        left = found["label"] == 1
        return found.assign(
            state=np.where(left, "positive", "negative"),
            dropped_out=left,
            long_absence=False,
            non_return=False,
            transferred_nowhere=False,
            care_affected=False,
        )

    def rows(self, snapshots: Sequence[date]) -> Rows:
        parts = [self._on(day) for day in snapshots]
        pupils = [
            frame.assign(snapshot=pd.Timestamp(day))
            for day, (_, frame, _) in zip(snapshots, parts, strict=True)
        ]
        y = np.concatenate([part[2] for part in parts])
        return Rows(
            np.concatenate([part[0] for part in parts]),
            y,
            np.ones(len(y)),
            pd.concat(pupils, ignore_index=True),
        )

    def _on(self, day: date) -> tuple[np.ndarray, pd.DataFrame, np.ndarray]:
        dice = np.random.default_rng([self.seed, day.toordinal()])
        absent = dice.beta(1, 15, self.pupils)
        x = np.column_stack(
            [absent, absent, dice.poisson(0.3, self.pupils), dice.beta(50, 1, self.pupils)]
        ).astype(np.float32)
        x[dice.random(x.shape) < 0.03] = np.nan
        chance = 1 / (1 + np.exp(-(-4.5 + 12 * absent + 0.8 * np.nan_to_num(x[:, 2]))))
        y = (dice.random(self.pupils) < chance).astype(np.int8)
        if self.shuffled:
            y = dice.permutation(y)
        number = np.arange(self.pupils)
        pupils = pd.DataFrame(
            {
                "student_id": [f"P{n:05d}" for n in number],
                "county_id": "C",
                "school_id": [f"S{n % 12}" for n in number],
                "class_key": [f"S{n % 12}:{n % 36}" for n in number],
                "grade": number % 9 + 1,
            }
        )
        return x, pupils, y
