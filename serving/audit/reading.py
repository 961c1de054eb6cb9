"""What the records say: who looked at a pupil, and the yearly account of looks at minors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, or_, select

from serving.access.posts import local_day
from serving.audit.ages import is_minor
from serving.audit.tables import Record

PAGE = 20_000
"""Records counted in one go: between pages the writer may write."""
NOT_TOLD = "–"


@dataclass(frozen=True)
class Look:
    """One record about a pupil, as people are shown it."""

    number: int
    at: datetime
    """UTC."""
    account_id: int | None
    system_user: str | None
    action: str
    reason: str | None
    unit: str | None
    detail: str


def looks_at(
    connection: Connection, student_id: str, units: Sequence[str] = (), limit: int = 200
) -> list[Look]:
    """Who looked at the pupil or changed something about him, newest first.

    With ``units``, the units he belongs to, looks at their lists count as well. ``connection`` is one of the
    records: ``with audit.reading() as connection``.
    """
    about = Record.student_id == student_id
    if units:
        about = or_(about, Record.unit.in_(units) & Record.student_id.is_(None))
    query = select(Record.__table__).where(about).order_by(Record.id.desc()).limit(limit)
    return [
        Look(row.id, row.at, row.account_id, row.system_user, row.action, row.reason, row.unit, row.detail)
        for row in connection.execute(query)
    ]


def pupils_of_year(engine: Engine, year: int) -> list[str]:
    """Pupils whom records of a year (UTC) are about."""
    told = select(Record.student_id).where(Record.student_id.is_not(None), *_within(year)).distinct()
    with engine.connect() as connection:
        return list(connection.execute(told).scalars())


def yearly_report(engine: Engine, year: int, births: Mapping[str, date]) -> dict[str, Any]:
    """Looks at minors in a year (UTC): how many, at how many, by whom, and why.

    A minor is who was younger than 18 on the day of the look, by ``births`` (birth dates by pupil). A pupil
    of unknown age counts as one, and is told apart in ``unknown_age``; looks at those of age are left out of
    all else and counted in ``of_age``. ``by_role``, ``by_reason``, ``by_unit``, ``by_action``, ``by_month``
    each add up to ``records``; a dash stands for what was not told. ``role`` is the role acted in, or else
    the reason of access. Lists, which show many pupils, are counted once and in ``lists``.
    """
    count: dict[str, Counter[str]] = {
        name: Counter() for name in ("by_role", "by_reason", "by_unit", "by_action", "by_month")
    }
    pupils, unknown, grown = Counter[str](), Counter[str](), Counter[str]()
    actors, lists = set(), 0
    for row in _of_year(engine, year):
        if row.student_id is not None:
            born = births.get(row.student_id)
            if born is not None and not is_minor(born, local_day(row.at.replace(tzinfo=UTC))):
                grown[row.student_id] += 1
                continue
            pupils[row.student_id] += 1
            unknown[row.student_id] += born is None
        who = f"account {row.account_id}" if row.account_id is not None else f"system user {row.system_user}"
        actors.add(who)
        lists += row.student_id is None
        count["by_role"][row.role or row.reason or ("system_user" if row.system_user else NOT_TOLD)] += 1
        count["by_reason"][row.reason or NOT_TOLD] += 1
        count["by_unit"][row.unit or NOT_TOLD] += 1
        count["by_action"][row.action] += 1
        count["by_month"][row.at.strftime("%Y-%m")] += 1
    return {
        "year": year,
        "records": count["by_action"].total(),
        "pupils": len(pupils),
        "unknown_age": _counted(unknown),
        "of_age": _counted(grown),
        "actors": len(actors),
        "lists": lists,
        "break_glass": count["by_reason"]["break_glass"] + count["by_action"]["break_glass"],
        "exports": count["by_action"]["export"],
        **{name: dict(sorted(counted.items())) for name, counted in count.items()},
    }


def _counted(looks: Counter[str]) -> dict[str, int]:
    """Looks, and pupils who were looked at."""
    return {"records": looks.total(), "pupils": len(+looks)}


def report_text(report: dict[str, Any]) -> str:
    """The yearly account, for people."""
    unknown, grown = report["unknown_age"], report["of_age"]
    lines = [
        f"Looks at minors' data in {report['year']}: {report['records']:,} records about "
        f"{report['pupils']:,} pupils and {report['lists']:,} lists, by {report['actors']:,} accounts; "
        f"{report['exports']:,} exports, {report['break_glass']:,} times the glass was broken.",
        f"Of them {unknown['records']:,} records about {unknown['pupils']:,} pupils whose birth date no "
        "register tells. "
        f"Left out: {grown['records']:,} records about {grown['pupils']:,} pupils of 18 years or more.",
    ]
    for name in ("by_role", "by_reason", "by_unit", "by_action", "by_month"):
        lines.append(f"\n{name.replace('_', ' ').capitalize()}")
        lines += [f"  {count:>9,}  {what}" for what, count in report[name].items()]
    return "\n".join(lines)


def _of_year(engine: Engine, year: int) -> Iterator[Any]:
    """Records about pupils or their lists; those of sign-ins and of the writer itself are not looks."""
    columns = (Record.id, Record.at, Record.account_id, Record.system_user, Record.action)
    about = or_(Record.student_id.is_not(None), Record.unit.is_not(None))
    told = (*columns, Record.student_id, Record.unit, Record.role, Record.reason)
    query = select(*told).where(about, *_within(year))
    after = 0
    while True:
        with engine.connect() as connection:
            page = connection.execute(query.where(Record.id > after).order_by(Record.id).limit(PAGE)).all()
        yield from page
        if len(page) < PAGE:
            return
        after = page[-1].id


def _within(year: int) -> tuple[ColumnElement[bool], ...]:
    return Record.at >= datetime(year, 1, 1), Record.at < datetime(year + 1, 1, 1)
