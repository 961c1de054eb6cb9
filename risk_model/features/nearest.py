"""Where the nearest open school of a pupil's stage in the county is: a groundwork of the distance family.

``nearest_school(pupil, latitude, longitude)`` has a row per scored pupil whose home is known and whose
county has such a school. Each pupil of a county is set against each of its schools: a hundred million
pairs in a province of a million, half a second here and a minute as a join.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import duckdb

TEACHES = "CASE WHEN {grade} <= 6 THEN 'primary' WHEN {grade} <= 9 THEN 'junior' ELSE 'senior' END"


def put_nearest_schools(con: duckdb.DuckDBPyConnection) -> None:
    """Make the temp table ``nearest_school`` from ``scored``, ``known.students`` and ``known.schools``."""
    import pyarrow as pa

    from risk_model.features.nearest_kernel import nearest_points

    con.execute(_SCHOOLS)
    schools = con.execute("SELECT * FROM open_schools ORDER BY area").fetchnumpy()
    homes = con.execute(_HOMES).fetchnumpy()
    area = np.asarray(schools["area"], dtype=np.int64)
    begin = np.searchsorted(area, np.arange(area.max(initial=-1) + 2)).astype(np.int64)
    at = np.asarray(homes["area"], dtype=np.int64)
    nearest = nearest_points(_points(homes), at, _points(schools), begin)
    found = {name: pa.array(np.asarray(schools[name])[nearest]) for name in ("latitude", "longitude")}
    con.register("found_nearest", pa.table({"pupil": pa.array(np.asarray(homes["pupil"])), **found}))
    con.execute("CREATE OR REPLACE TEMP TABLE nearest_school AS FROM found_nearest")
    con.unregister("found_nearest")


def _points(places: Mapping[str, Any]) -> NDArray[np.float64]:
    """(n, 3) points on a sphere of radius 1."""
    latitude, longitude = (np.radians(np.asarray(places[name])) for name in ("latitude", "longitude"))
    flat = np.cos(latitude)
    return np.column_stack([flat * np.cos(longitude), flat * np.sin(longitude), np.sin(latitude)])


# An area is a county and a stage; a nine-year school lies in two.
_SCHOOLS = """
CREATE OR REPLACE TEMP TABLE open_schools AS
WITH taught AS (
    SELECT county_id, latitude, longitude,
           unnest(CASE stage WHEN 'nine_year' THEN ['primary', 'junior'] ELSE [stage] END) AS stage
    FROM known.schools WHERE coalesce(closed_on > getvariable('snapshot'), true)
      AND latitude IS NOT NULL AND longitude IS NOT NULL)
SELECT dense_rank() OVER (ORDER BY county_id, stage) - 1 AS area, * FROM taught
"""

_HOMES = f"""
SELECT p.pupil, a.area, s.home_latitude AS latitude, s.home_longitude AS longitude
FROM scored p JOIN known.students s USING (student_id)
JOIN (SELECT DISTINCT area, county_id, stage FROM open_schools) a
  ON a.county_id = p.county_id AND a.stage = {TEACHES.format(grade="p.grade")}
WHERE s.home_latitude IS NOT NULL AND s.home_longitude IS NOT NULL
"""
