"""The state of marks: brought forward, built anew or left out, every night reads the same matrix."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import ANY

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from risk_model.dealing import RENAMED, deal_out, dealt_to
from risk_model.features.exam_rows import KNOWN_EXAMS, ExamSource
from risk_model.features.sources import LAKE
from risk_model.home import Home
from risk_model.lake.attaching import attach, connect
from risk_model.lake.reading import Lake, open_lake
from risk_model.lake.storage import MAIN
from risk_model.lake.upkeep import Upkeep
from risk_model.parts import Part
from risk_model.settings import Settings
from risk_model.state import Brought, StateExams, StateMarks, bring_forward, sources_on
from risk_model.state.storage import DAMAGED, STATE, named_by_state
from risk_model.timeline.diaries import KNOWN, LOOKBACK_DAYS, KnownMarks, MarkSource, read_marks
from risk_model.timeline.spells import build_spells
from tests.offices import (  # noqa: F401
    FIRST,
    PUPILS,
    Office,
    Row,
    exam,
    mark,
    office_begun,
    office_copied,
    school,
    snapshots,
    spell,
)

MARKS = ("present", "late", "absent_sick", "absent_unexcused")
SUBJECTS = ("math", "Math", "chinese", "音乐")


def matrix(lake: Lake, day: date, source: MarkSource) -> np.ndarray:
    since = day - timedelta(days=LOOKBACK_DAYS)
    lake.known_on(day)
    build_spells(lake.con, day, since)
    return read_marks(lake.con, day, since, source)


def examined(lake: Lake, day: date, source: ExamSource) -> list[tuple[Any, ...]]:
    """The exams of the pupils of the timeline of ``day``, with subjects by name; a matrix was made before."""
    told = source.rows(lake.con, day)
    columns = told.columns | {"subject": np.asarray(told.spellings, dtype=object)[told.columns["subject"]]}
    return sorted(zip(*(column.tolist() for column in columns.values()), strict=True))


def content(home: Home) -> dict[str, list[Any]]:
    """What a state holds, with pupils by name: their numbers depend on when they came."""
    with connect(Settings(), home.staging / "spill") as con:
        attach(con, home.state, STATE)
        return {
            "pupils": con.execute(
                f"SELECT county_id, student_id FROM {STATE}.pupils ORDER BY ALL"
            ).fetchall(),
            "months": con.execute(
                "SELECT m.county_id, p.county_id, student_id, month, marks"
                f" FROM {STATE}.mark_months m JOIN {STATE}.pupils p USING (pupil) ORDER BY ALL"
            ).fetchall(),
            "exams": con.execute(
                "SELECT e.half, e.county_id, p.county_id, student_id, assessed_on, s.subject, what, "
                f"hundredths FROM {STATE}.exams e JOIN {STATE}.pupils p USING (pupil)"
                f" JOIN {STATE}.subjects s ON s.no = e.subject ORDER BY ALL"
            ).fetchall(),
            "twice": con.execute(
                f"SELECT pupil, count(*) FROM {STATE}.pupils GROUP BY pupil HAVING count(*) > 1"
            ).fetchall(),
        }


def rebuilt(home: Home, folder: Path) -> Home:
    """A copy of the home with a state made anew."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(home.folder, folder)
    copy = Home(folder)
    shutil.rmtree(copy.state)
    with open_lake(copy, Settings()) as lake:
        assert bring_forward(copy, Settings(), lake).done == "built"
    return copy


PUPIL, BACK = st.sampled_from(PUPILS), st.integers(0, 60)
NEWS = st.one_of(
    st.tuples(st.just("day"), st.just(PUPILS), st.sampled_from(MARKS)),
    st.tuples(st.just("day"), st.lists(PUPIL, min_size=1, max_size=3), st.sampled_from(MARKS)),
    st.tuples(st.just("correct"), PUPIL, BACK, st.sampled_from(MARKS)),
    st.tuples(st.just("late"), PUPIL, BACK, st.sampled_from(MARKS)),
    st.tuples(st.just("retract"), PUPIL, BACK, st.none()),
    st.tuples(st.just("exam"), PUPIL, st.sampled_from(SUBJECTS), BACK),
    st.tuples(st.just("old exam"), PUPIL, st.sampled_from(SUBJECTS), BACK),
    st.tuples(st.just("retract exam"), PUPIL, st.sampled_from(SUBJECTS), BACK),
    st.tuples(st.just("move"), PUPIL, st.sampled_from("ABCD"), st.none()),
    st.tuples(st.just("undo spell"), PUPIL, st.sampled_from("ABCD"), st.none()),
    st.tuples(st.just("county"), st.sampled_from("ABCD"), st.sampled_from(("C1", "C2", "C3")), st.none()),
    st.tuples(st.just("alias"), PUPIL, PUPIL, st.none()),
    st.tuples(st.just("new pupil"), st.sampled_from(("q1", "q2")), st.sampled_from("ABCD"), st.none()),
)
STEP = st.fixed_dictionaries(
    {
        "days": st.sampled_from((1, 1, 3, 9, 45)),
        "news": st.lists(NEWS, max_size=4),
        "tidied": st.booleans(),
        "night": st.sampled_from((True, True, False)),
    }
)


@dataclass
class Story:
    """What is told, one delivery after another, by an office whose clock goes on."""

    today: date = FIRST
    marked: list[date] = field(default_factory=lambda: [FIRST])
    examined: list[date] = field(default_factory=lambda: [FIRST - timedelta(days=200)])

    def delivery(self, step: dict[str, Any]) -> dict[str, list[Row]]:
        self.today += timedelta(days=step["days"])
        told: dict[str, list[Row]] = {}
        for what, *particulars in step["news"]:
            register, rows = self._rows(what, *particulars)
            told.setdefault(register, []).extend(rows)
        return told

    def _rows(self, what: str, who: Any, where: Any, told: Any = None) -> tuple[str, list[Row]]:
        now = self.today
        if what == "day":
            self.marked.append(now)
            return "attendance", [mark(pupil, now, where) for pupil in who]
        if what in ("correct", "late", "retract"):
            day = self.marked[where % len(self.marked)]
            row = mark(who, day, told or "", min(now, day + timedelta(days=1)) if what == "late" else now)
            return "attendance", [row | {"retracted": what == "retract"}]
        if "exam" in what:
            day = now - timedelta(days=told if what == "exam" else 13 * told)
            self.examined += [day] if what == "exam" else []
            if what == "retract exam":
                day = self.examined[told % len(self.examined)]
            score = None if told % 7 == 0 else 2.0 * told
            return "results", [exam(who, day, where, score, now) | {"retracted": what == "retract exam"}]
        if what in ("move", "new pupil"):
            return "enrolments", [spell(who, where, now, started_on=now)]
        if what == "undo spell":
            return "enrolments", [spell(who, where, now, retracted=True)]
        if what == "county":
            return "schools", [school(who, where, now)]
        return "student_aliases", [{"old_student_id": who, "student_id": where, "recorded_on": now}]


def check(office: Office, today: date, copy: Path) -> None:
    """The state says what the lake says, to everybody who asks, and what one made anew would."""
    with open_lake(office.home, Settings()) as lake:
        source = sources_on(office.home, lake, today).marks
        assert isinstance(source, StateMarks)
        truth = matrix(lake, today, KNOWN)
        assert np.array_equal(matrix(lake, today, source), truth)
        exams = sources_on(office.home, lake, today).exams
        assert isinstance(exams, StateExams)
        known = examined(lake, today, KNOWN_EXAMS)
        assert examined(lake, today, exams) == known
        for county in ("C1", "C2", "C3", "unknown"):
            some = sources_on(office.home, lake, today, Part((county,))).marks
            assert isinstance(some, StateMarks)
            here = pupils_seen_in(lake, county)
            assert np.array_equal(matrix(lake, today, some)[here], truth[here])
            of_county = sources_on(office.home, lake, today, Part((county,))).exams
            seen = [row for row in examined(lake, today, of_county) if row[0] in here]
            assert seen == [row for row in known if row[0] in here]
    forward, anew = content(office.home), content(rebuilt(office.home, copy))
    assert forward["twice"] == anew["twice"] == []
    assert all(county == of_pupil for county, of_pupil, *_ in forward["months"])
    oldest = min((row[3] for row in anew["months"]), default=date.min)
    assert [row for row in forward["months"] if row[3] >= oldest] == anew["months"]
    earliest = min((row[0] for row in anew["exams"]), default=0)
    assert [row for row in forward["exams"] if row[0] >= earliest] == anew["exams"]
    assert all(county == of_pupil for _, county, of_pupil, *_ in forward["exams"])
    assert [row for row in forward["pupils"] if row[0]] == [row for row in anew["pupils"] if row[0]]


def pupils_seen_in(lake: Lake, county: str) -> list[int]:
    found = lake.con.execute(
        "SELECT DISTINCT student_no FROM spells JOIN timeline_pupils USING (student_id) WHERE county_id = ?",
        [county],
    ).fetchall()
    return [number for (number,) in found]


@pytest.mark.slow
@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(
        Phase.explicit,
        Phase.generate,
    ),  # to shorten a story takes longer than to read it
)
@given(steps=st.lists(STEP, min_size=2, max_size=5))
def test_after_every_delivery_the_state_is_what_the_lake_says(steps, begun, tmp_path_factory) -> None:
    """Brought forward = made anew = read from the lake, whatever is delivered in whatever order."""
    folder = tmp_path_factory.mktemp("played")
    shutil.copytree(begun, folder / "office")
    office, story = Office(folder / "office", deliveries=1), Story()
    assert office.night().done == "built"
    for step in steps:
        office.take(**story.delivery(step))
        if step["tidied"]:
            office.tidy()
        if step["night"]:
            assert office.night().done in ("brought forward", "unchanged")
            check(office, story.today, folder / "copy")
    shutil.rmtree(folder)


KILLED = """
import os, signal, sys
from pathlib import Path
from risk_model.home import Home
from risk_model.lake.reading import open_lake
from risk_model.settings import Settings
from risk_model.state import bring_forward, forward

def killed(*_):
    os.kill(os.getpid(), signal.SIGKILL)

setattr(forward, sys.argv[2], killed)
with open_lake(Home(Path(sys.argv[1])), Settings()) as lake:
    bring_forward(Home(Path(sys.argv[1])), Settings(), lake)
"""
NEXT = FIRST + timedelta(days=12)
"""The second day with marks, in another month than the first."""


def next_day(office: Office, **more: list[Row]) -> None:
    """A day's delivery that touches two months: everybody's marks, and a correction of the first day."""
    told = [mark(pupil, NEXT, "late") for pupil in PUPILS] + [mark("p0", FIRST, "absent_sick", NEXT)]
    office.take(attendance=told, **more)


def kill_night(home: Home, step: str) -> None:
    """Begin to bring the state forward, in a process that is killed when it comes to ``step``."""
    command = [sys.executable, "-c", KILLED, str(home.folder), step]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr


@pytest.mark.parametrize("step", ["move_pupils", "rewrite_month", "_finish", "_tidy"])
def test_a_night_killed_at_any_step_leaves_the_old_state_or_the_new_one(office, tmp_path, step):
    office.night()
    before = content(office.home)
    next_day(office, enrolments=[spell("p0", "C", NEXT, started_on=NEXT)])
    after = content(rebuilt(office.home, tmp_path / "copy"))
    assert after != before
    kill_night(office.home, step)
    assert content(office.home) == (after if step == "_tidy" else before)
    assert office.night().done == ("unchanged" if step == "_tidy" else "brought forward")
    assert content(office.home) == after


@pytest.mark.parametrize("step", ["put_pupils", "build_month", "_finish"])
def test_a_first_build_that_is_killed_is_no_state(office, tmp_path, step):
    kill_night(office.home, step)
    with open_lake(office.home, Settings()) as lake:
        assert sources_on(office.home, lake, FIRST) == LAKE
    assert office.night() == Brought("built", "it was never finished", months=3, seconds=ANY)
    assert content(office.home) == content(rebuilt(office.home, tmp_path / "copy"))


def test_a_past_day_is_read_from_the_lake_for_the_office_knew_other_marks(office):
    next_day(office)
    office.night()
    with open_lake(office.home, Settings()) as lake:
        assert sources_on(office.home, lake, NEXT - timedelta(days=1)) == LAKE
        later = sources_on(office.home, lake, NEXT + timedelta(days=5)).marks
        assert isinstance(later, StateMarks)
        told = [matrix(lake, day, KNOWN)[1, (FIRST - day).days - 1] for day in (FIRST, NEXT)]
        assert told == [1, 3], "the office knew another mark of the first day then"
        assert matrix(lake, NEXT, later)[1, (FIRST - NEXT).days - 1] == 3


@pytest.mark.parametrize("register", ["schools", "enrolments"])
def test_where_a_home_became_known_later_the_day_before_is_a_past_day(office, register):
    """A pupil's files lie with the county known now; on the day before he was looked for elsewhere."""
    rows = {"schools": [school("A", "C2", NEXT)], "enrolments": [spell("p0", "C", NEXT, started_on=NEXT)]}
    office.take(**{register: rows[register]})
    office.night()
    with open_lake(office.home, Settings()) as lake:
        assert sources_on(office.home, lake, NEXT - timedelta(days=1)) == LAKE
        assert isinstance(sources_on(office.home, lake, NEXT).marks, StateMarks)


def test_a_county_in_a_month_is_one_file_and_only_what_changed_is_written_anew(office):
    office.night()
    first = files(office.home)
    assert set(first) == {("C1", FIRST), ("C2", FIRST), ("unknown", FIRST)}
    office.take(attendance=[mark("p2", NEXT, "late")])
    assert office.night().months == 1
    assert files(office.home) == first | {("C2", NEXT): ANY}
    office.take(attendance=[mark("p2", FIRST, "late", NEXT)])
    assert office.night().months == 1
    unchanged = {key: file for key, file in files(office.home).items() if first.get(key) == file}
    assert set(unchanged) == {("C1", FIRST), ("unknown", FIRST)}


def files(home: Home) -> dict[tuple[str, date], int]:
    """The one data file of each county and month."""
    with connect(Settings(), home.staging / "spill") as con:
        attach(con, home.state, STATE)
        rows = con.execute(f"""
            SELECT v.partition_value, m.partition_value::DATE, f.data_file_id
            FROM __ducklake_metadata_{STATE}.ducklake_data_file f
            JOIN __ducklake_metadata_{STATE}.ducklake_table t USING (table_id)
            JOIN __ducklake_metadata_{STATE}.ducklake_file_partition_value v USING (data_file_id)
            JOIN __ducklake_metadata_{STATE}.ducklake_file_partition_value m USING (data_file_id)
            WHERE t.table_name = 'mark_months' AND f.end_snapshot IS NULL AND t.end_snapshot IS NULL
              AND v.partition_key_index = 0 AND m.partition_key_index = 1""").fetchall()
    found = {(county, month.replace(day=FIRST.day if month.month == FIRST.month else NEXT.day)): number
             for county, month, number in rows}  # fmt: skip
    assert len(found) == len(rows)
    return found


def test_the_months_before_the_days_looked_back_are_let_go(office, tmp_path):
    office.night()
    later = FIRST + timedelta(days=LOOKBACK_DAYS + 31)
    office.take(attendance=[mark("p1", later, "late")])
    assert office.night().done == "brought forward"
    assert {month.month for _, month in files(office.home)} == {later.month}
    assert content(office.home)["months"] == content(rebuilt(office.home, tmp_path / "copy"))["months"]


def damage(home: Home) -> None:
    for file in (home.state / "files").rglob("*.parquet"):
        file.write_bytes(file.read_bytes()[:-40] + bytes(40))


def test_a_damaged_state_is_told_read_past_and_made_anew(office, caplog):
    office.night()
    with open_lake(office.home, Settings()) as lake:
        source = sources_on(office.home, lake, FIRST)
        damage(office.home)
        assert np.array_equal(matrix(lake, FIRST, source.marks), matrix(lake, FIRST, KNOWN))
        assert examined(lake, FIRST, source.exams) == examined(lake, FIRST, KNOWN_EXAMS) != []
    assert "cannot be read" in caplog.text
    assert (office.home.state / DAMAGED).exists()
    assert office.night().why == "it was damaged"
    assert office.night().done == "unchanged"


def test_a_state_that_cannot_be_brought_forward_is_made_anew(office, tmp_path):
    office.night()
    damage(office.home)
    next_day(office)
    assert office.night().done == "built"
    assert content(office.home) == content(rebuilt(office.home, tmp_path / "copy"))


def test_a_state_of_another_version_is_made_anew_and_not_read(office, monkeypatch):
    office.night()
    monkeypatch.setattr("risk_model.state.storage.code_digest", lambda: "another")
    with open_lake(office.home, Settings()) as lake:
        assert sources_on(office.home, lake, FIRST) == LAKE
    assert office.night().why == "it was made by another version"


def test_a_lake_put_back_from_a_copy_has_another_history(office, tmp_path):
    """Its snapshots bear the numbers of those that were lost."""
    shutil.copytree(office.home.lake, tmp_path / "backup")
    next_day(office)
    office.night()
    shutil.rmtree(office.home.lake)
    shutil.copytree(tmp_path / "backup", office.home.lake)
    assert office.night().why == "the lake no longer tells what changed since"
    office.night()
    office.take(attendance=[mark("p3", NEXT, "present")])
    with open_lake(office.home, Settings()) as lake:
        assert sources_on(office.home, lake, NEXT) == LAKE
    assert office.night().done == "brought forward"


def test_upkeep_keeps_the_snapshot_a_state_is_brought_forward_from(office, tmp_path):
    """Snapshots between are let go, and their files; what they told reaches the state all the same."""
    office.night()
    for back in range(3, 0, -1):
        next_day(office, enrolments=[spell("p1", "ACD"[back - 1], NEXT, started_on=NEXT - timedelta(back))])
    with connect(Settings(), office.home.staging / "spill") as con:
        attach(con, office.home.lake, MAIN, write=True)
        named, newest = named_by_state(con, office.home.state), max(snapshots(con))
    assert len(named) == 2
    office.tidy()
    with connect(Settings(), office.home.staging / "spill") as con:
        attach(con, office.home.lake, MAIN, write=True)
        assert named | {newest} <= snapshots(con)
        assert not snapshots(con) & set(range(max(named) + 1, newest))
    assert office.night().done == "brought forward"
    check(office, NEXT, tmp_path / "copy")


@pytest.mark.parametrize("which", [min, max])
def test_a_state_whose_snapshot_was_let_go_is_made_anew(office, which):
    office.night()
    next_day(office)
    next_day(office, enrolments=[spell("p1", "C", NEXT, started_on=NEXT)])
    with connect(Settings(), office.home.staging / "spill") as con:
        attach(con, office.home.lake, MAIN, write=True)
        lost = which(named_by_state(con, office.home.state))
        con.execute(f"CALL ducklake_expire_snapshots('{MAIN}', versions => [{lost}])").fetchall()
    assert office.night().why == "the lake no longer tells what changed since"


def test_the_import_names_the_snapshot_of_the_state(office, monkeypatch):
    office.night()
    kept = []
    monkeypatch.setattr(
        "risk_model.registers.importing.tidy",
        lambda con, folder, lake, rules, named: kept.append((lake, set(named))) or Upkeep(),
    )
    with open_lake(office.home, Settings()) as lake:
        snapshot = lake.snapshot
    next_day(office)
    assert (MAIN, {snapshot, snapshot + 1}) in kept


def test_where_no_state_can_be_kept_the_night_goes_on(office, caplog):
    office.home.state.write_text("no folder")
    assert office.night().done == "none"
    assert "the lake is read" in caplog.text
    with open_lake(office.home, Settings()) as lake:
        assert sources_on(office.home, lake, FIRST) == LAKE


def test_an_office_without_marks_has_no_state(tmp_path):
    office = Office(tmp_path)
    office.take(schools=[school("A", "C1")], enrolments=[spell("p0", "A")])
    assert office.night() == Brought("none", "there are no marks", seconds=ANY)
    assert not office.home.state.exists()


def renamed(office: Office, other_mark: date) -> tuple[np.ndarray, np.ndarray]:
    """The diary of p1, once p0 of another county, marked on the first day and ``other_mark``: state, lake."""
    office.take(
        attendance=[mark("p0", FIRST, "present"), mark("p1", other_mark, "late", NEXT)],
        enrolments=[spell("p1", "C", NEXT, started_on=NEXT)],
    )
    office.night()
    office.take(student_aliases=[{"old_student_id": "p0", "student_id": "p1", "recorded_on": NEXT}])
    assert office.night().moved == 1, "p1 has been in two counties, p0 in one only"
    with open_lake(office.home, Settings()) as lake:
        source = sources_on(office.home, lake, NEXT, Part(("C2",))).marks
        assert isinstance(source, StateMarks)
        return matrix(lake, NEXT, source)[1], matrix(lake, NEXT, KNOWN)[1]


def test_two_identifiers_of_one_pupil_are_one_diary(office, monkeypatch):
    """Marked twice on a day with the same mark, the pupil need not be looked up in the lake."""
    asked = []
    fill = KnownMarks.fill
    monkeypatch.setattr(KnownMarks, "fill", lambda *of: asked.append(of) or fill(*of))
    state, lake = renamed(office, NEXT)
    assert [state[(FIRST - NEXT).days - 1], state[-1]] == [1, 2]
    assert np.array_equal(state, lake)
    assert len(asked) == 1, "by the comparison alone"


def test_of_two_marks_of_one_day_the_one_told_last_counts(office):
    state, lake = renamed(office, FIRST)
    assert state[(FIRST - NEXT).days - 1] == 2
    assert np.array_equal(state, lake)


def test_exams_of_a_pupil_with_two_identifiers_are_those_told_last(office, tmp_path):
    """The state cannot tell which: they are dealt out to the parts, or looked up in the register."""
    day = FIRST - timedelta(days=150)
    told = [exam("p0", day, "math", 100, FIRST), exam("p1", day, "math", 30, NEXT)]
    office.take(results=[*told, exam("p0", day, "chinese", 80, FIRST), exam("p2", day, "math", 60, NEXT)])
    office.night()
    office.take(student_aliases=[{"old_student_id": "p0", "student_id": "p1", "recorded_on": NEXT}])
    office.night()
    with open_lake(office.home, Settings()) as lake:
        truth = _exams_of_story(lake, KNOWN_EXAMS)
        parts = (Part(("C1",)), Part(("C2", "unknown")))
        dealt = tmp_path / "dealt"
        dealt.mkdir()
        deal_out(lake.con, NEXT, parts, dealt, exams_kept=True)
        parts = tuple(replace(part, sources=dealt_to(dealt, at)) for at, part in enumerate(parts))
        assert {RENAMED in part.sources for part in parts} == {True, False}
        for part in (None, *parts):
            source = sources_on(office.home, lake, NEXT, part).exams
            assert isinstance(source, StateExams)
            found = _exams_of_story(lake, source)
            of_part = truth if part is None else [row for row in truth if row[0] in _seen(lake, part)]
            assert [row for row in found if part is None or row[0] in _seen(lake, part)] == of_part
    assert (1, "math", 2500) in truth
    assert (1, "chinese", 6667) in truth


def _exams_of_story(lake: Lake, source: ExamSource) -> list[tuple[Any, ...]]:
    """Pupil, subject and hundredths of the exams of the last 160 days."""
    matrix(lake, NEXT, KNOWN)
    since = (FIRST - timedelta(days=160) - date(1970, 1, 1)).days
    return [(row[0], row[2], row[5]) for row in examined(lake, NEXT, source) if row[1] > since]


def _seen(lake: Lake, part: Part) -> list[int]:
    return [number for county in part.counties for number in pupils_seen_in(lake, county)]
