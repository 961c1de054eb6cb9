"""Features do not depend on threads, on the order of rows, on absent registers or on forbidden columns."""

from __future__ import annotations

import random

import duckdb
import numpy as np
import pandas as pd
import pytest

from risk_model.features.compute import compute_features
from risk_model.features.declared import FEATURE_NAMES, FEATURES
from risk_model.features.feature import FEWEST_CLASSMATES
from risk_model.registers.declared import REGISTERS
from risk_model.settings import Settings
from tests.known_registers import Row, make_known
from tests.town import CLASS_7A, DAY, town

Registers = dict[str, list[Row]]


def features(registers: Registers, *, threads: int = 2, settings: Settings | None = None) -> pd.DataFrame:
    with duckdb.connect(config={"threads": threads}) as con:
        make_known(con, **registers)
        return compute_features(con, DAY, settings or Settings()).set_index("student_id")


def bits(frame: pd.DataFrame) -> bytes:
    """Identifiers, status and the raw bytes of every feature."""
    people = "|".join(f"{pupil}:{status}" for pupil, status in frame["status"].items())
    return people.encode() + frame[list(FEATURE_NAMES)].to_numpy(dtype=np.float64).tobytes()


def scattered_town(seed: int = 7) -> Registers:
    """The town with scores, ways and coordinates that no binary fraction hits."""
    chance, registers = random.Random(seed), town()
    for row in registers["results"]:
        row["score"] = None if row.get("sat") is False else round(chance.uniform(1, 99), 3)
        row["max_score"] = 99.9
    for row in registers["travel"]:
        row["distance_km"] = chance.uniform(0.1, 20)
    for row in registers["students"]:
        row["home_latitude"], row["home_longitude"] = chance.uniform(26, 27), chance.uniform(104, 105)
    return registers


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_threads_and_the_order_of_rows_change_no_bit(seed):
    registers = scattered_town()
    expected = bits(features(registers, threads=1))
    for rows in registers.values():
        random.Random(seed).shuffle(rows)
    assert bits(features(registers, threads=4)) == expected


def test_computing_twice_on_one_connection_gives_the_same_bits():
    with duckdb.connect() as con:
        make_known(con, **town())
        first = compute_features(con, DAY, Settings())
        again = compute_features(con, DAY, Settings())
    pd.testing.assert_frame_equal(first, again, check_exact=True)


@pytest.mark.parametrize("register", sorted(set(town()) - {"enrolments"}))
def test_without_a_register_its_features_are_null_and_the_others_work(register):
    whole, without = features(town()), features({**town(), register: []})
    scored = without[without["status"] == "scored"]
    assert len(scored) > 0
    for feature in FEATURES:
        if register in feature.needs:
            assert scored[feature.name].isna().all(), feature.name
    told = {feature.family for feature in FEATURES if scored[feature.name].notna().any()}
    assert told >= {"family", "distance", "time"} - ({"family"} if register == "enrolments" else set())
    assert set(without.index) == set(whole.index)


def test_without_any_register_but_enrolments_everybody_still_has_a_row():
    frame = features({"enrolments": town()["enrolments"]})
    assert len(frame) >= len(CLASS_7A)
    assert frame.loc["lan", "grade_level"] == 7
    assert frame.loc["lan", "repeated_grades"] == 1
    assert np.isnan(frame.loc["lan", "absence_30"])


def test_without_a_calendar_school_days_come_from_the_marks():
    frame = features({**town(), "calendar": []})
    assert frame.loc["lan", "absence_7"] == 4 / 6
    assert np.isnan(frame.loc["lan", "school_days_ahead"])


def test_a_county_that_delivers_no_aid_register_has_no_aid_gap():
    registers = town()
    elsewhere = {"student_id": "far", "school_id": "X", "grade": 7, "started_on": "2025-09-01"}
    registers["enrolments"].append(elsewhere)
    registers["aid"] = [{"student_id": "far", "programme": "meals", "granted_on": "2025-09-01"}]
    assert np.isnan(features(registers).loc["lan", "aid_gap"])


def test_who_is_entitled_to_aid_is_a_rule_of_the_configuration():
    nobody = Settings.model_validate({"aid": {"entitled_poverty": ["lifted"]}})
    frame = features(town(), settings=nobody)
    assert frame.loc["lan", "aid_gap"] == 0
    assert frame.loc["c01", "aid_gap"] == 1


def test_no_column_declared_off_limits_changes_a_feature():
    """Sex, ethnicity, disability and every other non-predictor: other values, the same bits."""
    expected, registers, changed = bits(features(town())), town(), 0
    values = {"VARCHAR": "F", "BIGINT": 3, "DOUBLE": 1.5, "BOOLEAN": True, "DATE": "2012-01-01"}
    for name, rows in registers.items():
        columns = [c for c in REGISTERS[name].known if not (c.predictor or c.key or c.name in LINKS)]
        for row in rows:
            row |= {column.name: values[column.kind.value] for column in columns}
        changed += len(columns)
    assert changed >= 8
    assert bits(features(registers)) == expected


LINKS = {"school_id", "county_id", "township_id", "class_id", "placement"}
"""Links between rows; and ``placement``, which decides who is scored at all but no feature."""


def test_pupils_without_a_score_have_no_features():
    registers = town()
    next(row for row in registers["students"] if row["student_id"] == "ming")["placement"] = "home_teaching"
    frame = features(registers)
    assert frame.loc["ming", "status"] == "home_teaching"
    assert frame.loc["ming", list(FEATURE_NAMES)].isna().all()


def test_a_school_that_sends_only_absences_is_present_where_the_headcount_is_complete():
    registers = town()
    registers["attendance"] = [row for row in registers["attendance"] if row["mark"] != "present"]
    days = sorted({row["day"] for row in town()["attendance"] if row["student_id"] in ("ming", "lan")})
    registers["headcounts"] = [{"school_id": "A", "day": day, "complete": True} for day in days]
    frame = features(registers)
    # Lan's day without a mark now counts as present: 4 of 7 instead of 4 of 6, and the streak is three.
    assert frame.loc["lan", "absence_7"] == 4 / 7
    assert frame.loc["lan", "absence_current"] == 3
    assert frame.loc["ming", "absence_30"] == 0


@pytest.mark.parametrize("others", [FEWEST_CLASSMATES - 1, FEWEST_CLASSMATES])
def test_a_class_is_compared_with_only_from_ten_classmates_on(others):
    registers = town()
    gone = set(CLASS_7A[1 + others :])
    for name in ("enrolments", "attendance", "results"):
        registers[name] = [row for row in registers[name] if row["student_id"] not in gone]
    frame = features(registers)
    enough = others >= FEWEST_CLASSMATES
    assert pd.notna(frame.loc["lan", "absence_30_over_class"]) == enough
    assert pd.notna(frame.loc["lan", "class_percentile"]) == enough


def test_a_streak_goes_on_over_the_change_of_class_in_summer():
    registers = town()
    for row in registers["attendance"]:
        if row["student_id"] == "c10" and str(row["day"]) in ("2025-06-27", "2025-06-30", "2025-09-01"):
            row["mark"] = "absent_sick"
    assert features(registers).loc["c10", "absence_longest"] == 3
