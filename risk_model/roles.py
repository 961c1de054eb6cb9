"""Who holds which role: the champion that scores, the challenger that scores unseen, the one before.

All of it is read from the table of promotions in milliseconds and without MLflow, and so is a rollback
made: the night and the way back need no server. :class:`risk_model.registry.Registry` adds what does.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from risk_model.errors import LockHeldError, MissingError, UsageError
from risk_model.home import Home
from risk_model.model.bundle import Bundle
from risk_model.model.loading import load, verify
from risk_model.promotions import (
    CHALLENGER,
    CHAMPION,
    IMPORTED,
    PREVIOUS,
    Promotion,
    Promotions,
    holder,
    predecessor,
)
from risk_model.shelf import Shelf

LOCK_SECONDS = 120.0
"""How long to wait for another process that is registering; it takes seconds."""


@dataclass(frozen=True)
class Champion:
    """A model that scores – the champion, or unseen its challenger – as it was given its role."""

    version: str
    folder: Path
    digest: str
    promoted_at: datetime
    who: str
    why: str

    def load(self) -> Bundle:
        """The bundle, verified against the digest it was promoted with; BundleError if it is damaged."""
        return load(self.folder, self.digest)


class Roles:
    """The roles of one home's models."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._promotions = Promotions(home.mlruns / "registry.db")
        self._shelf = Shelf(home)

    def champion(self) -> Champion | None:
        """The model that scores, or None before the first promotion. Milliseconds, no mlflow."""
        last = holder(self.history())
        return None if last is None else self._champion_of(last)

    def history(self) -> tuple[Promotion, ...]:
        """Every promotion of a champion, oldest first."""
        return self._promotions.history()

    def challenger(self) -> Champion | None:
        """The model that scores every night beside the champion, unseen; None without one.

        A challenger that was promoted since is none any more.
        """
        last = self.holders().get(CHALLENGER)
        return None if last is None else self._champion_of(last)

    def challenges(self) -> tuple[Promotion, ...]:
        """Every challenger, oldest first; one without a version says that the one before was withdrawn."""
        return self._promotions.history(CHALLENGER)

    def withdraw_challenger(self, *, who: str, why: str) -> str:
        """Let no challenger score any more; answers the version that did.

        Raises
        ------
        MissingError
            There is no challenger.
        UsageError
            ``who`` or ``why`` is empty.
        """
        demand_reasons(who, why)
        with self._locked():
            now = self.challenger()
            if now is None:
                raise MissingError("There is no challenger. Name one: models challenge V.")
            withdrawn = Promotion(
                role=CHALLENGER,
                version="",
                digest="",
                folder="",
                who=who,
                promoted_at=datetime.now(UTC),
                why=why,
                from_version=now.version,
                report_digest=None,
                lake_snapshot=0,
            )
            self._promotions.append(withdrawn)
        return now.version

    def rollback(self, *, who: str, why: str) -> Champion:
        """Make the version before the champion champion again; called twice it comes back.

        Without mlflow, so that it takes less than a second and no server is needed: MLflow's aliases
        follow with the next command that opens it.

        Raises
        ------
        MissingError
            There is no earlier champion.
        BundleError
            Its bundle is damaged; the champion stays.
        UsageError
            ``who`` or ``why`` is empty.
        """
        demand_reasons(who, why)
        with self._locked():
            history = self.history()
            before = predecessor(history) if history else None
            if before is None:
                raise MissingError("No other version was champion before. Promote one: models promote V.")
            verify(self._shelf.folder(before.digest), before.digest)  # parsed, it would take longer
            promotion = self._appended(before.version, before.digest, who, why, before.report_digest)
        return self._champion_of(promotion)

    def note_origin(self, version: str, digest: str, *, who: str, origin: str) -> None:
        """Keep for good that ``version`` was made by another office, which called it ``origin``."""
        with self._locked():
            self._appended(version, digest, who, origin, None, role=IMPORTED)

    def origin(self, version: str) -> str | None:
        """Where an imported version came from; None for one trained here. Milliseconds, no mlflow."""
        rows = (row for row in self._promotions.history(IMPORTED) if row.version == version)
        return next((row.why for row in rows), None)

    def _appended(
        self, version: str, digest: str, who: str, why: str, report: str | None, role: str = CHAMPION
    ) -> Promotion:
        last = self.challenger() if role == CHALLENGER else self.champion()
        folder = self._shelf.folder(digest)
        promotion = Promotion(
            role=role,
            version=version,
            digest=digest,
            folder=self._shelf.relative(digest),
            who=who,
            promoted_at=datetime.now(UTC),
            why=why,
            from_version=None if last is None else last.version,
            report_digest=report,
            lake_snapshot=verify(folder, digest).manifest.lake_snapshot,
        )
        self._promotions.append(promotion)
        return promotion

    def holders(self) -> dict[str, Promotion]:
        """Who holds which alias, as the table of promotions has it: the truth that MLflow follows."""
        history = self.history()
        champion, challenger = holder(history), holder(self.challenges())
        if challenger and (not challenger.version or challenger.digest in _since(challenger, history)):
            challenger = None
        holders = {CHAMPION: champion, PREVIOUS: predecessor(history), CHALLENGER: challenger}
        return {alias: promotion for alias, promotion in holders.items() if promotion is not None}

    def _champion_of(self, promotion: Promotion) -> Champion:
        folder = self._home.folder / promotion.folder
        return Champion(
            promotion.version,
            folder,
            promotion.digest,
            promotion.promoted_at,
            promotion.who,
            promotion.why,
        )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        deadline = time.monotonic() + LOCK_SECONDS
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(self._home.lock("registry"))
                    break
                except LockHeldError:
                    if time.monotonic() > deadline:
                        raise
                    time.sleep(0.05)
            yield


def _since(challenger: Promotion, history: tuple[Promotion, ...]) -> set[str]:
    """Digests of the champion now and of all promoted since the challenger was named."""
    later = [row.digest for row in history if row.promoted_at >= challenger.promoted_at]
    return {*later, *(row.digest for row in history[-1:])}


def demand_reasons(who: str, why: str) -> None:
    """Raise UsageError unless a decision says who took it and why."""
    if not who.strip() or not why.strip():
        raise UsageError("A promotion needs to say who and why. Give both.")
