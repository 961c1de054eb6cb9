"""How old pupils were when they were looked at: birth dates out of the registers, for the yearly account."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from risk_model.errors import MissingError
from risk_model.home import Home
from risk_model.settings import Settings

OF_AGE = 18
"""Years: who is younger is a minor."""
_BORN = """
select student_id, birth_date from known.students
where birth_date is not null and student_id in (select unnest($pupils))
"""


def birth_dates(home: Home, settings: Settings, pupils: Collection[str]) -> dict[str, date]:
    """Birth dates of those of ``pupils`` whom the registers tell one of, as known today.

    Nobody is in it where the registers are not kept on this machine.
    """
    from risk_model.lake.reading import open_lake

    try:
        with open_lake(home, settings) as lake:
            if "students" not in lake.registers():
                return {}
            lake.known_on(date.today())
            return dict(lake.con.execute(_BORN, {"pupils": list(pupils)}).fetchall())
    except MissingError:
        return {}


def is_minor(born: date, day: date) -> bool:
    """Whether somebody born on ``born`` was younger than 18 on ``day``.

    >>> is_minor(date(2008, 2, 29), date(2026, 2, 28)), is_minor(date(2008, 2, 29), date(2026, 3, 1))
    (True, False)
    """
    years = day.year - born.year - ((day.month, day.day) < (born.month, born.day))
    return years < OF_AGE
