"""Learning: results against the county's grade, failed and missed exams, age and repeated grades.

Scores of different subjects and exams are made comparable as z-scores: distance from the mean of the
same grade, subject, term and county, in standard deviations. An exam not sat is not a zero: it is
counted as missed and enters no mean. The SQL of the exams is in :mod:`risk_model.features.exams`.
"""

from __future__ import annotations

from risk_model.features.feature import (
    COMPARED,
    FEWEST_CLASSMATES,
    Direction,
    Feature,
    Unit,
    Wording,
)

NEEDS = ("enrolments", "results")
LATEST, LAST_TWO, TREND_TERMS = "term_no = 1", "term_no <= 2", 4


def _total(column: str, window: str) -> str:
    return f"sum({column}) FILTER ({window})"


def _mean(total: str, count: str, window: str, scale: str) -> str:
    return f"{_total(total, window)}::DOUBLE / nullif({_total(count, window)}, 0) / {scale}"


def _slope() -> str:
    """SQL: least-squares change of the z-score per term, over the exams of the last terms."""
    window = f"FILTER (term_no <= {TREND_TERMS} AND n > 0)"
    n, t, tt = f"sum(n) {window}", f"sum(n * half) {window}", f"sum(n * half * half) {window}"
    z, tz = f"sum(z) {window}", f"sum(z * half) {window}"
    return f"(({n}) * ({tz}) - ({t}) * ({z}))::DOUBLE / nullif(({n}) * ({tt}) - ({t}) * ({t}), 0) / 1e6"


NO_RESULTS = ("No exam results of the last two years", "近两年没有考试成绩")
NO_SCALE = (
    "No results that can be compared with the county's grade",
    "没有可与全县同年级比较的成绩",
)


def _learning(
    name: str,
    sql: str,
    en: str,
    zh: str,
    *,
    direction: Direction = -1,
    unit: Unit = "score",
    relation: str = "terms",
    null: tuple[str, str] = NO_SCALE,
    changeable: bool = True,
    needs: tuple[str, ...] = NEEDS,
    group: str = "",
    low: tuple[str, str] = ("", ""),
    none: tuple[str, str] = ("", ""),
    one: str = "",
) -> Feature:
    return Feature(
        name,
        "learning",
        relation,
        sql,
        unit,
        direction,
        changeable,
        "personal",
        needs,
        Wording(en, null[0], low[0], none[0], one),
        Wording(zh, null[1], low[1], none[1]),
        group,
    )


SCALE_EN = "on the county's scale for the grade (0 is average, −1 clearly below)"
SCALE_ZH = "（全县同年级标准分，0为平均，−1为明显偏低）"

LEVELS = tuple(
    _learning(
        f"z_{what}{span}",
        _mean(total, count, window, "1e6"),
        f"{subjects_en} stand at {{value}} in {span_en}, {SCALE_EN}",
        f"{span_zh}{subjects_zh}成绩为{{value}}{SCALE_ZH}",
        group="results",
    )
    for what, total, count, subjects_en, subjects_zh in (
        ("all_", "z", "n", "Exam results", "各科"),
        ("core_", "z_core", "n_core", "Results in Chinese, mathematics and English", "语文、数学、英语"),
    )
    for span, window, span_en, span_zh in (
        ("mean", LAST_TWO, "the last two terms with exams", "最近两个有考试的学期"),
        ("latest", LATEST, "the latest term with exams", "最近一个有考试的学期"),
    )
)

COURSE = (
    _learning(
        "score_latest",
        _mean("hundredths", "sat", LATEST, "10000"),
        "Reached {value} of the points in the exams of the latest term",
        "最近一个学期考试平均得分率为{value}",
        unit="percent",
        null=NO_RESULTS,
        group="results",
    ),
    _learning(
        "z_change",
        f"{_mean('z', 'n', LATEST, '1e6')} - {_mean('z', 'n', 'term_no = 2', '1e6')}",
        "Exam results rose by {value} from one term to the next, on the county's scale for the grade",
        "相邻两个学期的标准分上升了{value}",
        direction=0,
        low=(
            "Exam results fell by {value} from one term to the next, on the county's scale for the grade",
            "相邻两个学期的标准分下降了{value}",
        ),
        none=("Exam results stayed the same from one term to the next", "相邻两个学期的标准分没有变化"),
        null=("No comparable results in two terms running", "没有连续两个学期可比较的成绩"),
        group="course",
    ),
    _learning(
        "z_trend",
        _slope(),
        "Exam results rose by {value} a term, on the county's scale for the grade",
        "标准分平均每学期上升{value}",
        direction=0,
        low=(
            "Exam results fell by {value} a term, on the county's scale for the grade",
            "标准分平均每学期下降{value}",
        ),
        none=("Exam results stayed the same from term to term", "标准分各学期没有变化"),
        null=("No comparable results in at least two terms", "可比较的成绩不足两个学期"),
        group="course",
    ),
)

EXAM_COUNTS = (
    _learning(
        "failed_latest",
        f"CASE WHEN {_total('sat', LATEST)} > 0 THEN {_total('failed', LATEST)}::DOUBLE END",
        "Failed {value} exams in the latest term (below 60 %)",
        "最近一个学期有{value}门考试不及格（低于60%）",
        none=("Failed no exam in the latest term (below 60 %)", "最近一个学期没有考试不及格（低于60%）"),
        one="Failed {value} exam in the latest term (below 60 %)",
        direction=1,
        unit="count",
        null=NO_RESULTS,
        group="failed",
    ),
    _learning(
        "failed_core_latest",
        f"CASE WHEN {_total('sat_core', LATEST)} > 0 THEN {_total('failed_core', LATEST)}::DOUBLE END",
        "Failed {value} exams in Chinese, mathematics or English in the latest term (below 60 %)",
        "最近一个学期语文、数学、英语有{value}门考试不及格（低于60%）",
        none=(
            "Failed no exam in Chinese, mathematics or English in the latest term (below 60 %)",
            "最近一个学期语文、数学、英语没有考试不及格（低于60%）",
        ),
        one="Failed {value} exam in Chinese, mathematics or English in the latest term (below 60 %)",
        direction=1,
        unit="count",
        null=("No results in a core subject in the latest term", "最近一个学期没有主科成绩"),
        group="failed",
    ),
    _learning(
        "failed_share",
        f"{_total('failed', LAST_TWO)} / nullif({_total('sat', LAST_TWO)}, 0)",
        "Failed {value} of the exams of the last two terms (below 60 %)",
        "最近两个学期考试不及格的比例为{value}（低于60%）",
        direction=1,
        unit="percent",
        null=NO_RESULTS,
        group="failed",
    ),
    _learning(
        "missed_latest",
        f"{_total('missed', LATEST)}::DOUBLE",
        "Missed {value} exams in the latest term",
        "最近一个学期缺考{value}门",
        none=("Missed no exam in the latest term", "最近一个学期没有缺考"),
        one="Missed {value} exam in the latest term",
        direction=1,
        unit="count",
        null=NO_RESULTS,
        group="missed",
    ),
    _learning(
        "missed_share",
        f"{_total('missed', LAST_TWO)} / nullif({_total('sat + missed', LAST_TWO)}, 0)",
        "Missed {value} of the exams of the last two terms",
        "最近两个学期缺考的比例为{value}",
        direction=1,
        unit="percent",
        null=NO_RESULTS,
        group="missed",
    ),
)

# Nulls are ranked last, so the ranks of those who have a value run from 1.
RANK_IN_CLASS = f"""CASE
    WHEN z_all_latest IS NOT NULL AND count(z_all_latest) OVER class > {FEWEST_CLASSMATES}
    THEN (rank() OVER (PARTITION BY class_key ORDER BY z_all_latest NULLS LAST) - 1)
         / (count(z_all_latest) OVER class - 1) END"""

REGULAR_AGE = ("Is of the regular age for the grade", "年龄与本年级相符")

BACKGROUND = (
    _learning(
        "class_percentile",
        RANK_IN_CLASS,
        "{value} of the class had lower exam results in the latest term",
        "最近一个学期班级中有{value}的同学成绩更低",
        unit="percent",
        relation=COMPARED,
        null=(
            "Fewer than 10 classmates have results, or the pupil has none",
            "班级中有成绩的同学不足10人，或该生没有成绩",
        ),
        group="results",
    ),
    _learning(
        "months_over_age",
        "date_sub('month', birth_date, greatest(school_year, spell_year)) - 12 * (grade + 5) - 11",
        "Is {value} months over the regular age for the grade",
        "超过本年级正常年龄{value}个月",
        low=REGULAR_AGE,
        none=REGULAR_AGE,
        one="Is {value} month over the regular age for the grade",
        direction=1,
        unit="months",
        relation="career",
        null=("Date of birth not known", "出生日期不详"),
        changeable=False,
        needs=("enrolments", "students"),
    ),
    _learning(
        "repeated_grades",
        "repeated::DOUBLE",
        "Has repeated {value} school years",
        "留级{value}次",
        none=("Has repeated no school year", "没有留级"),
        one="Has repeated {value} school year",
        direction=1,
        unit="count",
        relation="career",
        null=("No enrolment history", "没有学籍历史记录"),
        changeable=False,
        needs=("enrolments",),
    ),
)

FEATURES = (*LEVELS, *COURSE, *EXAM_COUNTS, *BACKGROUND)
