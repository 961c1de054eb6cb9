"""Do the pattern tables of a bundle say what LightGBM says? Asked before a bundle may serve."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from risk_model.errors import BundleError
from risk_model.model.bundle import Bundle
from risk_model.model.golden import golden_rows
from risk_model.model.tabled import TabledTrees
from risk_model.shap_tables import PatternTables

LARGEST_GAP = 1e-9
"""Raw log-odds; tables and ``pred_contrib`` add the same numbers in another order, some 1e-14 apart."""
PROBES = 300


def probe_rows(tables: PatternTables, rows: int = PROBES) -> NDArray[np.float64]:
    """Made-up rows (rows, k) where routing can go wrong: at a threshold, just above, infinite, null.

    Each feature runs through its own thresholds in a shuffled order, always the same for a model.
    """
    dice = np.random.default_rng(rows)
    found = np.full((rows, len(tables.features)), np.nan)
    for one, column in enumerate(tables.layout.columns):
        edges = tables.layout.edges[tables.layout.edge_at[one] : tables.layout.edge_at[one + 1]]
        ends = np.concatenate([edges, np.nextafter(edges, np.inf), [np.nan, 0.0, np.inf, -np.inf]])
        found[:, column] = dice.permutation(np.resize(dice.permutation(ends), rows))
    return found


def tables_gap(bundle: Bundle, matrix: NDArray[np.float64] | None = None) -> float | None:
    """Largest distance of the tables' contributions, base and margin from LightGBM's, in raw log-odds.

    Asked on ``matrix`` (n, k), the golden rows and :func:`probe_rows`. None where the bundle has no tables:
    the small linear model, or trees that do not fit. LightGBM has no answer (NaN) for contributions at
    a branch no row of the training took; there the margin must do.
    """
    if not isinstance(bundle.scorer, TabledTrees):
        return None
    asked = [probe_rows(bundle.scorer.tables), golden_rows(bundle.features, bundle.manifest.reference)]
    rows = np.concatenate(asked if matrix is None else [*asked, matrix])
    walked = bundle.scorer.walked
    base, contributions, margin = bundle.scorer.answer(rows, 1)
    wanted_base, wanted = walked.contributions(rows, 1)
    gaps = np.abs(contributions - wanted)
    beside = np.abs(np.append(margin - walked.margin(rows, 1), base - wanted_base))
    return float(max(gaps[np.isfinite(wanted)].max(initial=0.0), beside.max()))


def demand_exact(bundle: Bundle) -> None:
    """Raise BundleError unless the bundle's tables say what LightGBM says."""
    gap = tables_gap(bundle)
    if gap is not None and not gap <= LARGEST_GAP:
        raise BundleError(
            f"The pattern tables of {bundle.path.name} explain otherwise than LightGBM, by up to {gap:.2g}. "
            "Train again, or use another version."
        )
