"""The domain: registers, time, cohort, features, labels, risk, reasons (see README.md beside this).

From Python: :class:`RiskModel` answers with a bundle, :class:`RiskClassifier` and :class:`RiskSearch` learn
from any flat table. They are imported when first asked for, so ``import risk_model`` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from risk_model.api import Explanation, RiskModel
    from risk_model.estimator import RiskClassifier
    from risk_model.flat.search import RiskSearch

__all__ = ["Explanation", "RiskClassifier", "RiskModel", "RiskSearch"]

_PLACES = {
    "Explanation": "risk_model.api",
    "RiskModel": "risk_model.api",
    "RiskClassifier": "risk_model.estimator",
    "RiskSearch": "risk_model.flat.search",
}


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name not in _PLACES:
        raise AttributeError(f"module 'risk_model' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
