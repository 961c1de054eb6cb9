"""Tonight beside the same point of last school year: columns, risks, reasons, who is there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from monitoring.drift.profile import Profile
from monitoring.drift.sizes import chance, discoveries, jensen_shannon, psi, wasserstein
from risk_model.explanation.families import FAMILIES
from risk_model.features.declared import BY_NAME
from risk_model.settings import MonitoringSettings


@dataclass(frozen=True)
class ColumnDrift:
    """One column against the reference."""

    column: str
    family: str
    weight: float
    """Share in the reasons, 0–1."""
    psi: float
    moved: float
    """Normed Wasserstein distance, in standard deviations of the reference."""
    chance: float
    drifted: bool
    """Far enough, and no chance over all columns."""


@dataclass(frozen=True)
class Comparison:
    """Tonight against one reference."""

    reference: str
    """How sentences name the day compared with."""
    source: str
    n: int
    n_reference: int
    columns: tuple[ColumnDrift, ...]
    weighted: float
    """Mean PSI, weighted by importance."""
    score_psi: float | None
    """None where another model scored the reference."""
    risk_now: float | None
    risk_before: float | None
    reasons: Mapping[str, tuple[float, float]]
    """Share of each family in the reasons: before, now."""
    mixes: Mapping[str, float]
    """Jensen–Shannon distance of ``county``, ``grade``, ``status``."""

    @property
    def reason_shift(self) -> float:
        """Share of the reasons' weight that moved between families."""
        return sum(abs(now - before) for before, now in self.reasons.values()) / 2

    def as_document(self) -> dict[str, Any]:
        told = asdict(self)
        return {**told, "reason_shift": self.reason_shift}


def compare(
    tonight: Profile,
    reference: Profile,
    counts: Mapping[str, Sequence[int]],
    risk_counts: Sequence[int],
    rules: MonitoringSettings,
) -> Comparison:
    """Effect sizes of everything; ``counts`` are tonight's values in the bins of ``reference``."""
    weights = tonight.weights()
    shared = [name for name in tonight.columns if name in reference.columns]
    bins = {
        name: ((*reference.columns[name].counts, reference.columns[name].nulls),
               (*counts[name], tonight.columns[name].nulls))
        for name in shared
    }  # fmt: skip
    chances = {name: chance(*pair, rules.design_effect) for name, pair in bins.items()}
    found = discoveries(chances, rules.false_discovery_rate)
    columns = []
    for name in shared:
        index = psi(*bins[name])
        moved = wasserstein(reference.columns[name], counts[name], tonight.columns[name])
        far = index >= rules.psi or moved >= rules.wasserstein
        columns.append(
            ColumnDrift(
                name,
                family_of(name),
                weights.get(name, 0.0),
                index,
                moved,
                chances[name],
                name in found and far,
            )
        )
    same_model = tonight.model_digest == reference.model_digest
    return Comparison(
        reference.label,
        reference.source,
        tonight.pupils,
        reference.pupils,
        tuple(columns),
        sum(column.weight * column.psi for column in columns),
        psi(reference.risk.counts, risk_counts) if same_model and reference.risk.known else None,
        tonight.risk.mean,
        reference.risk.mean,
        _reasons(reference, tonight) if same_model else {},
        {
            name: jensen_shannon(reference.mixes[name], mix)
            for name, mix in tonight.mixes.items()
            if reference.mixes.get(name)
        },
    )


def nearest(main: Comparison, others: Sequence[Comparison]) -> Comparison:
    """``main``, each size as small as it is beside any of the weeks about it."""
    by_name = [{column.column: column for column in other.columns} for other in others]
    columns = []
    for column in main.columns:
        found = [column, *(there[column.column] for there in by_name if column.column in there)]
        closest = min(found, key=lambda one: (one.drifted, one.psi))
        columns.append(closest)
    scores = [one.score_psi for one in (main, *others) if one.score_psi is not None]
    return replace(
        main,
        columns=tuple(columns),
        weighted=sum(column.weight * column.psi for column in columns),
        score_psi=min(scores, default=None),
        reasons=min((main, *others), key=lambda one: one.reason_shift if one.reasons else 2.0).reasons,
    )


def family_of(column: str) -> str:
    """The family of reasons a column belongs to."""
    return BY_NAME[column].family if column in BY_NAME else "model"


def registers_of(column: str) -> str:
    """The registers behind a column, for the person who looks for the cause."""
    return ", ".join(BY_NAME[column].needs) if column in BY_NAME else "the registers"


def _reasons(reference: Profile, tonight: Profile) -> dict[str, tuple[float, float]]:
    before, now = _by_family(reference), _by_family(tonight)
    return {family: (before[family], now[family]) for family in before}


def _by_family(profile: Profile) -> dict[str, float]:
    shares = dict.fromkeys(FAMILIES["en"], 0.0)
    for name, weight in profile.weights().items():
        shares[family_of(name)] += weight
    return shares
