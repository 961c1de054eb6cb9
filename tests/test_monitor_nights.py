"""Thirty nights of a real home, a fault planted in what it is sent: its cause is told in time, not before."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from risk_model.home import Home
from tests.county import simulate
from tests.planted_home import Fault, PlayedHome, alarms, played_home

pytestmark = [pytest.mark.slow, pytest.mark.timeout(7200)]

CLEAN, NIGHTS = 22, 30
PUPILS = 1500


def _model_replaced(home: Home) -> None:
    for part in home.bundles.rglob("calibrator.json"):
        part.chmod(0o600)
        part.write_bytes(part.read_bytes().replace(b"1", b"2", 1))


LARGEST = """(select school_id from enrolments where ended_on is null
    group by school_id order by count(*) desc, school_id limit 1)"""
LATEST_EXAM = "(select max(assessed_on) from results where recorded_on <= '{day}')"
NOW = """(from travel where recorded_on <= '{day}'
    qualify row_number() over (partition by student_id order by recorded_on desc) = 1)"""
STAY = "(from enrolments where ended_on is null and recorded_on <= '{day}')"


@dataclass(frozen=True)
class Planted:
    """A fault, and which cause must be told how soon."""

    name: str
    fault: Fault
    cause: str
    within: int
    codes: tuple[str, ...]


TABLE = [
    Planted(
        "a school stops sending",
        Fault({"attendance": f"from {{new}} where school_id is null or school_id <> {LARGEST}"}),
        "registers", 4, ("silent_schools", "held_back"),
    ),
    Planted(
        "sick marks become unexcused",
        Fault({"attendance": "select * replace (case mark when 'absent_sick' then 'absent_unexcused' "
                             "else mark end as mark) from {new}"}),
        "recoded", 7, ("recoded",),
    ),
    Planted(
        "marks rescaled to 150",
        Fault(once={"results": "select * replace ((score::double * 1.5)::varchar as score, "
                               "'150' as max_score, '{day}' as recorded_on, '{day}' as assessed_on) "
                               f"from results where assessed_on = {LATEST_EXAM}"}),
        "scale", 1, ("marks_scale",),
    ),
    Planted(
        "all-null column",
        Fault(once={"travel": f"select * replace (null as minutes, '{{day}}' as recorded_on, "
                              f"'{{day}}' as observed_on) from {NOW}"}),
        "nulls", 1, ("dead_column",),
    ),
    Planted(
        "shifted distance",
        Fault(once={"travel": f"select * replace ((distance_km::double + 5)::varchar as distance_km, "
                              f"'{{day}}' as recorded_on, '{{day}}' as observed_on) from {NOW}"}),
        "inputs:distance", 3, ("column_drift",),
    ),
    Planted(
        "new county",
        Fault(once={"schools": f"select * replace ('K9' as county_id, '{{day}}' as recorded_on) from schools "
                               f"where school_id = {LARGEST} limit 1"}),
        "cohort", 1, ("new_county",),
    ),
    Planted(
        "a holiday nobody told of",
        Fault({"attendance": "from {new} where false"}),
        "registers", 4, ("late_register", "silent_schools"),
    ),
    Planted("model file replaced", Fault(after_score=_model_replaced), "model", 1, ("model_altered",)),
    Planted(
        "half the labels late",
        Fault(once={"enrolments": "select * replace (('{day}'::date - 70)::varchar as ended_on, "
                                  "'dropped_out' as end_reason, '{day}' as recorded_on) "
                                  f"from {STAY} where started_on < '2025-12-01' "
                                  "and hash(student_id) % 20 = 0"}),
        "labels", 1, ("labels_late",),
    ),
]  # fmt: skip
QUICK = {"all-null column", "model file replaced", "new county"}


@pytest.fixture(scope="module")
def begun(tmp_path_factory) -> PlayedHome:
    folder = tmp_path_factory.mktemp("nights")
    registers = simulate(folder / "registers", students=PUPILS, years=3, preset="county")
    return played_home(folder, registers)


@pytest.fixture(scope="module")
def watched(begun: PlayedHome, tmp_path_factory) -> PlayedHome:
    """After the clean nights."""
    played = begun.copy(tmp_path_factory.mktemp("watched") / "home")
    for _ in range(CLEAN):
        played.play()
    return played


def found_on(played: PlayedHome, planted: Planted) -> int | None:
    """The how manieth night of the fault tells its cause; none if none does in time."""
    for number in range(1, planted.within + 1):
        told = alarms(played.play(planted.fault, first=number == 1))
        codes = {key.partition(":")[0] for key, cause in told.items() if cause == planted.cause}
        if codes & set(planted.codes):
            return number
    return None


@pytest.mark.parametrize("planted", [one for one in TABLE if one.name in QUICK], ids=lambda one: one.name)
def test_a_fault_in_a_real_home_is_found_on_its_first_night(begun: PlayedHome, planted: Planted, tmp_path):
    played = begun.copy(tmp_path / "home")
    before = alarms(played.play())
    assert planted.cause not in before.values(), before
    assert found_on(played, planted) == 1, alarms(played.nights[-1])


@pytest.mark.soak
def test_no_clean_night_of_a_real_home_alarms(watched: PlayedHome):
    assert {night["as_of"]: alarms(night) for night in watched.nights if alarms(night)} == {}


@pytest.mark.soak
@pytest.mark.parametrize("planted", TABLE, ids=lambda one: one.name)
def test_a_fault_on_the_twenty_third_of_thirty_nights_is_found_in_time_and_not_before(
    watched: PlayedHome, planted: Planted, tmp_path
):
    assert planted.within <= NIGHTS - CLEAN
    assert all(planted.cause not in alarms(night).values() for night in watched.nights)
    played = watched.copy(tmp_path / "home")
    assert found_on(played, planted) is not None, [alarms(night) for night in played.nights[CLEAN:]]
