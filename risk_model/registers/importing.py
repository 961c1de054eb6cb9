"""A delivery into the lake: read, check, compare, then one transaction over all registers."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from time import monotonic

import duckdb

from risk_model.accounts import Accounts
from risk_model.errors import InputRefusedError
from risk_model.home import Home
from risk_model.lake.attaching import attach, connect, current_snapshot
from risk_model.lake.holding import named_by_models
from risk_model.lake.storage import DELIVERIES, IDENTITY, MAIN, create_tables, main_part, parts
from risk_model.lake.superseding import Plan, apply, find_repeated, plan
from risk_model.lake.upkeep import Upkeep, tidy
from risk_model.registers.accounts import Account, FileReport, ImportReport
from risk_model.registers.comparing import reject_contradictions, reject_unknown
from risk_model.registers.declaration import Register
from risk_model.registers.declared import REGISTERS
from risk_model.registers.delivery import NAMELESS, DeliveredFile, digest, find_files, unpacked_bytes
from risk_model.registers.history import date_pupils, earliest_event
from risk_model.registers.quarantine import rejected_rows, write_quarantine
from risk_model.registers.recording import Recording, parse_recording
from risk_model.registers.staging import STAGE, attached_stage, create_facts
from risk_model.registers.taking import Advance, Taking
from risk_model.settings import Settings, size_in_bytes
from risk_model.state.storage import named_by_state

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Terms:
    """On what terms a delivery is taken."""

    max_rejected: float = 0.02
    """Above this share of rejected rows in any register nothing is taken."""
    recorded_on: str | None = None
    """A day, ``event+N``, or null: the day of import."""
    today: date | None = None
    """The day of import; null: today."""


def import_delivery(
    home: Home,
    settings: Settings,
    folder: Path,
    terms: Terms | None = None,
    accounts: Accounts | None = None,
) -> ImportReport:
    """Take the delivery in ``folder`` into the lake of ``home``, all of it or nothing.

    Its stages are booked in ``accounts``; steps of reading are bytes. The same delivery again changes
    nothing.

    Raises
    ------
    InputRefusedError
        No register there, a file cannot be read, or too many rows are rejected; its document
        holds the accounts all the same.
    LockHeldError
        Another import is at work.
    """
    files = find_files(folder)
    with home.lock("lake"), _opened(home, settings, files) as con:
        return _Import(con, home, settings, folder, files, terms or Terms(), accounts or Accounts()).run()


def delivered_bytes(files: tuple[DeliveredFile, ...]) -> int:
    """Bytes of the files that will be read: the length of a progress bar."""
    return sum(file.path.stat().st_size for file in files if file.readable)


@contextmanager
def _opened(
    home: Home, settings: Settings, files: tuple[DeliveredFile, ...]
) -> Iterator[duckdb.DuckDBPyConnection]:
    """DuckDB with both lakes and an empty stage: in memory where that takes less than half of it."""
    in_memory = 2 * unpacked_bytes(files) < size_in_bytes(settings.memory_limit)
    con = connect(settings, home.staging / "spill")
    try:
        con.execute("SET preserve_insertion_order = false")
        attach(con, home.lake, MAIN, write=True)
        attach(con, home.identity, IDENTITY, write=True)
        with attached_stage(con, home.staging, in_memory=in_memory):
            yield con
    finally:
        con.close()


class _Import:
    """One import; :meth:`run` is its steps in order."""

    def __init__(
        self,
        con: duckdb.DuckDBPyConnection,
        home: Home,
        settings: Settings,
        folder: Path,
        files: tuple[DeliveredFile, ...],
        terms: Terms,
        accounts: Accounts,
    ) -> None:
        self._con = con
        self._home = home
        self._settings = settings
        self._name = folder.resolve().name
        self._files = files
        self._terms = terms
        self._accounts = accounts
        self._today = terms.today or date.today()
        self._digest = digest(files)
        self._started = monotonic()

    def run(self) -> ImportReport:
        """Read, compare, account for every row; then refuse, or write.

        Nothing is written into a lake before everything is decided.
        """
        for lake in (IDENTITY, MAIN):
            create_tables(self._con, lake)
        self._delivery = self._next_delivery()
        recording = parse_recording(self._terms.recorded_on, self._today, self._seen_on())
        registers = [
            one for one in REGISTERS.values() if any(file.register == one for file in self._read_files())
        ]
        size = delivered_bytes(self._files)
        with self._accounts.stage("read", "reading registers", size) as stage:
            files = self._read(recording, stage.count)
            stage.rows = sum(self._count(f"{STAGE}.{one.name}") for one in registers)
        with self._accounts.stage("compare", "comparing with the lake", len(registers)) as stage:
            report, plans = self._compared(registers, files, recording, stage.count)
            stage.rows = sum(account.read for account in report.tables.values())
        self._demand_readable(report)
        self._demand_few_rejected(report)
        with self._accounts.stage("write", "writing the lake") as stage:
            self._commit(report, plans)
            stage.rows = sum(account.accepted for account in report.tables.values())
        with self._accounts.stage("tidy", "tidying the lake"):
            upkeep = self._tidied()
        return self._ended(replace(report, upkeep=upkeep))

    def _compared(
        self, registers: list[Register], files: tuple[FileReport, ...], recording: Recording, advance: Advance
    ) -> tuple[ImportReport, list[Plan]]:
        """What every row says beside the lake: the account of it, and what is to be written."""
        facts: dict[str, str] = {}
        for one in registers:
            facts[one.name] = self._compare(one)
            advance(1)
        plans = [made for one in registers for made in self._plan(one, facts[one.name])]
        report = ImportReport(
            files=files,
            tables={one.name: self._account(one, facts[one.name], plans) for one in registers},
            quarantine=self._quarantine(registers),
            recorded_on=self._terms.recorded_on or str(recording.day),
            assumed=recording.assumed,
        )
        return report, plans

    def _read_files(self) -> list[DeliveredFile]:
        return [file for file in self._files if file.readable]

    def _read(self, recording: Recording, advance: Advance) -> tuple[FileReport, ...]:
        """Stage all files; registers dated by the events of others come after those."""
        reports = {file.number: FileReport(file.path.name, "unknown", NAMELESS) for file in self._files}
        waiting = [file for file in self._read_files() if recording.needs_events(_register(file))]
        taking = Taking(self._con, recording, advance)
        for file in self._read_files():
            if file not in waiting:
                reports[file.number] = taking.take(file)
        if waiting:
            date_pupils(self._con)
            taking = Taking(self._con, replace(recording, earliest=earliest_event(self._con)), advance)
        for file in waiting:
            reports[file.number] = taking.take(file)
        return tuple(reports[file.number] for file in self._files)

    def _compare(self, register: Register) -> str:
        """Reject what falls beside other rows; returns the view of the facts that remain."""
        reject_unknown(self._con, register)
        facts = create_facts(self._con, register, self._today, self._delivery)
        part = main_part(register)
        find_repeated(self._con, part, facts, _repeated(register))
        if reject_contradictions(self._con, register, facts, _repeated(register), part.key_hash()):
            facts = create_facts(self._con, register, self._today, self._delivery)
        return facts

    def _plan(self, register: Register, facts: str) -> list[Plan]:
        return [plan(self._con, part, facts, _repeated(register), STAGE) for part in parts(register)]

    def _account(self, register: Register, facts: str, plans: list[Plan]) -> Account:
        read = self._count(f"{STAGE}.{register.name}")
        valid = (
            self._count(f"(SELECT DISTINCT number FROM {facts})")
            if register.closed_by
            else self._count(facts)
        )
        unchanged = self._unchanged(facts, [made for made in plans if made.part.register == register])
        return Account(read, valid - unchanged, read - valid, unchanged)

    def _unchanged(self, facts: str, plans: list[Plan]) -> int:
        """Rows none of whose facts says anything new of any part."""
        if not all(self._count(made.same) for made in plans):
            return 0
        same = " INTERSECT ".join(f"SELECT fact FROM {made.same}" for made in plans)
        news = f"SELECT number FROM {facts} WHERE fact NOT IN ({same})"
        return self._count(f"(SELECT DISTINCT number FROM {facts} WHERE number NOT IN ({news}))")

    def _quarantine(self, registers: list[Register]) -> Path | None:
        names = {file.number: file.path.name for file in self._files}
        target = self._home.quarantine / f"{self._today}_{self._name}.csv"
        return write_quarantine(self._con, rejected_rows([one.name for one in registers]), names, target)

    def _demand_readable(self, report: ImportReport) -> None:
        refused = [file for file in report.files if file.status == "refused"]
        if refused:
            first = refused[0]
            more = f" (and {len(refused) - 1} more files)" if len(refused) > 1 else ""
            raise self._refusal(report, f"{first.path} cannot be read: {first.reason}{more}.")

    def _demand_few_rejected(self, report: ImportReport) -> None:
        for name, account in report.tables.items():
            if account.rejected_share > self._terms.max_rejected:
                raise self._refusal(
                    report,
                    f"{account.rejected:,} of {account.read:,} rows of {name} are rejected, more than "
                    f"--max-rejected {self._terms.max_rejected:g}; the reasons are in {report.quarantine}.",
                )

    def _refusal(self, report: ImportReport, why: str) -> InputRefusedError:
        document = replace(self._ended(report), taken=False).document() | {"refused": why}
        return InputRefusedError(
            f"{why} Nothing of this delivery was taken. Correct it and import it again.", document=document
        )

    def _commit(self, report: ImportReport, plans: list[Plan]) -> None:
        """Identity first (harmless alone, healed by the rerun), then everything else at once."""
        if not any(made.changes for made in plans):
            return
        for lake in (IDENTITY, MAIN):
            self._con.execute("BEGIN")
            for made in plans:
                if made.part.lake == lake:
                    apply(self._con, made)
            self._note_delivery(lake, report)
            self._con.execute("COMMIT")

    def _tidied(self) -> Upkeep:
        """Small files and old snapshots; the delivery is in the lake by now, whatever becomes of this."""
        folders = {MAIN: self._home.lake, IDENTITY: self._home.identity}
        named = named_by_models(self._home.bundles) | named_by_state(self._con, self._home.state)
        try:
            done = [
                tidy(self._con, folder, lake, self._settings.lake, named if lake == MAIN else ())
                for lake, folder in folders.items()
            ]
        except duckdb.Error as error:
            _log.warning("The upkeep of the lake is left to the next import: %s", error)
            return Upkeep()
        return sum(done, Upkeep())

    def _note_delivery(self, lake: str, report: ImportReport) -> None:
        accepted = sum(account.accepted for account in report.tables.values())
        self._con.execute(
            f"INSERT INTO {lake}.{DELIVERIES} VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [self._delivery, datetime.now(), self._today, self._name, self._digest, report.recorded_on,
             report.assumed, accepted],
        )  # fmt: skip

    def _ended(self, report: ImportReport) -> ImportReport:
        snapshot = current_snapshot(self._con, MAIN)
        spent = self._accounts.document(())
        return replace(
            report,
            snapshot=snapshot,
            seconds=round(monotonic() - self._started, 3),
            stages=spent["stages"],
            peak_memory_mb=spent["peak_memory_mb"],
        )

    def _next_delivery(self) -> int:
        """A number no delivery had, not even one that died between the two commits."""
        told = " UNION ALL ".join(f"SELECT delivery FROM {lake}.{DELIVERIES}" for lake in (MAIN, IDENTITY))
        return 1 + int(self._con.execute(f"SELECT coalesce(max(delivery), 0) FROM ({told})").fetchall()[0][0])

    def _seen_on(self) -> date | None:
        """The day the very same delivery first came: told again, it says nothing new."""
        sql = f"SELECT min(imported_on) FROM {MAIN}.{DELIVERIES} WHERE digest = ?"
        found: date | None = self._con.execute(sql, [self._digest]).fetchall()[0][0]
        return found

    def _count(self, source: str) -> int:
        return int(self._con.execute(f"SELECT count(*) FROM {source}").fetchall()[0][0])


def _register(file: DeliveredFile) -> Register:
    assert file.register is not None
    return file.register


def _repeated(register: Register) -> str:
    return f"{STAGE}.repeated_{register.name}"
