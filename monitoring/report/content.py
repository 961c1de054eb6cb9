"""What the page says, made from the night's document and those before it; the template only sets it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from monitoring.evidently.reasons import IN_CHINESE
from monitoring.performance.judging import BLIND
from monitoring.report import plots
from monitoring.report.labels import group, word
from monitoring.words import Language
from risk_model.explanation.families import FAMILIES

MOST_COLUMNS = 15
MOST_ROWS = 10
LENGTHS = ("1%", "2%", "5%", "10%")


def content(
    document: dict[str, Any], earlier: Sequence[dict[str, Any]], language: Language, cell: int
) -> dict[str, Any]:
    """Everything the template sets, in one language."""

    def say(key: str, **figures: object) -> str:
        return word(key, language, **figures)

    decision = document["decision"]
    return {
        "language": language,
        "title": say("title", as_of=document["as_of"]),
        "decision": decision,
        "decision_word": say(decision),
        "decision_said": say(f"{decision}_said"),
        "pupils": say(
            "pupils",
            students=document["students"],
            listed=document["listed"],
            version=document["model_version"],
        ),
        "three": _three(document, language),
        "alerts": [_alert(one, language) for one in _gravest(document["alerts"])],
        "told": [one["text_zh" if language == "zh" else "text"] for one in document["told"]],
        "coverage": _coverage(document, language),
        "drift": _drift(document, earlier, language),
        "performance": _performance(document, language),
        "stability": _stability(document, language),
        "fairness": _fairness(document, language, cell),
        "care": _care(document, language),
        "evidently": _evidently(document.get("evidently") or {}, language),
        "say": say,
        "group": lambda name: group(name, language),
    }


def _evidently(told: dict[str, Any], language: Language) -> dict[str, Any]:
    """What became of the tool's report; why there is none, in the reader's language."""
    reason = told.get("not_done")
    return told if language == "en" or not reason else {**told, "not_done": IN_CHINESE.get(reason, reason)}


def _coverage(document: dict[str, Any], language: Language) -> dict[str, Any] | None:
    """Counties, and the schools that send least."""
    told = (document.get("quality") or {}).get("coverage")
    if not told:
        return None
    caption = word("coverage_caption", language, window=told["window"], days=told["school_days"],
                   n=told["schools"])  # fmt: skip
    return {
        "caption": caption,
        "counties": told["counties"][:MOST_ROWS],
        "lowest": told["lowest"][:MOST_ROWS],
    }


def _gravest(alerts: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(alerts, key=lambda one: (one["silenced_until"] is not None, one["level"] != "retrain"))


def _alert(one: dict[str, Any], language: Language) -> dict[str, str]:
    silenced = one["silenced_until"]
    return {
        "level": one["level"] if silenced is None else "keep",
        "word": word(one["level"], language),
        "text": one["text_zh" if language == "zh" else "text"],
        "who": word(one["owner"], language),
        "since": word("since", language, since=one["since"], nights=one["nights"]),
        "window": one["window"],
        "n": f"{one['n']:,}",
        "key": one["key"],
        "silenced": "" if silenced is None
        else word("silenced", language, until=silenced, why=one["silenced_why"]),
    }  # fmt: skip


def _three(document: dict[str, Any], language: Language) -> list[str]:
    """The three things that matter: what asks for action first, then what a reader wants to know anyway."""
    asking = [one["text_zh" if language == "zh" else "text"] for one in document["reasons"]]
    return [*asking, *_calm(document, language)][:3]


def _calm(document: dict[str, Any], language: Language) -> list[str]:
    lines = []
    performance = document.get("performance") or {}
    promise = performance.get("expected_precision") or {}
    if promise.get("value") is not None:
        told = word("expected", language, value=promise["value"], n=promise["listed"])
        lines.append(f"{told} {BLIND[language == 'zh']}")
    lines.append(_real(performance, language))
    moves = document.get("stability")
    if moves and moves["overlap"] is not None:
        lines.append(word("stayed", language, share=moves["overlap"], days=moves["days"], n=moves["stayed"]))
    return lines


def _real(performance: dict[str, Any], language: Language) -> str:
    cohort = _last_mature(performance)
    if cohort is None:
        return word("unread", language)
    figures = cohort["figures"]
    counts = figures["counts"]
    return word(
        "real", language, as_of=cohort["as_of"], value=figures["precision"], found=counts["found"],
        n=counts["listed"], days=cohort["days"],
    )  # fmt: skip


def _last_mature(performance: dict[str, Any]) -> dict[str, Any] | None:
    """The newest mature cohort of which somebody left."""
    for cohort in performance.get("cohorts", ()):
        if cohort["state"] == "mature" and cohort["figures"].get("precision") is not None:
            return dict(cohort)
    return None


def _drift(
    document: dict[str, Any], earlier: Sequence[dict[str, Any]], language: Language
) -> dict[str, Any] | None:
    drift = document.get("drift") or {}
    comparison = drift.get("comparison") or drift.get("training")
    if comparison is None:
        return None
    nights = [night["drift"]["history"] for night in earlier if (night.get("drift") or {}).get("history")]
    points = sorted([*nights, drift["history"]], key=lambda night: str(night["as_of"]))
    lines = [
        (word(name, language), [(date.fromisoformat(night["as_of"]), night[key], None, None)
                                for night in points if night[key] is not None])
        for name, key in (("weighted", "weighted"), ("scores", "score_psi"))
    ]  # fmt: skip
    told = {"reference": comparison["reference"], "n": comparison["n"], "m": comparison["n_reference"]}
    moved = sorted(comparison["columns"], key=lambda column: -column["psi"] * column["weight"])
    caption = word("drift_caption", language, **told)
    return {
        "plot": plots.over_time(lines, title=caption, limit=0.1),
        "caption": caption,
        "columns": moved[:MOST_COLUMNS],
        "families": FAMILIES[language],
        "reasons": [
            (FAMILIES[language].get(family, family), before, now)
            for family, (before, now) in comparison["reasons"].items()
        ],
    }


def _performance(document: dict[str, Any], language: Language) -> dict[str, Any] | None:
    performance = document.get("performance")
    if not performance:
        return None
    told = sorted(performance["cohorts"], key=lambda cohort: str(cohort["as_of"]))
    last = _last_mature(performance)
    return {
        "blind": BLIND[language == "zh"],
        "over_time": _over_time(told, language),
        "calibration": last and _calibration(last, language),
        "gain": last and _gain(last, language),
        "cohorts": told[::-1],
        "groups": last and last["figures"].get("groups"),
        "last": last,
    }


def _over_time(told: Sequence[dict[str, Any]], language: Language) -> dict[str, str]:
    expected = [
        (date.fromisoformat(cohort["as_of"]), cohort["figures"]["expected_precision"], None, None)
        for cohort in told
        if cohort["figures"]["expected_precision"] is not None
    ]
    real = [
        (date.fromisoformat(cohort["as_of"]), cohort["figures"]["precision"],
         *(cohort["figures"]["precision_interval"] or (None, None)))
        for cohort in told
        if cohort["state"] == "mature" and cohort["figures"].get("precision") is not None
    ]  # fmt: skip
    days = told[0]["of"] if told else 0
    caption = word("precision_caption", language, days=days, n=len(told))
    lines = [(word("expected_line", language), expected), (word("real_line", language), real)]
    return {"plot": plots.over_time(lines, title=caption, share=True), "caption": caption}


def _calibration(cohort: dict[str, Any], language: Language) -> dict[str, str]:
    counts = cohort["figures"]["counts"]
    caption = word(
        "calibration_caption", language, as_of=cohort["as_of"], days=cohort["days"], n=counts["known"],
        left=counts["positives"],
    )  # fmt: skip
    points = [
        (band["expected"], band["observed"], *(band["observed_interval"] or (None, None)))
        for band in cohort["figures"]["calibration"]
    ]
    return {"plot": plots.diagonal(points, title=caption), "caption": caption}


def _gain(cohort: dict[str, Any], language: Language) -> dict[str, str]:
    figures = cohort["figures"]
    rule = figures.get("rule")
    lift = f"{rule['lift']:.1f}" if rule and rule["lift"] else "–"
    caption = word(
        "gain_caption", language, as_of=cohort["as_of"], left=figures["counts"]["positives"], lift=lift
    )
    lines = [(word("model_line", language), _recalls(figures["recall_at"]))]
    if rule:
        lines.append((word("rule_line", language), _recalls(rule["recall_at"])))
    counts = figures["counts"]
    marked = (counts["listed"] / counts["known"], figures["recall"])
    inside = 0.01 <= marked[0] <= 0.1 and marked[1] is not None
    return {"plot": plots.curve(lines, title=caption, marked=marked if inside else None), "caption": caption}


def _recalls(recall_at: dict[str, float | None]) -> list[tuple[float, float]]:
    told = [(float(length[:-1]) / 100, recall_at.get(length)) for length in LENGTHS]
    return [(length, recall) for length, recall in told if recall is not None]


def _stability(document: dict[str, Any], language: Language) -> dict[str, Any] | None:
    moves = document.get("stability")
    if not moves:
        return None
    said = word(
        "stability_said", language, entered=sum(moves["entered"].values()), left=sum(moves["left"].values()),
        stayed=moves["stayed"],
    )  # fmt: skip
    rows = [(word(cause, language), count, moves["left"][cause]) for cause, count in moves["entered"].items()]
    return {"said": said, "rows": rows}


def _fairness(document: dict[str, Any], language: Language, cell: int) -> dict[str, Any] | None:
    groups = document.get("fairness")
    last = _last_mature(document.get("performance") or {})
    if not groups and last is None:
        return None
    shown = [
        (f"{group(name, language)}: {group(value, language)}", told["listed_share"], told["pupils"])
        for name, values in (groups or {}).items()
        for value, told in values.items()
        if told["listed_share"] is not None
    ]
    caption = word("groups_caption", language, cell=cell)
    return {
        "plot": plots.bars(shown, title=caption),
        "caption": caption,
        "mature": (last or {}).get("groups") or {},
        "as_of": last and last["as_of"],
        "over_time": document.get("fairness_over_time") or [],
        "over_time_caption": word("groups_over_time_caption", language, days=last["days"] if last else "–"),
    }


def _care(document: dict[str, Any], language: Language) -> dict[str, Any] | None:
    effect = document.get("care_effect")
    if not effect:
        return None
    shares = {
        name: "–" if effect[key] is None else f"{effect[key]:.0%}"
        for name, key in (("on", "cared_listed"), ("off", "cared_others"))
    }
    return {
        "said": effect["text_zh" if language == "zh" else "text"],
        "by_lot": (effect.get("by_lot") or {}).get("text_zh" if language == "zh" else "text"),
        "caption": word(
            "care_caption", language, windows=", ".join(effect["cohorts"]) or "–", n=effect["pupils"],
            left=effect["left"], **shares,
        ),
    }  # fmt: skip
