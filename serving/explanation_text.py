"""The answer of ``explain`` for a person: risk in words, for and against, what changed, what if."""

from __future__ import annotations

from math import exp, fsum
from typing import Any

from risk_model.explanation.change import MODEL
from risk_model.explanation.families import group_of
from risk_model.explanation.telling import UNDECLARED
from risk_model.explanation.words import Language, percent, risk_in_words, with_unit
from risk_model.features.declared import BY_NAME

NO_POINT = 0.0005
"""A difference of risk below this is no tenth of a point."""
NO_WEIGHT = 0.05
"""A group that changes the odds by less than about a twentieth is left to the document."""
MANY = 10
"""From here on tenths tell nothing."""
MOVED = 5
"""So many changes are told; the document holds them all."""
WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "head": "Pupil {student_id} · school {school_id} · class {class_id} · as of {as_of} "
        "· model {model_version}",
        "risk": "Risk of leaving within {horizon} days: {risk}. Rank {rank_in_school} in the school, "
        "{rank_in_class} in the class.",
        "no_score": "No score:",
        "for": "What raises the risk:",
        "against": "What lowers it:",
        "changed": "Since {since} the risk went from {before} to {now}:",
        "first": "There is no earlier run to compare with.",
        "same": "Nothing changed since {since}.",
        "model": "The model changed ({text}); that alone makes {points}.",
        "families": "In all, the odds of leaving are multiplied by:",
        "was": "before: {value}",
        "is": "now: {value}",
        "points": "{sign}{points} points",
        "if": "If it were so: {asked}",
        "then": "the risk would be {then} instead of {now}.",
        "along": "moved along: {names}",
        "held": "left as they are, though they might change too: {names}",
        "up": "raises",
        "down": "lowers",
    },
    "zh": {
        "head": "学生{student_id} · 学校{school_id} · 班级{class_id} · 截至{as_of} · 模型{model_version}",
        "risk": "{horizon}天内离校的风险：{risk}。校内第{rank_in_school}，班内第{rank_in_class}。",
        "no_score": "无评分：",
        "for": "使风险升高的情况：",
        "against": "使风险降低的情况：",
        "changed": "自{since}以来，风险由{before}变为{now}：",
        "first": "没有更早的评分可供比较。",
        "same": "自{since}以来没有变化。",
        "model": "模型已更换（{text}），仅此一项使风险变化{points}。",
        "families": "总体上，离校的几率乘以：",
        "was": "此前：{value}",
        "is": "现在：{value}",
        "points": "{sign}{points}个百分点",
        "if": "假设：{asked}",
        "then": "风险将由{now}变为{then}。",
        "along": "随之变化：{names}",
        "held": "保持不变（但可能也会变化）：{names}",
        "up": "升高",
        "down": "降低",
    },
}


def explanation_text(document: dict[str, Any], language: Language, horizon_days: int) -> str:
    """The document of ``explain`` in a few lines."""
    words = WORDS[language]
    shown = {**document, "class_id": document["class_id"] or "–"}
    lines = [words["head"].format(**shown)]
    if document["risk"] is None:
        return "\n".join([*lines, words["no_score"], *_bullets(document["reasons"])])
    risk = _risk(document["risk"], language)
    lines += [words["risk"].format(**{**shown, "risk": risk, "horizon": horizon_days}), ""]
    if document["reasons"]:
        lines += [words["for"], *_bullets(document["reasons"])]
    if document["protective"]:
        lines += [words["against"], *_bullets(document["protective"])]
    lines += [words["families"], *_families(document["families"])]
    lines += ["", *_changed(document, words, language)]
    if "what_if" in document:
        lines += ["", *_what_if(document["what_if"], words, language)]
    return "\n".join(lines)


def _families(families: list[dict[str, Any]]) -> list[str]:
    """A line for each family, with its groups where there are several that weigh something."""
    lines = []
    for family in families:
        heavy = [group for group in family["groups"] if abs(group["contribution"]) >= NO_WEIGHT]
        groups = [f"{group['name']} {_odds(group)}" for group in heavy]
        within = f" ({'; '.join(groups)})" if len(groups) > 1 else ""
        lines.append(f"  – {family['name']}: {_odds(family)}{within}")
    return lines


def _changed(document: dict[str, Any], words: dict[str, str], language: Language) -> list[str]:
    since = document["changed_since"]
    if since is None:
        return [words["first"]]
    if not document["changes"]:
        return [words["same"].format(since=since)]
    before, now = _risk(document["risk_before"], language), _risk(document["risk"], language)
    lines = [words["changed"].format(since=since, before=before, now=now)]
    moved = [entry for entry in document["changes"] if entry["family"] != UNDECLARED]
    lines += [
        f"  – {_reason_moved(entries, 'was', words, language)}" for entries in _by_reason(moved)[:MOVED]
    ]
    for entry in document["changes"]:
        if entry["feature"] == MODEL:
            points = _points(entry["risk_difference"], words)
            lines.append(f"  – {words['model'].format(text=entry['text'], points=points)}")
    return [*lines, *([document["changes_note"]] if document["changes_note"] else [])]


def _by_reason(moved: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Entries that say the same together, the reason that moved most first."""
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for entry in moved:
        group = entry["family"], group_of(entry["feature"], BY_NAME)
        groups.setdefault(group, []).append(entry)
    return sorted(groups.values(), key=lambda entries: -abs(fsum(entry["difference"] for entry in entries)))


def _reason_moved(
    entries: list[dict[str, Any]], other: str, words: dict[str, str], language: Language
) -> str:
    """The sentence of the feature that moved most the way its reason moved, and by how much altogether.

    ``value_before`` is told as what it ``was``, or what it ``is`` where the sentence is a supposition.
    """
    up = fsum(entry["difference"] for entry in entries) > 0
    told = max(entries, key=lambda entry: entry["difference"] * (1 if up else -1))
    points = _points(fsum(entry["risk_difference"] for entry in entries), words)
    feature = BY_NAME.get(told["feature"])
    if feature is not None and told["value_before"] is not None and feature.unit != "flag":
        value = with_unit(told["value_before"], feature.unit, language)
        points = f"{words[other].format(value=value)}; {points}"
    return f"{words['up' if up else 'down']}: {told['text']} ({points})"


def _what_if(answer: dict[str, Any], words: dict[str, str], language: Language) -> list[str]:
    asked = ", ".join(f"{name} = {value:g}" for name, value in answer["changes"].items())
    then, now = _risk(answer["risk_then"], language), _risk(answer["risk"], language)
    lines = [words["if"].format(asked=asked), f"  {words['then'].format(then=then, now=now)}"]
    for entries in _by_reason(answer["reasons_moved"])[:MOVED]:
        told = [{**entry, "value_before": entry["value"]} for entry in entries]
        lines.append(f"  – {_reason_moved(told, 'is', words, language)}")
    for kind, names in (("along", answer["moved_along"]), ("held", answer["held"])):
        if names:
            lines.append(f"  {words[kind].format(names=', '.join(names))}")
    return [*lines, answer["says"]]


def _bullets(reasons: list[dict[str, Any]]) -> list[str]:
    return [f"  – {reason['text']}" for reason in reasons]


def _odds(part: dict[str, Any]) -> str:
    """How much a part multiplies the odds, with two digits at most after the point."""
    times = exp(part["contribution"])
    return "×" + (f"{times:,.0f}" if times >= MANY else f"{times:.1f}" if times >= 1 else f"{times:.2f}")


def _points(difference: float, words: dict[str, str]) -> str:
    """A difference of risk in points of a hundred."""
    tenths = abs(difference) if abs(difference) >= NO_POINT else 0.0
    sign = "±" if tenths == 0 else "+" if difference > 0 else "−"
    return words["points"].format(sign=sign, points=f"{tenths * 100:.1f}".removesuffix(".0"))


def _risk(risk: float, language: Language) -> str:
    return f"{risk_in_words(risk, language)} ({percent(risk)})"
