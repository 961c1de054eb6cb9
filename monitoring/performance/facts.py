"""Has anything changed in what a cohort's labels were made from? Then it is judged again."""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from monitoring.performance.outcomes import LOOKBACK

if TYPE_CHECKING:
    from risk_model.lake.reading import Lake

# The registers labels are made from, cut to the window. A sum of hashes notices late rows, corrections and
# rows taken back alike; which of them does not matter here.
_WINDOWS = {
    "enrolments": (
        "student_id, school_id, started_on, ended_on, end_reason",
        "started_on <= $until and coalesce(ended_on, $since) >= $since",
    ),
    "attendance": ("student_id, day, mark", "day between $since and $until"),
    "headcounts": ("school_id, class_id, day, present, complete", "day between $since and $until"),
    "care": ("student_id, care_id, day, kind", "day between $since and $until"),
    "calendar": ("day, county_id, school_id, school_day", "day between $since and $until"),
}


def facts_of_window(lake: Lake, as_of: date, days: int, today: date) -> dict[str, str]:
    """For each register that labels of ``as_of`` need, what it says of the window, as one number (hex).

    The same number means the same rows, whatever was imported meanwhile. Cuts the lake by ``today``.
    """
    lake.known_on(today)
    window = {"since": as_of - LOOKBACK, "until": as_of + timedelta(days=days)}
    there = lake.registers()
    return {
        register: _told(lake, register, *asked, window)
        for register, asked in _WINDOWS.items()
        if register in there
    }


def _told(lake: Lake, register: str, columns: str, where: str, window: dict[str, date]) -> str:
    (rows, mixed), *_ = lake.con.execute(
        f"select count(*), coalesce(bit_xor(hash({columns})), 0) from known.{register} where {where}", window
    ).fetchall()
    return f"{rows}:{mixed:x}"
