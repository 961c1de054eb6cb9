"""``train``: look back, test on the past, fit, calibrate, judge, register, promote.

Read :func:`run` from top to bottom; each step is a module of its own.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import date
from getpass import getuser
from hashlib import sha256
from pathlib import Path
from typing import Any

import pandas as pd

from risk_model.errors import BundleError, MissingError, UsageError
from risk_model.features.declared import FEATURES, RELATIONS
from risk_model.home import Home
from risk_model.lake.reading import Lake, open_lake
from risk_model.model.manifest import Provenance
from risk_model.registers.declared import REGISTERS
from risk_model.registry import REPORT, Champion, Registry
from risk_model.settings import Settings, TrainingSettings
from training import provenance
from training.backtest import SCORERS, Backtest, backtest
from training.candidate import Candidate, Soundness, check_bundle, make_candidate
from training.card.making import cards
from training.card.reasons import top_reasons
from training.card.steadiness import stability
from training.challenge import Comparison, Opponent, challenge
from training.fairness import audited
from training.first_labels import FirstLabels, judge_first_labels
from training.fit import parameters
from training.gate import Gate, gate_for_rule, gate_for_trees
from training.judgement import Judgement, judge
from training.leaks import Leaks, find_leaks
from training.plots import backtest_figures, shap_summary
from training.protected import protected_on
from training.search.searching import NOT_ASKED, Budget, Given, Searched, search
from training.snapshots import Snapshots
from training.sources import read_past_the_cut
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
    comparison: Comparison
    first_labels: FirstLabels | None
    """What this county's labels say of a champion made by another county; None for one of its own."""
    leaks: Leaks
    fairness: dict[str, Any]
    provenance: Provenance


def run(home: Home, settings: Settings, request: Request, watch: Watch) -> dict[str, Any]:
    """Train on the registers of ``home`` and answer the document of contract §3.

    Killed at any moment it leaves the champion as it was; the same registers, settings and code give
    the same bundle again.

    Raises
    ------
    MissingError
        There are no registers.
    UsageError
        A snapshot asked for lies outside the history whose labels have matured.
    """
    registry = Registry(home, settings)
    with open_lake(home, settings) as lake:
        past = look_back(lake, settings, request, watch, registry, home)
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder) / "bundle"
        past.candidate.save(bundle, past.provenance)
        soundness = check_bundle(bundle, past.candidate.rows, FEATURES)
        gate = _gate(past, soundness, registry.champion(), settings)
        document = _document(past, gate, settings)
        with watch.stage("register", "Drawing and registering"):
            record = _record(past, gate, document, settings)
            record["artifacts"] |= cards(document, bundle)
            version = registry.record_run(bundle, **record)
    promoted = _promote(registry, version, gate, request.promote)
    challenging = not promoted and _challenge(registry, version, gate)
    if request.keep_predictions is not None:
        _keep(past.judgement.predictions, request.keep_predictions)
    return {
        "version": version,
        "promoted": promoted,
        "challenging": challenging,
        **document,
        "stages": dict(watch.stages),
        "seconds": watch.seconds,
    }


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
    as_of = request.as_of or lake.latest_recorded_on()
    first_day = lake.first_day()
    if as_of is None or first_day is None:
        raise MissingError("The lake holds no rows yet. Run `dropout-risk import DIR` first.")
    if not first_day <= as_of <= date.today():
        raise UsageError(
            f"--as-of {as_of} lies outside the registers' time: the first mark is of {first_day}, "
            f"today is {date.today()}. Choose a day in between."
        )
    planned = _plan(first_day, as_of, settings, request)
    snapshots = Snapshots(lake, settings, FEATURES)
    with watch.stage("features", "Looking back", len(planned.snapshots)) as advance:
        for day in planned.snapshots:
            snapshots.add(day)
            advance(1)
    training = settings.training
    searched = _searched(
        Given(snapshots, planned, FEATURES, settings), request.budget, as_of, lake, watch, home
    )
    with watch.stage("backtest", "Testing on the past", len(planned.tests)) as advance:
        tested = backtest(snapshots, planned.tests, FEATURES, training, advance, searched.changes)
    history_days = (as_of - first_day).days
    with watch.stage("fit", "Fitting"):
        snapshots.label_as_known_on(as_of, planned.snapshots)
        labels = snapshots.counts()
        candidate = make_candidate(
            snapshots,
            planned,
            history_days,
            FEATURES,
            training,
            tests=tested.days,
            changes=searched.changes,
        )
        candidate = candidate.grounded(**labels["pupils"])
    with watch.stage("judge", "Judging"):
        days = [split.known_on for split in planned.tests]
        judgement = judge(tested.predictions, snapshots.labels(days), settings)
        labels["learnt_late"] = snapshots.learnt_late(as_of)
    with watch.stage("audit", "Looking for leaks and unfairness"):
        days = [split.known_on for split in planned.tests if split.known_on not in tested.skipped]
        protected = protected_on(lake, days)
        opponent, damage = _opponent(registry)
        comparison = damage or _challenged(opponent, judgement, snapshots, settings, protected)
        first_labels = _first_labels(opponent, snapshots, planned.snapshots, settings)
        leaks = _leaks(candidate, snapshots, training)
        fairness = audited(protected, snapshots, days, judgement.predictions, settings)
    made = _provenance(lake, settings, as_of, candidate, labels, searched)
    return Past(
        as_of=as_of,
        plan=planned,
        history_days=history_days,
        searched=searched,
        tested=tested,
        candidate=candidate,
        judgement=judgement,
        labels=labels,
        comparison=comparison,
        first_labels=first_labels,
        leaks=leaks,
        fairness=fairness,
        provenance=made,
    )


def _searched(
    given: Given, budget: Budget | None, as_of: date, lake: Lake, watch: Watch, home: Home | None
) -> Searched:
    """The search, where one was asked for; one at a time in a home."""
    if budget is None:
        return NOT_ASKED
    depends_on = {
        "lake_snapshot": lake.snapshot,
        "as_of": as_of.isoformat(),
        "code": provenance.code_hash(),
        "lock": provenance.lock_hash(),
        "settings": provenance.settings_hash(given.settings),
    }
    with (
        watch.stage("search", "Searching for better numbers", int(budget.seconds)) as advance,
        nullcontext() if home is None else home.lock("search"),
    ):
        return search(given, budget, home and home.searches, depends_on, advance)


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
    judgement: Judgement,
    snapshots: Snapshots,
    settings: Settings,
    protected: pd.DataFrame,
) -> Comparison:
    if opponent is None:
        return Comparison(None)
    return challenge(judgement.predictions, snapshots, opponent, settings, protected)


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


def _provenance(
    lake: Lake,
    settings: Settings,
    as_of: date,
    candidate: Candidate,
    labels: Mapping[str, Any],
    searched: Searched,
) -> Provenance:
    return Provenance(
        lake_snapshot=lake.snapshot,
        as_of=as_of,
        trained_snapshots=candidate.snapshots,
        calibration_snapshots=candidate.calibration_snapshots,
        label=settings.labels.components,
        horizon_days=settings.labels.horizon_days,
        code_hash=provenance.code_hash(),
        lock_hash=provenance.lock_hash(),
        settings_hash=provenance.settings_hash(settings),
        seed=settings.training.seed,
        recorded_on_assumed=lake.assumed(),
        absent_registers=tuple(sorted(set(REGISTERS) - lake.registers())),
        reference=candidate.reference(FEATURES),
        notes=_notes(candidate, labels, settings.training.care_weight, searched),
    )


def _notes(
    candidate: Candidate, labels: Mapping[str, Any], weight: float, searched: Searched
) -> dict[str, str]:
    """Why it is this kind of model, what was searched, and what care-affected labels counted for."""
    notes = {"kind": candidate.why} if candidate.why else dict(searched.notes)
    notes |= {name: str(count) for name, count in labels["pupils"].items()}
    affected, labelled = labels["care_affected"], labels["positive"] + labels["negative"]
    if affected:
        counted = f"counted for {weight:g} each" if weight else "left out of the fit"
        notes["care"] = f"{affected:,} of {labelled:,} labelled rows were care-affected and {counted}."
    return notes


def _gate(past: Past, soundness: Soundness, champion: Champion | None, settings: Settings) -> Gate:
    if past.candidate.trees:
        evidence = past.judgement.evidence
        gate = gate_for_trees(past.candidate, evidence, soundness, past.history_days, settings.training)
        gate = gate.with_leaks(past.leaks).with_challenge(past.comparison, settings)
        return gate.with_first_labels(past.first_labels, settings.training)
    kind = None if champion is None else champion.load().manifest.kind
    return gate_for_rule(
        past.candidate, soundness, past.history_days, kind, settings.training, past.first_labels
    )


def _record(past: Past, gate: Gate, document: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """What MLflow keeps of the run; numbers and curves, never a pupil."""
    trees = past.candidate.trees
    figures: dict[str, Any] = {}
    if len(past.judgement.predictions):
        figures |= backtest_figures(past.judgement.predictions, SCORERS)
    if trees:
        names = [feature.name for feature in FEATURES]
        figures["shap_summary"] = shap_summary(trees.booster, trees.fit.x, names, settings.training.seed)
    learner: dict[str, Any] = {}
    if trees:
        learner = parameters(FEATURES, settings.training) | dict(past.searched.changes or {})
        learner["rounds"] = trees.booster.num_trees()
    return {
        "params": {
            "as_of": past.as_of,
            "kind": past.candidate.kind,
            "snapshots": len(past.plan.snapshots),
            "tests": len(past.judgement.backtest),
            "labels": settings.labels.model_dump(),
            "training": settings.training.model_dump(),
            "lightgbm": learner,
        },
        "metrics": past.judgement.pooled,
        "figures": figures,
        "artifacts": {"gate": gate.document(), "backtest": past.judgement.backtest, REPORT: document},
        "tags": _verdict(gate),
        "nested": past.searched.runs,
    }


def _verdict(gate: Gate) -> dict[str, str]:
    """Tags by which ``score`` can say why a version was not promoted."""
    if gate.passed:
        return {"gate": "passed"}
    return {"gate": "failed", "failed_checks": ", ".join(check.name for check in gate.failed)}


def _promote(registry: Registry, version: str, gate: Gate, promote: str) -> bool:
    if promote == "never" or (promote == "auto" and not gate.passed):
        return False
    why = "the gate passed"
    if not gate.passed:
        why = "forced although the gate failed: " + ", ".join(check.name for check in gate.failed)
    registry.promote(version, who=getuser(), why=why, report_digest=_digest(gate))
    return True


def _challenge(registry: Registry, version: str, gate: Gate) -> bool:
    """A sound version that was not promoted scores beside the champion, unseen, until a newer one does.

    Not one that is the champion over again, and not without a champion to stand beside.
    """
    champion = registry.champion()
    if champion is None or not gate.sound or registry.bundle(version).digest == champion.digest:
        return False
    failed = ", ".join(check.name for check in gate.failed)
    why = f"trained and not promoted{': ' + failed if failed else ''}"
    registry.challenge(version, who=getuser(), why=why, report_digest=_digest(gate))
    return True


def _digest(gate: Gate) -> str:
    return sha256(json.dumps(gate.document(), sort_keys=True, default=float).encode()).hexdigest()


def _keep(predictions: pd.DataFrame, path: Path) -> None:
    """Readable for the caller alone: it says of pupils who left."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    predictions.to_parquet(path, index=False)


def _document(past: Past, gate: Gate, settings: Settings) -> dict[str, Any]:
    """All that is known of the model before it has a version; kept with the run."""
    judgement: Mapping[str, Any] = {
        "backtest": past.judgement.backtest,
        "pooled": past.judgement.pooled,
        "labels": past.labels,
        "care": past.judgement.care,
    }
    trees = past.candidate.trees
    return {
        "kind": past.candidate.kind,
        "as_of": past.as_of,
        "why": past.candidate.why,
        "lake_snapshot": past.provenance.lake_snapshot,
        "fit": [day.isoformat() for day in past.candidate.snapshots],
        "calibration": [day.isoformat() for day in past.candidate.calibration_snapshots],
        "label_settings": settings.labels.model_dump(),
        "gate": gate.document(),
        **judgement,
        "calibration_by_place": past.judgement.calibration,
        "reasons": top_reasons(trees, FEATURES) if trees else [],
        "stability": stability(trees, FEATURES, settings.list.reasons) if trees else [],
        "regret": past.judgement.regret,
        "search": past.searched.document,
        "not_done": [*past.judgement.not_done, *past.searched.not_done],
        "comparison": past.comparison.document(),
        "first_labels": past.first_labels.document() if past.first_labels else None,
        "leaks": past.leaks.document(),
        "fairness": past.fairness,
        "skipped": {day.isoformat(): why for day, why in past.tested.skipped.items()},
    }
