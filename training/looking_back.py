"""Looking back: snapshots of the past, models made on them, the candidate and what is known of it.

Read :func:`look_back` from top to bottom; it reads the lake and promotes nothing.
"""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from risk_model.errors import MissingError, UsageError
from risk_model.features.declared import FEATURES
from risk_model.home import Home
from risk_model.lake.reading import Lake
from risk_model.model.manifest import Provenance
from risk_model.registry import Registry
from risk_model.settings import Settings
from training.audit import Audit, audit
from training.backtest import Backtest, backtest
from training.candidate import Candidate, make_candidate
from training.judgement import Judgement, judge
from training.provenance import depends_on, provenance_of
from training.search.searching import NOT_ASKED, Budget, Given, Searched, search
from training.snapshots import Snapshots
from training.splits import Plan, plan, snapshot_days
from training.watch import Watch


@dataclass(frozen=True)
class Request:
    """What the caller of ``train`` asked for."""

    as_of: date | None = None
    """None: the latest day anything was recorded."""
    snapshots: int | tuple[date, ...] | None = None
    """Days between snapshots, or the days themselves; None: the setting."""
    budget: Budget | None = None
    """What a search for better numbers may cost; None: no search."""
    promote: str = "auto"
    keep_predictions: Path | None = None


@dataclass(frozen=True)
class Past:
    """What was learnt by looking back: everything about the model but its version."""

    as_of: date
    plan: Plan
    history_days: int
    searched: Searched
    tested: Backtest
    candidate: Candidate
    judgement: Judgement
    labels: dict[str, Any]
    """Rows of all snapshots by what became of them, as known today."""
    audit: Audit
    provenance: Provenance


def look_back(
    lake: Lake,
    settings: Settings,
    request: Request,
    watch: Watch,
    registry: Registry | None = None,
    home: Home | None = None,
) -> Past:
    """Snapshots, search, backtest, candidate and judgement; reads the lake and writes nothing else.

    With a ``registry`` the champion is judged beside the candidate; with a ``home`` the trials of a search
    are kept there.
    """
    first_day, as_of = _history(lake, request)
    history_days = (as_of - first_day).days
    planned = _plan(first_day, as_of, settings, request)
    snapshots = _collected(lake, planned, settings, watch)
    given = Given(snapshots, planned, FEATURES, settings)
    searched = _searched(given, request.budget, as_of, lake, watch, home)
    tested = _tested(given, searched, watch)
    with watch.stage("fit", "Fitting"):
        snapshots.label_as_known_on(as_of, planned.snapshots)
        labels = snapshots.counts()
        candidate = _fitted(given, history_days, tested, searched).grounded(**labels["pupils"])
    with watch.stage("judge", "Judging"):
        days = [split.known_on for split in planned.tests]
        judgement = judge(tested.predictions, snapshots.labels(days), settings)
        labels["learnt_late"] = snapshots.learnt_late(as_of)
    with watch.stage("audit", "Looking for leaks and unfairness"):
        told = judgement.predictions
        found = audit(lake, snapshots, planned, tested, candidate, told, settings, registry)
    made = provenance_of(lake, settings, as_of, candidate, labels, searched)
    return Past(
        as_of=as_of,
        plan=planned,
        history_days=history_days,
        searched=searched,
        tested=tested,
        candidate=candidate,
        judgement=judgement,
        labels=labels,
        audit=found,
        provenance=made,
    )


def _history(lake: Lake, request: Request) -> tuple[date, date]:
    """The first day of the registers and the day the model is made as of."""
    as_of = request.as_of or lake.latest_recorded_on()
    first_day = lake.first_day()
    if as_of is None or first_day is None:
        raise MissingError("The lake holds no rows yet. Run `dropout-risk import DIR` first.")
    if not first_day <= as_of <= date.today():
        raise UsageError(
            f"--as-of {as_of} lies outside the registers' time: the first mark is of {first_day}, "
            f"today is {date.today()}. Choose a day in between."
        )
    return first_day, as_of


def _plan(first_day: date, as_of: date, settings: Settings, request: Request) -> Plan:
    gap = settings.labels.horizon_days + settings.labels.reporting_lag_days
    chosen = request.snapshots
    if isinstance(chosen, tuple):
        days = chosen
        outside = [day for day in days if day < first_day or (as_of - day).days < gap]
        if outside:
            raise UsageError(
                f"--snapshots: {', '.join(map(str, outside))} cannot be used: marks begin on {first_day} and "
                f"labels as of {as_of} have matured only up to {gap} days before. Choose days in between."
            )
    else:
        days = snapshot_days(first_day, as_of, chosen or settings.training.snapshot_every_days, gap)
    return plan(days, as_of, gap, settings.training.test_snapshots)


def _collected(lake: Lake, planned: Plan, settings: Settings, watch: Watch) -> Snapshots:
    snapshots = Snapshots(lake, settings, FEATURES)
    with watch.stage("features", "Looking back", len(planned.snapshots)) as advance:
        for day in planned.snapshots:
            snapshots.add(day)
            advance(1)
    return snapshots


def _searched(
    given: Given, budget: Budget | None, as_of: date, lake: Lake, watch: Watch, home: Home | None
) -> Searched:
    """The search, where one was asked for; one at a time in a home."""
    if budget is None:
        return NOT_ASKED
    stands_on = depends_on(lake, given.settings, as_of)
    with (
        watch.stage("search", "Searching for better numbers", int(budget.seconds)) as advance,
        nullcontext() if home is None else home.lock("search"),
    ):
        return search(given, budget, home and home.searches, stands_on, advance)


def _tested(given: Given, searched: Searched, watch: Watch) -> Backtest:
    tests, training = given.plan.tests, given.settings.training
    with watch.stage("backtest", "Testing on the past", len(tests)) as advance:
        return backtest(given.source, tests, given.features, training, advance, searched.changes)


def _fitted(given: Given, history_days: int, tested: Backtest, searched: Searched) -> Candidate:
    return make_candidate(
        given.source,
        given.plan,
        history_days,
        given.features,
        given.settings.training,
        tests=tested.days,
        changes=searched.changes,
    )
