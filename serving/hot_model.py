"""The champion in memory: loaded once, asked its golden rows, replaced in one reference when it changes.

Who is champion is read from the table of promotions (:mod:`risk_model.roles`), so no request waits for
MLflow, and none ever sees half a model: a request takes the reference once and keeps it.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from dataclasses import dataclass
from time import monotonic

from risk_model.errors import BundleError, MissingError, RiskModelError
from risk_model.home import Home
from risk_model.model.bundle import Bundle
from risk_model.model.golden import LARGEST_GAP, demand_golden, golden_gap, golden_rows
from risk_model.roles import Champion, Roles

LOOK_EVERY_SECONDS = 2.0
LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Served:
    """A model that passed its golden rows, and the promotion that made it champion."""

    champion: Champion
    bundle: Bundle


class HotModel:
    """The champion of a home, for all requests of one process."""

    def __init__(self, home: Home, look_every: float = LOOK_EVERY_SECONDS) -> None:
        self._roles = Roles(home)
        self._look_every = look_every
        self._served: Served | None = None
        self._looked = float("-inf")
        self._loading = threading.Lock()

    def served(self) -> Served:
        """The model that serves; looks every few seconds whether the champion changed.

        A new champion that cannot be read, or answers otherwise than when it was made, does not replace
        one that serves.

        Raises
        ------
        MissingError
            There is no champion.
        BundleError
            It cannot be read, and none served before.
        """
        due = monotonic() - self._looked >= self._look_every
        if due and self._loading.acquire(blocking=self._served is None):  # nobody waits while one serves
            try:
                self._look()
            finally:
                self._loading.release()
        if self._served is None:
            raise MissingError("There is no champion. Run 'dropout-risk train', or 'models promote V'.")
        return self._served

    def warm(self) -> None:
        """Load the champion before anybody waits for it; where that fails, requests say why."""
        with contextlib.suppress(RiskModelError):
            self.canary()

    def canary(self) -> float:
        """Score the golden rows with reasons: the largest gap to what the model answered when it was made.

        Raises
        ------
        BundleError
            The gap is too large, or reasons do not add up.
        """
        bundle = self.served().bundle
        bundle.explain(golden_rows(bundle.features, bundle.manifest.reference), threads=1)
        gap = golden_gap(bundle) or 0.0
        if not gap <= LARGEST_GAP:
            raise BundleError(f"The model that serves is off by {gap:.2g}. Restart the service.")
        return gap

    def _look(self) -> None:
        if monotonic() - self._looked < self._look_every:  # another thread has just looked
            return
        self._looked = monotonic()
        champion = self._roles.champion()
        if champion is None or (self._served is not None and _same(self._served.champion, champion)):
            return
        try:
            bundle = champion.load()
            demand_golden(bundle)
        except (RiskModelError, OSError) as error:
            if self._served is None:
                raise
            LOG.error("Model %s does not serve: %s", champion.version, error)
            return
        self._served = Served(champion, bundle)


def _same(one: Champion, other: Champion) -> bool:
    return (one.version, one.digest) == (other.version, other.digest)
