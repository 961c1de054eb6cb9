"""Many rows into the service database at once: COPY on PostgreSQL, one prepared statement on SQLite.

Both are part of the connection's transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.exc import DBAPIError

BINARY = {str: "text", int: "int4", float: "float8", bool: "bool", date: "date"}
"""PostgreSQL's type of the columns of a Python type; a third less work for the server than text."""


def insert_rows(connection: Connection, table: Table, rows: Sequence[tuple[Any, ...]]) -> None:
    """Insert ``rows``, plain Python values in the order of the columns of ``table``."""
    names = ", ".join(column.name for column in table.columns)
    if connection.dialect.name == "postgresql":
        _into_postgresql(connection, table, names, rows)
    else:
        places = ", ".join("?" * len(table.columns))
        statement = f"insert into {table.name} ({names}) values ({places})"
        connection.exec_driver_sql(statement, _as_sqlite_keeps(table, rows))


def _as_sqlite_keeps(table: Table, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """Days are text there."""
    if all(column.type.python_type is not date for column in table.columns):
        return list(rows)
    return [tuple(value.isoformat() if isinstance(value, date) else value for value in row) for row in rows]


def _into_postgresql(
    connection: Connection, table: Table, names: str, rows: Sequence[tuple[Any, ...]]
) -> None:
    """COPY; past row-level security, which refuses it, by way of a table of this transaction alone."""
    walled = connection.exec_driver_sql(f"select row_security_active('{table.name}')").scalar_one()
    target = f"{table.name}_to_come" if walled else table.name
    if walled:
        connection.exec_driver_sql(f"create temporary table {target} (like {table.name}) on commit drop")
    _copy(connection, table, f"copy {target} ({names}) from stdin (format binary)", rows)
    if walled:
        connection.exec_driver_sql(f"insert into {table.name} ({names}) select {names} from {target}")
        connection.exec_driver_sql(f"drop table {target}")


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
