"""Golden rows: what a bundle answered on the day it was made, asked again before it may serve.

The rows are no pupils: row i holds every feature's quantile at ``LEVELS[i]``, the last row is all null.
Library, processor or bundle have changed if the answers differ.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from risk_model.errors import BundleError
from risk_model.model.bundle import Bundle
from risk_model.model.manifest import Reference
from risk_model.model.reference import LEVELS

LARGEST_GAP = 1e-9
"""A risk asked again may differ from the golden one by so much, for the order of a sum."""


def golden_rows(features: Sequence[str], reference: Mapping[str, Reference]) -> NDArray[np.float64]:
    """Made-up feature values (14, k): one row per level of the reference quantiles, and one of nulls."""
    rows = np.full((len(LEVELS) + 1, len(features)), np.nan)
    for column, name in enumerate(features):
        if name in reference and reference[name].quantiles:
            rows[:-1, column] = reference[name].quantiles
    return rows


def golden_gap(bundle: Bundle) -> float | None:
    """Largest difference of a risk from the one kept in the manifest; None where none were kept."""
    kept = bundle.manifest.golden
    if not kept:
        return None
    rows = golden_rows(bundle.features, bundle.manifest.reference)
    if len(kept) != len(rows):
        raise BundleError(f"The manifest keeps {len(kept)} golden risks for {len(rows)} rows. Train again.")
    return float(np.max(np.abs(bundle.predict(rows, threads=1) - np.array(kept))))


def demand_golden(bundle: Bundle) -> None:
    """Raise BundleError if the bundle does not answer as on the day it was made."""
    gap = golden_gap(bundle)
    if gap is not None and not gap <= LARGEST_GAP:
        raise BundleError(
            f"The model {bundle.path.name} answers otherwise than when it was made: a golden row is off by "
            f"{gap:.2g}. Check the installed packages against the lock, or promote another version."
        )
