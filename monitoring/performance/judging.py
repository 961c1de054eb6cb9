"""What labels say of the model: a matured drop, calibration, labels that do not come, a better rule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from monitoring.findings import Finding
from risk_model.settings import MonitoringSettings

Cohort = dict[str, Any]
"""A cohort as :mod:`monitoring.performance.cohorts` keeps it."""

BLIND = (
    "Expected precision is the mean risk of the listed. It cannot see concept drift: if what makes pupils "
    "leave changes while the registers look the same, it stays as it is, until labels mature.",
    "预期准确率是名单内学生的平均风险。它看不到概念漂移：若离校原因改变而登记数据不变，"
    "在标签成熟之前预期准确率不会变化。",
)  # fmt: skip
"""Said wherever an expected precision is shown."""


def judge_cohorts(cohorts: Sequence[Cohort], version: str, rules: MonitoringSettings) -> list[Finding]:
    """Findings about mature cohorts of the model that scores now, newest first; and about labels of any."""
    mature = [cohort for cohort in cohorts if cohort["state"] == "mature"]
    mature.sort(key=lambda cohort: cohort["as_of"], reverse=True)
    found = [told for cohort in mature[:1] for told in _unknown(cohort, rules)]
    own = [cohort for cohort in mature if cohort["model_version"] == version]
    enough = [cohort for cohort in own if _positives(cohort) >= rules.minimum_positives]
    for cohort in enough[:1]:
        found += [*_drop(cohort, rules), *_calibration(cohort, rules), *_below_rule(cohort)]
    return [*found, *_expected_missed(own, rules), *_revised(mature)]


def _positives(cohort: Cohort) -> int:
    return int(cohort["figures"]["counts"]["positives"])


def _unknown(cohort: Cohort, rules: MonitoringSettings) -> Iterator[Finding]:
    counts = cohort["figures"]["counts"]
    share = counts["unknown_share"] or 0.0
    if share >= rules.unknown_labels_share:
        yield Finding(
            "labels_unknown", "labels", "investigate", "data_office", window=_window(cohort),
            n=counts["pupils"], figures={"as_of": cohort["as_of"], "share": share},
        )  # fmt: skip


def _drop(cohort: Cohort, rules: MonitoringSettings) -> Iterator[Finding]:
    figures = cohort["figures"]
    interval, expected = figures.get("precision_interval"), figures["expected_precision"]
    if interval and expected and interval[1] < rules.least_precision_ratio * expected:
        yield Finding(
            "precision_drop", "concept", "retrain", "data_scientist", window=_window(cohort),
            n=figures["counts"]["listed"],
            figures={
                "as_of": cohort["as_of"], "real": figures["precision"], "expected": expected,
                "low": interval[0], "high": interval[1],
            },
        )  # fmt: skip


def _calibration(cohort: Cohort, rules: MonitoringSettings) -> Iterator[Finding]:
    figures = cohort["figures"]
    interval = figures.get("expected_over_observed_interval")
    low, high = rules.expected_over_observed
    if interval and (interval[1] < low or interval[0] > high):
        yield Finding(
            "calibration", "calibration", "retrain", "data_scientist", window=_window(cohort),
            n=_positives(cohort),
            figures={
                "as_of": cohort["as_of"], "ratio": figures["expected_over_observed"],
                "low": interval[0], "high": interval[1],
            },
        )  # fmt: skip


def _below_rule(cohort: Cohort) -> Iterator[Finding]:
    rule = cohort["figures"].get("rule")
    interval = rule and rule["recall_gain_interval"]
    if interval and interval[1] < 0:
        counts = cohort["figures"]["counts"]
        yield Finding(
            "below_rule", "concept", "retrain", "data_scientist", window=_window(cohort), n=counts["listed"],
            figures={
                "as_of": cohort["as_of"], "ours": counts["found"],
                "rule": rule["recall"] * counts["positives"],
            },
        )  # fmt: skip


def _expected_missed(own: Sequence[Cohort], rules: MonitoringSettings) -> Iterator[Finding]:
    """Expected against real precision, over all mature cohorts: is the promise itself any good?"""
    counted = [
        (cohort["figures"]["expected_precision"] * cohort["figures"]["counts"]["listed"],
         cohort["figures"]["counts"]["found"])
        for cohort in own
        if cohort["figures"]["expected_precision"] is not None
    ]  # fmt: skip
    promised, found = sum(pair[0] for pair in counted), sum(pair[1] for pair in counted)
    if len(counted) < 2 or found < rules.minimum_positives:
        return
    ratio = promised / found
    # Windows of runs four weeks apart share two thirds of their leavers: a third of them tells.
    spread = 1.96 * float(np.sqrt(3 / found))
    low, high = ratio * np.exp(-spread), ratio * np.exp(spread)
    bounds = rules.expected_over_observed
    if high < bounds[0] or low > bounds[1]:
        yield Finding(
            "expected_missed", "concept", "retrain", "data_scientist", window="all mature cohorts",
            n=len(counted), figures={"ratio": ratio, "low": float(low), "high": float(high)},
        )  # fmt: skip


def _revised(mature: Sequence[Cohort]) -> Iterator[Finding]:
    """Cohorts whose figures changed when they were last looked at."""
    for cohort in mature:
        if not cohort.get("earlier") or cohort["judged_on"] != cohort["looked_on"]:
            continue
        before, now = cohort["earlier"][-1], cohort["figures"]["counts"]
        yield Finding(
            "cohort_revised", "labels", "tell", "data_scientist", f"cohort:{cohort['as_of']}",
            _window(cohort), now["known"],
            {"as_of": cohort["as_of"], "judged_on": before["judged_on"], "now": now["positives"],
             "before": before["positives"], "found_now": now["found"], "found_before": before["found"]},
        )  # fmt: skip


def _window(cohort: Cohort) -> str:
    return f"{cohort['as_of']} + {cohort['days']} days"
