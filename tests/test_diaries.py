"""The diaries say day by day what the timeline's rows say: one of them serves labels, the other features."""

from __future__ import annotations

import subprocess
import sys
from datetime import date, timedelta

import numpy as np
import pytest

from risk_model.timeline import build_diaries, build_timeline
from risk_model.timeline.codes import CODE, COMPLETE, NOT_KEPT
from risk_model.timeline.diaries import Diaries
from tests.small_county import SmallCounty, rows_of, weekdays

FIRST, LAST = date(2025, 9, 1), date(2025, 10, 31)
DAYS = weekdays(FIRST, LAST)
SINCE = FIRST - timedelta(days=20)
MARKS = (*CODE, None)


def random_county(seed: int) -> SmallCounty:
    """Three classes at two schools; gaps, headcounts, pupils who move between classes, schools and days."""
    dice = np.random.default_rng(seed)
    county = SmallCounty()
    county.school("A")
    county.school("B")
    classes = ("A:7A", "A:7B", "B:7A")
    for number in range(14):
        pupil, at = f"p{number:02}", classes[int(dice.integers(3))]
        started = FIRST + timedelta(days=int(dice.integers(0, 30)) - 10)
        county.enrol(pupil, at=at, since=started, recorded_on=FIRST - timedelta(days=30))
        if dice.random() < 0.3:
            county.close(pupil, started + timedelta(days=int(dice.integers(1, 40))), "transferred")
        if dice.random() < 0.4:
            moved = started + timedelta(days=int(dice.integers(3, 30)))
            county.enrol(pupil, at=classes[int(dice.integers(3))], since=moved, recorded_on=moved)
        for day in DAYS:
            mark = MARKS[int(dice.choice(len(MARKS), p=(0.5, 0.05, 0.08, 0.05, 0.12, 0.02, 0.18)))]
            if mark:
                county.marks([pupil], [day], mark)
    county.headcounts("A:7A", DAYS[::7])
    return county


def said_by(diaries: Diaries, con) -> set[tuple[str, str, date, str | None]]:
    """Pupil, class, day and mark of each kept day, read out of the matrices."""
    names = dict(rows_of(con, "SELECT student_no, student_id FROM timeline_pupils"))
    keys = dict(rows_of(con, "SELECT class_no, class_key FROM timeline_classes"))
    of_code = {code: mark for mark, code in CODE.items()}
    said, stays = set(), diaries.stays
    for pupil in names:
        for stay in range(stays.begin[pupil], stays.begin[pupil + 1]):
            for at in range(stays.first[stay], stays.last[stay] + 1):
                what, code = diaries.kept[stays.class_no[stay], at], int(diaries.marks[pupil, at])
                if what != NOT_KEPT:
                    mark = of_code.get(code, "present" if what == COMPLETE else None)
                    day = diaries.since + timedelta(days=at)
                    said.add((names[pupil], keys[int(stays.class_no[stay])], day, mark))
    return said


@pytest.mark.parametrize("seed", range(6))
def test_diaries_and_rows_say_the_same(seed: int):
    con = random_county(seed).known_on(LAST)
    build_timeline(con, LAST, since=SINCE)
    rows = set(rows_of(con, "SELECT student_id, class_key, day, mark FROM pupil_days"))
    classes = rows_of(con, "SELECT * FROM class_days ORDER BY ALL")
    diaries = build_diaries(con, LAST, since=SINCE)
    assert rows_of(con, "SELECT * FROM class_days ORDER BY ALL") == classes
    assert said_by(diaries, con) == rows
    assert len(rows) > 100


def test_where_nothing_may_be_written_the_loops_are_compiled_all_the_same():
    """A read-only installation of a user without a home: slower to start, never an error."""
    code = (
        "import numba.core.caching as caching\n"
        "def nowhere(*_): raise RuntimeError('no locator available')\n"
        "caching.CacheImpl.__init__ = nowhere\n"
        "from risk_model.features import exam_kernels, mark_kernels, nearest_kernel\n"
        "import numpy as np\n"
        "here, ends = np.array([[1.0, 0.0, 0.0]]), np.array([0, 1])\n"
        "print(nearest_kernel.nearest_points(here, np.array([0]), here, ends)[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.stdout.strip() == "0", done.stderr
