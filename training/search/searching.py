"""The whole search: origins, trials until the budget is spent, the choice and what is told of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from risk_model.features.feature import Feature
from risk_model.run_record import RunRecord
from risk_model.settings import Settings
from training.backtest import Source
from training.fit import ROUNDS
from training.search.choice import DEFAULT_TRIAL, Choice, choose
from training.search.origins import Origin, list_length, prepare, tried
from training.search.space import changes, described
from training.search.study import Study, Trial, now
from training.splits import Plan, origins

MOST_TRIALS = 200
"""More would only find what is good by chance on these origins."""
MOST_ORIGINS = 6
MINIMUM_ORIGINS = 3
"""Fewer days of the past say nothing of regret over time."""
RECENT = 5
"""The next trial is expected to take as long as the mean of so many before it."""


@dataclass(frozen=True)
class Budget:
    """What a search may cost; it ends at whichever comes first."""

    seconds: float
    """Of wall time, those of a killed search before it included."""
    trials: int = MOST_TRIALS


@dataclass(frozen=True)
class Searched:
    """What the search has to say."""

    changes: Mapping[str, Any] | None
    """Of ``SHAPE``, for every fit of this training; None: the default."""
    document: dict[str, Any] | None
    """For the report; None if nothing was searched."""
    runs: tuple[RunRecord, ...] = ()
    """One per trial, for MLflow."""
    not_done: tuple[dict[str, str], ...] = ()

    @property
    def notes(self) -> dict[str, str]:
        """For the manifest of the bundle; nothing where nothing was searched."""
        return {} if self.document is None else {"search": self.document["says"]}


NOT_ASKED = Searched(None, None)


@dataclass(frozen=True)
class Given:
    """What is searched over."""

    source: Source
    plan: Plan
    features: Sequence[Feature]
    settings: Settings

    @property
    def gap_days(self) -> int:
        return self.settings.labels.horizon_days + self.settings.labels.reporting_lag_days


def search(
    given: Given,
    budget: Budget,
    path: Path | None,
    depends_on: Mapping[str, Any],
    advance: Callable[[int], None],
) -> Searched:
    """Try other numbers for the trees on days before the backtest, and choose.

    Parameters
    ----------
    path : Path or None
        SQLite file of the trials; a search of the same things goes on there, and a finished one answers
        at once.
    depends_on : mapping
        All that the outcome depends on beside the days: hashes, numbers, texts.
    """
    if not given.plan.tests:
        return _not_done("No test day of the backtest could show whether other numbers are better")
    known_on = given.plan.tests[0].known_on
    days = origins(given.plan.snapshots, known_on, given.gap_days, MOST_ORIGINS)
    if len(days) < MINIMUM_ORIGINS:
        return _not_done(_too_short(len(days), known_on))
    told = {
        **depends_on,
        "known_on": known_on.isoformat(),
        "snapshots": [day.isoformat() for day in given.plan.snapshots],
        "features": [feature.name for feature in given.features],
    }
    study = Study(path, _name(told), told, given.settings.training.seed)
    before = len(study.trials)
    if not _finished(study, budget):
        _try(study, given, budget, known_on, advance)
    usable = study.noted("origins")
    if len(usable) < MINIMUM_ORIGINS:
        return _not_done(_too_short(len(usable), known_on, study.noted("skipped")))
    return _told(study, known_on, before)


def _try(study: Study, given: Given, budget: Budget, known_on: date, advance: Callable[[int], None]) -> None:
    """Make trials until the budget is spent; each counts as soon as it is kept."""
    clock = _Clock(study.noted("seconds") or 0.0, advance)
    splits = origins(given.plan.snapshots, known_on, given.gap_days, MOST_ORIGINS)
    usable, skipped = prepare(given.source, splits, known_on)
    study.note("origins", [origin.day.isoformat() for origin in usable])
    study.note("skipped", {day.isoformat(): why for day, why in skipped.items()})
    study.note("stopped_early", sum(origin.stops_early for origin in usable))
    while len(usable) >= MINIMUM_ORIGINS and _another(study.trials, clock.seconds, budget):
        _one(study, given, usable)
        study.note("seconds", clock.tick())
    study.note("seconds", clock.tick())
    if len(study.trials) < budget.trials:
        study.note("finished", budget.seconds)


def _one(study: Study, given: Given, usable: Sequence[Origin]) -> None:
    asked, point = study.propose()
    told = None if asked is None else changes(point)
    began, started = now(), perf_counter()
    length = list_length(given.settings.list)
    scores = tried(usable, given.features, given.settings.training, told, length)
    study.keep(asked, scores, began, perf_counter() - started)


class _Clock:
    """Wall seconds of this search, those before a kill included; moves the progress bar."""

    def __init__(self, before: float, advance: Callable[[int], None]) -> None:
        self._started = perf_counter() - before
        self._advance = advance
        self._shown = 0

    @property
    def seconds(self) -> float:
        return perf_counter() - self._started

    def tick(self) -> float:
        """Show and answer the seconds so far."""
        seconds = self.seconds
        self._advance(int(seconds) - self._shown)
        self._shown = int(seconds)
        return seconds


def _another(done: Sequence[Trial], spent: float, budget: Budget) -> bool:
    """Whether one more trial fits; the default is always tried."""
    if not done:
        return True
    typical = float(np.mean([trial.seconds for trial in done[-RECENT:]]))
    return len(done) < budget.trials and spent + typical <= budget.seconds


def _finished(study: Study, budget: Budget) -> bool:
    """Whether an earlier run has done all that is asked now."""
    full = len(study.trials) >= budget.trials
    return full or (study.noted("finished") or 0.0) >= budget.seconds


def _told(study: Study, known_on: date, before: int) -> Searched:
    trials = study.trials
    losses = np.array([trial.losses for trial in trials])
    recalls = np.array([trial.recalls for trial in trials])
    choice = choose(losses, recalls)
    chosen = None if choice.chosen == DEFAULT_TRIAL else changes(trials[choice.chosen].point)
    document = {
        "trials": len(trials),
        "resumed": before,
        "seconds": study.noted("seconds"),
        "chosen": chosen,
        "default_chosen": chosen is None,
        "chosen_trial": choice.chosen,
        "best_trial": choice.best,
        "gain": choice.gain,
        "standard_error": choice.standard_error,
        "recall_change": choice.recall_change,
        "regret": {"chosen": choice.regret[choice.chosen], "default": choice.regret[DEFAULT_TRIAL]},
        "origins": study.noted("origins"),
        "skipped": study.noted("skipped"),
        "stopped_early_on": study.noted("stopped_early"),
        "known_on": known_on.isoformat(),
        "space": described(),
        "says": _says(choice, len(trials), len(recalls[0]), chosen),
    }
    return Searched(chosen, document, tuple(_run(trial, choice) for trial in trials))


def _says(choice: Choice, trials: int, days: int, chosen: Mapping[str, Any] | None) -> str:
    over = f"{trials} settings of the trees were tried on {days} past days before the test days"
    if chosen is None:
        return f"{over}; the default stays: {choice.why}"
    numbers = ", ".join(f"{name} {value:.3g}" for name, value in chosen.items())
    return (
        f"{over}; taken instead of the default: {numbers} (log-loss {choice.gain:+.4f} better on days not "
        f"chosen on, standard error {choice.standard_error:.4f})"
    )


def _run(trial: Trial, choice: Choice) -> RunRecord:
    """What MLflow keeps of a trial, as a run nested under the training's."""
    told = {"rounds": ROUNDS} if trial.default else changes(trial.point)
    on_each = trial.losses.sum(axis=1)
    metrics = {
        "loss": float(on_each.mean()),
        "recall": float(np.mean(trial.recalls)),
        "regret": choice.regret[trial.number],
        "rounds": float(np.mean(trial.rounds)),
        "seconds": trial.seconds,
        "loss_on": {f"origin{i}": float(loss) for i, loss in enumerate(on_each)},
    }
    role = "default" if trial.default else "trial"
    return RunRecord(
        name=f"trial {trial.number}",
        began=trial.began,
        ended=trial.began + timedelta(seconds=trial.seconds),
        params={"trial": trial.number, **told},
        metrics=metrics,
        tags={"role": role, "chosen": str(trial.number == choice.chosen).lower()},
    )


def _too_short(found: int, known_on: date, skipped: Mapping[str, str] | None = None) -> str:
    why = (
        f"Numbers are chosen on days whose labels had matured on the first test day, {known_on}; {found} "
        f"such days could be used and {MINIMUM_ORIGINS} are needed; the default is used"
    )
    first = next(iter((skipped or {}).items()), None)
    return why if first is None else f"{why} ({first[0]}: {first[1].rstrip('.')})"


def _not_done(why: str) -> Searched:
    return Searched(None, None, not_done=({"what": "search", "why": why},))


def _name(told: Mapping[str, Any]) -> str:
    return sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()[:16]
