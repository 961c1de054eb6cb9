"""What the lake's change feed tells since a state was made, as temp tables of the reader's connection.

``state_touched(student_id, day)``
    Marks told, corrected or taken back, from the first month on; some more than once.
``state_seen(student_id)``
    Pupils of whom a spell, the county of a school they had one at, or the identifier may have changed, and
    those who have their first mark.
``state_examined(student_id, half)``
    Pupils and half-years of exams told, corrected or taken back, and all those of pupils seen first.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from risk_model.state.exams import put_examined
from risk_model.state.storage import STATE, MadeFrom, committed

if TYPE_CHECKING:
    from risk_model.lake.reading import Lake

STOOD_ON = ("attendance", "enrolments", "schools", "results")
"""Registers a state is made from."""


def feed_is_whole(lake: Lake, made: MadeFrom) -> bool:
    """Whether the lake can tell all that changed since: it still has that very snapshot and the next.

    Snapshots between these and tonight's may be let go; files in force at either end stay, and so the
    feed does.
    """
    if committed(lake, made.lake_snapshot) != made.committed:
        return False
    following = made.lake_snapshot + 1
    return following == lake.snapshot + 1 or (
        following <= lake.snapshot and committed(lake, following) is not None
    )


def put_news(lake: Lake, since: int, first_month: date) -> None:
    """Make the tables of this module from what came after the snapshot ``since``."""
    con = lake.con
    schools = _changed(lake, since, "schools", "school_id")
    con.execute(f"CREATE OR REPLACE TEMP TABLE state_schools AS SELECT DISTINCT school_id FROM ({schools})")
    seen = _changed(lake, since, "enrolments", "student_id")
    for table in ("student_aliases", "student_aliases_past"):
        for column in ("old_student_id", "student_id"):
            seen += f" UNION ALL {_changed(lake, since, table, column)}"
    con.execute(
        "CREATE OR REPLACE TEMP TABLE state_seen AS"
        f" SELECT DISTINCT student_id FROM ({seen}) WHERE student_id IS NOT NULL"
    )
    if con.execute("SELECT 1 FROM state_schools LIMIT 1").fetchall():
        con.execute(
            "INSERT INTO state_seen SELECT DISTINCT student_id FROM lake.enrolments"
            " SEMI JOIN state_schools USING (school_id) ANTI JOIN state_seen USING (student_id)"
        )
    marks = _changed(lake, since, "attendance", "student_id, day")
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE state_touched AS SELECT student_id, day FROM ({marks}) WHERE day >= ?",
        [first_month],
    )
    con.execute(
        "INSERT INTO state_seen SELECT DISTINCT student_id FROM state_touched"
        f" ANTI JOIN {STATE}.pupils USING (student_id) ANTI JOIN state_seen USING (student_id)"
    )
    put_examined(lake, _changed(lake, since, "results", "student_id, assessed_on"))


def known_through(lake: Lake, made: MadeFrom | None) -> date | None:
    """Latest day a row the state stands on was recorded, superseded and retracted ones included."""
    tables = [f"{name}{past}" for name in STOOD_ON for past in ("", "_past")]
    rows = {
        table: _inserted(lake, made.lake_snapshot, table, "recorded_on")
        if made
        else f"SELECT recorded_on FROM lake.{table}"
        for table in tables
    }
    days = " UNION ALL ".join(f"SELECT max(recorded_on) AS day FROM ({sql})" for sql in rows.values())
    found: date | None = lake.con.execute(f"SELECT max(day) FROM ({days})").fetchall()[0][0]
    if made is None or found is None:
        return found or (made.known_through if made else None)
    return max(found, made.known_through)


def _changed(lake: Lake, since: int, table: str, columns: str) -> str:
    told, gone = (_feed(lake, since, table, columns, kind) for kind in ("insertions", "deletions"))
    return f"{told} UNION ALL {gone}"


def _inserted(lake: Lake, since: int, table: str, columns: str) -> str:
    return _feed(lake, since, table, columns, "insertions")


def _feed(lake: Lake, since: int, table: str, columns: str, kind: str) -> str:
    span = f"{since + 1}, {lake.snapshot}"
    return f"SELECT {columns} FROM ducklake_table_{kind}('lake', 'main', '{table}', {span})"
