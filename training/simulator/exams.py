"""Results of exams: a middle and a final one in each term."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from training.simulator.attendance import LATE, YearOfMarks
from training.simulator.layout import Plan, Township, generator
from training.simulator.learning import with_school
from training.simulator.people import People
from training.simulator.places import Schools
from training.simulator.records import YearRecord
from training.simulator.school_year import SchoolYear
from training.simulator.spells import school_of_class

_CORE = ("chinese", "mathematics", "english")
SUBJECTS = {
    "chinese": (1, False), "mathematics": (1, False), "english": (3, False), "science": (3, True),
    "history": (7, True), "physics": (8, True), "chemistry": (9, True),
}  # fmt: skip
"""First grade of each subject, and whether it is examined at the end of a term only."""
_LAST_GRADE = {"science": 6}


@dataclass(frozen=True)
class Exam:
    """One exam day."""

    day: int
    """Index of the school day."""
    term: int
    final: bool


def exams_of(year: SchoolYear) -> tuple[Exam, ...]:
    """The four exam days of a school year."""
    second, last = year.second_term, len(year.days)
    return (
        Exam(second // 2, 1, False),
        Exam(second - 4, 1, True),
        Exam(second + (last - second) // 2, 2, False),
        Exam(last - 5, 2, True),
    )


def results_table(
    plan: Plan, town: Township, people: People, schools: Schools, record: YearRecord, marks: YearOfMarks
) -> pa.Table:
    """``results`` of one school year; who is absent on the day has not sat the exam and no score."""
    random = generator(plan.seed, town.index, 10, record.year.index)
    return pa.concat_tables(
        _scores(random, exam, subject, people, schools, record, marks)
        for exam in exams_of(record.year)
        for subject in SUBJECTS
        if exam.final or not SUBJECTS[subject][1]
    )


def _scores(
    random: np.random.Generator, exam: Exam, subject: str, people: People, schools: Schools,
    record: YearRecord, marks: YearOfMarks,
) -> pa.Table:  # fmt: skip
    grade = record.seat[exam.day] // 8 % 9 + 1
    taught = (grade >= SUBJECTS[subject][0]) & (grade <= _LAST_GRADE.get(subject, 9))
    noise = random.normal(0, 1, len(people))
    filed = 4 + random.integers(0, 8, len(schools.ids))
    who = np.flatnonzero(
        (record.seat[exam.day] >= 0) & taught & (record.away[exam.day] == 0) & ~people.home_taught
    )
    school = school_of_class(record.seat[exam.day][who])
    level = with_school(record.levels[exam.term - 1][who], schools.teaching[school])
    most = np.where((grade[who] > 6) & (subject in _CORE), 120.0, 100.0)
    share = 0.76 - 0.012 * grade[who] + 0.13 * (0.88 * level + 0.475 * noise[who])
    sat = marks.mark[exam.day][who] <= LATE
    day = record.year.days[exam.day]
    return pa.table(
        {
            "student_id": people.ids[who],
            "subject": np.full(len(who), subject),
            "assessed_on": np.full(len(who), day),
            "score": pa.array(np.round(np.clip(share, 0.02, 1) * most * 2) / 2, mask=~sat),
            "max_score": most,
            "term": np.full(len(who), f"{record.year.start_year}-{exam.term}"),
            "sat": sat,
            "recorded_on": day + filed[school],
        }
    )
