"""The registers that change by the year or by the pupil, as Arrow tables with the names of contract §1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from training.simulator.layout import PROVINCE_CODE, Plan, Township, generator
from training.simulator.lives import AIDED_SHARE
from training.simulator.names import person_names
from training.simulator.people import GUARDIANS, POVERTY, People
from training.simulator.places import NEVER, Schools
from training.simulator.records import YearRecord
from training.simulator.school_year import SchoolYear
from training.simulator.spells import class_names, school_of_class

_DAY = "M8[D]"


def schools_table(plan: Plan, town: Township, schools: Schools) -> pa.Table:
    """``schools``: all as they opened, then those that closed once more."""
    count = len(schools.ids)
    first = plan.school_years[0].first_day
    junior = np.arange(count) == schools.junior
    primary_places = np.ceil(town.pupils * 2 / 3 * schools.share[: count - 1] * 1.2 / 10) * 10
    places = np.append(primary_places, np.ceil(town.pupils / 3 * 1.2 / 10) * 10).astype(np.int64)
    boarding = junior | (np.arange(count) == 0)
    closing = np.flatnonzero(schools.closes < NEVER)
    row = np.append(np.arange(count), closing)
    ends = np.array([_closing_day(plan, year) for year in schools.closes[closing]], _DAY)
    return pa.table(
        {
            "school_id": schools.ids[row],
            "name": schools.names[row],
            "township_id": [town.township_id] * len(row),
            "county_id": [town.county_id] * len(row),
            "province_id": [PROVINCE_CODE] * len(row),
            "stage": np.where(junior, "junior", "primary")[row],
            "latitude": schools.latitude[row].round(6),
            "longitude": schools.longitude[row].round(6),
            "boarding": boarding[row],
            "places": places[row],
            "boarding_places": np.where(boarding, places * 2 // 3, 0)[row],
            "opened_on": (1958 + row % 40 - 1970).astype("M8[Y]").astype(_DAY) + 243,
            "closed_on": pa.array(np.append(np.full(count, np.datetime64("NaT"), _DAY), ends)),
            "recorded_on": np.append(np.full(count, first - 14), ends - 30),
        }
    )


def _closing_day(plan: Plan, year: int) -> np.datetime64:
    return plan.school_years[year - 1].last_day + 1


def students_table(plan: Plan, people: People) -> pa.Table:
    """``students``: everybody from the day they join."""
    home, homes = people.household, people.homes
    joined = np.array([year.first_day for year in plan.school_years])[people.joins]
    placement = np.where(people.home_taught, "home_teaching", "class")
    return pa.table(
        {
            "student_id": people.ids,
            "name": people.names,
            "sex": np.where(people.female, "F", "M"),
            "birth_date": people.birth,
            "ethnicity": people.ethnicity,
            "disability": people.disability,
            "placement": placement,
            "home_latitude": homes.latitude[home].round(6),
            "home_longitude": homes.longitude[home].round(6),
            "recorded_on": joined,
        }
    )


def families_table(plan: Plan, town: Township, people: People, record: YearRecord) -> pa.Table:
    """``families``: asked about every September."""
    random = generator(plan.seed, town.index, 6, record.year.index)
    who = pupils_in_september(record)
    home, homes = people.household[who], people.homes
    seen = record.year.first_day + random.integers(4, 20, len(who))
    return pa.table(
        {
            "student_id": people.ids[who],
            "observed_on": seen,
            "household_id": np.char.add(f"H{town.township_id}", np.char.zfill(home.astype(str), 5)),
            "guardian": GUARDIANS[homes.guardian[home]],
            "parents_away": homes.parents_away[home],
            "poverty": POVERTY[homes.poverty[home]],
            "orphan": homes.orphan[home],
            "parent_illness": homes.parent_illness[home],
            "relocated": homes.relocated[home],
            "migrant": homes.migrant[home],
            "siblings": people.siblings[who],
            "mother_schooling_years": homes.mother[home],
            "father_schooling_years": homes.father[home],
            "recorded_on": seen + random.integers(0, 6, len(who)),
        }
    )


def travel_table(
    plan: Plan, town: Township, people: People, schools: Schools, record: YearRecord
) -> pa.Table:
    """``travel``: the way to school by road, asked about every September."""
    random = generator(plan.seed, town.index, 7, record.year.index)
    who = pupils_in_september(record)
    road = people.road(schools, school_of_class(record.code))[who]
    kind = np.digitize(np.minimum(road, 60), [2.0, 4.0, 9.0])
    speed = np.array([4.2, 11.0, 22.0, 26.0])[kind]
    seen = record.year.first_day + random.integers(2, 15, len(who))
    return pa.table(
        {
            "student_id": people.ids[who],
            "observed_on": seen,
            "distance_km": np.minimum(road, 60).round(1),
            "minutes": (np.minimum(road, 60) / speed * 60 + np.where(kind == 3, 8, 0)).round(),
            "mode": np.array(["walk", "bicycle", "motorcycle", "bus"])[kind],
            "recorded_on": seen + random.integers(0, 6, len(who)),
        }
    )


def aid_table(plan: Plan, town: Township, people: People, record: YearRecord) -> pa.Table:
    """``aid``: most of the entitled get it every autumn, some lifted households too."""
    random = generator(plan.seed, town.index, 8, record.year.index)
    who = pupils_in_september(record)
    poverty = people.homes.poverty[people.household[who]]
    aided = people.unaided[who] <= np.array([0, 0.5, AIDED_SHARE, AIDED_SHARE])[poverty]
    who = who[aided & (poverty > 0)]
    granted = record.year.first_day + random.integers(30, 70, len(who))
    boards = record.boards[who]
    junior = record.code[who] // 8 % 9 >= 6
    return pa.table(
        {
            "student_id": people.ids[who],
            "programme": np.where(boards, "boarding_allowance", "living_allowance"),
            "granted_on": granted,
            "amount": np.where(junior, 625.0, 500.0) * np.where(boards, 1.0, 0.5),
            "recorded_on": granted + random.integers(0, 10, len(who)),
        }
    )


def calendar_table(town: Township, years: Sequence[SchoolYear]) -> pa.Table:
    """``calendar`` of the county of ``town``: every day of a school year, announced in August."""
    tables = [_calendar_year(town, year) for year in years]
    return pa.concat_tables(tables)


def _calendar_year(town: Township, year: SchoolYear) -> pa.Table:
    days = np.arange(year.first_day, np.datetime64(f"{year.start_year + 1}-09-01", "D"))
    taught = np.isin(days, year.days)
    term = np.full(len(days), "", "U6")
    term[taught] = np.char.add(f"{year.start_year}-", year.term.astype(str))
    return pa.table(
        {
            "day": days,
            "county_id": [town.county_id] * len(days),
            "school_day": taught,
            "term": pa.array(term, mask=~taught),
            "recorded_on": np.full(len(days), year.first_day - 12),
        }
    )


def staff_table(plan: Plan, town: Township, schools: Schools, codes: np.ndarray) -> pa.Table:
    """``staff``: a principal of each school and a form teacher of each class in ``codes``."""
    ids = np.concatenate([_principals(schools), _teachers(schools, codes)])
    random = generator(plan.seed, town.index, 9)
    return pa.table(
        {
            "staff_id": ids,
            "name": person_names(random, len(ids)),
            "recorded_on": np.full(len(ids), plan.school_years[0].first_day),
        }
    )


def assignments_table(schools: Schools, record: YearRecord) -> pa.Table:
    """``assignments`` of one school year; principals are assigned once, without an end."""
    codes = np.unique(record.code[pupils_in_september(record)])
    heads = _principals(schools) if record.year.index == 0 else np.empty(0, "U1")
    count = len(heads) + len(codes)
    ends = np.full(count, np.datetime64(f"{record.year.start_year + 1}-08-31", "D"))
    ends[: len(heads)] = np.datetime64("NaT")
    school = schools.ids[school_of_class(codes)]
    classes = [
        f"class:{at}:{name}:{record.year.start_year}"
        for at, name in zip(school.tolist(), class_names(codes).tolist(), strict=True)
    ]
    return pa.table(
        {
            "staff_id": np.concatenate([heads, _teachers(schools, codes)]),
            "unit": [f"school:{school_id}" for school_id in schools.ids[: len(heads)].tolist()] + classes,
            "role": ["principal"] * len(heads) + ["teacher"] * len(codes),
            "from_day": np.full(count, record.year.first_day),
            "to_day": pa.array(ends),
            "recorded_on": np.full(count, record.year.first_day),
        }
    )


def _principals(schools: Schools) -> np.ndarray:
    return np.char.add(np.char.add("T", schools.ids), "00")


def _teachers(schools: Schools, codes: np.ndarray) -> np.ndarray:
    """A class keeps its form teacher's post over the years; the number says school, grade and letter."""
    return np.char.add(
        np.char.add("T", schools.ids[school_of_class(codes)]), np.char.zfill((codes % 72 + 1).astype(str), 2)
    )


def pupils_in_september(record: YearRecord) -> np.ndarray:
    """Pupils in a class register in the first fortnight of the year."""
    return np.flatnonzero((record.seat[:10] >= 0).any(axis=0))
