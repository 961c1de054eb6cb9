"""The nearest of many points, compiled by numba; see :mod:`risk_model.features.nearest`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from risk_model.compiling import compiled


@compiled
def nearest_points(
    homes: NDArray[np.float64], area: Any, schools: NDArray[np.float64], begin: Any
) -> NDArray[np.int64]:
    """(n,) the row of the nearest school of its area for each home (n, 3); of equals the first.

    The schools of area ``a`` are the rows ``begin[a]`` up to, but not with, ``begin[a + 1]``.
    """
    found = np.empty(len(homes), dtype=np.int64)
    for row in range(len(homes)):
        x, y, z = homes[row, 0], homes[row, 1], homes[row, 2]
        best = np.inf
        for school in range(begin[area[row]], begin[area[row] + 1]):
            dx, dy, dz = x - schools[school, 0], y - schools[school, 1], z - schools[school, 2]
            chord = dx * dx + dy * dy + dz * dz
            if chord < best:
                best, found[row] = chord, school
    return found
