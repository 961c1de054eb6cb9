"""The one writer: many workers at once, killed in the middle, unable to write – nothing answered is lost."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from contextlib import closing
from time import monotonic, sleep
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import func, select

from risk_model.command.surface import Office
from risk_model.errors import LockHeldError
from risk_model.home import Home
from risk_model.settings import Settings
from serving import commands
from serving.audit.client import AuditClient, DirectAudit
from serving.audit.commands import system_user
from serving.audit.entries import Entry
from serving.audit.tables import AuditError, Record, head_path, make_tables, open_audit
from serving.audit.verifying import records_in
from serving.audit.writer import NAME, WriterKeeper, run_writer, socket_path
from tests.audit_workers import work
from tests.audited import AuditedHome, audited_home  # noqa: F401
from tests.databases import each_database  # noqa: F401
from tests.nights import CountyOffice, county_office, county_office_with_archive  # noqa: F401

LOOKS = 1_000
WORKERS = 4


def work_together(audited: AuditedHome, looks: int) -> Any:
    """Workers begun; wait for them by taking their answers."""
    context = multiprocessing.get_context("spawn")
    told = context.Queue()
    workers = [
        context.Process(target=work, args=(audited.home, audited.settings, who, looks // WORKERS, told))
        for who in range(WORKERS)
    ]
    for worker in workers:
        worker.start()
    return workers, told


def answers(workers: Any, told: Any) -> list[int]:
    numbers = [number for _ in workers for number in told.get(timeout=120)]
    for worker in workers:
        worker.join(30)
    return numbers


def rows(audited: AuditedHome) -> list[Any]:
    with open_audit(audited.home, audited.settings) as engine, engine.connect() as connection:
        return records_in(connection)


def test_a_thousand_concurrent_looks_are_a_thousand_records(audited):
    with WriterKeeper(audited.home, audited.settings):
        numbers = answers(*work_together(audited, LOOKS))
    assert sorted(numbers) == list(range(1, LOOKS + 1))
    written = rows(audited)
    assert len(written) == LOOKS
    assert {who: sum(row["account_id"] == who for row in written) for who in range(WORKERS)} == dict.fromkeys(
        range(WORKERS), LOOKS // WORKERS
    )
    assert audited.verdict().whole


def test_kill_9_of_the_writer_loses_nothing_that_was_answered_and_doubles_nothing(audited):
    kills = 0
    with WriterKeeper(audited.home, audited.settings) as keeper:
        workers, told = work_together(audited, LOOKS)
        while len(rows(audited)) < 20:
            sleep(0.01)
        while any(worker.is_alive() for worker in workers) and kills < 5:
            if (pid := keeper.pid) is not None and head_path(audited.home).exists():
                os.kill(pid, signal.SIGKILL)
                kills += 1
            if not told.empty():
                break
            sleep(0.3)
        numbers = answers(workers, told)
    assert kills >= 1
    written = {row["id"]: row for row in rows(audited)}
    looked = [row for row in written.values() if row["action"] == "look"]
    assert len(numbers) == len(set(numbers)) == LOOKS == len(looked)
    assert all(written[number]["action"] == "look" for number in numbers)
    assert audited.verdict().whole


def test_the_writer_is_one_and_has_a_name(audited):
    with WriterKeeper(audited.home, audited.settings) as keeper, audited.client() as client:
        client.record([Entry(1, "look")])
        assert [child.name for child in multiprocessing.active_children()] == [NAME]
        with pytest.raises(LockHeldError), audited.home.lock("audit"):
            pass
        assert os.stat(socket_path(audited.home)).st_mode & 0o077 == 0
        pid = keeper.pid
    assert pid is not None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_a_command_beside_the_service_writes_through_its_writer(audited):
    with WriterKeeper(audited.home, audited.settings), audited.client() as client:
        assert client.record([Entry(1, "look")]) == [1]
        assert audited.direct().record([Entry(None, "look", system_user="root")]) == [2]
        assert client.record([Entry(1, "look"), Entry(1, "care")]) == [3, 4]
    assert audited.direct().record([Entry(None, "look")]) == [5]


def test_without_a_writer_there_is_an_error_and_no_record(audited):
    with audited.client(patience=0.2) as client, pytest.raises(AuditError, match="does not answer"):
        client.record([Entry(1, "look")])
    assert rows(audited) == []


def test_a_writer_that_does_not_answer_is_not_waited_for_longer_than_a_request_can(audited):
    """It is stopped, not dead: the request fails, and what it sent is written once at the most."""
    with (
        WriterKeeper(audited.home, audited.settings) as keeper,
        audited.client(patience=0.5) as client,
        audited.client() as patient,
    ):
        patient.record([Entry(1, "look")])
        os.kill(keeper.pid, signal.SIGSTOP)
        begun = monotonic()
        with pytest.raises(AuditError):
            client.record([Entry(1, "look", "late")])
        assert monotonic() - begun < 3
        os.kill(keeper.pid, signal.SIGCONT)
        patient.record([Entry(1, "look")])
    assert sum(row["student_id"] == "late" for row in rows(audited)) <= 1
    assert audited.verdict().whole


def test_a_writer_that_cannot_write_refuses_each_look_and_goes_on_when_it_can(audited):
    path = head_path(audited.home)
    with WriterKeeper(audited.home, audited.settings), audited.client() as client:
        client.record([Entry(1, "look")])
        kept = path.read_bytes()
        path.unlink()
        path.mkdir()  # nothing can be written to it, by root neither
        with pytest.raises(AuditError, match="cannot be written"):
            client.record([Entry(1, "look")])
        path.rmdir()
        path.write_bytes(kept)
        assert client.record([Entry(1, "look")])
    assert audited.verdict().whole


def test_the_writer_ends_when_the_service_dies_however_it_dies(tmp_path):
    home = Home(tmp_path)
    context = multiprocessing.get_context("spawn")
    theirs, mine = context.Pipe(duplex=False)
    writer = context.Process(target=run_writer, args=(home, Settings(), theirs))
    writer.start()
    theirs.close()
    with closing(AuditClient(home, Settings())) as client:
        client.record([Entry(1, "look")])
    mine.close()
    writer.join(10)
    assert writer.exitcode == 0
    assert not socket_path(home).exists()


def test_a_long_path_of_a_home_gets_a_socket_elsewhere_that_is_ours_alone(tmp_path):
    home = Home(tmp_path / ("long" * 30))
    with WriterKeeper(home, Settings()), closing(AuditClient(home, Settings())) as client:
        client.record([Entry(1, "look")])
        path = socket_path(home)
        assert len(str(path)) < 100
        assert path.parent.stat().st_mode & 0o077 == 0


def test_two_that_make_the_tables_at_once_make_them_once(audited):
    with open_audit(audited.home, audited.settings) as engine:
        threads = [threading.Thread(target=make_tables, args=(engine,)) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with engine.connect() as connection:
            assert connection.execute(select(func.count()).select_from(Record)).scalar() == 0


def ask(office: CountyOffice, subcommand: Any, *arguments: str) -> Any:
    shell = Office(office.home, office.home.config)
    shell.__dict__["settings"] = office.settings
    return CliRunner().invoke(subcommand, [*arguments], obj=shell)


def test_lists_and_explain_are_recorded_by_the_name_of_the_operating_systems_user(office, tmp_path):
    office.score()
    assert ask(office, commands.lists, "--unit", "school:A").exit_code == 0
    assert ask(office, commands.lists, "--out", str(tmp_path / "list.csv")).exit_code == 0
    assert ask(office, commands.explain, "A7A00").exit_code == 0
    written = rows(AuditedHome(office.home, office.settings))
    told = [(row["system_user"], row["action"], row["unit"], row["student_id"]) for row in written]
    me = system_user()
    assert told == [
        (me, "look", "school:A", None),
        (me, "export", "all", None),
        (me, "look", None, "A7A00"),
    ]


def test_what_cannot_be_recorded_is_not_shown(office):
    office.score()
    DirectAudit(office.home, office.settings).record([Entry(None, "look")])
    head_path(office.home).unlink()
    for answer in (ask(office, commands.lists), ask(office, commands.explain, "A7A00")):
        assert answer.exit_code == 1
        assert "A7A" not in answer.stdout
        assert "audit chain is broken" in answer.stderr
