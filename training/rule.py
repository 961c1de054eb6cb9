"""The rule schools use without any model, and its bundle for offices with too little history.

The rule: absent on 10 % or more of the last 30 school days (of the term where those are unknown), or a
core subject failed. As a bundle it is a logistic model over the same quantities, so that risks, reasons
and lists work from the first night.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from risk_model.model.logistic import LogisticModel, Term, fit_logistic
from risk_model.school_rule import ABSENT_30, FAILED_CORE
from training.fit import Rows

COVERAGE = "register_coverage_30"

UNSEEN = Term(COVERAGE, -3.0, 1.0)
"""A pupil without any mark while the class kept its register has no rate of absence, and would pass for an
average one: twenty times the odds instead. Never fitted: registers that are complete do not tell it."""
PRIOR = LogisticModel(
    intercept=-4.6,
    terms=(Term(ABSENT_30, 10.0, 0.03), Term(FAILED_CORE, 0.8, 0.15, at_least=1.0), UNSEEN),
)
"""Without labels: one in a hundred leaves within 90 days; missing 10 % of the days multiplies the odds
by 2.7, a failed core subject by 2.2. Orders of magnitude from published early-warning indicators, to be
replaced by the office's own as soon as labels mature."""
ENOUGH_POSITIVES = 30
"""Ten leavers for each number that is fitted."""


def fit_rule(rows: Rows | None, features: Sequence[str]) -> tuple[LogisticModel, bool]:
    """The rule's logistic model, and whether its coefficients come from the office's own labels.

    They do when at least ``ENOUGH_POSITIVES`` matured and each points the way the rule says.
    """
    if rows is None or rows.positives < ENOUGH_POSITIVES:
        return PRIOR, False
    columns = [list(features).index(name) for name in (ABSENT_30, FAILED_CORE)]
    fitted = fit_logistic(
        rows.x[:, columns].astype(np.float64),
        (ABSENT_30, FAILED_CORE),
        rows.y,
        rows.weight,
        at_least={FAILED_CORE: 1.0},
    )
    if any(term.coefficient <= 0 for term in fitted.terms):
        return PRIOR, False
    return replace(fitted, terms=(*fitted.terms, UNSEEN)), True
