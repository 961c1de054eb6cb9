"""The one feature path: training, the nightly run, ``explain`` and what-if all read this frame."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pandas as pd

from risk_model.features.compute import compute_features, lay_features, lay_for_others
from risk_model.features.sources import LAKE, Sources
from risk_model.parts import Part
from risk_model.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from risk_model.lake.reading import Lake


def snapshot_frame(
    lake: Lake,
    day: date,
    settings: Settings,
    part: Part | None = None,
    sources: Sources = LAKE,
) -> pd.DataFrame:
    """Everybody enrolled or awaited on ``day`` with their features, as the office knew it on that day.

    Cut by ``recorded_on <= day`` and by the day of the event. See
    :func:`~risk_model.features.compute.compute_features` for columns; a read-only connection does.
    With a ``part`` only pupils of its counties, once :func:`risk_model.parts.take_over` has run.
    ``sources`` says where marks and exams are read: :func:`risk_model.state.sources_on`, or the lake.
    """
    lake.known_on(day)
    return compute_features(lake.con, day, settings, part, sources)


def lay_snapshot(lake: Lake, day: date, settings: Settings) -> None:
    """The same as tables, for whoever takes more rows than a frame should hold.

    :data:`~risk_model.features.compute.SNAPSHOT_FEATURES` is the query over them.
    """
    lake.known_on(day)
    lay_features(lake.con, day, settings)


def told_to_others(
    lake: Lake, day: date, settings: Settings, part: Part, sources: Sources = LAKE
) -> tuple[pa.Table, pa.Table]:
    """What the other parts of a night take over of this one: kept registers, then norms of exams."""
    lake.known_on(day)
    return lay_for_others(lake.con, day, settings, part, sources)
