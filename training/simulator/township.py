"""One township from its first school year to its last: every register of it, and the truth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from training.simulator import registers
from training.simulator.attendance import Habits, YearOfMarks, month_table
from training.simulator.dirty import Mess
from training.simulator.exams import results_table
from training.simulator.layout import Plan, Township
from training.simulator.lives import Lives
from training.simulator.people import People, settle
from training.simulator.places import Schools, found_schools
from training.simulator.records import YearRecord

Tables = dict[str, list[pa.Table]]
"""Parts of each file, by the file's name without its ending."""


def simulate_township(plan: Plan, index: int) -> Tables:
    """All tables of township ``index`` of ``plan``, cut at what was recorded by the plan's last day."""
    town = plan.township(index)
    schools = found_schools(plan, town)
    people = settle(plan, town, schools)
    lives = Lives(plan, town, schools, people)
    mess = Mess(plan, town, people, schools) if plan.dirty else None
    tables: Tables = {}
    for name, table in _registers(plan, town, schools, people, lives, mess):
        soiled = mess.soil(name, table) if mess else table
        tables.setdefault(name, []).append(_known(plan, soiled))
    tables["truth/hazard"] = [lives.truth.hazards(people)]
    tables["truth/leavers"] = [lives.truth.leavers(people)]
    return tables


def _registers(
    plan: Plan, town: Township, schools: Schools, people: People, lives: Lives, mess: Mess | None
) -> Iterator[tuple[str, pa.Table]]:
    habits = Habits(plan, town, people, schools)
    yield "schools", registers.schools_table(plan, town, schools)
    yield "students", registers.students_table(plan, people)
    if mess:
        yield "student_aliases", mess.aliases()
    if town.number == 0:
        yield "calendar", registers.calendar_table(town, plan.school_years)
    classes = np.empty(0, int)
    for record in lives.years():
        marks = habits.marks(record)
        yield from _year(plan, town, schools, people, record, marks)
        if mess:
            yield "headcounts", mess.headcounts(marks)
        classes = np.union1d(classes, record.code[registers.pupils_in_september(record)])
    yield "staff", registers.staff_table(plan, town, schools, classes)
    yield "enrolments", lives.book.table(people, schools)


def _year(
    plan: Plan, town: Township, schools: Schools, people: People, record: YearRecord, marks: YearOfMarks
) -> Iterator[tuple[str, pa.Table]]:
    for month, days in marks.months():
        yield f"attendance_{month}", month_table(marks, days, people, schools)
    yield "results", results_table(plan, town, people, schools, record, marks)
    yield "families", registers.families_table(plan, town, people, record)
    yield "travel", registers.travel_table(plan, town, people, schools, record)
    yield "aid", registers.aid_table(plan, town, people, record)
    yield "assignments", registers.assignments_table(schools, record)


def _known(plan: Plan, table: pa.Table) -> pa.Table:
    """Rows recorded by the plan's last day."""
    return table.filter(pc.less_equal(table["recorded_on"], pa.scalar(plan.until)))
