"""Roles: how registers spell them, and which see the pupils of the unit they are held in."""

from __future__ import annotations

from datetime import UTC, date, datetime
from types import MappingProxyType

SEES = MappingProxyType(
    {
        "class_teacher": "class",
        "principal": "school",
        "township": "township",
        "county": "county",
        "province": "province",
    }
)
"""The kind of unit whose pupils a role sees; in a unit of any other kind it sees nobody."""
DATA_SCIENTIST = "data_scientist"
ROLES = (*SEES, DATA_SCIENTIST)
SPELLED = MappingProxyType(
    {
        "class_teacher": ("teacher", "form_teacher", "班主任", "教师"),
        "principal": ("head", "headteacher", "校长"),
        "township": ("township_officer", "乡镇", "乡镇干部", "中心校"),
        "county": ("county_officer", "县", "县级", "县教育局"),
        "province": ("province_officer", "省", "省级", "省教育厅"),
        DATA_SCIENTIST: ("数据分析员", "数据分析"),
    }
)
_BY_SPELLING = {spelling: role for role, spellings in SPELLED.items() for spelling in (role, *spellings)}


def role_of(text: str) -> str | None:
    """The role a register means; null for one we do not know, which sees nobody.

    An administrator is made by command only: whoever writes registers cannot open accounts.

    >>> role_of("班主任"), role_of("Teacher"), role_of("administrator")
    ('class_teacher', 'class_teacher', None)
    """
    return _BY_SPELLING.get(text.strip().lower().replace(" ", "_"))


def sees(role: str, unit: str) -> bool:
    """Whether ``role`` sees the pupils of ``unit``.

    >>> sees("principal", "school:A"), sees("class_teacher", "school:A"), sees("data_scientist", "county:C")
    (True, False, False)
    """
    return SEES.get(role) == unit.partition(":")[0]


def local_day(at: datetime) -> date:
    """The day it is where the service runs: posts begin and end at the office's midnight."""
    return at.astimezone().date()


def end_of(day: date | None) -> datetime | None:
    """The moment after the last of ``day``, in UTC."""
    if day is None or day == date.max:
        return None
    return datetime.fromordinal(day.toordinal() + 1).astimezone(UTC)
