"""Time: where in the school year the snapshot lies, and where in school the pupil stands."""

from __future__ import annotations

from risk_model.features.feature import Direction, Feature, Relation, Unit, Wording

# How many school days lie ahead is known only where a calendar reaches the end of the label window.
SEASON = Relation(
    "season",
    """
    WITH planned AS (
        SELECT school_id, max(day) AS until FROM (
            SELECT s.school_id, c.day
            FROM (SELECT DISTINCT school_id, county_id FROM scored) s
            JOIN (SELECT county_id, school_id, max(day) AS day FROM known.calendar GROUP BY ALL) c
              ON c.school_id = s.school_id OR (c.school_id IS NULL AND c.county_id = s.county_id))
        GROUP BY school_id),
    ahead AS (
        SELECT school_id, count(*) AS days FROM school_days
        WHERE day > getvariable('snapshot') AND day <= getvariable('snapshot') + getvariable('horizon_days')
        GROUP BY school_id)
    SELECT p.pupil, p.grade, p.ended_on IS NOT NULL AS between_spells,
           getvariable('snapshot') - w.term_start AS days_in_term,
           CASE WHEN l.until >= getvariable('snapshot') + getvariable('horizon_days')
                THEN coalesce(a.days, 0) END AS days_ahead,
           getvariable('snapshot')
               - make_date(year(getvariable('snapshot') - INTERVAL 8 MONTH)::INTEGER, 9, 1) AS days_in_year
    FROM scored p
    LEFT JOIN windows w USING (school_id)
    LEFT JOIN planned l USING (school_id)
    LEFT JOIN ahead a USING (school_id)""",
)

RELATIONS = (SEASON,)


def _season(
    name: str,
    sql: str,
    en: Wording,
    zh: Wording,
    *,
    unit: Unit = "flag",
    direction: Direction = 0,
    needs: tuple[str, ...] = ("enrolments",),
) -> Feature:
    return Feature(
        name,
        "time",
        "season",
        sql,
        unit,
        direction,
        False,
        "internal",
        needs,
        en,
        zh,
        "season",
    )


FEATURES = (
    _season(
        "school_days_ahead",
        "days_ahead::DOUBLE",
        Wording(
            "{value} school days lie ahead in the period looked at",
            "No calendar reaches that far",
            one="{value} school day lies ahead in the period looked at",
        ),
        Wording("预测期内还有{value}个教学日", "校历没有覆盖预测期"),
        unit="days",
        needs=("enrolments", "calendar"),
    ),
    _season(
        "weeks_in_term",
        "days_in_term / 7",
        Wording(
            "{value} weeks have gone by since the last term start",
            "No term start is known yet",
            one="{value} week has gone by since the last term start",
        ),
        Wording("距最近一次开学{value}周", "尚不知道开学日期"),
        unit="weeks",
    ),
    _season(
        "weeks_in_year",
        "days_in_year / 7",
        Wording(
            "{value} weeks have gone by since 1 September",
            "Not known",
            one="{value} week has gone by since 1 September",
        ),
        Wording("距9月1日{value}周", "不详"),
        unit="weeks",
    ),
    _season(
        "grade_level",
        "grade::DOUBLE",
        Wording("Is in grade {value}", "Grade not known"),
        Wording("就读{value}年级", "年级不详"),
        unit="count",
    ),
    _season(
        "between_spells",
        "between_spells",
        Wording("Has finished a school year and is enrolled nowhere yet", "Not known", "Is enrolled"),
        Wording("已升级或毕业，尚未注册", "不详", "已注册"),
    ),
    _season(
        "junior_stage",
        "grade BETWEEN 7 AND 9",
        Wording("Is in junior secondary school", "Grade not known", "Is not in junior secondary school"),
        Wording("处于初中阶段", "年级不详", "不在初中阶段"),
    ),
    _season(
        "senior_stage",
        "grade >= 10",
        Wording("Is in senior secondary school", "Grade not known", "Is not in senior secondary school"),
        Wording("处于高中阶段", "年级不详", "不在高中阶段"),
    ),
    _season(
        "first_year_of_stage",
        "grade IN (1, 7, 10)",
        Wording(
            "Is in the first year of a stage of school",
            "Grade not known",
            "Is not in the first year of a stage",
        ),
        Wording("处于学段的第一年", "年级不详", "不在学段的第一年"),
    ),
)
