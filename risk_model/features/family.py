"""Family: who looks after the pupil, what the household lives on, and what has happened before.

The household is taken as last seen on or before the snapshot date; what was never asked is null.
"""

from __future__ import annotations

from risk_model.features.feature import Direction, Feature, Relation, Sensitivity, Unit, Wording

AID_DAYS = 365
"""Aid counts as granted for so many days."""
MOVES_YEARS = 3

Texts = tuple[str, str]
"""English and Chinese."""
Row = tuple[str, Direction, Texts, Texts]
"""Value, direction, what true says, what false says."""

# A grant tells that the county delivers the aid register; only there does no grant mean a gap.
HOUSEHOLD = Relation(
    "household",
    f"""
    WITH seen AS (
        SELECT f.* FROM known.families f JOIN (
            SELECT student_id, max(observed_on) AS observed_on FROM known.families
            WHERE observed_on <= getvariable('snapshot') GROUP BY student_id)
            USING (student_id, observed_on)),
    granted AS (
        SELECT student_id, max(granted_on) AS granted_on FROM known.aid
        WHERE granted_on <= getvariable('snapshot') GROUP BY student_id),
    telling AS (
        SELECT DISTINCT s.county_id FROM granted JOIN spells s USING (student_id)),
    last_spell AS (
        SELECT student_id, max_by(end_reason, (started_on, school_id)) AS end_reason,
               bool_or(ended_on IS NULL) AS open
        FROM spells WHERE started_on <= getvariable('snapshot') GROUP BY student_id),
    left_behind AS (
        SELECT household_id, count(*) AS n FROM seen JOIN last_spell USING (student_id)
        WHERE end_reason = 'dropped_out' AND NOT open AND household_id IS NOT NULL GROUP BY ALL)
    SELECT p.pupil, s.guardian AS guardian, s.parents_away AS parents_away, s.poverty AS poverty,
           s.orphan AS orphan, s.parent_illness AS parent_illness, s.relocated AS relocated,
           s.migrant AS migrant, s.siblings AS siblings,
           s.mother_schooling_years AS mother_schooling_years,
           s.father_schooling_years AS father_schooling_years,
           list_contains(getvariable('entitled_poverty'), s.poverty) AS entitled,
           CASE WHEN t.county_id IS NOT NULL
                THEN coalesce(g.granted_on > getvariable('snapshot') - {AID_DAYS}, false) END AS aided,
           CASE WHEN s.household_id IS NOT NULL THEN l.n IS NOT NULL END AS sibling_left
    FROM scored p
    LEFT JOIN seen s USING (student_id)
    LEFT JOIN granted g USING (student_id)
    LEFT JOIN telling t ON t.county_id = p.county_id
    LEFT JOIN left_behind l ON l.household_id = s.household_id""",
)

PAST = Relation(
    "past",
    f"""
    SELECT p.pupil,
           count(*) FILTER (s.end_reason = 'transferred'
               AND s.ended_on > getvariable('snapshot') - INTERVAL {MOVES_YEARS} YEAR) AS moves,
           count(*) FILTER (s.end_reason = 'dropped_out' AND s.ended_on < p.started_on) AS returns
    FROM scored p JOIN spells s USING (student_id)
    WHERE s.started_on <= getvariable('snapshot')
      AND coalesce(s.ended_on, s.started_on) <= getvariable('snapshot')
    GROUP BY p.pupil""",
)

RELATIONS = (HOUSEHOLD, PAST)

UNKNOWN = ("The household has not been recorded in this respect", "家庭情况登记中没有此项")


def _household(
    name: str,
    sql: str,
    en: Wording,
    zh: Wording,
    *,
    unit: Unit = "flag",
    direction: Direction = 0,
    changeable: bool = False,
    sensitivity: Sensitivity = "restricted",
    needs: tuple[str, ...] = ("families",),
    relation: str = "household",
    group: str = "",
) -> Feature:
    return Feature(
        name,
        "family",
        relation,
        sql,
        unit,
        direction,
        changeable,
        sensitivity,
        needs,
        en,
        zh,
        group,
    )


def _told(
    texts: Texts, low: Texts = ("", ""), none: Texts = ("", ""), one: str = ""
) -> tuple[Wording, Wording]:
    return (
        Wording(texts[0], UNKNOWN[0], low[0], none[0], one),
        Wording(texts[1], UNKNOWN[1], low[1], none[1]),
    )


def _flags(group: str, sql: str, rows: tuple[Row, ...]) -> tuple[Feature, ...]:
    """A flag per row; ``{}`` in ``sql`` stands for its value."""
    return tuple(
        _household(
            f"{group}_{value}", sql.format(value), *_told(texts, low), direction=direction, group=group
        )
        for value, direction, texts, low in rows
    )


GUARDIANS = _flags(
    "guardian",
    "guardian = '{}'",
    (
        (
            "nobody",
            1,
            ("Lives without any adult guardian", "没有成年监护人照管"),
            ("Has an adult guardian", "有成年监护人"),
        ),
        (
            "grandparents",
            0,
            ("Is looked after by grandparents", "由祖父母或外祖父母照管"),
            ("Is not looked after by grandparents", "不由祖辈照管"),
        ),
        (
            "relatives",
            0,
            ("Is looked after by relatives", "由其他亲属照管"),
            ("Is not looked after by relatives", "不由其他亲属照管"),
        ),
        (
            "one_parent",
            0,
            ("Lives with one parent", "由单亲照管"),
            ("Does not live with one parent alone", "不是单亲照管"),
        ),
    ),
)

POVERTY = _flags(
    "poverty",
    "poverty = '{}'",
    (
        (
            "lifted",
            0,
            ("The household was lifted out of poverty", "脱贫户家庭"),
            ("The household is not a lifted one", "不是脱贫户家庭"),
        ),
        (
            "monitored",
            0,
            ("The household is monitored for a return to poverty", "防返贫监测户家庭"),
            ("The household is not monitored", "不是监测户家庭"),
        ),
        (
            "minimum_living",
            0,
            ("The household receives the minimum living allowance", "低保家庭"),
            ("The household receives no minimum living allowance", "不是低保家庭"),
        ),
    ),
)

AID = (
    _household(
        "aid_gap",
        "entitled AND NOT aided",
        Wording(
            f"Is entitled to aid and has been granted none in the last {AID_DAYS} days",
            "It is not known whether the pupil is entitled to aid or receives any",
            "Is not entitled to aid or has been granted some",
        ),
        Wording(
            f"应享受资助，但最近{AID_DAYS}天没有资助记录",
            "是否应享受或已享受资助不详",
            "不属于应资助对象或已获资助",
        ),
        direction=1,
        changeable=True,
        needs=("families", "aid"),
        group="poverty",
    ),
)

CIRCUMSTANCES = (
    _household("orphan", "orphan", *_told(("Is an orphan", "孤儿"), ("Is not an orphan", "不是孤儿"))),
    _household(
        "parent_illness",
        "parent_illness",
        *_told(("A parent is seriously ill", "父母患重病"), ("No parent is seriously ill", "父母没有重病")),
        direction=1,
    ),
    _household(
        "relocated",
        "relocated",
        *_told(
            ("The household was relocated", "易地搬迁家庭"),
            ("The household was not relocated", "不是易地搬迁家庭"),
        ),
    ),
    _household(
        "migrant",
        "migrant",
        *_told(
            ("The household moved here for work", "进城务工随迁家庭"),
            ("The household did not move here for work", "不是随迁家庭"),
        ),
    ),
)

COUNTS = (
    _household(
        "parents_away",
        "parents_away::DOUBLE",
        *_told(
            ("{value} parents work away from home", "父母中有{value}人外出务工"),
            none=("No parent works away from home", "父母没有外出务工"),
            one="{value} parent works away from home",
        ),
        unit="count",
        direction=1,
    ),
    _household(
        "siblings",
        "siblings::DOUBLE",
        *_told(
            ("Has {value} brothers and sisters", "有{value}个兄弟姐妹"),
            none=("Has no brothers or sisters", "没有兄弟姐妹"),
            one="Has {value} brother or sister",
        ),
        unit="count",
        sensitivity="personal",
    ),
    _household(
        "mother_schooling",
        "mother_schooling_years",
        *_told(
            ("The mother went to school for {value} years", "母亲受教育{value}年"),
            none=("The mother did not go to school", "母亲没有上过学"),
            one="The mother went to school for {value} year",
        ),
        unit="years",
        direction=-1,
        group="schooling",
    ),
    _household(
        "father_schooling",
        "father_schooling_years",
        *_told(
            ("The father went to school for {value} years", "父亲受教育{value}年"),
            none=("The father did not go to school", "父亲没有上过学"),
            one="The father went to school for {value} year",
        ),
        unit="years",
        direction=-1,
        group="schooling",
    ),
)

NO_HISTORY = ("No enrolment history", "没有学籍历史记录")
HISTORY = (
    _household(
        "sibling_left",
        "sibling_left",
        Wording(
            "A brother or sister left school early",
            UNKNOWN[0],
            "No brother or sister is known to have left school early",
        ),
        Wording("有兄弟姐妹辍学", UNKNOWN[1], "未发现兄弟姐妹辍学"),
        direction=1,
        needs=("families", "enrolments"),
    ),
    _household(
        "school_moves",
        "moves::DOUBLE",
        Wording(
            f"Changed school {{value}} times in the last {MOVES_YEARS} years",
            NO_HISTORY[0],
            none=f"Did not change school in the last {MOVES_YEARS} years",
            one=f"Changed school {{value}} time in the last {MOVES_YEARS} years",
        ),
        Wording(f"最近{MOVES_YEARS}年转学{{value}}次", NO_HISTORY[1], none=f"最近{MOVES_YEARS}年没有转学"),
        unit="count",
        sensitivity="personal",
        needs=("enrolments",),
        relation="past",
    ),
    _household(
        "returned",
        "returns > 0",
        Wording("Left school before and came back", NO_HISTORY[0], "Has not left school before"),
        Wording("曾经辍学后复学", NO_HISTORY[1], "没有辍学经历"),
        direction=1,
        sensitivity="personal",
        needs=("enrolments",),
        relation="past",
    ),
)

FEATURES = (*GUARDIANS, *POVERTY, *AID, *CIRCUMSTANCES, *COUNTS, *HISTORY)
