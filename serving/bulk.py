"""Many rows into the service database at once: COPY on PostgreSQL, one prepared statement on SQLite.

Both are part of the connection's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError


def insert_rows(
    connection: Connection, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert ``rows``, plain Python values in the order of ``columns``, into ``table``."""
    names = ", ".join(columns)
    if connection.dialect.name == "postgresql":
        _copy(connection, f"copy {table} ({names}) from stdin", rows)
    else:
        places = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f"insert into {table} ({names}) values ({places})", list(rows))


def _copy(connection: Connection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    import psycopg

    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:  # as SQLAlchemy would have raised it: the rows are not part of it
        raise DBAPIError(statement, None, error) from error
