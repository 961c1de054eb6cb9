"""A model as Python sees it: load a bundle, ask for risks, ask for reasons that add up to them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from risk_model.errors import RiskModelError, UsageError
from risk_model.model.bundle import TOLERANCE, Bundle
from risk_model.model.loading import load
from risk_model.model.manifest import Manifest


class AdditivityError(RiskModelError, ArithmeticError):
    """Contributions do not add up to the risk; no reasons are better than wrong ones."""


@dataclass(frozen=True)
class Explanation:
    """Risks and what they are made of: ``risk = 1 / (1 + exp(-(base + contributions.sum(axis=1))))``.

    Raises
    ------
    AdditivityError
        A row does not add up within 1e-6.
    """

    base: float
    """Calibrated log-odds before anything is known of a row."""
    contributions: pd.DataFrame
    """(n, k) calibrated log-odds, one column per feature, the index of the rows asked about."""
    risk: pd.Series
    """(n,) calibrated risk, 0–1."""

    def __post_init__(self) -> None:
        from scipy.special import expit

        total = self.base + self.contributions.to_numpy(dtype=np.float64).sum(axis=1)
        gap = np.abs(expit(total) - self.risk.to_numpy(dtype=np.float64))
        wrong = ~(gap <= TOLERANCE)  # NaN is wrong too
        if wrong.any():
            raise AdditivityError(
                f"In {int(wrong.sum()):,} of {len(gap):,} rows the contributions do not add up to the risk. "
                "Look for infinite values in the table; if there are none, train again."
            )

    @classmethod
    def of(
        cls,
        base: float,
        contributions: NDArray[np.float64],
        risk: NDArray[np.float64],
        names: Sequence[str],
        index: pd.Index | None,
    ) -> Explanation:
        """From arrays (n, k) and (n,), labelled with the features and the index of the rows."""
        frame = pd.DataFrame(contributions, columns=list(names), index=index)
        return cls(base, frame, pd.Series(risk, index=frame.index, name="risk"))


@dataclass(frozen=True)
class RiskModel:
    """A verified model; get one with :meth:`load`.

    Examples
    --------
    A bundle is made by ``dropout-risk train``. Here is the smallest one there can be, for the example:

    >>> from datetime import date; from tempfile import mkdtemp
    >>> from risk_model.model.logistic import LogisticModel, Term
    >>> from risk_model.model.manifest import Provenance
    >>> from risk_model.model.platt import Platt; from risk_model.model.storing import save_logistic
    >>> rule = LogisticModel(-3.0, (Term("absence_rate_30", 8.0, 0.05), Term("failed_core", 0.5, 0.2)))
    >>> made = Provenance(lake_snapshot=1, as_of=date(2026, 3, 2), trained_snapshots=(date(2025, 10, 1),),
    ...                   label=("dropped_out",), horizon_days=90, code_hash="-", lock_hash="-",
    ...                   settings_hash="-", seed=1)
    >>> folder = Path(mkdtemp()) / "bundle"
    >>> digest = save_logistic(folder, rule, Platt(), made)

    The digest pins the model: another one in its place is refused.

    >>> model = RiskModel.load(folder, digest)
    >>> pupils = pd.DataFrame({"failed_core": [0, 2], "absence_rate_30": [0.0, 0.25]}, index=["a", "b"])
    >>> model.predict(pupils).round(3).to_dict()
    {'a': 0.029, 'b': 0.378}
    >>> told = model.explain(pupils)
    >>> told.base, told.contributions.loc["b"].round(2).to_dict()
    (-3.0, {'absence_rate_30': 1.6, 'failed_core': 0.9})
    """

    bundle: Bundle

    @classmethod
    def load(cls, path: str | PathLike[str], digest: str | None = None) -> RiskModel:
        """Read the bundle folder ``path``; every hash is verified before anything is parsed.

        Parameters
        ----------
        path : folder written by ``dropout-risk models export`` or found under ``mlruns/bundles``
        digest : str, optional
            SHA-256 the manifest must have. Without it the parts are checked against the manifest, but
            nothing vouches for the manifest itself.

        Raises
        ------
        BundleError
            A part is missing, altered or not ours; the message names it.
        """
        return cls(load(Path(path), digest))

    @property
    def features(self) -> tuple[str, ...]:
        """The columns a table must have, in any order; others are ignored."""
        return self.bundle.features

    @property
    def manifest(self) -> Manifest:
        """How the model was made: days, label, horizon, hashes."""
        return self.bundle.manifest

    def predict(self, frame: pd.DataFrame) -> pd.Series:
        """Calibrated risk (n,), 0–1, with the index of ``frame``; NaN in a feature is "not known".

        Raises
        ------
        UsageError
            ``frame`` is no DataFrame: without names nobody could tell which column is which.
        BundleError
            A feature is missing.
        """
        risk = self.bundle.predict(_named(frame))
        return pd.Series(risk, index=frame.index, name="risk")

    def explain(self, frame: pd.DataFrame) -> Explanation:
        """Risk, and how much every feature adds to its log-odds; errors as :meth:`predict`.

        For boosted trees these are exact SHAP values (Lundberg et al., 2020) times the slope of the
        calibration.
        """
        told = self.bundle.explain(_named(frame))
        return Explanation.of(told.base, told.contributions, told.risk, self.features, frame.index)


def _named(frame: pd.DataFrame) -> pd.DataFrame:
    if not isinstance(frame, pd.DataFrame):
        raise UsageError(
            f"A table with named columns is needed, not {type(frame).__name__}. "
            "Give a pandas.DataFrame with a column for each of RiskModel.features."
        )
    return frame
