"""Does care help? Asked of mature cohorts: at the line of the list, and by lot where places were drawn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from monitoring.care_effect.discontinuity import care_effect
from monitoring.care_effect.lots import lot_effect
from monitoring.findings import Finding
from monitoring.performance.cohorts import disjoint
from risk_model.settings import Settings


def ask_care(
    settings: Settings, judged: Sequence[dict[str, Any]], today: date
) -> tuple[dict[str, Any], list[Finding]]:
    """The part of the document, and what must be looked into; ``judged`` are cohorts, newest first."""
    apart = disjoint(judged, settings.labels.horizon_days)
    bins = [row for cohort in apart for row in cohort.get("near_line", ())]
    effect = care_effect(bins, settings.monitoring.care_slope_spread)
    windows = [cohort["as_of"] for cohort in apart]
    found: list[Finding] = []
    if effect.told and effect.low is not None and effect.low > 0:
        found.append(
            Finding("care_harms", "care", "investigate", "responsible",
                    window=", ".join(windows), n=effect.left,
                    figures={"effect": effect.effect, "low": effect.low, "high": effect.high})
        )  # fmt: skip
    by_lot = _by_lot(judged)
    found += _of_lots(by_lot, today)
    return {**effect.as_document(), "cohorts": windows, "by_lot": by_lot}, found


def _by_lot(judged: Sequence[dict[str, Any]]) -> dict[str, Any] | None:
    """All rounds together, each by its first night; none where nothing was ever drawn and matured."""
    first: dict[str, dict[str, Any]] = {}
    for cohort in sorted(judged, key=lambda one: str(one["as_of"])):
        if cohort["state"] == "mature" and cohort.get("lots"):
            first.setdefault(cohort["lots"]["round"], cohort)
    if not first:
        return None
    effect = lot_effect([arm for cohort in first.values() for arm in cohort["lots"]["arms"]])
    rounds = [{**cohort["lots"], "as_of": cohort["as_of"]} for cohort in first.values()]
    return {**effect.as_document(), "rounds": rounds}


def _of_lots(by_lot: dict[str, Any] | None, today: date) -> Iterator[Finding]:
    if by_lot is None:
        return
    for told in by_lot["rounds"]:
        if "not_done" in told:
            yield Finding("draw_record", "care", "investigate", "responsible", f"round:{told['round']}",
                          told["as_of"], figures={"reason": told["not_done"]})  # fmt: skip
    running = [told for told in by_lot["rounds"] if told["until"] >= today.isoformat()]
    if by_lot["stop"] and running:
        yield Finding(
            "draw_stop", "care", "investigate", "responsible", f"round:{running[-1]['round']}",
            ", ".join(told["as_of"] for told in by_lot["rounds"]), by_lot["left"],
            {"said": by_lot["text"], "decided_by": running[-1]["decided_by"]},
        )  # fmt: skip
