"""Are tonight's lists the ones of a few nights ago, by and large: a county whose list is another overnight.

A pupil's marks of a few days do not change half of a list. Registers that were rescaled, a column that went
missing, or a model that was exchanged do; somebody must look before teachers are sent to other pupils.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from risk_model.settings import QualitySettings


@dataclass(frozen=True)
class Turnover:
    """How a county's published list goes on in tonight's run."""

    county_id: str | None
    as_of: date
    """Of the oldest published list of its schools."""
    listed: int
    """Pupils on the published lists who have a rank tonight, too."""
    stayed: int
    """Of these on tonight's lists."""
    schools: tuple[str, ...]
    """Its schools in tonight's run."""


def judge_churn(turnovers: Iterable[Turnover], day: date, rules: QualitySettings) -> dict[str, str]:
    """The reason to hold back, by ``school_id``, for all schools of counties whose lists changed too much.

    >>> county = Turnover("K", date(2026, 3, 1), listed=100, stayed=20, schools=("A",))
    >>> judge_churn([county], date(2026, 3, 2), QualitySettings())["A"][:36]
    '80% of the 100 pupils listed on 2026'
    """
    return {
        school: _says_changed(county)
        for county in turnovers
        if _is_sharp(county, day, rules)
        for school in county.schools
    }


def _is_sharp(county: Turnover, day: date, rules: QualitySettings) -> bool:
    recent = (day - county.as_of).days <= rules.churn_days
    many = county.listed >= rules.fewest_listed_for_churn
    return recent and many and _gone(county) > rules.most_churn


def _gone(county: Turnover) -> float:
    return 1 - county.stayed / county.listed


def _says_changed(county: Turnover) -> str:
    return (
        f"{_gone(county):.0%} of the {county.listed:,} pupils listed on {county.as_of} in the county are not "
        "on the new lists, though they have a rank. Look for what changed in its registers or the model; "
        "--force publishes all the same."
    )
