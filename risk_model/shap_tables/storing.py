"""Pattern tables as the bytes of one ``.npz`` file: no pickle, and the same bytes for the same model."""

from __future__ import annotations

import io
import zipfile
from dataclasses import fields
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk_model.errors import RiskModelError
from risk_model.shap_tables.assembling import Layout
from risk_model.shap_tables.cells import MOST_CELLS
from risk_model.shap_tables.tables import PatternTables

FORMAT = 1
KINDS = {"step_cell": np.uint16, "step_delta": np.uint16, "edges": np.float64, "table": np.float64}
"""Of the arrays of a layout; all others are int64."""


class TablesError(RiskModelError, ValueError):
    """A file of tables that is not whole, not ours, or made from another model."""


def to_bytes(tables: PatternTables, model: bytes) -> bytes:
    """The file; ``model`` is LightGBM's text they were made from, whose hash is kept with them."""
    about: dict[str, Any] = {
        "format": np.int64(FORMAT),
        "model": np.array(sha256(model).hexdigest()),
        "features": np.array(tables.features),
        "base": np.float64(tables.base),
    }
    arrays = {one.name: getattr(tables.layout, one.name) for one in fields(Layout)}
    target = io.BytesIO()
    np.savez(target, **about, **arrays)
    return target.getvalue()


def from_bytes(content: bytes, model: bytes) -> PatternTables:
    """Read the file, for exactly this ``model``. The kernel trusts what passes here.

    Raises
    ------
    TablesError
        It is no such file, contradicts itself, or was made from another model.
    """
    try:
        stored = _arrays(content)
        return _tables(stored, sha256(model).hexdigest())
    except (KeyError, ValueError, OSError, EOFError, zipfile.BadZipFile, NotImplementedError) as error:
        raise TablesError(f"The pattern tables cannot be used ({error}).") from None


def _arrays(content: bytes) -> dict[str, NDArray[Any]]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > len(content):
            raise TablesError("they are packed to hide their size")
    with np.load(io.BytesIO(content), allow_pickle=False) as stored:
        return {name: stored[name] for name in stored.files}


def _tables(stored: dict[str, NDArray[Any]], model: str) -> PatternTables:
    if int(stored["format"]) != FORMAT:
        raise TablesError(f"format {int(stored['format'])}, this version reads {FORMAT}")
    if str(stored["model"]) != model:
        raise TablesError("they were made from another model")
    features = tuple(str(name) for name in stored["features"])
    for one in fields(Layout):
        kind, found = KINDS.get(one.name, np.int64), stored[one.name]
        if found.ndim != 1 or found.dtype != kind:
            raise TablesError(f"{one.name} has another type")
    layout = Layout(**{one.name: stored[one.name] for one in fields(Layout)})
    _check(layout, len(features))
    return PatternTables(features, float(stored["base"]), layout)


def _check(lay: Layout, features: int) -> None:
    """No number may lead the kernel outside an array."""
    used, groups = len(lay.columns), len(lay.size)
    sound = (
        _starts(lay.edge_at, used, len(lay.edges))
        and _starts(lay.step_at, groups, len(lay.step_feature))
        and _starts(lay.member_at, groups, len(lay.member))
        and _starts(lay.table_at, groups, len(lay.table))
        and len(lay.step_feature) == len(lay.step_cell) == len(lay.step_delta)
        and _within(lay.columns, features)
        and _within(lay.step_feature, used)
        and _within(lay.member, used)
        and bool((np.diff(lay.edge_at) + 2 <= MOST_CELLS).all())
        and bool((np.diff(lay.member_at) > 0).all())
        and bool((np.diff(lay.table_at) == np.diff(lay.member_at) * lay.size).all())
    )
    if not sound or not all(_reach(lay, group) < lay.size[group] for group in range(groups)):
        raise TablesError("they contradict themselves")


def _reach(lay: Layout, group: int) -> int:
    """The highest pattern a row can have in a group."""
    steps = slice(lay.step_at[group], lay.step_at[group + 1])
    feature, cell = lay.step_feature[steps], lay.step_cell[steps]
    delta = lay.step_delta[steps].astype(np.int16).astype(np.int64)  # a step down is stored modulo 2**16
    order = np.lexsort((cell, feature))
    feature, running = feature[order], np.cumsum(delta[order])
    highest = 0
    for one in np.unique(feature):
        mine = np.flatnonzero(feature == one)
        before = int(running[mine[0] - 1]) if mine[0] else 0
        codes = running[mine] - before
        if codes.min() < 0:
            return 2**16
        highest += max(0, int(codes.max()))
    return highest


def _starts(starts: NDArray[np.int64], parts: int, total: int) -> bool:
    whole = len(starts) == parts + 1 and starts[0] == 0 and starts[-1] == total
    return bool(whole and (np.diff(starts) >= 0).all())


def _within(numbers: NDArray[np.int64], limit: int) -> bool:
    return bool(((numbers >= 0) & (numbers < limit)).all())
