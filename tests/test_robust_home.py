"""Registers as they really come, through the real commands: something is always missing, new or closed."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from tests.county import Answer, dropout_risk, part_of, simulate

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

TONIGHT = date(2025, 11, 14)
LATER = TONIGHT + timedelta(days=14)
JOINED = LATER - timedelta(days=1)
"""Two days of history, counting tonight's."""
STATUSES = {"scored", "absent_long", "home_teaching", "no_register", "between_spells"}
OPTIONAL = (
    "schools", "students", "attendance", "results", "families", "travel", "aid", "calendar", "staff",
)  # fmt: skip


def run(home: Path, *arguments: str, codes: tuple[int, ...] = (0, 6), as_json: bool = True) -> Answer:
    answer = dropout_risk(home, *arguments, as_json=as_json)
    assert answer.code in codes, answer.stderr
    return answer


@pytest.fixture(scope="module")
def hamlet(tmp_path_factory) -> Path:
    return simulate(tmp_path_factory.mktemp("hamlet") / "registers", students=100, years=1)


def without(registers: Path, folder: Path, *names: str) -> Path:
    """The delivery without some of its registers."""
    folder.mkdir()
    for file in registers.glob("*.csv"):
        if file.name.split("_2")[0].split(".")[0] not in names:
            (folder / file.name).symlink_to(file)
    return folder


EVERY_TIME = ("attendance", "families", "all of them but enrolments")
"""Six commands each; the others are tried by ``make soak``."""
VARIANTS = [
    *EVERY_TIME,
    *(pytest.param(name, marks=pytest.mark.soak) for name in OPTIONAL if name not in EVERY_TIME),
]


@pytest.mark.parametrize("register", VARIANTS)
def test_without_a_register_there_are_still_a_model_and_a_list_and_both_say_how_little_they_rest_on(
    hamlet, register, tmp_path
):
    absent = OPTIONAL if register not in OPTIONAL else (register,)
    home = tmp_path / "home"
    run(home, "import", str(without(hamlet, tmp_path / "delivery", *absent, "assignments")))
    trained = run(home, "train").document
    assert trained["kind"] == "logistic"
    labels = trained["labels"]["pupils"]
    ground = f"{labels['left']} of {labels['labelled']} labelled pupils left"
    assert trained["why"].startswith(ground if labels["labelled"] else "No pupil has a label yet")
    assert "the school's rule is used" in trained["why"]
    assert trained["why"].endswith("and the list says so.")
    assert {entry["what"] for entry in trained["not_done"]} >= {"backtest"}
    shown = run(home, "models", "show", trained["version"]).document
    assert set(absent) <= set(shown["manifest"]["absent_registers"])
    score = run(home, "score").document
    assert score["students"] > 40
    assert score["model_ground"] == labels
    rows = run(home, "lists", "--all").document
    assert all(0 < row["risk"] < 1 for row in rows if row["status"] == "scored")
    text = run(home, "lists", as_json=False).stdout.replace("\n", " ")
    assert "Made by the school's own rule" in text
    assert f"{labels['left']} of {labels['labelled']} pupils with a label had left" in text


@pytest.fixture(scope="module")
def county(tmp_path_factory) -> tuple[Path, Path, dict[str, Any]]:
    """A county with trees of its own and a register of care: its home, its registers, what ``train`` said."""
    folder = tmp_path_factory.mktemp("robust")
    registers = simulate(folder / "registers", students=1500, years=3)
    first = part_of(registers, folder / "first", until=TONIGHT)
    care_for_some(first)
    home = folder / "home"
    run(home, "import", str(first))
    trained = run(home, "train", "--snapshots", "every:45d", "--promote", "force").document
    return home, registers, trained


def care_for_some(delivery: Path) -> None:
    """Every fifth pupil has a case each school year, opened on 20 October and closed on 20 May."""
    with duckdb.connect() as con:
        con.read_csv(str(delivery / "students.csv"), header=True, all_varchar=True).create("pupils")
        con.sql("""
            SELECT student_id, 'K' || y AS care_id, make_date(y + later, m, 20) AS day, kind,
                make_date(y + later, m, 21) AS recorded_on
            FROM pupils, range(2023, 2025) AS years(y),
                (VALUES (0, 10, 'opened'), (1, 5, 'closed')) AS steps(later, m, kind)
            WHERE hash(student_id) % 5 = 0 AND recorded_on::DATE < make_date(y, 10, 1)
        """).write_csv(str(delivery / "care.csv"), header=True)


def test_care_affected_rows_are_counted_reported_apart_and_on_the_card(county):
    home, _, trained = county
    assert trained["kind"] == "lightgbm"
    labelled = trained["labels"]["positive"] + trained["labels"]["negative"]
    assert 0.02 * labelled < trained["labels"]["care_affected"] < 0.25 * labelled
    care = trained["care"]
    assert care["weight"] == 1.0
    assert 0 <= care["listed_stayed_affected"] <= care["listed_stayed"]
    groups = trained["pooled"]["groups"]["care"]
    assert sum(one["students"] for one in groups.values()) == care["rows"]
    assert groups["affected"]["students"] == care["affected"] > 0
    card = run(home, "models", "card", trained["version"], as_json=False).stdout
    assert f"{trained['labels']['care_affected']:,} of these rows were care-affected" in card
    assert "a helped pupil who stays is no false alarm" in card
    shown = run(home, "models", "show", trained["version"], as_json=False).stdout
    assert "labelled rows were care-affected and counted for 1 each" in shown


def test_what_no_training_ever_saw_is_scored_all_the_same(county, tmp_path):
    """A school of another county and a grade never seen, a new subject, a new programme, marks out of 150, a
    school that has closed, and pupils of two days."""
    home, registers, _ = county
    news = part_of(registers, tmp_path / "news", after=TONIGHT, until=LATER)
    school, elder = add_the_unseen(news, registers.parent / "first")
    answer = run(home, "import", str(news), "--max-rejected", "0.5").document
    assert answer["tables"]["travel"]["rejected"] == 1
    score = run(home, "score", "--as-of", LATER.isoformat()).document
    rows = {row["student_id"]: row for row in run(home, "lists", "--all").document}
    assert {row["status"] for row in rows.values()} <= STATUSES
    assert all(0 < row["risk"] < 1 for row in rows.values() if row["status"] == "scored")
    assert len(rows) == score["students"]
    new = [rows[f"NEW{number:02d}"] for number in range(20)]
    assert {row["school_id"] for row in new} == {school, "SENIOR"}
    assert {row["status"] for row in new} == {"scored"}
    two_days = sorted(row["rank_in_school"] for row in new if row["school_id"] == school)
    peers = sum(row["school_id"] == school and row["risk"] is not None for row in rows.values())
    assert two_days[len(two_days) // 2] > 0.05 * peers, "being new alone is no reason to head the list"
    assert rows[elder]["school_id"] == school, "a closed school's pupil is listed where he went"


def add_the_unseen(news: Path, first: Path) -> tuple[str, str]:
    """New rows beside the ordinary ones; answers a school of the county and the pupil who moved there."""
    ordinary = "ended_on IS NULL AND started_on = '2025-09-01' AND grade IN ('4', '5') ORDER BY school_id"
    spells = rows_of(first / "enrolments.csv", ordinary)
    here, elder = spells[0], spells[-1]
    assert here["school_id"] != elder["school_id"]
    today = JOINED.isoformat()
    new = [f"NEW{number:02d}" for number in range(20)]
    places = [here if number < 12 else {**here, "school_id": "SENIOR", "grade": "10", "class_id": "10A"}
              for number in range(20)]  # fmt: skip
    closed = rows_of(first / "schools.csv", f"school_id = '{elder['school_id']}'")[0]
    fresh = {"started_on": today, "recorded_on": today}
    add(news, "schools", [
        {**closed, "closed_on": today, "recorded_on": today},
        {**closed, "school_id": "SENIOR", "county_id": "999999", "stage": "senior", "recorded_on": today},
    ])  # fmt: skip
    add(news, "students", [{"student_id": one, "name": one, "recorded_on": today} for one in new])
    add(news, "enrolments", [
        *({**place, **fresh, "student_id": one} for one, place in zip(new, places, strict=True)),
        {**elder, "ended_on": today, "end_reason": "transferred", "recorded_on": today},
        {**elder, **fresh, "school_id": here["school_id"], "class_id": here["class_id"]},
    ])  # fmt: skip
    days = (JOINED.isoformat(), LATER.isoformat())
    present = {"mark": "present"}
    add(news, "attendance_2025-11", [
        {**present, "student_id": one, "day": day, "recorded_on": day, "school_id": place["school_id"]}
        for one, place in zip(new, places, strict=True) for day in days
    ])  # fmt: skip
    add(news, "results", [
        {"student_id": one, "subject": "robotics", "assessed_on": today, "score": "140", "max_score": "150",
         "recorded_on": today} for one in (new[0], elder["student_id"])
    ])  # fmt: skip
    add(news, "aid", [{"student_id": new[0], "programme": "tablet", "granted_on": today,
                       "recorded_on": today}])  # fmt: skip
    add(news, "travel", [
        {"student_id": one, "observed_on": today, "mode": mode, "recorded_on": today}
        for one, mode in ((new[1], "boat"), (new[2], "bus"))
    ])  # fmt: skip
    return here["school_id"], elder["student_id"]


def rows_of(file: Path, condition: str) -> list[dict[str, Any]]:
    with duckdb.connect() as con:
        rows = con.read_csv(str(file), header=True, all_varchar=True).filter("true")
        return rows.query("t", f"SELECT * FROM t WHERE {condition}").df().to_dict("records")


def add(delivery: Path, name: str, rows: list[dict[str, Any]]) -> None:
    """Append rows to a file of the delivery, which may not be there yet."""
    file, added = delivery / f"{name}.csv", pd.DataFrame(rows, dtype="object")
    there = pd.read_csv(file, dtype="object") if file.exists() else None
    (added if there is None else pd.concat([there, added])).to_csv(file, index=False)
