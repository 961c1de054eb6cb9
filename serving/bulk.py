"""Many rows into the service database at once: COPY on PostgreSQL, one prepared statement on SQLite.

Both are part of the connection's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError

BINARY = {str: "text", int: "int4", float: "float8", bool: "bool"}
"""PostgreSQL's type of the columns of a Python type; a third less work for the server than text."""


def insert_rows(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert ``rows``, plain Python values in the order of the columns of ``table``."""
    names = ", ".join(column.name for column in table.columns)
    if connection.dialect.name == "postgresql":
        _copy(connection, table, f"copy {table.name} ({names}) from stdin (format binary)", rows)
    else:
        places = ", ".join("?" * len(table.columns))
        statement = f"insert into {table.name} ({names}) values ({places})"
        connection.exec_driver_sql(statement, list(rows))


def _copy(connection: Connection, table: Table, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
    import psycopg

    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            copy.set_types([BINARY[column.type.python_type] for column in table.columns])
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:  # as SQLAlchemy would have raised it: the rows are not part of it
        raise DBAPIError(statement, None, error) from error
