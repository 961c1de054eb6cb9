"""What a school's registers say day by day, all pupils together: so many present, so many absent, and how.

``school_marks(school_id, day, present, late, absent_sick, absent_leave, absent_unexcused, home_taught)``
    A row per school and day on which a class of it kept its register, over the last :data:`DAYS` days; a
    pupil without a mark was present where the headcount was complete and is else not counted. Quality rules
    stand on it; as the diaries it is made from, it is cut by ``recorded_on`` by whoever called ``known_on``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from risk_model.timeline.codes import CODE
from risk_model.timeline.diaries import Diaries

if TYPE_CHECKING:
    import duckdb

DAYS = 160
"""Calendar days looked back on: sixty school days and a summer between them."""


def put_school_marks(con: duckdb.DuckDBPyConnection, diaries: Diaries) -> None:
    """Make the temp table ``school_marks`` from the diaries and ``timeline_classes``."""
    import pyarrow as pa

    from risk_model.timeline.diary_kernels import count_school_marks

    found = con.execute(_SCHOOL_OF_CLASS).fetchnumpy()
    school_of_class = np.full(len(diaries.kept), -1, dtype=np.int32)
    school_of_class[found["class_no"]] = found["school_no"]
    schools = int(school_of_class.max(initial=-1)) + 1
    since, stays = max(0, diaries.days - DAYS), diaries.stays
    counted = count_school_marks(
        diaries.marks,
        diaries.kept,
        *(stays.begin, stays.first, stays.last, stays.class_no),
        *(school_of_class, schools, since, len(CODE) + 1),
    )
    school, at = np.nonzero(counted.any(axis=2))
    told = {
        "school_no": pa.array(school.astype(np.int32)),
        "day": pa.array(np.datetime64(diaries.since) + (at + since).astype("timedelta64[D]")),
    }
    told |= {mark: pa.array(counted[school, at, code]) for mark, code in CODE.items()}
    con.register("counted_school_marks", pa.table(told))
    con.execute(_SCHOOL_MARKS)
    con.unregister("counted_school_marks")


_SCHOOLS = """
SELECT school_id, row_number() OVER (ORDER BY school_id) - 1 AS school_no
FROM (SELECT DISTINCT school_id FROM timeline_classes)
"""

_SCHOOL_OF_CLASS = f"SELECT class_no, school_no FROM timeline_classes JOIN ({_SCHOOLS}) USING (school_id)"

_SCHOOL_MARKS = f"""
CREATE OR REPLACE TEMP TABLE school_marks AS
SELECT school_id, c.* EXCLUDE (school_no) FROM counted_school_marks c JOIN ({_SCHOOLS}) USING (school_no)
"""
