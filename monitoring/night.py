"""``monitor``: all questions about a night, top to bottom; one that fails is told and stops no other."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import date
from typing import TYPE_CHECKING, Any

import pandas as pd

from monitoring.alerts.sending import send
from monitoring.alerts.standing import Alerts
from monitoring.care_effect.asking import ask_care
from monitoring.decision import decide, reasons, triggers
from monitoring.drift.asking import Drifted, ask_drift
from monitoring.evidently.asking import Waiting, begin_evidently
from monitoring.fairness.at_list import counted_by_group, judge_groups, listed_by_group
from monitoring.fairness.over_time import judge_trends, trends
from monitoring.findings import EVERYBODY, Finding
from monitoring.history import History
from monitoring.looked import Looked
from monitoring.performance.cohorts import cohorts, disjoint
from monitoring.performance.judging import judge_cohorts
from monitoring.quality.coverage import coverage, coverage_told, judge_coverage
from monitoring.quality.lists import judge_contradictions, judge_held_back, judge_night, judge_people
from monitoring.quality.registers import left_since, register_facts
from monitoring.quality.rules import judge_register_facts
from monitoring.report.writing import write_reports
from monitoring.runs import Service, StoredRun, open_service
from monitoring.stability.asking import ask_moves
from monitoring.stability.moves import judge_moves
from risk_model.accounts import Accounts
from risk_model.errors import BundleError, MissingError
from risk_model.home import Home
from risk_model.registry import Registry
from risk_model.settings import Settings

if TYPE_CHECKING:
    from risk_model.lake.reading import Lake
    from risk_model.model.bundle import Bundle

QUESTIONS = ("quality", "drift", "stability", "performance", "fairness", "evidently")
"""Stages of the accounts that are always told."""


def monitor_night(
    home: Home,
    settings: Settings,
    as_of: date | None,
    say: Callable[[str], None],
    accounts: Accounts | None = None,
) -> dict[str, Any]:
    """Look at the newest run up to ``as_of``; answers the document of ``monitor --json``.

    A stage is booked in ``accounts`` for each question, whose seconds and memory the document tells.

    Raises
    ------
    MissingError
        Nothing was scored, or nothing up to that day.
    LockHeldError
        Another process is looking.
    """
    from risk_model.lake.reading import open_lake

    with (
        home.lock("monitoring"),
        open_service(home, settings) as service,
        open_lake(home, settings) as lake,
    ):
        day = as_of or lake.latest_recorded_on() or date.today()
        runs = service.runs(day)
        if not runs:
            raise MissingError(
                f"Nothing was scored up to {day}. Run 'dropout-risk score --as-of {day}' first."
            )
        history = History(home)
        looked = _opened(service, runs, accounts or Accounts())
        _ask_all(home, settings, service, lake, runs, day, history, looked)
        return _concluded(home, settings, day, history, looked, say)


def _opened(service: Service, runs: list[StoredRun], accounts: Accounts) -> Looked:
    run = runs[-1]
    last = runs[-2] if len(runs) > 1 else None
    with accounts.stage("scores", "scores of tonight and of the night before"):
        last_scores = service.scores(last) if last else None
        return Looked(run, service.scores(run), last, last_scores, service.schools(run), accounts)


def _ask_all(
    home: Home,
    settings: Settings,
    service: Service,
    lake: Lake,
    runs: list[StoredRun],
    day: date,
    history: History,
    looked: Looked,
) -> None:
    rules, run = settings.monitoring, looked.run
    evidently: Waiting | None = None
    with looked.asking("evidently"):
        evidently = begin_evidently(home, settings, lake, service, runs, day)
    with looked.asking("quality"):
        _quality(service, lake, day, settings, looked)
    bundle = _bundle(home, settings, lake, looked)
    with looked.asking("drift"):
        drifted = ask_drift(home, settings, lake, run, looked.scores, history, bundle)
        looked.parts["drift"] = drifted.document
        looked.findings += drifted.findings
        _model_changed(drifted, looked)
    with looked.asking("stability"):
        found = ask_moves(home, settings, lake, looked.last, run, looked.last_scores, looked.scores, bundle)
        looked.parts["stability"] = found and found.as_document()
        if found is not None:
            usual = [night["listed"] for night in history.before(run.as_of)[:20] if night.get("listed")]
            churn = rules.most_churn if found.days <= 7 else 1.1  # a month later it is another list
            looked.findings += judge_moves(found, usual, len(looked.scores), churn)
    with looked.asking("performance"):
        judged = cohorts(home, settings, service, lake, runs, day)
        looked.findings += judge_cohorts(judged, run.model_version, rules)
        mature = [cohort for cohort in judged if cohort["state"] == "mature"]
        for cohort in mature[:1]:
            looked.findings += judge_groups(cohort["groups"], cohort["as_of"], settings)
        horizon = settings.labels.horizon_days
        falling = trends(disjoint(judged, horizon), settings)
        looked.findings += judge_trends(falling, horizon)
        looked.parts["fairness_over_time"] = [one.as_document() for one in falling]
        looked.parts["performance"] = {"cohorts": judged, "expected_precision": _promise(looked.scores)}
        looked.parts["care_effect"], found = ask_care(settings, judged, day)
        looked.findings += found
    with looked.asking("fairness"):
        counts = counted_by_group(lake, looked.scores, run.as_of)
        looked.parts["fairness"] = listed_by_group(counts, settings)
    if evidently is not None:
        with looked.asking("evidently"), closing(evidently):
            looked.parts["evidently"], failed = evidently.told()
            looked.findings += [failed] if failed else []


def _quality(service: Service, lake: Lake, day: date, settings: Settings, looked: Looked) -> None:
    rules, run = settings.monitoring, looked.run
    facts = register_facts(lake, day)
    gone = left_since(lake, looked.last.as_of) if looked.last else frozenset()
    live = service.lists_live()
    covered = coverage(facts)
    found = [
        *judge_coverage(covered, settings.labels),
        *judge_held_back(looked.schools, live, run.document, run.as_of),
        *judge_register_facts(facts, settings.labels, rules),
        *judge_people(looked.scores, looked.last_scores, gone, rules),
        *judge_contradictions(run.document, len(looked.scores), rules),
    ]
    looked.findings += [*found, *judge_night(run.as_of, day)]
    held = looked.schools[looked.schools["held_back"].notna()]
    looked.parts["quality"] = {
        "schools": len(looked.schools),
        "held_back": len(held),
        "school_days_without_marks": facts.school_days_since,
        "registers": sorted(facts.filled),
        "coverage": coverage_told(covered, facts),
    }


def _bundle(home: Home, settings: Settings, lake: Lake, looked: Looked) -> Bundle | None:
    """The champion, verified; a damaged one is told, and what needs it is left out."""
    champion = Registry(home, settings).champion()
    if champion is None:
        return None
    try:
        bundle = champion.load()
    except BundleError as error:
        looked.findings.append(
            Finding("model_altered", "model", "investigate", "data_scientist", window="tonight",
                    figures={"reason": str(error)})
        )  # fmt: skip
        return None
    looked.findings += triggers(bundle.manifest, looked.run.as_of, lake.registers(), settings.monitoring)
    return bundle


def _model_changed(drifted: Drifted, looked: Looked) -> None:
    last, run = looked.last, looked.run
    if last is not None and last.model_digest != run.model_digest:
        figures = {"before": last.model_version, "now": run.model_version}
        looked.findings.append(
            Finding("model_changed", "model", "tell", "data_scientist", EVERYBODY,
                    f"{last.as_of}..{run.as_of}", drifted.rows, figures)
        )  # fmt: skip


def _promise(scores: pd.DataFrame) -> dict[str, Any]:
    """Expected precision of tonight's list: the mean risk of the listed."""
    risks = scores["risk"][scores["listed"] & scores["risk"].notna()]
    return {"value": float(risks.mean()) if len(risks) else None, "listed": len(risks)}


def _concluded(
    home: Home, settings: Settings, day: date, history: History, looked: Looked, say: Callable[[str], None]
) -> dict[str, Any]:
    """Decide, write the report, tell whom it concerns, keep it all."""
    rules, run = settings.monitoring, looked.run
    alerts = Alerts(history.folder)
    decision, asking = decide(looked.findings, frozenset(alerts.silences(day)))
    standing = alerts.standing(looked.findings, day, rules.remind_days)
    document: dict[str, Any] = {
        "as_of": run.as_of.isoformat(),
        "looked_on": day.isoformat(),
        "run_id": run.key,
        "model_version": run.model_version,
        "students": len(looked.scores),
        "listed": int((looked.scores["listed"] & looked.scores["risk"].notna()).sum()),
        "decision": decision,
        "reasons": reasons(asking),
        "alerts": [one.as_document() for one in standing],
        "told": [finding.as_document() for finding in looked.findings if not finding.is_alert],
        **looked.parts,
        **looked.accounts.document(QUESTIONS),
    }
    with looked.accounts.stage("report", "report in both languages"):
        document["reports"] = write_reports(history, run.as_of, document)
    document["report"] = document["reports"][settings.list.language]
    sent = send(standing, document, rules, settings.list.language, say)
    alerts.keep(standing, sent, day)
    history.keep(run.as_of, document)
    history.sweep(run.as_of, rules.keep_days)
    return document
