"""MLflow's way to a bundle: ``mlflow.pyfunc.load_model`` calls :func:`_load_pyfunc` by name.

No pickle is involved, so it loads with ``MLFLOW_ALLOW_PICKLE_DESERIALIZATION=false``. This module does
not import mlflow.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from risk_model.model.bundle import Bundle
from risk_model.model.loading import load


@dataclass(frozen=True)
class RiskScorer:
    """What MLflow calls a model: ``predict`` answers risks, not classes."""

    bundle: Bundle

    def predict(
        self, model_input: pd.DataFrame | NDArray[np.float64], params: Mapping[str, Any] | None = None
    ) -> NDArray[np.float64]:
        """Calibrated risk (n,), 0–1, of feature values by name; ``params`` has none we know."""
        return self.bundle.predict(model_input)


def _load_pyfunc(path: str, model_config: Mapping[str, Any] | None = None) -> RiskScorer:
    """Load the bundle at ``path``; ``model_config['bundle_digest']`` pins its manifest."""
    digest = None if model_config is None else model_config.get("bundle_digest")
    return RiskScorer(load(Path(path), digest))
