"""The registers kept open for requests: the newest state always, held like any reader's, in nobody's way."""

from __future__ import annotations

import shutil
import threading
from collections import Counter
from datetime import timedelta
from pathlib import Path

import pytest

from risk_model.errors import MissingError
from risk_model.home import Home
from risk_model.lake import reading
from risk_model.lake.holding import held
from risk_model.settings import Settings
from serving.open_registers import IDLE_SECONDS, MOST_KEPT, OpenRegisters
from tests.offices import FIRST, Office, mark, office_begun, office_copied  # noqa: F401

NEXT = FIRST + timedelta(days=1)
MARKS = "SELECT count(*) FROM known.attendance"


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often a lake was opened, and how often closed."""
    count: Counter[str] = Counter()
    whole, close = reading.open_lake, reading.Lake.close

    def counted(*asked, **more):
        count["opened"] += 1
        return whole(*asked, **more)

    def closing(lake):
        count["closed"] += 1
        close(lake)

    monkeypatch.setattr(reading, "open_lake", counted)
    monkeypatch.setattr(reading.Lake, "close", closing)
    return count


def told(registers: OpenRegisters, day=NEXT) -> int:
    with registers.known_on(day) as lake:
        return int(lake.con.execute(MARKS).fetchall()[0][0])


def test_one_connection_serves_many_and_each_day_is_cut_by_itself(
    office: Office, opened: Counter[str]
) -> None:
    registers = OpenRegisters(office.home, Settings())
    office.take(attendance=[mark("p0", NEXT, "present")])
    assert [told(registers, day) for day in (FIRST, NEXT, FIRST, NEXT)] == [8, 9, 8, 9]
    assert opened["opened"] == 1
    registers.close()
    assert held(office.home.lake) == frozenset()


def test_after_a_delivery_the_next_reader_sees_it_and_the_one_at_work_does_not(office: Office) -> None:
    """Nothing is pulled from under a reader; what he had is closed behind him, and its snapshot let go."""
    registers = OpenRegisters(office.home, Settings())
    with registers.known_on(NEXT) as lake:
        before = lake.snapshot
        office.take(attendance=[mark("p0", NEXT, "present")])
        assert lake.con.execute(MARKS).fetchall() == [(8,)]
        assert told(registers) == 9
        assert before in held(office.home.lake)
    assert told(registers) == 9
    assert before not in held(office.home.lake)
    registers.close()


def test_a_cleaning_takes_nothing_from_a_reader_and_what_is_kept_stands_in_no_ones_way(
    office: Office,
) -> None:
    registers = OpenRegisters(office.home, Settings())
    for back in range(3):
        office.take(attendance=[mark(f"p{back}", NEXT, "present")])
    with registers.known_on(NEXT) as lake:
        office.tidy()
        assert lake.con.execute(MARKS).fetchall() == [(11,)]
    assert told(registers) == 11
    registers.close()


def test_an_import_beside_readers_does_not_wait_for_them(office: Office) -> None:
    """Readers ask without a pause while deliveries come: none is refused, every reader sees a whole one."""
    registers, stop, seen, wrong = OpenRegisters(office.home, Settings()), threading.Event(), set(), []

    def read() -> None:
        while not stop.is_set():
            try:
                seen.add(told(registers))
            except Exception as error:  # whatever it is, it is told below
                wrong.append(error)

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        for number in range(4):
            office.take(
                attendance=[mark(f"p{number}", NEXT, "present"), mark(f"p{number}", FIRST, "late", NEXT)]
            )
    finally:
        stop.set()
        for reader in readers:
            reader.join()
    assert wrong == []
    assert seen <= {8, 9, 10, 11, 12}
    assert told(registers) == 12
    registers.close()
    assert held(office.home.lake) == frozenset()  # let go by another thread than those that took it


def test_a_lake_put_back_from_a_copy_is_opened_anew(office: Office, tmp_path: Path) -> None:
    """Of the same snapshot number, but another file."""
    shutil.copytree(office.home.lake, tmp_path / "copy")
    office.take(attendance=[mark("p0", NEXT, "present")])
    registers = OpenRegisters(office.home, Settings())
    assert told(registers) == 9
    shutil.rmtree(office.home.lake)
    shutil.move(tmp_path / "copy", office.home.lake)
    assert told(registers) == 8
    registers.close()


def test_what_nobody_uses_is_let_go(office: Office, opened: Counter[str]) -> None:
    """After a while, or at once when there is a newer state: an old snapshot could not be cleaned away."""
    now = [0.0]
    registers = OpenRegisters(office.home, Settings(), lambda: now[0])
    told(registers)
    registers.let_go_unused()
    assert opened == {"opened": 1}
    now[0] = IDLE_SECONDS
    registers.let_go_unused()
    assert opened == {"opened": 1, "closed": 1}
    told(registers)
    office.take(attendance=[mark("p0", NEXT, "present")])
    now[0] += 1
    registers.let_go_unused()
    assert held(office.home.lake) == frozenset()


def test_no_more_are_kept_than_can_work_and_a_broken_one_is_not(office: Office) -> None:
    registers = OpenRegisters(office.home, Settings())
    with registers.known_on(NEXT), registers.known_on(NEXT), registers.known_on(NEXT):
        assert len(registers._free) == 0
    assert len(registers._free) == MOST_KEPT
    with pytest.raises(ZeroDivisionError), registers.known_on(NEXT):
        1 / 0  # noqa: B018
    assert len(registers._free) == MOST_KEPT - 1
    registers.close()
    assert registers._free == []


def test_without_registers_there_is_nothing_to_open(tmp_path: Path) -> None:
    with pytest.raises(MissingError), OpenRegisters(Home(tmp_path), Settings()).known_on(NEXT):
        pass
