"""The mess of real registers: late, corrected, duplicated, missing, contradictory and foreign rows."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from training.simulator.attendance import MARKS, PRESENT, UNEXCUSED, YearOfMarks
from training.simulator.layout import Plan, Township, generator
from training.simulator.names import pupil_ids
from training.simulator.people import People
from training.simulator.places import Schools
from training.simulator.spells import class_names, school_of_class

SILENT_DAYS = 42
"""For so long before the end the silent school has sent nothing."""

_LATE, _CORRECTED, _DOUBLED, _CONTRADICTED, _UNKNOWN = 0.03, 0.004, 0.003, 0.0003, 0.001
_RENAMED = 0.005
_TWO_SPELLS = 0.004
_MISSING = {
    "students": {"home_latitude": 0.05, "home_longitude": 0.05, "birth_date": 0.004, "ethnicity": 0.02},
    "families": {"guardian": 0.05, "mother_schooling_years": 0.08, "parent_illness": 0.04, "siblings": 0.05},
    "travel": {"distance_km": 0.04, "minutes": 0.10, "mode": 0.05},
    "enrolments": {"boarding": 0.05},
    "aid": {"amount": 0.05},
}
"""Share of empty cells."""


def absence_only_schools(town: Township) -> tuple[int, ...]:
    """The central primary school of every fifth township, the first included, sends absences only."""
    return (0,) if town.index % 5 == 0 else ()


def silent_schools(town: Township) -> tuple[int, ...]:
    """One school of the first township."""
    return (1,) if town.index == 0 else ()


class Mess:
    """Soils the registers of one township; what it draws depends on the plan and the township alone."""

    def __init__(self, plan: Plan, town: Township, people: People, schools: Schools) -> None:
        self._plan, self._town, self._people, self._schools = plan, town, people, schools
        self._random = generator(plan.seed, town.index, 11)
        stock = np.flatnonzero(people.joins == 0)
        count = max(1, round(len(stock) * _RENAMED))
        self._renamed = np.sort(self._random.choice(stock, count, replace=False))
        self._old = pupil_ids(town, len(people), kind=1)[self._renamed]
        span = int((plan.last_day - plan.school_years[0].first_day).astype(int))
        self._renamed_on = plan.last_day - self._random.integers(30, max(span - 30, 31), count)

    def soil(self, name: str, table: pa.Table) -> pa.Table:
        """``table`` of register or monthly file ``name`` as a careless office would send it."""
        register = name.split("_2")[0]
        if register == "attendance":
            table = self._attendance(table)
        elif register == "students":
            table = self._reissued(table)
        elif register == "enrolments":
            table = self._second_spells(table)
        table = self._doubled(table) if register in ("results", "families") else table
        table = self._emptied(table, _MISSING.get(register, {}))
        return table if register in ("students", "student_aliases") else self._old_identifiers(table)

    def aliases(self) -> pa.Table:
        """``student_aliases``: which identifiers were replaced, and when."""
        return pa.table(
            {
                "old_student_id": self._old,
                "student_id": self._people.ids[self._renamed],
                "recorded_on": self._renamed_on,
            }
        )

    def headcounts(self, marks: YearOfMarks) -> pa.Table:
        """``headcounts`` of the schools that send only absences, for the class days they kept."""
        at = np.isin(school_of_class(marks.seat), absence_only_schools(self._town))
        day, pupil = np.nonzero((marks.mark >= 0) & (marks.seat >= 0) & at)
        code = marks.seat[day, pupil].astype(int)
        there = marks.mark[day, pupil] <= PRESENT + 1
        group, place = np.unique(day * 100_000 + code, return_inverse=True)
        day, code = group // 100_000, group % 100_000
        dates = marks.year.days[day]
        return pa.table(
            {
                "school_id": self._schools.ids[school_of_class(code)],
                "class_id": class_names(code),
                "day": dates,
                "present": np.bincount(place, weights=there, minlength=len(group)).astype(np.int64),
                "complete": np.ones(len(group), bool),
                "recorded_on": dates + marks.lag[day, code],
            }
        )

    def _attendance(self, table: pa.Table) -> pa.Table:
        table = self._late(table.filter(self._sent(table)))
        extra = [
            self._changed(table, _CORRECTED, later=True),
            table.take(self._some(table, _DOUBLED)),
            self._changed(table, _CONTRADICTED, later=False),
            self._foreign(table),
        ]
        return pa.concat_tables([table, *extra]).unify_dictionaries().combine_chunks()

    def _sent(self, table: pa.Table) -> pa.Array:
        def of(schools: tuple[int, ...]) -> pa.ChunkedArray:
            return pc.is_in(
                table["school_id"].cast(pa.string()), pa.array(self._schools.ids[list(schools)], pa.string())
            )

        quiet = pc.and_(
            of(absence_only_schools(self._town)), pc.equal(table["mark"].cast(pa.string()), MARKS[PRESENT])
        )
        since = pa.scalar(self._plan.until - timedelta(days=SILENT_DAYS))
        silent = pc.and_(of(silent_schools(self._town)), pc.greater(table["day"], since))
        return pc.invert(pc.or_(quiet, silent))

    def _late(self, table: pa.Table) -> pa.Table:
        """Whole school days that reached the office weeks later."""
        days = table["day"].to_numpy()
        school = pc.index_in(table["school_id"].cast(pa.string()), pa.array(self._schools.ids)).to_numpy()
        _, place = np.unique(days.astype(int) * 100 + school, return_inverse=True)
        count = int(place.max(initial=-1)) + 1
        lag = np.where(self._random.random(count) < _LATE, self._random.integers(10, 45, count), 0)
        return _with(table, "recorded_on", table["recorded_on"].to_numpy() + lag[place])

    def _some(self, table: pa.Table, share: float) -> np.ndarray:
        return np.flatnonzero(self._random.random(len(table)) < share)

    def _changed(self, table: pa.Table, share: float, *, later: bool) -> pa.Table:
        """Copies with another mark: corrections recorded later, or contradictions of the same day."""
        rows = table.take(self._some(table, share))
        unexcused = pc.equal(rows["mark"].cast(pa.string()), MARKS[UNEXCUSED])
        marks = pc.if_else(unexcused, "absent_sick", "absent_unexcused").combine_chunks().dictionary_encode()
        rows = rows.set_column(rows.column_names.index("mark"), "mark", marks)
        lag = self._random.integers(2, 20, len(rows)) if later else np.zeros(len(rows), int)
        return _with(rows, "recorded_on", rows["recorded_on"].to_numpy() + lag)

    def _foreign(self, table: pa.Table) -> pa.Table:
        """Rows of pupils no register of students knows."""
        rows = table.take(self._some(table, _UNKNOWN))
        ids = pa.array(pupil_ids(self._town, len(rows), kind=2), pa.string()).dictionary_encode()
        return rows.set_column(0, "student_id", ids)

    def _doubled(self, table: pa.Table) -> pa.Table:
        return pa.concat_tables([table, table.take(self._some(table, _DOUBLED))])

    def _reissued(self, table: pa.Table) -> pa.Table:
        """The renamed stand in the register under the old identifier first, then under the new one."""
        joined = table["recorded_on"].to_numpy()[self._renamed]
        mine = np.maximum(self._renamed_on, joined)
        old = table.take(self._renamed).set_column(0, "student_id", pa.array(self._old))
        recorded = table["recorded_on"].to_numpy().copy()
        recorded[self._renamed] = mine
        return pa.concat_tables([old, _with(table, "recorded_on", recorded)])

    def _old_identifiers(self, table: pa.Table) -> pa.Table:
        """Rows recorded before a pupil was renamed bear the old identifier."""
        if "student_id" not in table.column_names:
            return table
        ids = table["student_id"].cast(pa.string())
        place = pc.index_in(ids, pa.array(self._people.ids[self._renamed])).fill_null(-1).to_numpy()
        before = (place >= 0) & (table["recorded_on"].to_numpy() < self._renamed_on[place])
        old = pa.array(self._old[place], mask=~before)
        return table.set_column(0, "student_id", pc.coalesce(old, ids).combine_chunks())

    def _second_spells(self, table: pa.Table) -> pa.Table:
        """Some pupils are also enrolled at a school they do not go to; nobody closes that spell."""
        begun = np.datetime64(f"{self._plan.school_years[-2].start_year}-10-09", "D")
        open_ = pc.and_(
            pc.is_null(table["ended_on"]), pc.equal(table["started_on"], pa.scalar(_september(self._plan)))
        )
        rows = table.filter(open_)
        count = min(len(rows), max(1, round(len(rows) * _TWO_SPELLS)))
        rows = rows.take(np.sort(self._random.choice(len(rows), count, replace=False)))
        there = pc.index_in(rows["school_id"], pa.array(self._schools.ids)).to_numpy()
        other = self._schools.ids[(there + 1) % len(self._schools.ids)]
        rows = rows.set_column(1, "school_id", pa.array(other))
        rows = _with(rows, "started_on", np.full(count, begun))
        return pa.concat_tables([table, _with(rows, "recorded_on", np.full(count, begun + 3))])

    def _emptied(self, table: pa.Table, shares: dict[str, float]) -> pa.Table:
        for name, share in shares.items():
            empty = pa.array(self._random.random(len(table)) < share)
            place = table.column_names.index(name)
            null = pa.scalar(None, table.schema.field(name).type)
            table = table.set_column(place, name, pc.if_else(empty, null, table[name]))
        return table


def _september(plan: Plan) -> object:
    return plan.school_years[-2].first_day.astype(object)


def _with(table: pa.Table, name: str, values: np.ndarray) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, pa.array(values.astype("M8[D]")))
