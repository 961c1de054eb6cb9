"""The contract as it is declared: for machines, for the terminal, and as Markdown."""

from __future__ import annotations

from typing import Any

from risk_model.registers.declaration import RECORDED_ON, RETRACTED, Column, Register
from risk_model.registers.declared import REGISTERS


def as_document() -> dict[str, Any]:
    """Every register and column with all it declares."""
    return {"registers": [_register_document(register) for register in REGISTERS.values()]}


def as_text() -> str:
    """One block per register, one line per column."""
    return "\n\n".join(_register_text(register) for register in REGISTERS.values())


def as_markdown() -> str:
    """A table per register; ``docs/registers.md`` is this text."""
    parts = [
        "# Registers",
        "Made by `dropout-risk contract --format md` from the declaration; do not edit.",
        "**Bold**: required. `*`: key. `†`: lives in the identity lake, which training never opens. "
        "Every register may also have these columns:",
        _table((RECORDED_ON, RETRACTED)),
    ]
    for register in REGISTERS.values():
        parts += [f"## {register.name}", _about(register), _table(register.columns)]
    return "\n\n".join(parts) + "\n"


def _register_document(register: Register) -> dict[str, Any]:
    return {
        "name": register.name,
        "purpose": register.purpose,
        "aliases": list(register.aliases),
        "key": list(register.key),
        "columns": [_column_document(column) for column in register.delivered],
    }


def _column_document(column: Column) -> dict[str, Any]:
    return {
        "name": column.name,
        "kind": column.kind.name.lower(),
        "key": column.key,
        "required": column.required,
        "unit": column.unit,
        "minimum": column.minimum,
        "maximum": column.maximum,
        "earliest": column.earliest,
        "not_before": column.not_before,
        "values": list(column.values),
        "value_aliases": dict(column.value_aliases),
        "aliases": list(column.aliases),
        "purpose": column.purpose,
        "sensitivity": column.sensitivity.value,
        "predictor": column.predictor,
        "retention": column.retention,
        "identity": column.identity,
    }


def _register_text(register: Register) -> str:
    lines = [
        f"{register.name} – {register.purpose}",
        f"  files: {', '.join((register.name, *register.aliases))}",
    ]
    for column in register.columns:
        marks = ("*" if column.key else "") + ("!" if column.required else "")
        lines.append(f"  {column.name + marks:<26}{_type(column):<10}{'; '.join(_details(column))}")
    return "\n".join(lines)


def _about(register: Register) -> str:
    names = ", ".join(f"`{alias}`" for alias in register.aliases)
    return f"{register.purpose[0].upper()}{register.purpose[1:]}. Files: `{register.name}`, {names}."


def _table(columns: tuple[Column, ...]) -> str:
    head = "| column | type | limits and values | other names | purpose | sensitivity | predictor | kept |"
    return "\n".join([head, "|---" * 8 + "|", *(_row(column) for column in columns)])


def _row(column: Column) -> str:
    name = f"**{column.name}**" if column.required else column.name
    marks = ("\\*" if column.key else "") + ("†" if column.identity else "")
    cells = [
        name + marks,
        _type(column),
        "; ".join([*_limits(column), *_spellings(column)]),
        ", ".join(column.aliases),
        column.purpose,
        column.sensitivity.value,
        _predictor(column),
        column.retention,
    ]
    return "| " + " | ".join(cells) + " |"


def _details(column: Column) -> list[str]:
    names = [f"also {', '.join(column.aliases)}"] if column.aliases else []
    return [column.purpose, *_limits(column), *_spellings(column), *names]


def _type(column: Column) -> str:
    return column.kind.name.lower()


def _limits(column: Column) -> list[str]:
    limits = []
    if column.minimum is not None or column.maximum is not None:
        limits.append(f"{_bound(column.minimum)}–{_bound(column.maximum)}")
    if column.unit:
        limits.append(column.unit)
    if column.earliest is not None:
        limits.append(f"from {column.earliest}")
    if column.not_after_recorded:
        limits.append("not after recorded_on")
    if column.not_before is not None:
        limits.append(f"not before {column.not_before}")
    return limits


def _bound(value: float | None) -> str:
    return "" if value is None else f"{value:g}"


def _spellings(column: Column) -> list[str]:
    spelled = []
    for value in dict.fromkeys((*column.values, *column.value_aliases.values())):
        others = [other for other, one in column.value_aliases.items() if one == value]
        spelled.append(f"{value} ({', '.join(others)})" if others else value)
    return spelled


def _predictor(column: Column) -> str:
    if column.values_never_predictors:
        return f"yes, never {', '.join(column.values_never_predictors)}"
    return "yes" if column.predictor else "no"
