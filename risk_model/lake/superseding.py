"""Which tables of a lake change when facts arrive: versions, what they supersede, affirmations.

The state after any number of deliveries depends on the facts alone, not on the order in which
they arrived; only of two facts with the same key and the same ``recorded_on`` the later import
wins. A plan is computed beside the lake and then applied in one short transaction.

``facts`` has the columns of the part, ``recorded_on``, ``imported_on``, ``delivery``,
``retracted`` and ``fact`` (unique); a retracted fact's content is null; facts with the same key and
``recorded_on`` have the same content.
"""

from __future__ import annotations

from dataclasses import dataclass

import duckdb

from risk_model.lake.attaching import quoted
from risk_model.lake.storage import STAMPS, Part

_STAMPS = ", ".join(STAMPS)
_SHAPES: dict[str, tuple[bool, tuple[str, ...]]] = {
    "now": (True, ()),
    "past": (True, ("superseded_on", "retracted")),
    "affirmed": (False, ()),
}
"""Per table of a part: does it hold the content, and which columns besides."""


@dataclass(frozen=True)
class Plan:
    """What applying will write; ``same`` holds the facts that say nothing new of this part."""

    part: Part
    facts: str
    scratch: str
    fresh: bool = False
    """There are facts of keys nobody told anything of before."""
    affirms: bool = False
    """There are facts that say again, later, what is in force."""
    retells: bool = False
    """There are keys whose versions change otherwise."""

    @property
    def changes(self) -> bool:
        """Whether applying writes anything at all."""
        return self.fresh or self.affirms or self.retells

    def table(self, name: str) -> str:
        """A working table of this plan, in the scratch database."""
        return f"{self.scratch}.{self.part.lake}_{self.part.register.name}_{name}"

    @property
    def same(self) -> str:
        return self.table("same")


def find_repeated(con: duckdb.DuckDBPyConnection, part: Part, facts: str, table: str) -> None:
    """Make ``table(hash)``: hashes of the keys of which ``facts`` tell more than once."""
    hashes = f"SELECT {part.key_hash()} AS hash FROM {facts}"
    con.execute(
        f"CREATE OR REPLACE TABLE {table} AS SELECT hash FROM ({hashes}) GROUP BY hash HAVING count(*) > 1"
    )


def plan(con: duckdb.DuckDBPyConnection, part: Part, facts: str, repeated: str, scratch: str) -> Plan:
    """Compute what ``facts`` change in ``part``; writes working tables into database ``scratch``.

    ``repeated`` is the table of :func:`find_repeated`.
    """
    draft = Plan(part, facts, scratch)
    _sort_out(con, draft, repeated)
    retells = _any(con, draft.table("story"))
    if retells:
        _collect_versions(con, draft)
        _rank_versions(con, draft)
        _differences(con, draft)
        retells = any(
            _any(con, draft.table(f"{what}_{name}")) for what in ("add", "drop") for name in _SHAPES
        )
    fresh = _any(con, f"({_fresh(con, draft, 'true')})")
    return Plan(part, facts, scratch, fresh, _any(con, draft.table("again")), retells)


def apply(con: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Write the plan into the lake; call it inside a transaction."""
    part = plan.part
    if plan.retells:
        for name, table in (("now", part.now), ("past", part.past), ("affirmed", part.affirmed)):
            _replace_rows(con, plan, name, table)
    if plan.affirms:
        con.execute(f"INSERT INTO {part.affirmed} BY NAME FROM {plan.table('again')}")
    if plan.fresh:
        con.execute(f"INSERT INTO {part.now} BY NAME {_fresh(con, plan, 'NOT retracted')}")
        if _any(con, gone := f"({_fresh(con, plan, 'retracted')})"):
            con.execute(
                f"INSERT INTO {part.past} BY NAME"
                f" SELECT *, NULL::DATE AS superseded_on, true AS retracted FROM {gone}"
            )


def _replace_rows(con: duckdb.DuckDBPyConnection, plan: Plan, name: str, table: str) -> None:
    gone, add = plan.table(f"drop_{name}"), plan.table(f"add_{name}")
    if _any(con, gone):
        con.execute(f"""
            DELETE FROM {table} AS old USING {gone} AS gone
            WHERE {plan.part.same_key("old", "gone")}
              AND old.recorded_on = gone.recorded_on AND old.delivery = gone.delivery""")
    if _any(con, add):
        con.execute(f"INSERT INTO {table} BY NAME FROM {add}")


def _sort_out(con: duckdb.DuckDBPyConnection, plan: Plan, repeated: str) -> None:
    """Split the facts: ``same`` ones, those said ``again``, keys of a ``story``; the rest is fresh."""
    part, facts = plan.part, plan.facts
    con.execute(f"CREATE OR REPLACE TABLE {plan.same} (fact BIGINT)")
    con.execute(f"CREATE OR REPLACE TABLE {plan.table('story')} AS FROM {repeated}")
    again = ", ".join([*part.key, *STAMPS])
    con.execute(f"CREATE OR REPLACE TABLE {plan.table('again')} AS SELECT {again} FROM {facts} WHERE false")
    con.execute(f"CREATE OR REPLACE TABLE {plan.table('met')} (fact BIGINT)")
    if _any(con, f"(SELECT * FROM {part.now}{_span(con, plan, 'WHERE')})"):
        _compare_with_rows_in_force(con, plan)
    if _any(con, past := f"(SELECT * FROM {part.past}{_span(con, plan, 'WHERE')})"):
        unmet = f"SELECT * FROM {facts} ANTI JOIN {plan.table('met')} USING (fact)"
        con.execute(f"""
            INSERT INTO {plan.table("story")}
            SELECT {part.key_hash("told")} FROM ({unmet}) AS told SEMI JOIN {past} AS old
            ON {part.same_key("told", "old")}""")


def _compare_with_rows_in_force(con: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """Facts of keys in force: the very same, the same said later, or a reason to tell the story anew."""
    part, met = plan.part, plan.table("met")
    con.execute(f"""
        CREATE OR REPLACE TABLE {met} AS
        SELECT told.fact, {part.key_hash("told")} AS hash,
               told.recorded_on AS told_on, old.recorded_on AS since,
               NOT told.retracted AND {_same_content(part, "told", "old")} AS same
        FROM {plan.facts} AS told JOIN (SELECT * FROM {part.now}{_span(con, plan, "WHERE")}) AS old
        ON {part.same_key("told", "old")}""")
    con.execute(f"""
        INSERT INTO {plan.table("story")}
        SELECT hash FROM {met} WHERE NOT same OR told_on < since""")
    idle = f"SELECT * FROM {met} WHERE hash NOT IN (FROM {plan.table('story')})"
    con.execute(f"INSERT INTO {plan.same} SELECT fact FROM ({idle})")
    con.execute(f"""
        INSERT INTO {plan.table("again")} BY NAME
        SELECT {", ".join([*part.key, *STAMPS])} FROM {plan.facts} AS told
        WHERE fact IN (SELECT fact FROM ({idle}) WHERE told_on > since)
          AND NOT EXISTS (SELECT 1 FROM (SELECT * FROM {part.affirmed}{_span(con, plan, "WHERE")}) AS old
                          WHERE {part.same_key("told", "old")} AND told.recorded_on = old.recorded_on)""")


def _span(con: duckdb.DuckDBPyConnection, plan: Plan, word: str) -> str:
    """A filter on the first day of the key, so that tonight's marks do not scan the years before."""
    days = [column.name for column in plan.part.columns if column.key and column.kind.name == "DATE"]
    if not days:
        return ""
    low, high = con.execute(f"SELECT min({days[0]}), max({days[0]}) FROM {plan.facts}").fetchall()[0]
    return f" {word} {days[0]} BETWEEN {quoted(low)} AND {quoted(high)}" if low is not None else ""


def _collect_versions(con: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """All that was ever told of the keys of ``story``: ``versions``, old ones with ``fact`` null."""
    part, story = plan.part, plan.table("story")
    columns = ", ".join([*part.key, *part.content, *STAMPS])
    told = f"WHERE {part.key_hash()} IN (FROM {story}){_span(con, plan, 'AND')}"
    con.execute(f"""
        CREATE OR REPLACE TABLE {plan.table("old")} AS
        SELECT {columns}, NULL::DATE AS superseded_on, false AS retracted, 'now' AS place
        FROM {part.now} {told}
        UNION ALL BY NAME
        SELECT {columns}, superseded_on, retracted, 'past' AS place FROM {part.past} {told}""")
    content = ", ".join(f"old.{name}" for name in part.content)
    key = ", ".join(f"again.{name}" for name in part.key)
    stamps = ", ".join(f"again.{name}" for name in STAMPS)
    con.execute(f"""
        INSERT INTO {plan.table("old")} BY NAME
        SELECT {", ".join(filter(None, [key, content, stamps]))}, NULL::DATE AS superseded_on, old.retracted,
               'affirmed' AS place
        FROM (SELECT * FROM {part.affirmed} {told}) AS again
        ASOF JOIN (SELECT * FROM {plan.table("old")}
                   WHERE superseded_on IS NULL OR superseded_on > recorded_on) AS old
        ON {_asof_key(part)} AND again.recorded_on >= old.recorded_on""")
    con.execute(f"""
        CREATE OR REPLACE TABLE {plan.table("versions")} AS
        SELECT {columns}, retracted, NULL::BIGINT AS fact FROM {plan.table("old")}
        UNION ALL BY NAME
        SELECT {columns}, retracted, fact FROM {plan.facts} WHERE {part.key_hash()} IN (FROM {story})""")


def _rank_versions(con: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """``chain``: each version with its fate – in force (``now``), ``past``, or ``affirmed``.

    A new fact equal to what was already told for that very day is left out.
    """
    part = plan.part
    key = ", ".join(part.key)
    day = f"PARTITION BY {key}, recorded_on"
    told = _packed(part)
    con.execute(f"""
        CREATE OR REPLACE TABLE {plan.table("chain")} AS
        WITH packed AS (
            SELECT *, {told} AS told FROM {plan.table("versions")}
        ), before AS (
            SELECT *, first_value(told) OVER ({day} ORDER BY fact IS NOT NULL, delivery DESC) AS standing,
                   min(fact) OVER ({day}) AS first_fact, bool_or(fact IS NULL) OVER ({day}) AS older
            FROM packed
        ), entered AS (
            SELECT *, row_number() OVER ({day} ORDER BY delivery DESC, fact) = 1 AS wins FROM before
            WHERE fact IS NULL OR (fact = first_fact AND (NOT older OR told IS DISTINCT FROM standing))
        ), winners AS (
            SELECT *, (lag(told) OVER later) IS DISTINCT FROM told AS new_word
            FROM entered WHERE wins WINDOW later AS (PARTITION BY {key} ORDER BY recorded_on)
        ), words AS (
            SELECT *, lead(recorded_on) OVER (PARTITION BY {key} ORDER BY recorded_on) AS superseded_on
            FROM winners WHERE new_word
        )
        SELECT * EXCLUDE (told, standing, first_fact, older, wins, new_word),
               CASE WHEN superseded_on IS NULL AND NOT retracted THEN 'now' ELSE 'past' END AS fate FROM words
        UNION ALL BY NAME
        SELECT * EXCLUDE (told, standing, first_fact, older, wins, new_word), NULL::DATE AS superseded_on,
               'affirmed' AS fate FROM winners WHERE NOT new_word
        UNION ALL BY NAME
        SELECT * EXCLUDE (told, standing, first_fact, older, wins), recorded_on AS superseded_on,
               'past' AS fate FROM entered WHERE NOT wins""")
    con.execute(f"""
        INSERT INTO {plan.same}
        SELECT fact FROM {plan.table("versions")} WHERE fact IS NOT NULL
        EXCEPT SELECT fact FROM {plan.table("chain")} WHERE fact IS NOT NULL AND fate <> 'affirmed'""")


def _differences(con: duckdb.DuckDBPyConnection, plan: Plan) -> None:
    """``add_*`` and ``drop_*`` for each of the three tables, from the old rows and the new chain."""
    part = plan.part
    for name, (content, more) in _SHAPES.items():
        columns = ", ".join([*part.key, *(part.content if content else ()), *STAMPS, *more])
        new = f"SELECT {columns} FROM {plan.table('chain')} WHERE fate = '{name}'"
        old = f"SELECT {columns} FROM {plan.table('old')} WHERE place = '{name}'"
        con.execute(f"CREATE OR REPLACE TABLE {plan.table(f'add_{name}')} AS {new} EXCEPT ALL {old}")
        con.execute(f"CREATE OR REPLACE TABLE {plan.table(f'drop_{name}')} AS {old} EXCEPT ALL {new}")


def _fresh(con: duckdb.DuckDBPyConnection, plan: Plan, which: str) -> str:
    """SQL: facts of keys nobody told anything of before."""
    columns = ", ".join([*plan.part.key, *plan.part.content, _STAMPS])
    told = f"SELECT {columns} FROM {plan.facts} WHERE {which}"
    # Tonight's marks are new, all of them: most nights there is nothing to look them up in.
    if _any(con, plan.table("story")):
        told += f" AND {plan.part.key_hash()} NOT IN (FROM {plan.table('story')})"
    return told + (f" AND fact NOT IN (FROM {plan.same})" if _any(con, plan.same) else "")


def _any(con: duckdb.DuckDBPyConnection, source: str) -> bool:
    return bool(con.execute(f"SELECT 1 FROM {source} LIMIT 1").fetchall())


def _packed(part: Part) -> str:
    fields = ", ".join(f"{name} := {name}" for name in part.content)
    return f"struct_pack({', '.join(filter(None, ['gone := retracted', fields]))})"


def _same_content(part: Part, left: str, right: str) -> str:
    return " AND ".join(
        [f"{left}.{name} IS NOT DISTINCT FROM {right}.{name}" for name in part.content] or ["true"]
    )


def _asof_key(part: Part) -> str:
    # An ASOF join wants plain equalities; no key is an empty text.
    return " AND ".join(
        f"coalesce(again.{name}::VARCHAR, '') = coalesce(old.{name}::VARCHAR, '')" for name in part.key
    )
