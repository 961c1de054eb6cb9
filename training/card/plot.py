"""The calibration plot: each band of the list as a point, expected across, observed upwards."""

from __future__ import annotations

from collections.abc import Sequence
from math import log10
from typing import Any

SIZE = 300
"""Side of the square in pixels; the labels stand outside it."""
TICKS = (0.0001, 0.001, 0.01, 0.1, 1.0)
"""Shares on the axes, which are logarithmic: most risks are below one in a hundred."""


def plot(bands: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """Places of points, intervals and ticks for the template; None without a band.

    A share of nought stands at the lower edge, where a logarithm has no place for it.

    >>> band = {"band": "0%–1%", "expected": 0.1, "observed": 0.1, "observed_interval": None}
    >>> point = plot([band])["points"][0]
    >>> (point["x"], point["y"]) == (225.0, 75.0)
    True
    """
    if not bands:
        return None
    points = [
        {
            "band": band["band"],
            "x": _place(band["expected"]),
            "y": SIZE - _place(band["observed"]),
            "ends": [SIZE - _place(end) for end in band.get("observed_interval") or ()],
        }
        for band in bands
    ]
    ticks = [{"at": _place(share), "text": f"{share * 100:g} %"} for share in TICKS]
    return {"size": SIZE, "points": points, "ticks": ticks}


def _place(share: float) -> float:
    """Pixels from the lower left corner."""
    lowest = log10(TICKS[0])
    return round(SIZE * (log10(min(max(share, TICKS[0]), 1.0)) - lowest) / -lowest, 1)
