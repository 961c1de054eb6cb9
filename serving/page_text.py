"""The list as a principal reads it on a terminal or on paper: what it is, how often it is right, who, why."""

from __future__ import annotations

import io
from typing import Any

from risk_model.explanation.words import Language, percent, risk_in_words
from serving.lists import Page

WIDTH = 110
WORDS: dict[Language, dict[str, str]] = {
    "en": {
        "all": "All schools",
        "head": "{unit} · as of {day} · model {model}{stale}",
        "stale": " · an OLDER list, the newer one was held back",
        "ranked": "Shown: {shown} of {listed} listed; beside open cases the staff can look at {capacity}.",
        "everybody": "Showing {shown} pupils, {listed} of them listed; beside open cases the staff can look "
        "at {capacity}.",
        "precision": "Expected precision {share}: about {right} of the {shown} listed here would leave "
        "within {horizon} days if nothing were done.",
        "open": "{count} pupils without a score are open cases; leave --top out to see them first.",
        "older": "Not in this list, because theirs is older: {schools}.",
        "older_school": "{school} ({day})",
        "rule": "Made by the school's own rule (absence and failed exams): there is no fitted model yet.",
        "ground": "When it was made, {left} of {labelled} pupils with a label had left.",
        "imported": "Made by another county's model, which has not yet been judged by this county's leavers.",
        "nobody": "Nobody is listed.",
        "nobody_reaches": "Nobody is listed: no pupil's risk reaches {minimum}.",
        "columns": "Rank|Pupil|School|Class|Grade|Risk|Reasons",
        "open_case": "open case",
        "no_score": "no score",
        "advice": "A score is advice: look at the pupil, then decide.",
    },
    "zh": {
        "all": "全部学校",
        "head": "{unit} · 截至{day} · 模型{model}{stale}",
        "stale": " · 旧名单，新名单暂缓发布",
        "ranked": "显示{shown}人，名单共{listed}人；除待核实个案外，教职工可关注{capacity}人。",
        "everybody": "显示{shown}人，其中{listed}人列入名单；除待核实个案外，教职工可关注{capacity}人。",
        "precision": "预期准确率{share}：若不采取措施，名单中{shown}人约有{right}人会在{horizon}天内离校。",
        "open": "另有{count}名学生没有评分，属待核实个案；去掉 --top 即可在名单最前看到。",
        "older": "下列学校名单较旧，未列入：{schools}。",
        "older_school": "{school}（{day}）",
        "rule": "按学校自有规则（缺勤与不及格）生成：尚无训练好的模型。",
        "ground": "生成时，{labelled}名已有结果的学生中{left}人已离校。",
        "imported": "由其他县的模型生成，尚未经本县辍学数据检验。",
        "nobody": "名单为空。",
        "nobody_reaches": "名单为空：没有学生的风险达到{minimum}。",
        "columns": "名次|学生|学校|班级|年级|风险|原因",
        "open_case": "待核实",
        "no_score": "无评分",
        "advice": "评分仅供参考：请先了解学生，再作决定。",
    },
}


def page_text(page: Page, language: Language, horizon_days: int, width: int = WIDTH) -> str:
    """The page as text, ``width`` characters wide."""
    from rich.console import Console

    words = WORDS[language]
    out = io.StringIO()
    console = Console(file=out, width=width, color_system=None, highlight=False, emoji=False, markup=False)
    for line in _head(page, words, horizon_days):
        console.print(line)
    console.print()
    console.print(_table(page, words, language) if page.rows else _nobody(page, words))
    for line in _foot(page, words):
        console.print(line)
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"


def _head(page: Page, words: dict[str, str], horizon_days: int) -> list[str]:
    unit = words["all"] if page.unit.kind == "all" else str(page.unit)
    if page.title:
        unit = f"{page.title} ({unit})"
    stale = words["stale"] if page.stale else ""
    lines = [
        words["head"].format(unit=unit, day=page.as_of.isoformat(), model=page.model_version, stale=stale)
    ]
    lines += [_origin(page, words)] if page.model_origin in words else []
    ranked = [row for row in page.rows if row["risk"] is not None]
    listed = sum(row["listed"] for row in page.rows) if page.everybody else page.listed
    shown = words["everybody" if page.everybody else "ranked"]
    lines.append(shown.format(shown=len(page.rows), listed=listed, capacity=page.capacity))
    if page.expected_precision is not None:
        listed = sum(row["listed"] for row in ranked)
        lines.append(
            words["precision"].format(
                share=percent(page.expected_precision),
                shown=listed,
                right=f"{page.expected_precision * listed:.1f}",
                horizon=horizon_days,
            )
        )
    return lines


def _origin(page: Page, words: dict[str, str]) -> str:
    """Whose model it is; of the school's rule also how little there was to learn from."""
    if page.model_origin != "rule" or page.model_ground is None:
        return words[page.model_origin]
    gap = "" if words["rule"].endswith("。") else " "
    return words["rule"] + gap + words["ground"].format(**page.model_ground)


def _nobody(page: Page, words: dict[str, str]) -> str:
    if page.minimum_risk and page.capacity:
        return words["nobody_reaches"].format(minimum=percent(page.minimum_risk))
    return words["nobody"]


def _table(page: Page, words: dict[str, str], language: Language) -> Any:
    from rich import box
    from rich.table import Table

    several = page.unit.above_school
    bullet = "– " if language == "en" else "–"  # a space would break a Chinese line right behind it
    table = Table(box=box.HORIZONTALS, show_lines=True, pad_edge=False)
    for number, name in enumerate(words["columns"].split("|")):
        if number != 2 or several:
            table.add_column(name, justify="right" if number == 0 else "left", overflow="fold")
    for row in page.rows:
        cells = [_rank(page, row, words), row["student_id"]]
        cells += [row["school_id"]] if several else []
        cells += [row["class_id"] or "–", str(row["grade"] or "–"), _risk(row, words, language)]
        table.add_row(*cells, "\n".join(bullet + reason["text"] for reason in row["reasons"]))
    return table


def _rank(page: Page, row: dict[str, Any], words: dict[str, str]) -> str:
    if row["risk"] is None:
        return words["open_case"]
    column = {"school": "rank_in_school", "class": "rank_in_class"}.get(page.unit.kind, "rank")
    return str(row[column])


def _risk(row: dict[str, Any], words: dict[str, str], language: Language) -> str:
    if row["risk"] is None:
        return words["no_score"]
    return f"{risk_in_words(row['risk'], language)}\n({percent(row['risk'])})"


def _foot(page: Page, words: dict[str, str]) -> list[str]:
    lines = [words["advice"]] if page.rows else []
    if page.open_cases and not any(row["risk"] is None for row in page.rows):
        lines.append(words["open"].format(count=page.open_cases))
    if page.older and page.unit.above_school:
        schools = ", ".join(
            words["older_school"].format(school=older.school_id, day=older.as_of) for older in page.older
        )
        lines.append(words["older"].format(schools=schools))
    lines += [older.reason for older in page.older if older.reason and not page.unit.above_school]
    return lines
