"""A small town whose numbers can be worked out by hand: a nine-year school and the pupils of class 7A.

Lan stays away and fails; Ming boards and does well; c01–c10 are quiet classmates; Xin came three weeks
ago from another school and was never seen; e01–e03 are in the parallel class; Gap was promoted and has
not come back; Tall is in senior secondary school; Sister left school early.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

Row = dict[str, Any]
DAY = date(2025, 11, 14)
"""The snapshot date, a Friday: 49 school days into the term that began on Monday 1 September."""

QUIET = tuple(f"c{number:02}" for number in range(1, 11))
CLASS_7A = ("lan", "ming", *QUIET)
PARALLEL = ("e01", "e02", "e03")
BEGAN, PROMOTED = date(2025, 9, 1), date(2025, 7, 10)


def weekdays(first: date, last: date, *free: date) -> list[date]:
    days = (first + timedelta(days=number) for number in range((last - first).days + 1))
    return [day for day in days if day.weekday() < 5 and day not in free]


HOLIDAY = weekdays(date(2025, 10, 1), date(2025, 10, 8))
JUNE = weekdays(date(2025, 6, 2), date(2025, 6, 30))
AUTUMN = weekdays(BEGAN, DAY, *HOLIDAY)
AHEAD = weekdays(date(2025, 11, 17), date(2026, 1, 16), date(2026, 1, 1))

LAN_MARKS = {
    date(2025, 6, 30): "absent_sick",
    date(2025, 9, 22): "absent_unexcused",
    date(2025, 9, 23): "absent_unexcused",
    date(2025, 10, 9): "absent_leave",
    date(2025, 11, 7): "late",
    date(2025, 11, 10): "absent_sick",
    date(2025, 11, 11): None,
    date(2025, 11, 12): "absent_unexcused",
    date(2025, 11, 13): "absent_unexcused",
    date(2025, 11, 14): "absent_unexcused",
}
SICK_DAY = date(2025, 10, 20)
SICK_ON_IT = QUIET[:6]


def schools() -> list[Row]:
    return [
        _school("A", "nine_year", 26.0),
        _school("D", "nine_year", 26.045),
        _school("B", "primary", 26.2, closed_on="2024-08-15"),
        _school("S", "senior", 26.0),
        _school("X", "junior", 26.0900001, county_id="elsewhere"),
    ]


def _school(school_id: str, stage: str, latitude: float, **more: Any) -> Row:
    placed = {"latitude": latitude, "longitude": 104.0, "county_id": "C", "township_id": "T"}
    return {"school_id": school_id, "name": school_id, "stage": stage, **placed, **more}


def students() -> list[Row]:
    born = {"lan": "2011-03-15", "ming": "2012-10-01"}
    homes = {"lan": 26.09, "ming": 26.018}
    people = (*CLASS_7A, "xin", *PARALLEL, "gap", "tall", "sister")
    return [
        {
            "student_id": pupil,
            "birth_date": born.get(pupil),
            "home_latitude": homes.get(pupil),
            "home_longitude": 104.0 if pupil in homes else None,
            "sex": "F",
            "recorded_on": "2022-09-01",
        }
        for pupil in people
    ]


def _spell(pupil: str, school: str, grade: int, started_on: str, ended: str = "", **more: Any) -> Row:
    ended_on, _, reason = ended.partition(" ")
    spell = {"student_id": pupil, "school_id": school, "grade": grade, "started_on": started_on}
    return spell | {"ended_on": ended_on or None, "end_reason": reason or None} | more


def enrolments() -> list[Row]:
    year_before = [
        _spell(pupil, "A", 6, "2024-09-01", f"{PROMOTED} promoted", class_id="6A") for pupil in CLASS_7A
    ]
    this_year = [
        _spell(pupil, "A", 7, "2025-09-01", class_id="7A", boarding=pupil == "ming") for pupil in CLASS_7A
    ]
    return [
        *year_before,
        *this_year,
        *(_spell(pupil, "A", 7, "2025-09-01", class_id="7B") for pupil in PARALLEL),
        _spell("lan", "B", 5, "2022-09-01", "2023-03-01 dropped_out"),
        _spell("lan", "B", 6, "2023-09-01", "2024-07-10 transferred"),
        _spell("xin", "D", 7, "2025-09-01", "2025-10-24 transferred", class_id="7A"),
        _spell("xin", "A", 7, "2025-10-27", class_id="7A"),
        _spell("gap", "A", 6, "2024-09-01", "2025-08-31 promoted", class_id="6A"),
        _spell("tall", "S", 10, "2025-09-01"),
        _spell("sister", "A", 9, "2023-09-01", "2024-03-01 dropped_out"),
    ]


def attendance() -> list[Row]:
    marks: list[Row] = []
    for pupil in (*CLASS_7A, *PARALLEL, "tall", "gap"):
        for day in (*(JUNE if pupil in (*CLASS_7A, "gap") else ()), *(AUTUMN if pupil != "gap" else ())):
            mark: str | None = "present"
            if pupil == "lan":
                mark = LAN_MARKS.get(day, "present")
            elif pupil in SICK_ON_IT and day == SICK_DAY:
                mark = "absent_sick"
            if mark is not None:
                marks.append({"student_id": pupil, "day": day, "mark": mark, "school_id": None})
    return marks


def calendar() -> list[Row]:
    planned = [(day, True) for day in (*JUNE, *AUTUMN, *AHEAD)]
    return [
        {"day": day, "county_id": "C", "school_day": school_day}
        for day, school_day in (*planned, (date(2026, 2, 28), False))
    ]


def results() -> list[Row]:
    sat = [
        *_exam("math", "2025-01-10", lan=60, ming=40, quiet=[50] * 10),
        *_exam("math", "2025-06-20", lan=40, ming=40, quiet=[52] * 10),
        *_exam("math", "2025-11-05", lan=20, ming=80, quiet=[50] * 10),
        *_exam("history", "2025-11-07", lan=70, ming=70, quiet=[40] * 5 + [60] * 5),
        *_exam("chinese", "2025-11-06", lan=None, ming=60, quiet=[60] * 10),
    ]
    missed = {"student_id": "lan", "subject": "chinese", "assessed_on": "2025-11-06", "sat": False}
    return [*sat, missed | {"max_score": 100}]


def _exam(subject: str, day: str, *, lan: int | None, ming: int, quiet: list[int]) -> list[Row]:
    scores = {"lan": lan, "ming": ming, **dict(zip(QUIET, quiet, strict=True))}
    exam = {"subject": subject, "assessed_on": day, "max_score": 100}
    return [
        {"student_id": pupil, "score": score, **exam} for pupil, score in scores.items() if score is not None
    ]


def families() -> list[Row]:
    return [
        _family("lan", "2024-09-20", household_id="H1", guardian="both_parents", poverty="none", orphan=True),
        _family(
            "lan",
            "2025-09-20",
            household_id="H1",
            guardian="grandparents",
            poverty="minimum_living",
            parents_away=2,
            orphan=False,
            parent_illness=True,
            relocated=True,
            migrant=False,
            siblings=1,
            mother_schooling_years=5.5,
            father_schooling_years=9,
        ),
        _family(
            "ming",
            "2025-09-20",
            household_id="H2",
            guardian="nobody",
            poverty="monitored",
            orphan=True,
            parent_illness=False,
            relocated=False,
            migrant=True,
        ),
        _family("c01", "2025-09-20", guardian="relatives", poverty="lifted"),
        _family("c02", "2025-09-20", guardian="one_parent", poverty="none"),
        _family("sister", "2023-09-20", household_id="H1"),
    ]


def _family(pupil: str, day: str, **more: Any) -> Row:
    return {"student_id": pupil, "observed_on": day, **more}


def travel() -> list[Row]:
    given = {"lan": (14.5, 70), **dict.fromkeys(QUIET, (2.0, 25))}
    here = [
        {"student_id": pupil, "observed_on": "2025-09-10", "distance_km": km, "minutes": minutes}
        for pupil, (km, minutes) in given.items()
    ]
    to_the_old_school = {"student_id": "xin", "observed_on": "2025-09-10", "distance_km": 3.0, "minutes": 40}
    return [*here, to_the_old_school]


def aid() -> list[Row]:
    return [
        {"student_id": "ming", "programme": "boarding", "granted_on": "2025-09-01", "amount": 500},
        {"student_id": "lan", "programme": "boarding", "granted_on": "2024-09-01", "amount": 500},
    ]


def headcounts() -> list[Row]:
    """A complete count of the parallel class, whose marks say the same."""
    return [{"school_id": "A", "class_id": "7B", "day": AUTUMN[0], "present": 3, "complete": True}]


def town() -> dict[str, list[Row]]:
    """Every register of the town."""
    return {
        "schools": schools(),
        "students": students(),
        "enrolments": enrolments(),
        "attendance": attendance(),
        "headcounts": headcounts(),
        "calendar": calendar(),
        "results": results(),
        "families": families(),
        "travel": travel(),
        "aid": aid(),
    }
