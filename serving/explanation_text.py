"""The answer of ``explain`` for a person: risk in words, what speaks for and against, what changed."""

from __future__ import annotations

from typing import Any

from risk_model.explanation.words import Language, percent, risk_in_words

AGAINST = 3
"""So many protective facts are told."""
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
        "model": "The model changed ({text}); part of the difference comes from that.",
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
        "model": "模型已更换（{text}），部分差异由此产生。",
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
    against = _against(document)
    if against:
        lines += [words["against"], *against]
    return "\n".join([*lines, "", *_changed(document, words, language)])


def _changed(document: dict[str, Any], words: dict[str, str], language: Language) -> list[str]:
    since = document["changed_since"]
    if since is None:
        return [words["first"]]
    if not document["changes"]:
        return [words["same"].format(since=since)]
    before, now = _risk(document["risk_before"], language), _risk(document["risk"], language)
    lines = [words["changed"].format(since=since, before=before, now=now)]
    moved = [entry for entry in document["changes"] if entry["family"] != "model"]
    for entry in moved[:MOVED]:
        way = words["up"] if entry["difference"] > 0 else words["down"]
        lines.append(f"  – {way}: {entry['text']}")
    if document["model_changed"]:
        text = f"{document['model_before']} → {document['model_version']}"
        lines.append(f"  – {words['model'].format(text=text)}")
    return lines


def _against(document: dict[str, Any]) -> list[str]:
    """The strongest protective facts of this pupil, one of each group; none that may not be told."""
    from risk_model.features.declared import BY_NAME

    told: dict[str, str] = {}
    for entry in document["contributions"]:
        feature = BY_NAME.get(entry["feature"])
        if feature is None or entry["contribution"] >= 0:
            continue
        if feature.family != "time" and entry["value"] is not None:
            told.setdefault(feature.group or feature.name, f"  – {entry['text']}")
    return list(told.values())[:AGAINST]


def _bullets(reasons: list[dict[str, Any]]) -> list[str]:
    return [f"  – {reason['text']}" for reason in reasons]


def _risk(risk: float, language: Language) -> str:
    return f"{risk_in_words(risk, language)} ({percent(risk)})"
