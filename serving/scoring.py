"""One night's scores: features to risk, rank and reasons of everybody, as plain rows to publish."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from risk_model.errors import BundleError
from risk_model.explanation.packing import pack, pack_status
from risk_model.explanation.reasons import class_numbers, class_values
from risk_model.near_equals import draw, listed_by_lot
from risk_model.ranking import rank
from serving.archive import Evidence

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

    from risk_model.features.feature import Feature
    from risk_model.model.bundle import Bundle
    from risk_model.settings import ComparisonSettings, ListSettings

SCORED = "scored"
COHORT = (
    "student_id",
    "county_id",
    "township_id",
    "school_id",
    "class_id",
    "class_key",
    "grade",
    "status",
)
"""What is kept of the cohort beside scores."""
ROW_TYPES = {
    "school_id": "string",
    "student_id": "string",
    "class_id": "string",
    "class_key": "string",
    "grade": "int64",
    "status": "string",
    "risk": "float64",
    "rank": "int64",
    "rank_in_school": "int64",
    "rank_in_class": "int64",
    "listed": "bool",
    "reasons": "string",
}
"""What is published of a pupil: ``publication.COLUMNS`` with their Arrow types."""
PLACES = "select school_id, name, township_id, county_id, province_id from known.schools"


@dataclass(frozen=True)
class Scores:
    """Everybody of the cohort with rank and reasons, and what the risks are made of."""

    frame: pd.DataFrame
    """The columns of :data:`ROW_TYPES` among others, one row per pupil."""
    base: float
    evidence: Evidence
    drawn: pd.DataFrame | None = None
    """Who was drawn by lot at the end of the lists; none where nothing was drawn."""


def features_of(names: tuple[str, ...]) -> tuple[Feature, ...]:
    """The declarations of a model's features, in the model's order.

    Raises
    ------
    BundleError
        The model needs a feature this version does not know.
    """
    from risk_model.features.declared import BY_NAME

    unknown = [name for name in names if name not in BY_NAME]
    if unknown:
        raise BundleError(
            f"The model needs the feature {unknown[0]!r}, which this version does not declare. "
            "Score with the version that trained it, or train again."
        )
    return tuple(BY_NAME[name] for name in names)


def score(
    frame: pd.DataFrame,
    bundle: Bundle,
    features: tuple[Feature, ...],
    rules: ListSettings,
    threads: int = 0,
    before: Collection[str] = (),
    comparison: ComparisonSettings | None = None,
) -> Scores:
    """Score the snapshot ``frame``; pupils without a score get the reason of their status.

    ``before`` are the pupils of the last published list; ``threads`` as in
    :meth:`risk_model.model.bundle.Bundle.explain`; by ``comparison`` the last places are drawn, if given.
    """
    names = [feature.name for feature in features]
    scored = (frame["status"] == SCORED).to_numpy()
    of_class = class_values(frame.loc[scored], names)
    values = frame.loc[scored, names].to_numpy(dtype=np.float64)
    explained = bundle.explain(values, threads=threads)
    risk = np.full(len(frame), np.nan)
    risk[scored] = explained.risk
    result = frame[list(COHORT)].assign(risk=risk)
    result = result.join(rank(result, rules, before))
    drawn = None
    if comparison is not None:
        drawn = draw(result, rules, comparison)
        result["listed"] = listed_by_lot(result["listed"], drawn)
    of_status = {status: pack_status(status) for status in result["status"].unique()}
    packed = result["status"].map(of_status).to_numpy(dtype=object)
    packed[scored] = pack(features, values, of_class, explained.contributions, rules)
    result["reasons"] = packed
    pupils = result.loc[scored, "student_id"].tolist()
    numbers = class_numbers(frame.loc[scored])
    evidence = Evidence(pupils, numbers, values, of_class, explained.contributions)
    return Scores(result, explained.base, evidence, drawn)


def table_of(frame: pd.DataFrame) -> pa.Table:
    """The rows to publish, ordered as the service database stores them."""
    import pyarrow as pa

    ordered = frame.sort_values(["school_id", "student_id"])
    return pa.table(
        {
            name: pa.array(ordered[name], type=pa.type_for_alias(kind), from_pandas=True)
            for name, kind in ROW_TYPES.items()
        }
    )


def rows_of(table: pa.Table) -> list[tuple[Any, ...]]:
    """Rows of plain Python values, null as None."""
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def schools_of(
    con: duckdb.DuckDBPyConnection, frame: pd.DataFrame, held_back: dict[str, str]
) -> list[dict[str, Any]]:
    """Each school of the cohort: where it lies, how many pupils, why it is held back if it is.

    The register of schools names township and province; without it the pupils' own columns serve.
    """
    places = {place[0]: place[1:] for place in con.execute(PLACES).fetchall()}
    schools = []
    grouped = frame.groupby("school_id", sort=True)[["county_id", "township_id"]].first()
    pupils = frame["school_id"].value_counts()
    for school, county, township in grouped.itertuples():
        name, at_township, at_county, at_province = places.get(school, (None, None, None, None))
        schools.append(
            {
                "school_id": school,
                "name": name,
                "county_id": _text(county) or at_county,
                "township_id": _text(township) or at_township,
                "province_id": at_province,
                "pupils": int(pupils[school]),
                "held_back": held_back.get(school),
            }
        )
    return schools


def _text(value: Any) -> str | None:
    return None if pd.isna(value) else str(value)
