"""The rule schools use without any model: absent on a tenth of the days, or a core subject failed.

What training judges a model against, and monitoring every night's list.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

ABSENT_30 = "absence_30"
ABSENT_TERM = "absence_term"
FAILED_CORE = "failed_core_latest"
ABSENT_SHARE = 0.10


def flags(x: NDArray[np.floating[Any]], features: Sequence[str]) -> NDArray[np.intp]:
    """How many of the two conditions (n,) a pupil meets: 0, 1 or 2; unknown is not met.

    >>> flags(np.array([[0.2, 0.0, 1.0], [np.nan, 0.3, 0.0]]), [ABSENT_30, ABSENT_TERM, FAILED_CORE])
    array([2, 1])
    """
    recent, term, failed = (
        x[:, list(features).index(name)] for name in (ABSENT_30, ABSENT_TERM, FAILED_CORE)
    )
    absent = np.where(np.isnan(recent), term, recent) >= ABSENT_SHARE
    return absent.astype(np.intp) + (failed >= 1)
