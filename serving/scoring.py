"""One night's scores: features to risk, rank and reasons of everybody, as plain rows to publish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from risk_model.explanation.packing import pack, pack_status
from risk_model.explanation.reasons import class_numbers, class_values
from risk_model.ranking import rank
from serving.archive import Evidence

if TYPE_CHECKING:
    import duckdb

    from risk_model.features.feature import Feature
    from risk_model.model.bundle import Bundle
    from risk_model.settings import ListSettings

SCORED = "scored"
COLUMNS = (
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
PLACES = "select school_id, name, township_id, county_id, province_id from known.schools"


@dataclass(frozen=True)
class Scores:
    """Everybody of the cohort with rank and reasons, and what the risks are made of."""

    frame: pd.DataFrame
    """The columns of ``publication.COLUMNS`` among others, one row per pupil."""
    base: float
    evidence: Evidence


def score(frame: pd.DataFrame, bundle: Bundle, features: tuple[Feature, ...], rules: ListSettings) -> Scores:
    """Score the snapshot ``frame``; pupils without a score get the reason of their status."""
    names = [feature.name for feature in features]
    scored = (frame["status"] == SCORED).to_numpy()
    of_class = class_values(frame.loc[scored], names)
    values = frame.loc[scored, names].to_numpy(dtype=np.float64)
    explained = bundle.explain(values)
    risk = np.full(len(frame), np.nan)
    risk[scored] = explained.risk
    result = frame[list(COLUMNS)].assign(risk=risk)
    result = result.join(rank(result, rules))
    of_status = {status: pack_status(status) for status in result["status"].unique()}
    packed = result["status"].map(of_status).to_numpy(dtype=object)
    packed[scored] = pack(features, values, of_class, explained.contributions, rules)
    result["reasons"] = packed
    pupils = result.loc[scored, "student_id"].tolist()
    numbers = class_numbers(frame.loc[scored])
    evidence = Evidence(pupils, numbers, values, of_class, explained.contributions)
    return Scores(result, explained.base, evidence)


def rows_of(frame: pd.DataFrame, columns: tuple[str, ...]) -> list[tuple[Any, ...]]:
    """Rows of plain Python values, null as None, ordered as the service database stores them."""
    ordered = frame.sort_values(["school_id", "student_id"])
    plain = [_plain(ordered[name]) for name in columns]
    return list(zip(*plain, strict=True))


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


def _plain(column: pd.Series) -> list[Any]:
    values = column.astype(object)
    return values.where(column.notna(), None).tolist() if column.dtype != bool else column.tolist()


def _text(value: Any) -> str | None:
    return None if pd.isna(value) else str(value)
