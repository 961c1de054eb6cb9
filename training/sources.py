"""Where a feature's SQL reads: from what was known on the snapshot, or past the cut.

Whatever reads ``known.*`` sees only rows recorded by the snapshot. A feature that reads the lake itself, a
file or another database may know what the office learnt only after the event, however weak it looks in the
figures: an average over the coming weeks tells leavers apart less clearly than an honest count of absences.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb

from risk_model.features.feature import Feature, Relation

CUT = "known"
"""The schema of the views that are cut by ``recorded_on``."""
HARMLESS = frozenset({"unnest", "range", "generate_series"})
"""Functions that make rows out of their arguments."""


def read_past_the_cut(
    features: Sequence[Feature], relations: Sequence[Relation]
) -> Mapping[str, tuple[str, ...]]:
    """Per feature the tables, files and functions it reads that no snapshot cuts; only those with any.

    Nothing is run: the SQL is parsed. Names without a schema are the groundwork's own temporary tables.
    """
    texts = {relation.name: relation.sql for relation in relations}
    found = {}
    with duckdb.connect() as con:
        of_relation = {name: _uncut(con, sql) for name, sql in texts.items()}
        for feature in features:
            own = _uncut(con, f"SELECT {feature.sql.replace(' OVER class', '').replace(' OVER school', '')}")
            uncut = {*own, *of_relation.get(feature.relation, ())}
            if uncut:
                found[feature.name] = tuple(sorted(uncut))
    return found


def _uncut(con: duckdb.DuckDBPyConnection, sql: str) -> set[str]:
    told = con.execute("SELECT json_serialize_sql(?::VARCHAR)", [sql]).fetchall()[0][0]
    parsed = json.loads(told)
    if parsed["error"]:
        return {f"something that cannot be parsed ({parsed['error_message']})"}
    return {name for node in _nodes(parsed) if (name := _reads(node)) is not None}


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
    for child in tree.values() if isinstance(tree, dict) else tree if isinstance(tree, list) else ():
        yield from _nodes(child)


def _reads(node: dict[str, Any]) -> str | None:
    """What a node of the syntax tree reads, if no snapshot cuts it."""
    if node.get("type") == "BASE_TABLE":
        place = [node.get("catalog_name"), node.get("schema_name")]
        named, table = [part for part in place if part], str(node["table_name"])
        a_file = "." in table or "/" in table
        return None if named in ([], [CUT]) and not a_file else ".".join([*named, table])
    if node.get("type") == "TABLE_FUNCTION":
        name = str(node["function"]["function_name"])
        return None if name in HARMLESS else f"{name}(…)"
    return None
