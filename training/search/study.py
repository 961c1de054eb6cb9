"""The trials of a search, kept in a file so that a killed search goes on where it stopped.

Optuna proposes (tree-structured Parzen estimator, Bergstra et al. 2011) and keeps. A proposal depends on
the finished trials and the seed alone: a search that was killed twice makes the same trials as one that
was not.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from training.search.origins import Score
from training.search.space import DEFAULT, Point, distributions

RANDOM_TRIALS = 10
"""So many trials are drawn evenly before the sampler learns from them."""
KEPT = 8
"""Older studies kept in the file; each is of one state of the lake, the settings and the code."""


@dataclass(frozen=True)
class Trial:
    """A finished trial."""

    number: int
    point: Point
    losses: NDArray[np.float64]
    """(origins, groups of schools)"""
    recalls: tuple[float, ...]
    rounds: tuple[int, ...]
    began: datetime
    seconds: float

    @property
    def default(self) -> bool:
        return self.number == 0


class Study:
    """The study ``name`` in the SQLite file ``path`` (None: in memory)."""

    def __init__(self, path: Path | None, name: str, depends_on: Mapping[str, Any], seed: int) -> None:
        self._seed = seed
        with _quiet():
            self._study = _opened(path, name)
        for key, value in depends_on.items():
            self.note(key, value)
        self.trials = self._finished()

    def noted(self, key: str) -> Any:
        """What was noted under ``key``, by this run or one before it; None if nothing was."""
        return self._study.user_attrs.get(key)

    def note(self, key: str, value: Any) -> None:
        """Keep a JSON value with the study."""
        if self.noted(key) != value:
            self._study.set_user_attr(key, value)

    def propose(self) -> tuple[Any, Point]:
        """The next trial, to be given to :meth:`keep`, and its point; the first is the default."""
        from optuna.samplers import TPESampler

        if not self.trials:
            return None, DEFAULT
        seed = (self._seed + len(self.trials)) % 2**32
        self._study.sampler = TPESampler(seed=seed, n_startup_trials=RANDOM_TRIALS, multivariate=True)
        with _quiet():
            asked = self._study.ask(fixed_distributions=distributions())
        return asked, dict(asked.params)

    def keep(self, asked: Any, scores: Sequence[Score], began: datetime, seconds: float) -> None:
        """Keep a proposed trial with its scores; killed before this returns, it is made again."""
        from optuna.trial import create_trial

        told = {
            "losses": [score.loss.tolist() for score in scores],
            "recalls": [score.recall for score in scores],
            "rounds": [score.rounds for score in scores],
            "began": began.isoformat(),
            "seconds": seconds,
        }
        value = float(np.mean([score.loss.sum() for score in scores]))
        if asked is None:
            first = create_trial(
                params=dict(DEFAULT), distributions=distributions(), value=value, user_attrs=told
            )
            self._study.add_trial(first)
        else:
            for key, part in told.items():
                asked.set_user_attr(key, part)
            self._study.tell(asked, value)
        self.trials = self._finished()

    def _finished(self) -> list[Trial]:
        from optuna.trial import TrialState

        found = self._study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return [
            Trial(
                number,
                stored.params,
                np.array(stored.user_attrs["losses"]),
                tuple(stored.user_attrs["recalls"]),
                tuple(stored.user_attrs["rounds"]),
                datetime.fromisoformat(stored.user_attrs["began"]),
                stored.user_attrs["seconds"],
            )
            for number, stored in enumerate(found)
        ]


def now() -> datetime:
    """This moment, as trials keep it."""
    return datetime.now(UTC)


def _opened(path: Path | None, name: str) -> Any:
    import optuna
    from optuna.trial import TrialState

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if path is None:
        return optuna.create_study(study_name=name)
    path.parent.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.RDBStorage(f"sqlite:///{path.resolve().as_posix()}")
    study = optuna.create_study(study_name=name, storage=storage, load_if_exists=True)
    for killed in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        study.tell(killed.number, state=TrialState.FAIL)
    older = [found for found in optuna.get_all_study_names(storage) if found != name]
    for past in older[: max(0, len(older) - KEPT)]:
        optuna.delete_study(study_name=past, storage=storage)
    return study


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep Optuna's notices of what is experimental from people who cannot do anything about them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
