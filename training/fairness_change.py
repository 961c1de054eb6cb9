"""Does a new model find the leavers of every group at least as fairly as the champion did?

For each group the ratio of its recall at capacity to the largest group's, under the challenger and under
the champion; the change of that ratio by paired bootstrap over schools, on the same pupils and days.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from risk_model.evaluation.resampling import interval
from risk_model.protected import ATTRIBUTES, unlike
from risk_model.settings import Settings
from training.fairness import school_draws

Counts = NDArray[np.float64]


@dataclass(frozen=True)
class GroupChange:
    """One group of pupils under both models; ``said`` tells why there is no figure."""

    attribute: str
    group: str
    reference: str
    """The largest group, whose recall is the measure."""
    students: int
    positives: int
    champion: float | None = None
    """Its recall over the largest group's, by the champion's list; then by the challenger's."""
    challenger: float | None = None
    change: tuple[float, float, float] | None = None
    """As counted, and the ends of the paired 95 % interval."""
    said: str | None = None


@dataclass(frozen=True)
class FairnessChange:
    """Every group of every attribute; what could not be told is in ``not_done`` with its reason."""

    groups: tuple[GroupChange, ...] = ()
    not_done: tuple[tuple[str, str], ...] = ()

    def of(self, attribute: str) -> tuple[GroupChange, ...]:
        """The groups of one attribute, worst change first; those without a figure last."""
        mine = [group for group in self.groups if group.attribute == attribute]
        return tuple(sorted(mine, key=lambda group: group.change[1] if group.change else np.inf))

    def why_not(self, attribute: str) -> str | None:
        """Why there is no figure for the attribute; None if there is one."""
        if any(group.change for group in self.of(attribute)):
            return None
        said = [group.said for group in self.of(attribute) if group.said]
        return dict(self.not_done).get(attribute) or "; ".join(dict.fromkeys(said)) or "nobody was judged"

    def document(self) -> dict[str, Any]:
        """As ``train --json`` prints it."""
        return {
            "groups": [asdict(group) for group in self.groups],
            "not_done": [{"what": name, "why": why} for name, why in self.not_done],
        }


def fairness_change(
    known: pd.DataFrame, protected: pd.DataFrame, settings: Settings, *, challenger: str, champion: str
) -> FairnessChange:
    """Both models' lists by group.

    Parameters
    ----------
    known : DataFrame
        Judged rows of the days both may be judged on: ``snapshot, student_id, school_id, county_id,
        label, listed_<challenger>, listed_<champion>``.
    protected : DataFrame
        Of :func:`risk_model.protected.protected_on`.
    """
    rows = known.merge(protected, on=["snapshot", "student_id"], how="left")
    rows = rows.rename(columns={"county_id": "county"})
    training = settings.training
    draws = school_draws(rows["school_id"], training.seed, training.bootstrap_samples)
    lists = (f"listed_{champion}", f"listed_{challenger}")
    groups: list[GroupChange] = []
    not_done: list[tuple[str, str]] = []
    for name in ATTRIBUTES:
        why = unlike(name, [str(value) for value in rows[name].dropna().unique()])
        if why:
            not_done.append((name, why))
        else:
            groups += _changes(rows, name, lists, draws, settings)
    return FairnessChange(tuple(groups), tuple(not_done))


@dataclass(frozen=True)
class _Counted:
    """Counts of one group, (schools,) each; ``hits`` by the champion's list and by the challenger's."""

    name: str
    students: int
    left: Counts
    hits: tuple[Counts, Counts]

    @property
    def positives(self) -> int:
        return int(self.left.sum())


def _changes(
    rows: pd.DataFrame, name: str, lists: tuple[str, str], draws: Counts, settings: Settings
) -> list[GroupChange]:
    groups = _counted(rows, name, lists)
    reference = max(groups, key=lambda group: group.students)
    return [_change(name, group, reference, draws, settings) for group in groups if group is not reference]


def _counted(rows: pd.DataFrame, name: str, lists: tuple[str, str]) -> list[_Counted]:
    code, schools = pd.factorize(rows["school_id"], sort=True)
    found = []
    for value, members in rows.assign(school=code).groupby(name, sort=True, observed=True):
        left = members["label"] == 1
        columns = (left, *(left & members[column].astype(bool) for column in lists))
        left_by, first, second = (
            np.bincount(members["school"], column.astype(float), minlength=len(schools)) for column in columns
        )
        found.append(_Counted(str(value), len(members), left_by, (first, second)))
    return found


def _change(
    name: str, group: _Counted, reference: _Counted, draws: Counts, settings: Settings
) -> GroupChange:
    empty = GroupChange(name, group.name, reference.name, group.students, group.positives)
    said = _too_few(group, reference, settings)
    if said:
        return replace(empty, said=said)
    before, now = (_ratio(group, reference, draws, which) for which in (0, 1))
    change = now - before
    bounds = interval(change[1:].tolist())
    if np.isnan(change[0]) or bounds is None:
        return replace(empty, said=f"hardly any leaver with {name} = {reference.name} was found")
    return replace(
        empty,
        champion=float(before[0]),
        challenger=float(now[0]),
        change=(float(change[0]), bounds[0], bounds[1]),
    )


def _too_few(group: _Counted, reference: _Counted, settings: Settings) -> str | None:
    limits = settings.fairness
    for one in (group, reference):
        if one.students < limits.minimum_group or one.positives < limits.minimum_positives:
            return (
                f"{one.name}: too few to tell ({one.students} rows of pupils, {one.positives} of them left)"
            )
    return None


def _ratio(group: _Counted, reference: _Counted, draws: Counts, which: int) -> Counts:
    """The group's recall over the reference's in each draw; NaN where one of them cannot be told."""
    ours, theirs = (_share(draws @ one.hits[which], draws @ one.left) for one in (group, reference))
    return _share(ours, theirs)


def _share(top: Counts, bottom: Counts) -> Counts:
    found: Counts = np.divide(top, bottom, out=np.full(len(top), np.nan), where=bottom > 0)
    return found
