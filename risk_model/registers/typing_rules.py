"""SQL that reads a text as a declared type, and says what is wrong with it; null is no value."""

from __future__ import annotations

from risk_model.registers.declaration import Column, Kind

_BLANKS = "' ' || chr(9) || chr(10) || chr(13) || chr(160) || chr(12288)"
"""What is trimmed from a cell: blanks, newlines, no-break and Chinese blanks."""
_BLANK = r"[ \t\n\r\x{a0}\x{3000}]"
_ISO = r"\d{4}-\d{1,2}-\d{1,2}"
_SLASHED = r"\d{4}/\d{1,2}/\d{1,2}"
_CHINESE = r"\d{4}年\d{1,2}月\d{1,2}日"
_MIDNIGHT = r"[ T]0{1,2}:00(:00(\.0+)?)?"
_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?"
_NO_NUMBER = r"[+-]?(nan|inf|infinity)"
_NATIONAL_NUMBER = r"\d{17}[\dXx]|\d{15}"
TRUE, FALSE = ("true", "1", "1.0", "是"), ("false", "0", "0.0", "否")


def cleaned(column: Column, blanks: bool = True) -> str:
    """The cell without blanks around (``blanks`` false: there are none); an empty one is null."""
    if not blanks:
        return f"nullif({column.name}, '')"
    # Trimming costs four times as much as seeing that there is nothing to trim.
    around = f"regexp_matches({column.name}, '^{_BLANK}|{_BLANK}$')"
    trimmed = f"CASE WHEN {around} THEN trim({column.name}, {_BLANKS}) ELSE {column.name} END"
    return f"nullif({trimmed}, '')"


def typed(column: Column, text: str) -> str:
    """The value of ``text`` (an SQL expression) in the column's type; null where it is none."""
    if column.kind is Kind.DATE:
        return _day(text)
    if column.kind is Kind.BOOLEAN:
        return f"CASE WHEN lower({text}) IN {TRUE!r} THEN true WHEN lower({text}) IN {FALSE!r} THEN false END"
    spelled = _spelled(column, text)
    if column.kind is Kind.TEXT:
        return spelled
    number = f"CASE WHEN regexp_full_match({spelled}, '{_NUMBER}') THEN try_cast({spelled} AS DOUBLE) END"
    if column.kind is Kind.NUMBER:
        return f"CASE WHEN isfinite({number}) THEN {number} END"
    whole = r"[+-]?\d{1,15}(\.0*)?"
    return f"CASE WHEN regexp_full_match({spelled}, '{whole}') THEN try_cast({number} AS BIGINT) END"


def untypable(column: Column, text: str) -> list[tuple[str, str]]:
    """Conditions under which ``text`` is no value of the column, with the reason."""
    none = f"{text} IS NOT NULL AND {column.name} IS NULL"
    if column.kind is Kind.DATE:
        return [(none, "is not a day; write it as 2025-09-01")]
    if column.kind is Kind.BOOLEAN:
        return [(none, "is neither true nor false; write true, false, 1, 0, 是 or 否")]
    if column.kind is Kind.TEXT:
        return _text_faults(column, text, none)
    infinite = f"{none} AND regexp_full_match(lower({text}), '{_NO_NUMBER}')"
    kind = "whole number" if column.kind is Kind.INTEGER else "finite number"
    return [(infinite, "is not a finite number"), (none, f"is not a {kind}")]


def out_of_range(column: Column) -> list[tuple[str, str]]:
    """Conditions under which a value lies outside the declared limits, with the reason."""
    faults = []
    unit = f" {column.unit}" if column.unit else ""
    if column.minimum is not None:
        faults.append((f"{column.name} < {column.minimum}", f"is below {column.minimum:g}{unit}"))
    if column.maximum is not None:
        faults.append((f"{column.name} > {column.maximum}", f"is above {column.maximum:g}{unit}"))
    if column.earliest is not None:
        faults.append((f"{column.name} < DATE '{column.earliest}'", f"lies before {column.earliest}"))
    return faults


def _day(text: str) -> str:
    return f"""CASE
        WHEN regexp_full_match({text}, '{_ISO}') THEN try_cast({text} AS DATE)
        WHEN regexp_full_match({text}, '\\d{{8}}')
        THEN try_cast({text}[1:4] || '-' || {text}[5:6] || '-' || {text}[7:8] AS DATE)
        WHEN regexp_full_match({text}, '{_SLASHED}') THEN try_cast(replace({text}, '/', '-') AS DATE)
        WHEN regexp_full_match({text}, '({_ISO}|{_SLASHED}){_MIDNIGHT}')
        THEN try_cast(replace(regexp_extract({text}, '^[^ T]+'), '/', '-') AS DATE)
        WHEN regexp_full_match({text}, '{_CHINESE}')
        THEN try_cast(replace(translate({text}, '年月', '--'), '日', '') AS DATE) END"""


def _spelled(column: Column, text: str) -> str:
    """The declared spelling of a value given in any of its spellings."""
    if not column.values and not column.value_aliases:
        return text
    spellings = {value.lower(): value for value in column.values} | dict(column.value_aliases)
    cases = " ".join(f"WHEN '{other}' THEN '{value}'" for other, value in spellings.items())
    return f"CASE lower({text}) {cases} ELSE {'NULL' if column.values else text} END"


def _text_faults(column: Column, text: str, none: str) -> list[tuple[str, str]]:
    faults = []
    if column.values:
        faults.append((none, f"is none of {', '.join(column.values)}"))
    if column.secret_number:
        in_clear = f"regexp_full_match({text}, '{_NATIONAL_NUMBER}')"
        faults.append((in_clear, "is a national number in clear; replace it with `dropout-risk hash-ids`"))
    return faults
