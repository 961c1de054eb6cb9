"""Small bundles for tests: real boosted trees over four features, and the school's rule."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from functools import lru_cache
from pathlib import Path

import lightgbm
import numpy as np
import pandas as pd

from risk_model.model.logistic import LogisticModel, Term
from risk_model.model.manifest import Provenance
from risk_model.model.platt import Platt
from risk_model.model.reference import reference_quantiles
from risk_model.model.storing import save_lightgbm, save_logistic

FEATURES = ["absence_rate_30", "failed_core", "travel_km", "boarding"]
CALIBRATION = Platt(0.83, -0.41)
PROVENANCE = Provenance(
    lake_snapshot=7,
    as_of=date(2026, 3, 2),
    trained_snapshots=(date(2025, 9, 1), date(2025, 10, 1)),
    label=("dropped_out", "non_return"),
    horizon_days=90,
    code_hash="c0de",
    lock_hash="10cc",
    settings_hash="5e77",
    seed=1,
    absent_registers=("travel",),
)
RULE = LogisticModel(-4.0, (Term("absence_rate_30", 1.5, 0.04, at_least=0.1), Term("failed_core", 0.7, 0.2)))


def pupils(count: int, seed: int = 1) -> pd.DataFrame:
    """Feature values with nulls, and ``left``."""
    dice = np.random.default_rng(seed)
    frame = pd.DataFrame(dice.gamma(1.0, 1.0, (count, 4)), columns=FEATURES)
    frame["boarding"] = (frame["boarding"] > 1).astype(float)
    margin = -3 + 1.2 * frame["absence_rate_30"] + 0.4 * frame["failed_core"]
    frame["left"] = (dice.random(count) < 1 / (1 + np.exp(-margin))).astype(int)
    for name in FEATURES:
        frame.loc[dice.random(count) < 0.1, name] = np.nan
    return frame


@lru_cache
def booster(seed: int = 1) -> lightgbm.Booster:
    """Thirty shallow trees."""
    frame = pupils(1500, seed)
    options = {"objective": "binary", "max_depth": 3, "num_leaves": 8, "verbosity": -1, "num_threads": 1}
    options |= {"deterministic": True, "force_row_wise": True, "seed": seed}
    return lightgbm.train(options, lightgbm.Dataset(frame[FEATURES], frame["left"]), 30)


def lightgbm_bundle(folder: Path, seed: int = 1) -> str:
    """Write boosted trees as a bundle; its digest."""
    known = reference_quantiles(pupils(500)[FEATURES].to_numpy(), FEATURES)
    return save_lightgbm(folder, booster(seed), CALIBRATION, replace(PROVENANCE, reference=known, seed=seed))


def logistic_bundle(folder: Path) -> str:
    """Write the school's rule as a bundle; its digest."""
    return save_logistic(folder, RULE, CALIBRATION, PROVENANCE)
