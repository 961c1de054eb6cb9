"""Care-affected rows among the judged: how many, and how many of the listed who stayed were cared for.

A pupil who was listed, helped and stayed is no false alarm, and nobody can say of one pupil whether it was
the help. So the figures stand beside each other, and nothing is corrected.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

WHAT = "care-affected labels"
GROUPS = {True: "affected", False: "others"}
"""Names of the two groups in the judgement."""


def care_counts(known: pd.DataFrame, weight: float, model: str = "model") -> dict[str, Any]:
    """Counts over judged rows: ``label``, ``care_affected`` and ``listed_<model>``.

    ``weight`` is what a care-affected row counted for in the fit.
    """
    affected = known["care_affected"].astype(bool)
    stayed = known[f"listed_{model}"].astype(bool) & (known["label"] == 0)
    return {
        "rows": len(known),
        "affected": int(affected.sum()),
        "affected_left": int((affected & (known["label"] == 1)).sum()),
        "listed_stayed": int(stayed.sum()),
        "listed_stayed_affected": int((stayed & affected).sum()),
        "weight": weight,
    }


def care_not_judged(counts: dict[str, Any], groups: dict[str, Any]) -> list[dict[str, str]]:
    """Why care-affected rows have no figures of their own; empty where they have."""
    if not counts["affected"]:
        why = "no judged row had a case open or a step of care within its window (register care)"
        return [{"what": WHAT, "why": why}]
    told = groups["care"][GROUPS[True]]["said"]
    return [{"what": WHAT, "why": told}] if told else []


def care_said(counts: dict[str, Any]) -> str:
    """One sentence for a person; empty where nobody was cared for."""
    if not counts.get("affected"):
        return ""
    return (
        f"Of {counts['listed_stayed']:,} listed rows of pupils who stayed, in "
        f"{counts['listed_stayed_affected']:,} somebody had cared for the pupil in the meantime: "
        "a helped pupil who stays is no false alarm."
    )
