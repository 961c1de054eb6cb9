"""What a person reads after ``train``."""

from __future__ import annotations

from typing import Any

from training.care import care_said

HEAD = (
    "snapshot", "pupils", "left", "AUC", "at capacity: found", "rule", "logistic", "additive", "school",
    "exp/obs",
)  # fmt: skip


def table(document: dict[str, Any]) -> str:
    """The backtest as a table, the gate, and what to do next."""
    rows = [_row(test["snapshot"], test) for test in document["backtest"]]
    if rows:
        rows.append(_row("all", document["pooled"]))
    parts = [_aligned([HEAD, *rows])] if rows else [document["why"] or "No test snapshot has matured yet."]
    parts.append(_labels(document["labels"]))
    if document["search"]:
        parts.append(f"Search: {document['search']['says']}.")
    parts.append("\n".join(_check(check) for check in document["gate"]["checks"]))
    notes = [f"Not judged: {entry['what']}: {entry['why']}." for entry in document["not_done"]]
    notes += [said for said in (care_said(document["care"]), *document["fairness"]["findings"]) if said]
    parts += ["\n".join(notes)] if notes else []
    parts.append(_end(document))
    return "\n\n".join(parts)


def _row(day: str, test: dict[str, Any]) -> tuple[str, ...]:
    found = [test["recall_at"]["capacity"]]
    found += [
        test["baselines"][name]["recall_at"]["capacity"]
        for name in ("school_rule", "logistic", "additive", "school_only")
    ]
    return (
        day,
        f"{test['students']:,}",
        f"{test['positives']:,}",
        _number(test["roc_auc"], ".3f"),
        *(_number(share, ".0%") for share in found),
        _number(test["expected_over_observed"], ".2f"),
    )


def _number(value: float | None, layout: str) -> str:
    return "–" if value is None else format(value, layout)


def _aligned(rows: list[tuple[str, ...]]) -> str:
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    return "\n".join(
        "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in rows
    )


def _labels(labels: dict[str, Any]) -> str:
    late = _number(labels["learnt_late"], ".0%")
    out = f"{labels['already_out']:,} already out"
    return (
        f"Labels: {labels['positive']:,} left, {labels['negative']:,} stayed, "
        f"{labels['censored']:,} censored, {out}, {labels['unknown']:,} unknown; "
        f"{labels['care_affected']:,} of the labelled were care-affected. "
        f"Exits learnt later than the reporting lag: {late}."
    )


def _check(check: dict[str, Any]) -> str:
    return f"  {'ok    ' if check['passed'] else 'FAILED'}  {check['name']}: {check['says']}"


def _end(document: dict[str, Any]) -> str:
    version = document["version"]
    if document["promoted"]:
        return f"Version {version} ({document['kind']}) is champion now; `dropout-risk score` uses it."
    if document["gate"]["passed"]:
        unseen = " It scores beside the champion, unseen." if document["challenging"] else ""
        return f"Version {version} ({document['kind']}) is registered and was not promoted, as asked.{unseen}"
    failed = ", ".join(check["name"] for check in document["gate"]["checks"] if not check["passed"])
    unseen = " It scores beside it, unseen, as challenger." if document["challenging"] else ""
    return (
        f"Version {version} ({document['kind']}) is registered and was not promoted: {failed}. "
        f"The champion stays as it was.{unseen} Train again with more history, "
        "or take the responsibility with --promote force."
    )
