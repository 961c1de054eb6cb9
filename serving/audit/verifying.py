"""Is the chain whole? Every edit, deletion, swap and truncation is named by the number of its record."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from sqlalchemy import Connection, Engine, String, select, type_coerce

from risk_model.errors import UsageError
from serving.audit.entries import GENESIS, digest
from serving.audit.head import START, Head, read_head
from serving.audit.tables import Record, triggers_of, triggers_wanted

PAGE = 5_000
"""Records read in one go: between pages the writer may write."""
MOST_FAULTS = 1_000
"""Faults told; a chain with more is no chain."""
Kind = Literal[
    "missing", "edited", "rehashed", "out_of_place", "head_differs", "noted_differs", "no_head", "no_triggers"
]
SAID = {
    "missing": "deleted or cut off",
    "edited": "its content is not what its hash was made of",
    "rehashed": "changed and hashed anew, or put in: its neighbours tell",
    "out_of_place": "beyond what its predecessor allows",
    "head_differs": "not the record the head outside the database names",
    "noted_differs": "not the record that was noted down",
    "no_head": "there are records, but no head outside the database",
    "no_triggers": "the triggers that refuse update and delete are gone",
}


@dataclass(frozen=True)
class Fault:
    """Records ``first`` to ``last``, and what is wrong with them."""

    kind: Kind
    first: int
    last: int

    def said(self) -> str:
        """The fault as a sentence."""
        which = f"record {self.first}" if self.first == self.last else f"records {self.first} to {self.last}"
        return SAID[self.kind] if self.kind in ("no_head", "no_triggers") else f"{which}: {SAID[self.kind]}"


@dataclass(frozen=True)
class Verdict:
    """What ``audit verify`` answers."""

    records: int
    head: Head | None
    newest: Head
    """The newest record of the database; note it down elsewhere, and later it can be asked for."""
    unanswered: int
    """Records after the head: being written now, or left by a writer that was killed."""
    faults: tuple[Fault, ...]

    @property
    def whole(self) -> bool:
        return not self.faults


def read_noted(text: str) -> Head:
    """A head as ``audit verify`` printed it, ``N:HASH``.

    Raises
    ------
    UsageError
        It is none.
    """
    number, _, hash_ = text.partition(":")
    if not (number.isascii() and number.isdigit() and re.fullmatch("[0-9a-f]{64}", hash_)):
        raise UsageError(f"{text!r} is no head; write it as 'audit verify' printed it, N:HASH.")
    return Head(int(number), hash_)


def verify(engine: Engine, head_file: Path, noted: Head | None = None) -> Verdict:
    """Look at every record, its hash, its place and the head; and whether ``noted``, an earlier head kept
    elsewhere, is still in the chain.

    The head is read first, so that records written meanwhile are after it and not missing.

    Raises
    ------
    AuditError
        The head's file cannot be read.
    """
    head = read_head(head_file)
    verdict = judge(_pages(engine), head)
    faults = verdict.faults
    with engine.connect() as connection:
        if not triggers_wanted(engine.dialect.name) <= triggers_of(connection):
            faults += (Fault("no_triggers", 0, 0),)
        if noted is not None and not _holds(connection, noted):
            faults += (Fault("noted_differs", noted.number, noted.number),)
    return replace(verdict, faults=faults)


def _holds(connection: Connection, noted: Head) -> bool:
    if noted == START:
        return True
    return connection.execute(select(Record.hash).where(Record.id == noted.number)).scalar() == noted.hash


def records_in(connection: Connection, after: int | None = None, limit: int = PAGE) -> list[Any]:
    """A page of records as mappings, by number."""
    # As text where the database keeps text: a time that was edited into none is a fault, not a crash.
    plain = connection.dialect.name == "sqlite"
    at = type_coerce(Record.at, String).label("at") if plain else Record.at
    others = [column for column in Record.__table__.columns if column.name != "at"]
    query = select(at, *others).order_by(Record.id).limit(limit)
    if after is not None:
        query = query.where(Record.id > after)
    rows = [dict(row) for row in connection.execute(query).mappings()]
    return [row | {"at": _time(row["at"])} for row in rows] if plain else rows


def _time(text: Any) -> Any:
    """The time, or what stands there instead."""
    try:
        return datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return text


def judge(records: Iterable[Mapping[str, Any]], head: Head | None) -> Verdict:
    """The verdict on records in the order of their numbers."""
    walk = _Walk(head.number if head else None)
    for record in records:
        walk.step(record)
    return walk.verdict(head)


class _Walk:
    """From record to record; ``at`` is the last one that stood in its place."""

    def __init__(self, head: int | None) -> None:
        self.at = Head(0, GENESIS)
        self.faults: list[Fault] = []
        self.count = 0
        self._head = head
        self._of_head: str | None = GENESIS if head == 0 else None
        self._suspect = False
        """The record at ``at`` is already named, or missing."""

    def step(self, record: Mapping[str, Any]) -> None:
        self.count += 1
        number = record["id"]
        following = self.at.number + 1
        if number < following:
            self._tell("out_of_place", number, number)
            return
        if number > following:
            self._skip(following, number)
        own = _digest_or_none(record) == record["hash"]
        if not own:
            self._tell("edited", number, number)
        elif record["previous"] != self.at.hash and not self._suspect:
            before = self.at.number
            self._tell("rehashed", max(before, 1), number)
        self._suspect = not own
        self.at = Head(number, record["hash"])
        if number == self._head:
            self._of_head = record["hash"]

    def _skip(self, following: int, number: int) -> None:
        """Records are missing before ``number``; one beyond the head that leaves a hole was moved there."""
        last = number - 1
        if self._head is not None and number > self._head:
            self._tell("out_of_place", number, number)
            last = self._head
        if following <= last:
            self._tell("missing", following, last)
        self._suspect = True

    def verdict(self, head: Head | None) -> Verdict:
        if head is None and self.count:
            self._tell("no_head", 0, 0)
        if head is not None and self.at.number < head.number:
            self._tell("missing", self.at.number + 1, head.number)
        elif head is not None and self._of_head not in (None, head.hash) and not self._named(head.number):
            self._tell("head_differs", head.number, head.number)
        unanswered = max(self.at.number - head.number, 0) if head else 0
        return Verdict(self.count, head, self.at, unanswered, tuple(self.faults))

    def _named(self, number: int) -> bool:
        return any(fault.first <= number <= fault.last for fault in self.faults)

    def _tell(self, kind: Kind, first: int, last: int) -> None:
        if len(self.faults) < MOST_FAULTS:
            self.faults.append(Fault(kind, first, last))


def _digest_or_none(record: Mapping[str, Any]) -> str | None:
    """What the record's hash should be; None where a value is of no kind a record can hold."""
    try:
        return digest(record)
    except (TypeError, ValueError, AttributeError):
        return None


def _pages(engine: Engine) -> Iterator[Mapping[str, Any]]:
    after: int | None = None
    while True:
        with engine.connect() as connection:
            page = records_in(connection, after)
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1]["id"]
