"""Distance: how far and how long the way to school is, who boards, and whose school was closed.

A distance given in the travel register counts if it was observed since the pupil came to the present
school; else it is the straight line between home and school. Distances are kilometres.
"""

from __future__ import annotations

from risk_model.features.feature import COMPARED, Direction, Feature, Relation, Unit, Wording, over_median

CLOSURE_YEARS = 3
CLOSURE_GRACE_DAYS = 120
"""A spell counts as ended by the closing if the school closed at most so long after it: over a summer."""
EARTH_KM = 12742.0176
"""Mean diameter of the earth."""


def straight_line(latitude: str, longitude: str, to_latitude: str, to_longitude: str) -> str:
    """SQL: kilometres along the great circle between two points in degrees (haversine formula)."""
    across = f"sin(radians({to_latitude} - {latitude}) / 2) ** 2"
    along = f"sin(radians({to_longitude} - {longitude}) / 2) ** 2"
    chord = f"{across} + cos(radians({latitude})) * cos(radians({to_latitude})) * {along}"
    # least() would take a null for 1 and send an unknown home to the other side of the earth.
    return f"{EARTH_KM} * asin(sqrt(CASE WHEN {chord} > 1 THEN 1 ELSE {chord} END))"


WAY = Relation(
    "way",
    f"""
    WITH arrived AS (
        SELECT p.pupil, min(s.started_on) AS started_on
        FROM scored p JOIN spells s USING (student_id, school_id) GROUP BY p.pupil),
    travelled AS (
        SELECT p.pupil, t.distance_km, t.minutes
        FROM scored p JOIN arrived a USING (pupil) JOIN known.travel t USING (student_id) JOIN (
            SELECT student_id, max(observed_on) AS observed_on FROM known.travel
            WHERE observed_on <= getvariable('snapshot') GROUP BY student_id) USING (student_id, observed_on)
        WHERE t.observed_on >= a.started_on),
    homes AS (
        SELECT p.pupil, p.school_id, p.boarding, s.home_latitude AS latitude, s.home_longitude AS longitude
        FROM scored p LEFT JOIN known.students s USING (student_id))
    SELECT h.pupil, h.boarding, v.minutes AS minutes,
           {straight_line("h.latitude", "h.longitude", "n.latitude", "n.longitude")} AS nearest_km,
           {straight_line("h.latitude", "h.longitude", "c.latitude", "c.longitude")} AS straight_km,
           coalesce(v.distance_km, straight_km) AS km
    FROM homes h
    LEFT JOIN travelled v USING (pupil)
    LEFT JOIN known.schools c ON c.school_id = h.school_id
    LEFT JOIN nearest_school n USING (pupil)""",
)

CLOSURES = Relation(
    "closures",
    f"""
    SELECT p.pupil, coalesce(bool_or(
               c.closed_on >= s.started_on AND c.closed_on <= s.ended_on + {CLOSURE_GRACE_DAYS}
               AND c.closed_on <= getvariable('snapshot')
               AND s.ended_on > getvariable('snapshot') - INTERVAL {CLOSURE_YEARS} YEAR), false) AS forced
    FROM scored p
    LEFT JOIN spells s ON s.student_id = p.student_id AND s.school_id <> p.school_id
        AND s.ended_on <= getvariable('snapshot')
    LEFT JOIN known.schools c ON c.school_id = s.school_id
    GROUP BY p.pupil""",
)

RELATIONS = (WAY, CLOSURES)

NO_WAY = ("Neither the way to school nor the place of the home is known", "上学距离和家庭住址位置不详")
NO_HOME = ("The place of the home or of the schools is not known", "家庭住址或学校位置不详")
NO_DETOUR = (
    "The school is no further away than the nearest one of the stage",
    "所在学校不比本学段最近的学校远",
)
NO_BOARDING = ("It is not known whether the pupil boards", "是否住校不详")
NO_DAILY_WAY = ("The way to school, or whether the pupil boards, is not known", "上学距离或是否住校不详")
KNOWN_WAY = ("enrolments",)
"""The travel register or the two places will do, so neither register is needed by itself."""


def _distance(
    name: str,
    sql: str,
    en: Wording,
    zh: Wording,
    *,
    unit: Unit = "km",
    direction: Direction = 0,
    changeable: bool = True,
    needs: tuple[str, ...] = KNOWN_WAY,
    relation: str = "way",
    group: str = "",
) -> Feature:
    return Feature(
        name,
        "distance",
        relation,
        sql,
        unit,
        direction,
        changeable,
        "personal",
        needs,
        en,
        zh,
        group,
    )


FEATURES = (
    _distance(
        "travel_km",
        "km",
        Wording("Lives {value} km from school", NO_WAY[0]),
        Wording("家离学校{value}公里", NO_WAY[1]),
        group="distance",
    ),
    _distance(
        "travel_minutes",
        "minutes",
        Wording(
            "Needs {value} minutes for the way to school",
            "How long the way to school takes is not known",
            one="Needs {value} minute for the way to school",
        ),
        Wording("上学路上需要{value}分钟", "上学路上时间不详"),
        unit="minutes",
        needs=("enrolments", "travel"),
        group="distance",
    ),
    _distance(
        "day_pupil_km",
        "CASE WHEN boarding THEN 0 WHEN NOT boarding THEN km END",
        Wording("Goes {value} km to school every day", NO_DAILY_WAY[0]),
        Wording("每天上学走{value}公里", NO_DAILY_WAY[1]),
        direction=1,
        group="distance",
    ),
    _distance(
        "boarding",
        "boarding",
        Wording("Boards at the school", NO_BOARDING[0], "Goes home every day"),
        Wording("住校", NO_BOARDING[1], "走读"),
        unit="flag",
    ),
    _distance(
        "nearest_school_km",
        "nearest_km",
        Wording("Lives {value} km from the nearest school of the stage, in a straight line", NO_HOME[0]),
        Wording("家离本学段最近的学校直线距离{value}公里", NO_HOME[1]),
        changeable=False,
        needs=("enrolments", "students", "schools"),
        group="distance",
    ),
    _distance(
        "detour_km",
        "straight_km - nearest_km",
        Wording(
            "The school is {value} km further away than the nearest one of the stage",
            NO_HOME[0],
            NO_DETOUR[0],
            NO_DETOUR[0],
        ),
        Wording("所在学校比本学段最近的学校远{value}公里", NO_HOME[1], NO_DETOUR[1], NO_DETOUR[1]),
        needs=("enrolments", "students", "schools"),
        group="distance",
    ),
    _distance(
        "school_closed",
        "forced",
        Wording(
            f"Had to change school in the last {CLOSURE_YEARS} years because it was closed",
            "Which schools were closed is not known",
            "Did not have to change school because it was closed",
        ),
        Wording(f"最近{CLOSURE_YEARS}年因学校撤并而转学", "学校撤并情况不详", "没有因学校撤并而转学"),
        unit="flag",
        direction=1,
        changeable=False,
        needs=("enrolments", "schools"),
        relation="closures",
    ),
    _distance(
        "travel_km_over_school",
        over_median("travel_km", "school"),
        Wording(
            "The way to school is {value} km longer than the middle of the school",
            "Fewer than 10 others of the school have a known way, or the pupil has none",
            "The way to school is {value} km shorter than the middle of the school",
            "The way to school is as long as the middle of the school",
        ),
        Wording(
            "上学距离比学校中位数远{value}公里",
            "学校中距离已知的学生不足10人，或该生距离不详",
            "上学距离比学校中位数近{value}公里",
            "上学距离与学校中位数相同",
        ),
        relation=COMPARED,
        group="distance",
    ),
)
