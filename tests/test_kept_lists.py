"""Lists kept in memory: the same as those made anew, by publication; who sees whom is asked every time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, select

from risk_model.errors import UsageError
from serving.database import open_database
from serving.kept_lists import KeptLists
from serving.lists import Asked, published_page
from serving.tables import Score
from serving.units import parse_unit
from tests.databases import each_database  # noqa: F401
from tests.nights import MONDAY, CountyOffice, county_office, county_office_with_archive  # noqa: F401

TUESDAY = MONDAY + timedelta(days=1)
UNITS = ("class:A:7A:2025", "class:B:7A:2025", "school:C", "county:K")
ASKED: tuple[dict[str, Any], ...] = (
    {},
    {"language": "zh"},
    {"order": "student"},
    {"most": 2},
    {"everybody": True},
    {"as_of": MONDAY},
)


@dataclass(frozen=True)
class Only:
    """Sees the pupils it is given."""

    pupils: frozenset[str]

    def statement(self) -> Any:
        return select(Score.student_id).where(Score.student_id.in_(self.pupils))

    def of(self, _connection: Connection, student_ids: Any) -> set[str]:
        return set(student_ids) & self.pupils


@contextmanager
def connected(office: CountyOffice) -> Iterator[Connection]:
    with open_database(office.home, office.settings) as engine, engine.connect() as connection:
        yield connection


@contextmanager
def counted(connection: Connection) -> Iterator[list[str]]:
    """The statements that are executed meanwhile."""
    said: list[str] = []

    def note(_connection, _cursor, statement, *_) -> None:
        said.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    yield said
    event.remove(connection, "before_cursor_execute", note)


@pytest.mark.parametrize("asked", ASKED)
def test_a_kept_list_is_the_one_made_anew_night_after_night(office, asked):
    kept, wanted = KeptLists(), Asked(**asked)
    for day in (MONDAY, TUESDAY):
        office.new_registers()
        office.score(day)
        with connected(office) as connection:
            for unit in map(parse_unit, (*UNITS, *UNITS)):  # the second time out of memory
                assert kept.page(connection, unit, wanted) == published_page(connection, unit, wanted)


def test_a_part_goes_on_where_the_one_before_ended(office):
    office.score()
    kept, unit = KeptLists(), parse_unit("school:A")
    with connected(office) as connection:
        whole = kept.page(connection, unit).rows
        first = kept.page(connection, unit, Asked(most=2))
        rest = kept.page(connection, unit, Asked(after=first.following))
        assert first.rows + rest.rows == whole
        with pytest.raises(UsageError):
            kept.page(connection, unit, Asked(after="nobody"))


def test_a_list_is_made_once_and_who_may_be_seen_is_asked_each_time(office):
    office.score()
    kept, unit = KeptLists(), parse_unit("school:A")
    with connected(office) as connection:
        pupils = [row["student_id"] for row in kept.page(connection, unit).rows]
        for seen in (pupils[:1], pupils[1:], []):
            among: Any = Only(frozenset(seen))
            anew = published_page(connection, unit, Asked(among=among))
            with counted(connection) as said:
                assert kept.page(connection, unit, Asked(among=among)) == anew
            if connection.dialect.name == "sqlite":
                assert len(said) == 1, said
            assert [row["student_id"] for row in anew.rows] == seen


def test_behind_the_second_wall_nothing_is_kept(office):
    """What one viewer read there may be less than the list, and another may see none of it."""
    office.score()
    kept, unit = KeptLists(), parse_unit("school:A")
    with connected(office) as connection:
        kept.page(connection, unit)
        with counted(connection) as said:
            kept.page(connection, unit)
        of_scores = [statement for statement in said if "scores" in statement]
        assert bool(of_scores) == (connection.dialect.name == "postgresql")


def test_what_a_reader_does_to_his_rows_changes_nobody_elses(office):
    office.score()
    kept, unit = KeptLists(), parse_unit("school:A")
    with connected(office) as connection:
        first = kept.page(connection, unit).rows[0]
        told = dict(first)
        first.clear()
        assert kept.page(connection, unit).rows[0] == told


def test_only_so_many_rows_are_kept_and_the_list_asked_for_longest_ago_goes(office):
    office.score()
    with connected(office) as connection:
        if connection.dialect.name != "sqlite":
            return
        one, other = map(parse_unit, ("school:A", "school:B"))
        kept = KeptLists(most_rows=len(published_page(connection, one).rows) + 1)
        for unit, statements in ((one, True), (one, False), (other, True), (one, True)):
            with counted(connection) as said:
                kept.page(connection, unit)
            assert (len(said) > 1) == statements, unit
