"""What the simulated weeks leave behind for the registers, and the truth beside them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from training.simulator.people import People
from training.simulator.school_year import SchoolYear

PATHS = np.array(["dropped_out", "hidden", "non_return"])
DROPPED_OUT, HIDDEN, NON_RETURN = range(len(PATHS))


@dataclass(frozen=True)
class YearRecord:
    """One school year of a township, per school day or week and pupil."""

    year: SchoolYear
    seat: np.ndarray
    """Code of the class in whose register the pupil stands, -1 for none; (days, pupils)."""
    away: np.ndarray
    """0, or why a pupil who left has no presence: unexcused marks or none at all; (days, pupils)."""
    skips: np.ndarray
    """Share of days missed without excuse because of disengagement; (weeks, pupils)."""
    levels: np.ndarray
    """Results of both terms in standard deviations, without the school's part; (2, pupils)."""
    code: np.ndarray
    """Class at the start of the year."""
    boards: np.ndarray

    @classmethod
    def blank(cls, year: SchoolYear, pupils: int, code: np.ndarray, boards: np.ndarray) -> YearRecord:
        """Nobody sits anywhere yet."""
        days = len(year.days)
        return cls(
            year,
            seat=np.full((days, pupils), -1, np.int16),
            away=np.zeros((days, pupils), np.int8),
            skips=np.zeros((len(year.mondays), pupils), np.float32),
            levels=np.zeros((2, pupils)),
            code=np.array(code),
            boards=np.array(boards),
        )


@dataclass
class TruthRecord:
    """Hazards and leavers of a township, in order of time."""

    _weeks: list[tuple[np.datetime64, np.ndarray, np.ndarray, np.ndarray]] = field(default_factory=list)
    _leavers: list[tuple[np.ndarray, ...]] = field(default_factory=list)

    def add_week(
        self, monday: np.datetime64, pupil: np.ndarray, hazard: np.ndarray, leaves: np.ndarray
    ) -> None:
        """The chances of all at risk in one week."""
        self._weeks.append((monday, pupil.astype(np.int32), hazard, leaves))

    def add_leavers(self, pupil: np.ndarray, monday: np.datetime64, *columns: np.ndarray) -> None:
        """Those who left in one week: day, cause, path, weeks of disengagement, grade."""
        self._leavers.append((pupil, np.full(len(pupil), monday), *columns))

    def hazards(self, people: People) -> pa.Table:
        """Columns ``student_id``, ``monday``, ``hazard``, ``leaves``: one row per week enrolled and at risk.

        ``hazard`` is the chance of leaving in that week, given everything; 1 where the pupil left in an
        earlier week and no register shows it yet.
        """
        pupils = np.concatenate([pupil for _, pupil, _, _ in self._weeks])
        mondays = np.repeat(
            np.array([monday for monday, _, _, _ in self._weeks]), [len(week[1]) for week in self._weeks]
        )
        return pa.table(
            {
                "student_id": pa.DictionaryArray.from_arrays(pa.array(pupils), pa.array(people.ids)),
                "monday": mondays,
                "hazard": np.concatenate([hazard for _, _, hazard, _ in self._weeks]),
                "leaves": np.concatenate([leaves for _, _, _, leaves in self._weeks]),
            }
        )

    def leavers(self, people: People) -> pa.Table:
        """Columns ``student_id``, ``monday``, ``day``, ``why``, ``path``, ``ramp_weeks``, ``grade``."""
        nobody = (
            np.empty(0, int),
            np.empty(0, "M8[D]"),
            np.empty(0, "M8[D]"),
            np.empty(0, "U1"),
            *[np.empty(0, int)] * 3,
        )
        parts = zip(*(self._leavers or [nobody]), strict=True)
        pupil, monday, day, why, path, ramp, grade = (np.concatenate(part) for part in parts)
        return pa.table(
            {
                "student_id": people.ids[pupil],
                "monday": monday,
                "day": day,
                "why": why,
                "path": PATHS[path],
                "ramp_weeks": ramp.astype(np.int64),
                "grade": grade.astype(np.int64),
            }
        )
