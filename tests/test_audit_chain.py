"""The chain: each record tied to the one before, refused to be changed, and any tampering located."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import Connection, insert, select, text, update
from sqlalchemy.exc import DBAPIError

from risk_model.command.surface import Office
from risk_model.settings import Settings
from serving.access.posts import local_day
from serving.audit.ages import birth_dates
from serving.audit.chain import Chain, with_nonces
from serving.audit.client import DirectAudit
from serving.audit.commands import audit, system_user
from serving.audit.entries import Entry, digest
from serving.audit.head import SLOT, START, Head, read_head, write_head
from serving.audit.reading import looks_at, report_text, yearly_report
from serving.audit.tables import AuditError, Record, head_path
from serving.audit.verifying import judge, records_in, verify
from tests.audited import AuditedHome, audited_home  # noqa: F401
from tests.databases import each_database  # noqa: F401
from tests.registers.office import TestOffice

RECORDS = 40
EIGHTEEN = timedelta(days=18 * 365 + 6)
"""Eighteen years and a day or two."""
ENTRIES = [
    Entry(n % 5 or None, ("look", "export", "care")[n % 3], f"S{n % 7}", None, "class_teacher", f"GET {n}")
    for n in range(RECORDS)
]


@pytest.fixture
def engine(audited: AuditedHome) -> Iterator[Any]:
    """The database of 40 records, written in groups of several sizes."""
    records = audited.direct()
    for begin, end in ((0, 1), (1, 5), (5, 30), (30, RECORDS)):
        records.record(ENTRIES[begin:end])
    yield records.engine()
    records.close()


def test_records_count_from_one_and_carry_what_was_told(audited, engine):
    with engine.connect() as connection:
        rows = records_in(connection)
    assert [row["id"] for row in rows] == list(range(1, RECORDS + 1))
    assert [row["detail"] for row in rows] == [entry.detail for entry in ENTRIES]
    assert all(row["hash"] == digest(row) for row in rows)
    verdict = audited.verdict()
    assert verdict.whole
    assert (verdict.records, verdict.unanswered) == (RECORDS, 0)
    assert verdict.head == verdict.newest == Head(RECORDS, rows[-1]["hash"])


@pytest.mark.parametrize(
    "statement",
    ["update audit_records set detail = 'x' where id = 3", "delete from audit_records where id = 3"],
)
def test_the_database_refuses_to_change_or_delete_a_record(audited, engine, statement):
    with pytest.raises(DBAPIError, match="never changed or deleted"), engine.begin() as connection:
        connection.execute(text(statement))
    assert audited.verdict().whole


def test_postgresql_refuses_to_empty_the_table(cluster, tmp_path):
    from risk_model.home import Home
    from risk_model.settings import Settings

    records = DirectAudit(Home(tmp_path), Settings(database_url=cluster.new_database()))
    records.record(ENTRIES)
    with pytest.raises(DBAPIError, match="never changed"), records.engine().begin() as connection:
        connection.execute(text("truncate audit_records"))
    records.close()


def test_requests_of_postgresql_have_no_way_to_the_records(cluster, tmp_path):
    """They run as a role of their own, to which whatever the owner makes is granted by default."""
    from risk_model.home import Home
    from risk_model.settings import Settings
    from serving.access.second_wall import ROLE
    from serving.database import open_database

    home, settings = Home(tmp_path), Settings(database_url=cluster.new_database())
    with open_database(home, settings):
        records = DirectAudit(home, settings)
        records.record(ENTRIES[:1])
    for statement in ("select * from audit_records", "insert into audit_records (id) values (2)"):
        with records.engine().begin() as connection:
            connection.execute(text(f"set local role {ROLE}"))
            with pytest.raises(DBAPIError, match="permission denied"):
                connection.execute(text(statement))
    records.close()


def disarm(connection: Connection) -> None:
    """What somebody with the database's own password can do."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("alter table audit_records disable trigger user"))
    else:
        for name in ("audit_records_no_update", "audit_records_no_delete"):
            connection.execute(text(f"drop trigger {name}"))


def _edit(connection: Connection, dice: random.Random, last: int) -> set[int]:
    """One column of one record."""
    number = dice.randint(1, last)
    row = records_in(connection, number - 1, 1)[0]
    column = dice.choice([name for name in row if name != "id"])
    value: Any = {
        "at": row["at"] + timedelta(microseconds=1), "account_id": (row["account_id"] or 0) + 1,
    }.get(column, "forged")  # fmt: skip
    connection.execute(update(Record).where(Record.id == number).values({column: value}))
    return {number}


def _blank(connection: Connection, dice: random.Random, last: int) -> set[int]:
    """Who it was, or about whom, is made unknown."""
    number = dice.randint(1, last)
    column = dice.choice(("student_id", "reason"))
    connection.execute(update(Record).where(Record.id == number).values({column: None}))
    return {number}


def _rehash(connection: Connection, dice: random.Random, last: int) -> set[int]:
    """An edit by somebody who knows how hashes are made."""
    number = dice.randint(1, last)
    row = records_in(connection, number - 1, 1)[0] | {"student_id": "somebody else"}
    values = {"student_id": row["student_id"], "hash": digest(row)}
    connection.execute(update(Record).where(Record.id == number).values(values))
    return {number}


def _delete(connection: Connection, dice: random.Random, last: int) -> set[int]:
    number = dice.randint(1, last)
    connection.execute(text("delete from audit_records where id = :n"), {"n": number})
    return {number}


def _swap(connection: Connection, dice: random.Random, last: int) -> set[int]:
    """Two records change places, hashes and all."""
    first, second = dice.sample(range(1, last + 1), 2)
    for old, new in ((first, -1), (second, first), (-1, second)):
        connection.execute(update(Record).where(Record.id == old).values(id=new))
    return {first, second}


def _move(connection: Connection, dice: random.Random, last: int) -> set[int]:
    number = dice.randint(1, last)
    target = last + dice.randint(1, 50)
    connection.execute(update(Record).where(Record.id == number).values(id=target))
    return {number, target} if number < last or target > last + 1 else {number}


def _insert(connection: Connection, dice: random.Random, last: int) -> set[int]:
    """A made-up record takes the place of one that was deleted, and is chained to the one before."""
    number = dice.randint(1, last)
    row = records_in(connection, number - 1, 1)[0]
    connection.execute(text("delete from audit_records where id = :n"), {"n": number})
    row |= {"account_id": 99, "detail": "made up"}
    connection.execute(insert(Record).values(row | {"hash": digest(row)}))
    return {number}


def _truncate(connection: Connection, dice: random.Random, last: int) -> set[int]:
    number = dice.randint(1, last)
    connection.execute(text("delete from audit_records where id >= :n"), {"n": number})
    return set(range(number, last + 1))


Tampering = Callable[[Connection, random.Random, int], set[int]]
TAMPERINGS: tuple[Tampering, ...] = (_edit, _blank, _rehash, _delete, _swap, _move, _insert, _truncate)


def tamper_and_look(engine: Any, head: Head, rounds: int, seed: int) -> None:
    """Tamper once, look, and put everything back; the records tampered with must be named, and few others."""
    dice = random.Random(seed)
    with engine.connect() as connection:
        disarm(connection)
        for number in range(rounds):
            tampering = TAMPERINGS[number % len(TAMPERINGS)]
            undo = connection.begin_nested()
            touched = tampering(connection, dice, head.number)
            verdict = judge(records_in(connection), head)
            named = {n for fault in verdict.faults for n in range(fault.first, fault.last + 1)}
            assert touched <= named, (seed, number, tampering.__name__, touched, verdict.faults)
            assert len(named - touched) <= 1, (seed, number, tampering.__name__, touched, verdict.faults)
            undo.rollback()
        assert judge(records_in(connection), head).whole
        connection.rollback()


@pytest.mark.parametrize("seed", [1, 2])
def test_each_tampering_is_located(audited, engine, seed):
    tamper_and_look(engine, read_head(head_path(audited.home)), 200, seed)


@pytest.mark.soak
def test_each_of_ten_thousand_tamperings_is_located(audited, engine):
    tamper_and_look(engine, read_head(head_path(audited.home)), 10_000, seed=20260901)


def test_triggers_that_are_gone_are_told(audited, engine):
    with engine.begin() as connection:
        disarm(connection)
    assert [fault.kind for fault in audited.verdict().faults] == ["no_triggers"]


def test_a_time_that_is_none_is_a_fault_and_not_a_crash(tmp_path):
    from risk_model.home import Home
    from risk_model.settings import Settings

    records = DirectAudit(Home(tmp_path), Settings())
    records.record(ENTRIES[:3])
    with records.engine().begin() as connection:
        disarm(connection)
        connection.execute(text("update audit_records set at = 'yesterday' where id = 2"))
    faults = verify(records.engine(), head_path(Home(tmp_path))).faults
    assert [(fault.kind, fault.first, fault.last) for fault in faults[:1]] == [("edited", 2, 2)]
    records.close()


def test_after_a_truncation_nothing_more_is_written(audited, engine):
    """A chain that goes on from where it was cut would hide the cut."""
    with engine.begin() as connection:
        disarm(connection)
        connection.execute(text("delete from audit_records where id > 30"))
    with pytest.raises(AuditError, match="audit verify"):
        audited.direct().record(ENTRIES[:1])
    [cut, *_] = audited.verdict().faults
    assert (cut.kind, cut.first, cut.last) == ("missing", 31, RECORDS)


def test_without_its_head_nothing_is_written_and_the_verdict_says_so(audited, engine):
    head_path(audited.home).unlink()
    with pytest.raises(AuditError, match="head"):
        audited.direct().record(ENTRIES[:1])
    assert [fault.kind for fault in audited.verdict().faults] == ["no_head"]


def test_a_whole_new_chain_is_told_by_its_head(audited, engine):
    """Everything rewritten and hashed anew, as somebody with much time would."""
    with engine.begin() as connection:
        disarm(connection)
        previous = START.hash
        for row in records_in(connection):
            row |= {"previous": previous, "detail": "nothing happened"}
            previous = digest(row)
            changed = {"previous": row["previous"], "detail": row["detail"], "hash": previous}
            connection.execute(update(Record).where(Record.id == row["id"]).values(changed))
    assert "head_differs" in [fault.kind for fault in audited.verdict().faults]


def test_an_earlier_head_noted_down_elsewhere_is_asked_for(audited, engine):
    with engine.connect() as connection:
        noted = Head(20, connection.execute(select(Record.hash).where(Record.id == 20)).scalar_one())
    assert verify(engine, head_path(audited.home), noted).whole
    other = verify(engine, head_path(audited.home), replace(noted, hash="f" * 64))
    assert [fault.kind for fault in other.faults] == ["noted_differs"]


def test_a_torn_head_leaves_the_one_before(tmp_path):
    path = tmp_path / "audit.head"
    write_head(path, Head(1, "a" * 64))
    write_head(path, Head(2, "b" * 64))
    write_head(path, Head(3, "c" * 64))
    content = bytearray(path.read_bytes())
    assert read_head(path) == Head(3, "c" * 64)
    newest = 0 if b'"number": 3' in content[:SLOT] else SLOT
    content[newest + 20 : newest + 60] = b"\0" * 40
    path.write_bytes(content)
    assert read_head(path) == Head(2, "b" * 64)
    write_head(path, Head(4, "d" * 64))
    assert read_head(path) == Head(4, "d" * 64)


def test_records_committed_but_not_answered_stay_and_are_accounted_for(audited, engine):
    """The writer was killed between the database and the head."""
    head = read_head(head_path(audited.home))
    chain = Chain(engine, head_path(audited.home))
    chain.append([with_nonces(ENTRIES[:3])])
    head_path(audited.home).unlink()
    write_head(head_path(audited.home), head)
    assert audited.verdict().unanswered == 3
    assert audited.direct().record(ENTRIES[:1]) == [RECORDS + 5]
    with engine.connect() as connection:
        resumed = records_in(connection, RECORDS + 3, 1)[0]
    assert (resumed["action"], resumed["detail"]) == ("resumed", "3 after 40 were written, not answered")
    assert audited.verdict().whole


def test_what_is_sent_again_is_not_written_again(audited, engine):
    chain = Chain(engine, head_path(audited.home))
    batch, other = with_nonces(ENTRIES[:2]), with_nonces(ENTRIES[:1])
    [first] = chain.append([batch])
    again, new = chain.append([batch, other], again=frozenset({0}))
    assert again == first
    assert new == [first[-1] + 1]


def test_a_failed_write_is_an_error_and_leaves_the_chain_whole(audited, engine, monkeypatch):
    chain = Chain(engine, head_path(audited.home))
    chain.append([with_nonces(ENTRIES[:1])])

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("serving.audit.chain.write_head", full)
        with pytest.raises(AuditError, match="No space left"):
            chain.append([with_nonces(ENTRIES[:1])])
    chain.append([with_nonces(ENTRIES[:1])])
    assert audited.verdict().whole


def test_texts_no_database_can_keep_are_cleaned(audited, engine):
    audited.direct().record([Entry(1, "look", "S\x00\ud800", detail="长" * 900)])
    assert audited.verdict().whole


def test_who_looked_at_a_pupil_newest_first_with_lists_of_his_units(audited, engine):
    audited.direct().record([Entry(4, "look", unit="class:A:7A:2025", reason="class_teacher")])
    with engine.connect() as connection:
        own = looks_at(connection, "S1")
        with_lists = looks_at(connection, "S1", ["class:A:7A:2025"])
    expected = [number + 1 for number, entry in enumerate(ENTRIES) if entry.student_id == "S1"]
    assert [look.number for look in own] == expected[::-1]
    assert [look.number for look in with_lists] == [RECORDS + 1, *expected[::-1]]
    assert with_lists[0].unit == "class:A:7A:2025"


def test_the_yearly_report_adds_up(audited, engine, monkeypatch):
    monkeypatch.setattr("serving.audit.reading.PAGE", 7)
    audited.direct().record([Entry(9, "look", unit="school:A", reason="principal"), Entry(9, "sign_in")])
    with engine.connect() as connection:
        year = records_in(connection, 0, 1)[0]["at"].year
    report = yearly_report(engine, year, {})
    assert report["records"] == RECORDS + 1
    assert (report["pupils"], report["lists"], report["actors"]) == (7, 1, 6)
    for name in ("by_role", "by_reason", "by_unit", "by_action", "by_month"):
        assert sum(report[name].values()) == report["records"], name
    assert report["by_reason"] == {"class_teacher": 40, "principal": 1}
    assert report["by_action"]["export"] == report["exports"] == 13
    assert "41 records about 7 pupils and 1 lists" in report_text(report)
    assert yearly_report(engine, year - 1, {})["records"] == 0


def test_the_yearly_report_is_of_those_who_were_minors_on_the_day_of_the_look(audited, engine):
    """One turned 18 long ago, one this week, one will next week; of the others no register tells."""
    with engine.connect() as connection:
        at = records_in(connection, 0, 1)[0]["at"]
    day = local_day(at.replace(tzinfo=UTC))
    whole = yearly_report(engine, at.year, {})
    assert whole["unknown_age"] == {"records": whole["records"] - whole["lists"], "pupils": whole["pupils"]}
    assert whole["of_age"] == {"records": 0, "pupils": 0}
    births = {"S1": day - 2 * EIGHTEEN, "S2": day - EIGHTEEN, "S3": day - EIGHTEEN + timedelta(days=7)}
    report = yearly_report(engine, at.year, births)
    of = Counter(entry.student_id for entry in ENTRIES)
    assert report["of_age"] == {"records": of["S1"] + of["S2"], "pupils": 2}
    assert report["records"] == whole["records"] - of["S1"] - of["S2"]
    assert report["pupils"] == whole["pupils"] - 2
    assert report["unknown_age"]["pupils"] == whole["pupils"] - 3
    for name in ("by_role", "by_reason", "by_unit", "by_action", "by_month"):
        assert sum(report[name].values()) == report["records"], name
    assert f"Left out: {of['S1'] + of['S2']} records about 2 pupils" in report_text(report)


def test_birth_dates_are_those_of_the_registers(tmp_path):
    """Asked for some pupils; nobody's where no register was ever imported."""
    office = TestOffice(tmp_path)
    assert birth_dates(office.home, Settings(), ["S1"]) == {}
    office.deliver(
        "first",
        schools="school_id,name,county_id,stage\nA,First,C1,primary\n",
        students="student_id,name,sex,birth_date\nS1,张三,M,2012-03-04\nS2,李四,F,\nS3,王五,F,2011-01-01\n",
    )
    assert birth_dates(office.home, Settings(), ["S1", "S2", "S9"]) == {"S1": date(2012, 3, 4)}


def test_the_commands_answer_and_a_broken_chain_is_an_exit_code(audited, engine):
    office = Office(audited.home, audited.home.config)
    office.__dict__["settings"] = audited.settings
    whole = CliRunner().invoke(audit, ["verify"], obj=office)
    assert whole.exit_code == 0
    assert f"{RECORDS} records" in whole.stdout
    assert (
        '"by_reason": {"class_teacher": 40}'
        in CliRunner().invoke(audit, ["report", "--json"], obj=office).stdout
    )
    office.as_json = False
    looked = CliRunner().invoke(audit, ["report", "--student", "S1"], obj=office)
    assert system_user() in looked.stdout
    with engine.begin() as connection:
        disarm(connection)
        connection.execute(text("delete from audit_records where id = 7"))
    broken = CliRunner().invoke(audit, ["verify"], obj=office)
    assert broken.exit_code == 1
    assert "record 7: deleted or cut off" in broken.stdout
