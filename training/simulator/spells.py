"""Spells at schools, each fact with the day it became known: opening and closing are two rows."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from training.simulator.people import People
from training.simulator.places import Schools

REASONS = np.array(
    ["promoted", "graduated", "transferred", "suspended", "dropped_out", "deceased", "moved_abroad", "other"]
)
PROMOTED, GRADUATED, TRANSFERRED, SUSPENDED, DROPPED_OUT, DECEASED, MOVED_ABROAD, OTHER = range(len(REASONS))
LETTERS = np.array(list("ABCDEFGH"))
_NOT_YET = np.datetime64("NaT", "D")


def class_code(school: np.ndarray, grade: np.ndarray, letter: np.ndarray) -> np.ndarray:
    """Number of a class within its township and school year."""
    return (school * 9 + grade - 1) * len(LETTERS) + letter


def class_names(codes: np.ndarray) -> np.ndarray:
    """Names of classes, unique within school and year.

    >>> class_names(class_code(np.array([2]), np.array([7]), np.array([1]))).tolist()
    ['7B']
    """
    grade = codes // len(LETTERS) % 9 + 1
    return np.char.add(grade.astype(str), LETTERS[codes % len(LETTERS)])


def school_of_class(codes: np.ndarray) -> np.ndarray:
    """Index of the school of each class."""
    return codes // (9 * len(LETTERS))


def days_until_recorded(random: np.random.Generator, count: int) -> np.ndarray:
    """Lag of an exit: about 15 % are still unrecorded after 14 days."""
    return np.minimum(random.exponential(8.0, count).astype(int) + 1, 90)


@dataclass
class SpellBook:
    """All spells of a township, in the order they were opened."""

    _opened: list[tuple[np.ndarray, ...]] = field(default_factory=list)
    _closed: list[tuple[np.ndarray, ...]] = field(default_factory=list)
    _known: np.ndarray = field(default_factory=lambda: np.empty(0, "M8[D]"))
    """Day of the latest fact of each spell."""

    def open(
        self,
        pupil: np.ndarray,
        code: np.ndarray,
        boards: np.ndarray,
        started: np.ndarray,
        recorded: np.ndarray,
    ) -> np.ndarray:
        """Open a spell for each of ``pupil`` in class ``code``; answers the numbers of the spells."""
        self._opened.append((pupil, code, boards, started, recorded))
        self._known = np.append(self._known, recorded)
        return np.arange(len(self._known) - len(pupil), len(self._known))

    def close(
        self, spell: np.ndarray, ended: np.ndarray, reason: np.ndarray, recorded: np.ndarray
    ) -> np.ndarray:
        """Close spells, or close them differently; answers when this became known, after their last fact."""
        known = np.maximum(recorded, self._known[spell] + 1)
        self._known[spell] = known
        self._closed.append((spell, ended, reason, known))
        return known

    def table(self, people: People, schools: Schools) -> pa.Table:
        """The ``enrolments`` register, in the order in which the facts became known."""
        pupil, code, boards, started, recorded = (
            np.concatenate(part) for part in zip(*self._opened, strict=True)
        )
        opened = np.arange(len(pupil))
        spell, ended, reason, known = (
            (np.concatenate(part) for part in zip(*self._closed, strict=True))
            if (self._closed)
            else (np.empty(0, int), np.empty(0, "M8[D]"), np.empty(0, int), np.empty(0, "M8[D]"))
        )
        which = np.concatenate([opened, spell])
        days = np.concatenate([recorded, known])
        ends = np.concatenate([np.full(len(opened), _NOT_YET), ended])
        why = np.concatenate([np.zeros(len(opened), int), reason])
        order = np.argsort(days, kind="stable")
        which, days, ends, why = which[order], days[order], ends[order], why[order]
        return pa.table(
            {
                "student_id": people.ids[pupil[which]],
                "school_id": schools.ids[school_of_class(code[which])],
                "started_on": started[which],
                "class_id": class_names(code[which]),
                "grade": (code[which] // len(LETTERS) % 9 + 1).astype(np.int64),
                "ended_on": pa.array(ends),
                "end_reason": pa.array(REASONS[why], mask=np.isnat(ends)),
                "boarding": boards[which],
                "recorded_on": days,
            }
        )
