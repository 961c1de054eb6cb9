"""Rows of made-up runs like real ones, for tests and benchmarks of publication alone."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

from risk_model.explanation.packing import pack_status
from serving.publication import COLUMNS, Row, RunKey

REASONS = (
    '[["absence_14",1.3125,0.21,0.04],["failed_core_latest",0.8125,2.0,0.4],'
    '["travel_km",0.40625,8.7,3.1],["restricted",0.25,"family"]]'
)


def run_key(day: date, snapshot: int = 1) -> RunKey:
    return RunKey(day, "3", "D", snapshot, "S")


def made_up_run(
    schools: int, pupils: int, seed: int = 1, silent: tuple[str, ...] = ()
) -> tuple[list[Row], list[dict[str, Any]]]:
    """Rows and schools to stage: ``pupils`` in each of ``schools``, those of ``silent`` held back."""
    dice = random.Random(seed)
    rows: list[Row] = []
    entries = []
    for number in range(schools):
        school = f"52012{number:05d}"
        rows += [_row(school, pupil, dice) for pupil in range(pupils)]
        entries.append(
            {
                "school_id": school,
                "county_id": f"5201{number % 20:02d}",
                "township_id": f"5201{number % 20:02d}{number % 7:03d}",
                "province_id": "52",
                "name": f"School {number}",
                "pupils": pupils,
                "held_back": "It kept no register." if school in silent else None,
            }
        )
    return rows, entries


def _row(school: str, pupil: int, dice: random.Random) -> Row:
    class_id = f"{7 + pupil // 200}{'ABCDE'[pupil // 40 % 5]}"
    away = dice.random() < 0.01
    row = {
        "school_id": school,
        "student_id": f"G{school}{pupil:06d}",
        "class_id": class_id,
        "class_key": f"{school}:{class_id}:2025",
        "grade": 7 + pupil // 200,
        "status": "absent_long" if away else "scored",
        "risk": None if away else dice.random(),
        "rank": None if away else dice.randrange(60_000),
        "rank_in_school": None if away else pupil,
        "rank_in_class": None if away else pupil % 40,
        "listed": away or dice.random() < 0.05,
        "reasons": pack_status("absent_long") if away else REASONS,
    }
    return tuple(row[name] for name in COLUMNS)
