"""OULAD, three presentations of the Open University, as registers of the contract.

What becomes what, and what was chosen:

=====================  ==========================================================================
OULAD                  register
=====================  ==========================================================================
module × presentation  a school with one class; stage ``senior``, grade 12; one county ``OU``
days of presentation   ``calendar``: every day from day 0 to its length is a school day
registration           an ``enrolments`` spell from day 0 or the day of registration, whichever is
                       later; recorded on the day of registration. Whoever left before day 0 never
                       started and has no spell (9.5 % of registrations).
``date_unregistration``  the same spell ended ``dropped_out`` that day, recorded that day
no unregistration      ended on the last day: ``graduated`` (pass, distinction) or ``other`` (fail,
                       and withdrawn without a date: nobody knows when)
a day with clicks      ``present``; recorded the day after
a day without          ``absent_leave``: weak evidence, since a distant student need not click daily.
                       Not ``absent_unexcused``, which would make twenty quiet days a long absence.
assessment handed in   ``results`` under the module's name, assessed on the day of submission,
                       recorded 14 days later, when its score is known. Banked scores belong to an
                       earlier presentation and are left out; so are submissions without a score.
assessment not handed  ``results`` with ``sat`` false on the day it was due, recorded 14 days later
in by the due day
``imd_band``           ``families.poverty``: most deprived tenth ``minimum_living``, second
                       ``monitored``, third ``lifted``, others ``none`` – of an area, not a household
``highest_education``  ``mother_schooling_years``, the only place for schooling at home:
                       5, 11, 13, 15 or 17 years
``disability``, sex    ``students``; for the audit, never predictors
region, age band,      no register: a region is no distance, an age band no birth date, and the
attempts, credits      earlier attempts have no dates
=====================  ==========================================================================
"""

from __future__ import annotations

from pathlib import Path

import duckdb

STARTS = {"2013B": "2013-02-01", "2013J": "2013-10-01", "2014J": "2014-10-01"}

# Every enrolment that reached day 0, in calendar days.
ENROLLED = """
create table enrolled as
select i.id_student::varchar as student_id, i.code_module || '-' || i.code_presentation as school_id,
       p.start, p.last_day, i.final_result, i.imd_band, i.highest_education, i.gender, i.disability,
       i.code_module as subject, p.code_module, p.code_presentation,
       p.start + greatest(coalesce(try_cast(r.date_registration as double)::int, 0), 0) as started_on,
       p.start + least(coalesce(try_cast(r.date_registration as double)::int, 0), 0) as registered_on,
       p.start + try_cast(r.date_unregistration as double)::int as left_on
from info i join registration r using (code_module, code_presentation, id_student)
join presentations p using (code_module, code_presentation)
where coalesce(try_cast(r.date_unregistration as double)::int, 0) >= 0
  and coalesce(try_cast(r.date_unregistration as double), 1e9)
      >= greatest(coalesce(try_cast(r.date_registration as double), 0), 0)
"""

REGISTERS = {
    "schools": """
        select code_module || '-' || code_presentation as school_id,
               code_module || ' ' || code_presentation as name,
               'OU' as county_id, 'senior' as stage, start - 365 as recorded_on from presentations""",
    "students": """
        select student_id, any_value(gender) as sex, any_value(disability) = 'Y' as disability,
               min(registered_on) as recorded_on from enrolled group by student_id""",
    "enrolments": """
        select student_id, school_id, started_on, school_id as class_id, 12 as grade,
               null::date as ended_on, null as end_reason, registered_on as recorded_on from enrolled
        union all
        select student_id, school_id, started_on, school_id, 12, coalesce(left_on, last_day),
               case when left_on is not null then 'dropped_out'
                    when final_result in ('Pass', 'Distinction') then 'graduated' else 'other' end,
               greatest(coalesce(left_on, last_day), registered_on + 1) from enrolled""",
    "calendar": """
        select day::date as day, code_module || '-' || code_presentation as school_id,
               true as school_day, start - 365 as recorded_on
        from presentations, unnest(generate_series(start, last_day, interval 1 day)) as days(day)""",
    "attendance": """
        with days as (
            select student_id, school_id, start,
                   unnest(generate_series(started_on, coalesce(left_on, last_day), interval 1 day)) as day
            from enrolled
        )
        select d.student_id, d.day::date as day,
               case when c.student_id is null then 'absent_leave' else 'present' end as mark,
               d.school_id, d.day::date + 1 as recorded_on
        from days d left join clicks c using (student_id, school_id, day)
        qualify row_number() over (partition by d.student_id, d.day order by d.start desc) = 1""",
    "results": """
        select student_id, subject, assessed_on, score, 100 as max_score, sat, assessed_on + 14 as recorded_on
        from (
            select e.student_id, e.subject, e.start + s.date_submitted as assessed_on, s.score, true as sat
            from handed_in s join enrolled e using (student_id, code_module, code_presentation)
            where s.is_banked = 0 and s.score is not null and s.date_submitted >= 0
            union all
            select e.student_id, e.subject, e.start + a.due, null, false
            from due a join enrolled e using (code_module, code_presentation)
            left join handed_in s on s.student_id = e.student_id and s.id_assessment = a.id_assessment
            where a.due is not null and e.start + a.due <= coalesce(e.left_on, e.last_day)
              and (s.student_id is null or (s.is_banked = 0 and s.date_submitted > a.due))
        )
        qualify row_number() over (
            partition by student_id, subject, assessed_on order by sat desc, score) = 1""",
    "families": """
        select student_id, min(registered_on) as observed_on,
               case any_value(imd_band) when '0-10%' then 'minimum_living' when '10-20' then 'monitored'
                    when '20-30%' then 'lifted' when null then null else 'none' end as poverty,
               case any_value(highest_education) when 'No Formal quals' then 5
                    when 'Lower Than A Level' then 11 when 'A Level or Equivalent' then 13
                    when 'HE Qualification' then 15 else 17 end as mother_schooling_years,
               min(registered_on) as recorded_on
        from enrolled where imd_band is not null group by student_id""",
}


def write_registers(source: Path, folder: Path) -> dict[str, int]:
    """Write the delivery ``folder`` from the OULAD files in ``source``; rows per register."""
    folder.mkdir(parents=True, exist_ok=True)
    with duckdb.connect() as con:
        _read_tables(con, source)
        con.execute(ENROLLED)
        _read_events(con, source)
        return {name: _write(con, name, sql, folder) for name, sql in REGISTERS.items()}


def _read_tables(con: duckdb.DuckDBPyConnection, source: Path) -> None:
    files = {"info": "studentInfo.csv", "registration": "studentRegistration.csv", "courses": "courses.csv"}
    for table, file in files.items():
        con.read_csv(str(source / file), header=True).create(table)
    starts = ", ".join(f"('{name}', date '{day}')" for name, day in STARTS.items())
    con.execute(f"""
        create table presentations as
        select code_module, code_presentation, start, start + module_presentation_length::int as last_day
        from courses join (values {starts}) as starts(code_presentation, start) using (code_presentation)
    """)


def _read_events(con: duckdb.DuckDBPyConnection, source: Path) -> None:
    con.execute(
        """
        create table clicks as
        select distinct v.id_student::varchar as student_id,
               v.code_module || '-' || v.code_presentation as school_id, p.start + v.date::int as day
        from read_csv(?, header=true) v join presentations p using (code_module, code_presentation)
        """,
        [str(source / "studentVle.csv.gz")],
    )
    con.execute(
        """
        create table due as
        select code_module, code_presentation, id_assessment, try_cast(date as double)::int as due
        from read_csv(?, header=true)
        """,
        [str(source / "assessments.csv")],
    )
    con.execute(
        """
        create table handed_in as
        select s.id_student::varchar as student_id, id_assessment, code_module, code_presentation,
               date_submitted::int as date_submitted, is_banked::int as is_banked,
               try_cast(score as double) as score
        from read_csv(?, header=true) s join due using (id_assessment)
        """,
        [str(source / "studentAssessment.csv")],
    )


def _write(con: duckdb.DuckDBPyConnection, name: str, sql: str, folder: Path) -> int:
    con.execute(f"create or replace table delivery as {sql} order by all")
    con.execute("copy delivery to ? (header, delimiter ',')", [str(folder / f"{name}.csv")])
    (rows,) = con.execute("select count(*) from delivery").fetchone() or (0,)
    return int(rows)
