"""The chain itself: groups of entries appended in one transaction, then the head, then the answer."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.exc import SQLAlchemyError

from serving.audit.entries import Entry, digest
from serving.audit.head import START, Head, read_head, write_head
from serving.audit.tables import AuditError, Record

WRITER_LOCK = 0x6472_6B74
"""PostgreSQL's advisory lock of the one writer, whichever host it runs on."""
LOOK_BACK = 100_000
"""How many records back an entry sent a second time is looked for."""
SYSTEM = "audit-writer"

_APPEND = insert(Record)
Batch = Sequence[tuple[str, Entry]]
"""Entries with their nonces."""


def with_nonces(entries: Iterable[Entry]) -> list[tuple[str, Entry]]:
    """Each entry with a nonce nobody else draws."""
    return [(secrets.token_hex(16), entry) for entry in entries]


class Chain:
    """Appends to the records; its user holds the home's lock ``audit`` while it lives.

    After any failure the next append looks at the database anew, so that nothing is chained to a record
    that is not there.
    """

    def __init__(self, engine: Engine, head_file: Path) -> None:
        self._engine = engine
        self._head_file = head_file
        self._head: Head | None = None

    def append(self, batches: Sequence[Batch], *, again: frozenset[int] = frozenset()) -> list[list[int]]:
        """Write the batches in one transaction; the numbers of their records, once the disk has them.

        Of the batches numbered in ``again``, which a client sends a second time, entries already written
        are answered with the numbers they have.

        Raises
        ------
        AuditError
            Nothing of this was answered; the database or the head's file refused.
        """
        try:
            before = self._head or self._resume()
            self._head = None
            known = self._known([nonce for number in again for nonce, _ in batches[number]])
            head, numbers = self._insert(before, batches, known)
            if head != before:
                write_head(self._head_file, head)
            self._head = head
            return numbers
        except (SQLAlchemyError, OSError) as error:
            said = str(getattr(error, "orig", None) or error).splitlines()[0].rstrip(".")
            raise AuditError(
                f"The audit record cannot be written: {said}. Nothing was shown or changed; try again."
            ) from error

    def _insert(
        self, head: Head, batches: Sequence[Batch], known: dict[str, int]
    ) -> tuple[Head, list[list[int]]]:
        rows: list[dict[str, Any]] = []
        numbers = []
        for batch in batches:
            told = []
            for nonce, entry in batch:
                if nonce not in known:
                    rows.append(_row(head, nonce, entry))
                    head = Head(rows[-1]["id"], rows[-1]["hash"])
                    known[nonce] = head.number
                told.append(known[nonce])
            numbers.append(told)
        if rows:
            with self._engine.begin() as connection:
                if connection.dialect.name == "postgresql":
                    _demand_alone(connection)
                connection.execute(_APPEND, rows)
        return head, numbers

    def _known(self, nonces: Sequence[str]) -> dict[str, int]:
        if not nonces:
            return {}
        with self._engine.connect() as connection:
            newest = connection.execute(select(func.max(Record.id))).scalar() or 0
            query = select(Record.nonce, Record.id).where(
                Record.id > newest - LOOK_BACK, Record.nonce.in_(nonces)
            )
            return {row.nonce: row.id for row in connection.execute(query)}

    def _resume(self) -> Head:
        """The newest record, after the head's own is found where the head says and all after it fit.

        Records after the head were committed by a writer that was killed before it could answer; they stay,
        and a record of the writer says how many they are.
        """
        head = read_head(self._head_file)
        with self._engine.connect() as connection:
            if head is None:
                if connection.execute(select(func.max(Record.id))).scalar() is not None:
                    raise _broken(f"its head {self._head_file} is gone")
                head = START
                write_head(self._head_file, head)
            newest = _followed(connection, head)
        if newest.number == head.number:
            return head
        found = f"{newest.number - head.number} after {head.number} were written, not answered"
        newest, _ = self._insert(
            newest, [with_nonces([Entry(None, "resumed", detail=found, system_user=SYSTEM)])], {}
        )
        write_head(self._head_file, newest)
        return newest


def _row(head: Head, nonce: str, entry: Entry) -> dict[str, Any]:
    at = datetime.now(UTC).replace(tzinfo=None)
    row = {"id": head.number + 1, "at": at, "nonce": nonce, **vars(entry), "previous": head.hash}
    return row | {"hash": digest(row)}


def _followed(connection: Connection, head: Head) -> Head:
    """The newest record, reached from the head."""
    query = select(Record.__table__).where(Record.id >= max(head.number, 1)).order_by(Record.id)
    at = START if head == START else None
    for row in connection.execute(query).mappings():
        if at is None:
            if (row["id"], row["hash"]) != (head.number, head.hash):
                raise _broken(f"record {head.number} is not the one its head names")
        elif row["id"] != at.number + 1 or row["previous"] != at.hash:
            raise _broken(f"record {row['id']} does not follow record {at.number}")
        if digest(row) != row["hash"]:
            raise _broken(f"record {row['id']} was changed")
        at = Head(row["id"], row["hash"])
    if at is None:
        raise _broken(f"record {head.number}, which its head names, is not there")
    return at


def _demand_alone(connection: Connection) -> None:
    """One writer, whichever host it runs on; for the length of the transaction."""
    if not connection.exec_driver_sql(f"select pg_try_advisory_xact_lock({WRITER_LOCK})").scalar():
        raise AuditError("Another host writes the audit records of this database. Stop one of the services.")


def _broken(what: str) -> AuditError:
    return AuditError(
        f"The audit chain is broken: {what}. Nothing is shown until it is whole: see 'dropout-risk audit "
        "verify', and restore database and head together from a backup."
    )
