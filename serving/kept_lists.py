"""Lists of classes and schools kept in memory by a worker, from one publication to the next.

A published list does not change: what stands on it is made once and kept. Who asks is looked at every time:
of the list only those are told whom the viewer may see as the database stands in the request's own
transaction, so that a pupil who moved or a post that ended counts with the next request.

On PostgreSQL nothing is kept: there the second wall decides row by row what a viewer reads.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from sqlalchemy import Connection, func, select

from risk_model.explanation.words import Language
from serving.lists import Asked, Page, ordered, part_of, published_page
from serving.tables import Publication
from serving.units import Unit

MOST_ROWS = 20_000
"""Rows kept by a worker, some 2 KB each; beyond, the list that was asked for longest ago goes."""
_NEWEST = select(func.max(Publication.id))
Key = tuple[str, Language]


class KeptLists:
    """The lists of one database, for all requests of one process; safe to share by threads."""

    def __init__(self, most_rows: int = MOST_ROWS) -> None:
        self._most_rows = most_rows
        self._pages: OrderedDict[Key, Page] = OrderedDict()
        self._rows = 0
        self._publication: int | None = None
        self._changing = threading.Lock()

    def page(self, connection: Connection, unit: Unit, asked: Asked | None = None) -> Page:
        """As :func:`serving.lists.published_page`."""
        asked = asked or Asked()
        if asked.as_of is not None or asked.top is not None or asked.everybody or unit.above_school:
            return published_page(connection, unit, asked)
        whole = self._whole(
            connection,
            (str(unit), asked.language),
            lambda: published_page(connection, unit, Asked(language=asked.language)),
        )
        return _told(connection, whole, asked)

    def forget(self) -> None:
        """Make every list anew: for whoever changed a published one by hand, which the program never does."""
        with self._changing:
            self._pages.clear()
            self._rows = 0

    def _whole(self, connection: Connection, key: Key, make: Callable[[], Page]) -> Page:
        """The list with everybody on it, of the newest publication this transaction sees."""
        if connection.dialect.name != "sqlite":
            return make()
        publication = connection.execute(_NEWEST).scalar()
        with self._changing:
            if publication == self._publication and key in self._pages:
                self._pages.move_to_end(key)
                return self._pages[key]
        page = make()
        with self._changing:
            self._keep(publication, key, page)
        return page

    def _keep(self, publication: int | None, key: Key, page: Page) -> None:
        if publication != self._publication:
            self._pages.clear()
            self._rows, self._publication = 0, publication
        if key not in self._pages:
            self._rows += len(page.rows) + 1
        self._pages[key] = page
        while self._rows > self._most_rows:
            _, gone = self._pages.popitem(last=False)
            self._rows -= len(gone.rows) + 1


def _told(connection: Connection, whole: Page, asked: Asked) -> Page:
    """The part of the list that is asked for, with the figures of those who may be seen."""
    rows = whole.rows
    if asked.among is not None:
        seen = asked.among.of(connection, [row["student_id"] for row in rows])
        rows = [row for row in rows if row["student_id"] in seen]
    risks = [row["risk"] for row in rows if row["risk"] is not None]
    part, following = part_of(ordered(rows, asked.order), asked.after, asked.most)
    return replace(
        whole,
        rows=[dict(row) for row in part],
        listed=len(rows),
        open_cases=len(rows) - len(risks),
        expected_precision=sum(risks) / len(risks) if risks else None,
        following=following,
    )
