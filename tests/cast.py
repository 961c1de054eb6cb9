"""The cast: a few named people in two counties, whom the tests of access, pages and routes all know.

::

    province P
      county K   township T1   school A  classes 7A (Chen), 7B (Zhao)
                 township T2   school B  class 8A (Sun)
      county M   (no township) school C  class 7A (Wu)

Mei, Lei and Yan are in A 7A, Hao and Jun in A 7B, Lan and Bo in B 8A, Ying and Tao in C 7A. Kai is at two
places at once, A 7B and B 8A. Fang left A 7A for C 7A a week ago. Nobody else is anywhere.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, update

from serving import publication
from serving.access.deciding import Viewer
from serving.access.tree import SchoolPlace
from serving.accounts.keeping import create_account
from serving.accounts.tables import Account
from serving.directory.writing import Employed, Held, Placed, Told, Written, write
from serving.publication import COLUMNS
from serving.tables import PUBLISHED
from tests.made_up_runs import REASONS, run_key

TODAY = date(2026, 3, 2)
NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)
"""Noon in China, and the same day everywhere east of Hawaii."""
AUTUMN = date(2025, 9, 1)
A7A, A7B, B8A, C7A = "class:A:7A:2025", "class:A:7B:2025", "class:B:8A:2025", "class:C:7A:2025"
SCHOOLS = (
    SchoolPlace("A", "K", "T1", "P"),
    SchoolPlace("B", "K", "T2", "P"),
    SchoolPlace("C", "M", None, "P"),
)
TITLES = {
    "school:A": "Riverside School",
    "school:B": "Hilltop School",
    "school:C": "Lakeside School",
}
CLASS_OF = {
    "S-MEI": A7A, "S-LEI": A7A, "S-YAN": A7A, "S-HAO": A7B, "S-JUN": A7B, "S-KAI": A7B,
    "S-LAN": B8A, "S-BO": B8A, "S-YING": C7A, "S-TAO": C7A, "S-FANG": C7A,
}  # fmt: skip
"""Where each pupil is listed."""
NAMES = {
    "S-MEI": "王美", "S-LEI": "李雷", "S-YAN": "周燕", "S-HAO": "陈浩", "S-JUN": "赵军", "S-KAI": "孙凯",
    "S-LAN": "吴兰", "S-BO": "郑波", "S-YING": "冯英", "S-TAO": "褚涛", "S-FANG": "卫芳",
}  # fmt: skip
PLACEMENTS = (
    *(
        Placed(pupil, unit.split(":")[1], unit, AUTUMN)
        for pupil, unit in CLASS_OF.items()
        if pupil != "S-FANG"
    ),
    Placed("S-KAI", "B", B8A, AUTUMN),
    Placed("S-FANG", "A", A7A, AUTUMN, TODAY - timedelta(days=8)),
    Placed("S-FANG", "C", C7A, TODAY - timedelta(days=7)),
)
STAFF = {
    "T-CHEN": "陈老师", "T-ZHAO": "赵老师", "T-SUN": "孙老师", "T-WU": "吴老师", "T-OLD": "钱老师",
    "T-SOON": "蒋老师", "P-A": "A校校长", "P-B": "B校校长", "O-T1": "T1镇干部", "O-K": "K县干部",
    "O-M": "M县干部", "O-P": "省干部", "D-K": "K县数据员", "T-TWO": "韩老师",
}  # fmt: skip
POSTS = (
    Held("T-CHEN", A7A, "teacher", AUTUMN, date(2026, 8, 31)),
    Held("T-ZHAO", A7B, "班主任", AUTUMN, date(2026, 8, 31)),
    Held("T-SUN", B8A, "class_teacher", AUTUMN),
    Held("T-WU", C7A, "class_teacher", AUTUMN),
    Held("T-OLD", A7A, "class_teacher", AUTUMN, TODAY - timedelta(days=1)),  # until yesterday
    Held("T-SOON", A7A, "class_teacher", TODAY + timedelta(days=1)),  # from tomorrow
    Held("P-A", "school:A", "principal", AUTUMN),
    Held("P-B", "school:B", "principal", AUTUMN),
    Held("O-T1", "township:T1", "township", AUTUMN),
    Held("O-K", "county:K", "county", AUTUMN),
    Held("O-M", "county:M", "county", AUTUMN),
    Held("O-P", "province:P", "province", AUTUMN),
    Held("D-K", "county:K", "data_scientist", AUTUMN),
    Held("T-TWO", A7A, "class_teacher", AUTUMN),  # two posts at two schools
    Held("T-TWO", "school:B", "principal", AUTUMN),
)
LOGINS = {staff_id: staff_id.lower() for staff_id in STAFF}
ADMINISTRATOR = "keeper"
PASSWORD = "river-stone-lamp-7"
"""Of every member of the cast who has one: see :func:`settle`."""


def told() -> Told:
    """What the registers tell of the cast."""
    staff = tuple(Employed(staff_id, name) for staff_id, name in STAFF.items())
    return Told(SCHOOLS, TITLES, PLACEMENTS, NAMES, staff, POSTS)


def settle(
    connection: Connection, with_password: tuple[str, ...] = (), first_password: tuple[str, ...] = ()
) -> Written:
    """Enter the cast, an account for each of the staff and the administrator ``keeper``.

    Hashing takes 20 ms: only the staff named ``with_password`` can sign in by :data:`PASSWORD`; those named
    ``first_password`` have yet to choose one of their own.
    """
    written = write(connection, told())
    for staff_id, login in LOGINS.items():
        password = PASSWORD if staff_id in (*with_password, *first_password) else None
        create_account(connection, login, NOW, staff_id=staff_id, password=password)
    password = PASSWORD if ADMINISTRATOR in with_password else None
    create_account(connection, ADMINISTRATOR, NOW, administrator=True, password=password)
    chosen = Account.login.in_([LOGINS.get(name, name) for name in with_password])
    connection.execute(update(Account).where(chosen).values(must_change=False))
    return written


def viewer(connection: Connection, staff_id: str) -> Viewer:
    """The member of staff as a request of his would bring him; ``keeper`` is the administrator."""
    from serving.accounts.keeping import account_of

    row = account_of(connection, LOGINS.get(staff_id, staff_id))
    scientist = staff_id == "D-K"
    return Viewer(row.id, row.login, "person", row.staff_id, row.administrator, scientist)


def publish(engine: Engine, day: date = TODAY, snapshot: int = 1) -> int:
    """Publish a list of the cast: two of each class are listed; answers the run's number."""
    rows = sorted(
        (_row(place, pupil, unit) for place, (pupil, unit) in enumerate(CLASS_OF.items())),
        key=lambda row: (row[COLUMNS.index("school_id")], row[COLUMNS.index("student_id")]),
    )
    run = publication.begin(engine, run_key(day, snapshot), -3.0, ["absence_14"])
    publication.stage(engine, run, rows, _schools(rows))
    document = {
        "capacity": {"capacity_share": 0.05, "capacity_per_class": 5, "minimum_risk": 0.01},
        "model_origin": "trained",
    }
    publication.check(engine, run, len(rows))
    with engine.begin() as connection:
        publication.publish(connection, run)
        publication.finish(connection, run, PUBLISHED, document)
    return run


def _row(place: int, pupil: str, unit: str) -> tuple[Any, ...]:
    _, school, class_id, _ = unit.split(":")
    mates = [name for name, at in CLASS_OF.items() if at == unit]
    row = {
        "school_id": school,
        "student_id": pupil,
        "class_id": class_id,
        "class_key": unit.partition(":")[2],
        "grade": int(class_id[0]),
        "status": "scored",
        "risk": round(0.9 - place * 0.07, 2),
        "rank": place + 1,
        "rank_in_school": 1
        + [name for name, at in CLASS_OF.items() if at.split(":")[1] == school].index(pupil),
        "rank_in_class": 1 + mates.index(pupil),
        "listed": mates.index(pupil) < 2,
        "reasons": REASONS,
    }
    return tuple(row[name] for name in COLUMNS)


def _schools(rows: list[tuple[Any, ...]]) -> list[dict[str, Any]]:
    counted = [row[COLUMNS.index("school_id")] for row in rows]
    return [
        {
            "school_id": school.school_id,
            "county_id": school.county_id,
            "township_id": school.township_id,
            "province_id": school.province_id,
            "name": TITLES[f"school:{school.school_id}"],
            "pupils": counted.count(school.school_id),
            "held_back": None,
        }
        for school in SCHOOLS
    ]
