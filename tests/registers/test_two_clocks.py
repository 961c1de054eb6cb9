"""What was known on a day depends on the facts told by then, not on the order in which they came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from risk_model.lake.known import create_views
from risk_model.lake.storage import main_part
from risk_model.lake.superseding import apply, find_repeated, plan
from risk_model.registers.declared import REGISTERS

START = date(2025, 9, 1)
PART = main_part(REGISTERS["headcounts"])  # its class is an optional key: nulls are keys too


@dataclass(frozen=True)
class Fact:
    school: str
    class_id: str | None
    told_on: int
    present: int | None
    retracted: bool = False

    @property
    def key(self) -> tuple[str, str | None]:
        return self.school, self.class_id


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    con = duckdb.connect()
    for name in ("lake", "identity", "scratch"):
        con.execute(f"ATTACH ':memory:' AS {name}")
    PART.create(con)
    yield con
    con.close()


def wipe(con: duckdb.DuckDBPyConnection) -> None:
    for table in (PART.now, PART.past, PART.affirmed):
        con.execute(f"DELETE FROM {table}")


def deliver(con: duckdb.DuckDBPyConnection, facts: list[Fact], delivery: int) -> tuple[bool, set[int]]:
    """Import ``facts``; whether anything was written, and which facts (by index) said nothing new."""
    con.execute(
        "CREATE OR REPLACE TABLE scratch.facts (fact BIGINT, school_id VARCHAR, class_id VARCHAR, day DATE,"
        " present BIGINT, complete BOOLEAN, recorded_on DATE, imported_on DATE, delivery BIGINT,"
        " retracted BOOLEAN)"
    )
    for number, fact in enumerate(facts):
        told_on = START + timedelta(fact.told_on)
        present = None if fact.retracted else fact.present
        con.execute(
            "INSERT INTO scratch.facts VALUES (?, ?, ?, ?, ?, NULL, ?, ?, ?, ?)",
            [number, fact.school, fact.class_id, START, present, told_on, START, delivery, fact.retracted],
        )
    find_repeated(con, PART, "scratch.facts", "scratch.repeated")
    made = plan(con, PART, "scratch.facts", "scratch.repeated", "scratch")
    apply(con, made)
    same = {number for (number,) in con.execute(f"SELECT DISTINCT fact FROM {made.same}").fetchall()}
    return made.changes, same


def known(con: duckdb.DuckDBPyConnection, day: int) -> dict[tuple[str, str | None], int | None]:
    create_views(con, START + timedelta(day), frozenset({"headcounts", "headcounts_past"}))
    rows = con.execute("SELECT school_id, class_id, present FROM known.headcounts").fetchall()
    assert len({row[:2] for row in rows}) == len(rows), "one row per key"
    return {(school, class_id): present for school, class_id, present in rows}


def oracle(deliveries: list[list[Fact]], day: int) -> dict[tuple[str, str | None], int | None]:
    """The latest word told by ``day``; of two told on the same day, that of the later delivery."""
    words: dict[tuple[str, str | None], tuple[int, int, Fact]] = {}
    for number, facts in enumerate(deliveries):
        for fact in facts:
            if fact.told_on <= day and (fact.told_on, number) >= words.get(fact.key, (-1, -1))[:2]:
                words[fact.key] = (fact.told_on, number, fact)
    return {key: fact.present for key, (_, _, fact) in words.items() if not fact.retracted}


facts = st.builds(
    Fact,
    school=st.sampled_from(["A", "B"]),
    class_id=st.sampled_from([None, "7A"]),
    told_on=st.integers(0, 5),
    present=st.sampled_from([None, 1, 2]),
    retracted=st.sampled_from([False, False, False, True]),
)


def without_contradictions(delivery: list[Fact]) -> list[Fact]:
    """Checking rejects contradictions within a delivery, so they never come here."""
    return list({(*fact.key, fact.told_on): fact for fact in delivery}.values())


deliveries = st.lists(st.lists(facts, max_size=5).map(without_contradictions), min_size=1, max_size=4)


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(deliveries)
def test_every_past_day_is_known_as_a_plain_reading_of_all_facts_tells_it(
    con: duckdb.DuckDBPyConnection, deliveries: list[list[Fact]]
) -> None:
    wipe(con)
    for number, delivery in enumerate(deliveries):
        deliver(con, delivery, number)
    for day in range(-1, 7):
        assert known(con, day) == oracle(deliveries, day), f"on day {day}"


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(facts, max_size=7).map(without_contradictions), st.randoms(use_true_random=False))
def test_the_lake_is_the_same_whatever_the_order_of_arrival(
    con: duckdb.DuckDBPyConnection, told: list[Fact], random: object
) -> None:
    shuffled = list(told)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    states = []
    for order in (told, shuffled):
        wipe(con)
        for number, fact in enumerate(order):
            deliver(con, [fact], number)
        states.append(
            [
                con.execute(f"SELECT * EXCLUDE (delivery) FROM {table} ORDER BY ALL").fetchall()
                for table in (PART.now, PART.past, PART.affirmed)
            ]
        )
    assert states[0] == states[1]


@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(deliveries)
def test_the_last_delivery_again_writes_nothing(
    con: duckdb.DuckDBPyConnection, deliveries: list[list[Fact]]
) -> None:
    wipe(con)
    for number, delivery in enumerate(deliveries):
        deliver(con, delivery, number)
    changes, same = deliver(con, deliveries[-1], len(deliveries))
    assert not changes
    assert same == set(range(len(deliveries[-1])))


def test_a_late_row_between_does_not_hide_a_newer_affirmation(con: duckdb.DuckDBPyConnection) -> None:
    wipe(con)
    deliver(con, [Fact("A", "7A", 1, 30)], 1)
    _, same = deliver(con, [Fact("A", "7A", 9, 30)], 2)
    assert same == {0}, "the same content again is unchanged"
    deliver(con, [Fact("A", "7A", 5, 28)], 3)
    assert [known(con, day)["A", "7A"] for day in (1, 5, 8, 9)] == [30, 28, 28, 30]


def test_a_retracted_key_is_gone_until_it_is_told_again(con: duckdb.DuckDBPyConnection) -> None:
    wipe(con)
    deliver(con, [Fact("A", None, 1, 30)], 1)
    deliver(con, [Fact("A", None, 3, None, retracted=True)], 2)
    deliver(con, [Fact("A", None, 6, 31)], 3)
    assert [known(con, day).get(("A", None)) for day in (0, 1, 2, 3, 5, 6)] == [None, 30, 30, None, None, 31]


def test_what_lost_to_a_later_import_of_the_same_day_is_kept_but_in_force_on_no_day(
    con: duckdb.DuckDBPyConnection,
) -> None:
    wipe(con)
    deliver(con, [Fact("A", None, 1, 30)], 1)
    deliver(con, [Fact("A", None, 1, 31)], 2)
    assert known(con, 1) == {("A", None): 31}
    lost = con.execute(f"SELECT present, recorded_on = superseded_on FROM {PART.past}").fetchall()
    assert lost == [(30, True)]
