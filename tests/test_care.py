"""One-to-one care: from assignment to closing, nothing lost between two who write at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, func, select

from risk_model.errors import MissingError, UsageError
from risk_model.settings import CareSettings
from serving.care import overview, steps, texts, voices
from serving.care.cases import ChangedMeanwhileError, case_of, case_with, pupil_of_case, steps_of
from serving.care.exporting import COLUMNS, export_care
from serving.care.tables import CaseRow, StepRow
from serving.database import open_database
from serving.units import parse_unit
from tests.audited import Acting
from tests.databases import each_database  # noqa: F401
from tests.nights import MONDAY, CountyOffice, county_office, county_office_with_archive  # noqa: F401
from tests.registers.office import TestOffice

TEACHER = Acting(1, "T-lin")
COLLEAGUE = Acting(2, "T-wang")
PRINCIPAL = Acting(3, "P-zhao")
NOON = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)
PUPIL = "A7A00"


def days(count: int) -> datetime:
    return NOON + timedelta(days=count)


@pytest.fixture
def engine(office: CountyOffice) -> Iterator[Engine]:
    office.score()
    with open_database(office.home, office.settings) as engine:
        yield engine.execution_options(writes=True)


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.begin() as connection:
        yield connection


def opened(connection: Connection, pupil: str = PUPIL, at: datetime = NOON) -> Any:
    return steps.open_case(connection, TEACHER, pupil, "T-lin", at, text="absent on Mondays")


def test_care_goes_from_assignment_over_plan_and_contacts_to_review_and_closing(connection):
    case = opened(connection)
    assert (case.state, case.version, case.due_on) == ("open", 1, date(2026, 3, 9))
    template = texts.plan_template("attendance", "zh")
    case = steps.plan(connection, TEACHER, case.id, 1, "attendance", template, days(1))
    case = steps.contact(
        connection, TEACHER, case.id, 2, date(2026, 3, 4), "home_visit", "grandmother",
        "comes by bus from Monday", days(2), next_on=date(2026, 3, 11),
    )  # fmt: skip
    assert (case.last_contact, case.due_on) == (date(2026, 3, 4), date(2026, 3, 11))
    case = steps.assign(connection, PRINCIPAL, case.id, 3, "T-wang", days(3))
    assert case.assigned_to == "T-wang"
    with pytest.raises(UsageError, match="review it first"):
        steps.close(connection, COLLEAGUE, case.id, 4, "attends", "", days(40))
    case = steps.review(connection, COLLEAGUE, case.id, 4, "disagree", "it was the bus", days(40))
    case = steps.close(connection, COLLEAGUE, case.id, 5, "attends", "comes every day", days(41))
    assert (case.state, case.outcome, case.judgement, case.due_on) == ("closed", "attends", "disagree", None)
    history = steps_of(connection, case, COLLEAGUE, "class_teacher")
    assert [step.kind for step in history] == ["opened", "plan", "contact", "assigned", "review", "closed"]
    assert history[2].with_whom == "grandmother"
    with pytest.raises(UsageError, match="closed"):
        steps.plan(connection, COLLEAGUE, case.id, 6, "learning", "x", days(42))
    again = opened(connection, at=days(50))
    assert again.id != case.id
    assert case_of(connection, PUPIL) == again
    assert pupil_of_case(connection, again.id) == PUPIL
    assert pupil_of_case(connection, 4711) is None


def test_a_late_note_of_an_earlier_contact_moves_no_date_back(connection):
    case = opened(connection)
    case = steps.contact(connection, TEACHER, case.id, 1, date(2026, 3, 6), "phone", "aunt", "calls", days(5))
    late = steps.contact(connection, TEACHER, case.id, 2, date(2026, 3, 3), "talk", "pupil", "spoke", days(6))
    assert (late.last_contact, late.due_on) == (case.last_contact, case.due_on)


@pytest.mark.parametrize(
    "change",
    [
        lambda c, i: steps.plan(c, TEACHER, i, 1, "weather", "x", NOON),
        lambda c, i: steps.plan(c, TEACHER, i, 1, "learning", "  ", NOON),
        lambda c, i: steps.plan(c, TEACHER, i, 1, "learning", "x" * 4001, NOON),
        lambda c, i: steps.plan(c, TEACHER, i, 1, "learning", "a\x00b", NOON),
        lambda c, i: steps.plan(c, TEACHER, i, 1, "learning", "\ud800", NOON),
        lambda c, i: steps.contact(c, TEACHER, i, 1, date(2026, 3, 3), "phone", "x", "y", NOON),
        lambda c, i: steps.contact(c, TEACHER, i, 1, date(2026, 3, 2), "fax", "x", "y", NOON),
        lambda c, i: steps.contact(
            c, TEACHER, i, 1, date(2026, 3, 2), "phone", "x", "y", NOON, next_on=date(2026, 3, 1)
        ),
        lambda c, i: steps.review(c, TEACHER, i, 1, "perhaps", "", NOON),
        lambda c, i: steps.assign(c, TEACHER, i, 1, "", NOON),
    ],
)
def test_what_cannot_be_written_down_is_refused_and_changes_nothing(connection, change):
    case = opened(connection)
    with pytest.raises(UsageError):
        change(connection, case.id)
    assert case_with(connection, case.id) == case


def test_two_who_change_a_case_at_once_the_second_is_shown_the_first_and_nothing_is_lost(engine):
    """Both looked at version 1; each in a connection and transaction of his own."""
    with engine.begin() as connection:
        case = opened(connection)
    with engine.begin() as first:
        steps.contact(first, TEACHER, case.id, 1, date(2026, 3, 2), "phone", "mother", "calls back", NOON)
    with pytest.raises(ChangedMeanwhileError) as refused, engine.begin() as second:
        steps.plan(second, COLLEAGUE, case.id, 1, "distance", "a boarding place", NOON)
    assert refused.value.case.version == 2
    assert [(step.kind, step.text, step.account_id) for step in refused.value.theirs] == [
        ("contact", "calls back", 1)
    ]
    with engine.begin() as second:
        steps.plan(second, COLLEAGUE, case.id, 2, "distance", "a boarding place", NOON)
    with engine.connect() as connection:
        kept = steps_of(connection, case_with(connection, case.id), PRINCIPAL, "principal")
    assert [step.text for step in kept] == ["absent on Mondays", "calls back", "a boarding place"]


def test_of_many_at_the_very_same_moment_one_is_taken_and_the_others_are_shown_it(engine):
    """Threads that write in the same instant, ten rounds: each round one step, each text kept or refused."""
    from concurrent.futures import ThreadPoolExecutor
    from threading import Barrier

    with engine.begin() as connection:
        case = opened(connection)
    barrier = Barrier(4)

    def write(who: int, version: int) -> str:
        barrier.wait(30)
        try:
            with engine.begin() as connection:
                steps.plan(
                    connection, Acting(who, None), case.id, version, "family", f"{who} {version}", NOON
                )
        except ChangedMeanwhileError as refused:
            return "refused" if refused.theirs else "refused without being shown why"
        return f"{who} {version}"

    taken = []
    for version in range(1, 11):
        with ThreadPoolExecutor(4) as threads:
            answers = list(threads.map(write, range(4), [version] * 4))
        taken += [answer for answer in answers if answer != "refused"]
        assert len(taken) == version, answers
    with engine.connect() as connection:
        kept = connection.execute(select(StepRow.text).order_by(StepRow.version)).scalars().all()
    assert kept[1:] == taken


def test_a_pupil_has_one_open_case_and_who_opens_a_second_is_shown_the_first(engine):
    with engine.begin() as connection:
        case = opened(connection)
    with pytest.raises(ChangedMeanwhileError) as refused, engine.begin() as connection:
        steps.open_case(connection, COLLEAGUE, PUPIL, "T-wang", NOON)
    assert refused.value.case == case
    with engine.connect() as connection:
        assert connection.execute(select(func.count()).select_from(CaseRow)).scalar() == 1


def test_a_case_nobody_has_is_missing(connection):
    with pytest.raises(MissingError):
        steps.review(connection, TEACHER, 99, 1, "agree", "", NOON)


def test_restricted_texts_are_for_who_has_the_case_who_wrote_them_and_those_above(connection):
    case = opened(connection)
    case = steps.plan(connection, TEACHER, case.id, 1, "family", "father is ill", NOON, restricted=True)
    voices.note(connection, PRINCIPAL, PUPIL, "police called", NOON, restricted=True)

    def read(viewer: Acting, reason: str | None) -> tuple[Any, Any]:
        plan = steps_of(connection, case, viewer, reason)[1]
        [note] = voices.notes_of(connection, PUPIL, viewer, reason)
        return plan.text, note.text

    assert read(COLLEAGUE, "class_teacher") == (None, None)
    assert read(COLLEAGUE, "data_scientist") == (None, None)
    assert read(Acting(9, None), "token") == (None, None)
    assert read(TEACHER, "class_teacher") == ("father is ill", "police called")
    for above in ("principal", "township", "county", "province"):
        assert read(COLLEAGUE, above) == ("father is ill", "police called")
    assert read(Acting(3, None), "class_teacher") == (None, "police called")
    assert overview.follow_up(connection, [PUPIL], NOON)[PUPIL].restricted
    steps.assign(connection, PRINCIPAL, case.id, 2, "T-wang", NOON)
    case = case_with(connection, case.id)
    assert read(COLLEAGUE, "care") == ("father is ill", "police called")


def test_any_note_counts_as_follow_up_for_a_while(connection):
    asked = [PUPIL, "A7A01"]
    assert {told.state for told in overview.follow_up(connection, asked, NOON).values()} == {"none"}
    voices.note(connection, TEACHER, PUPIL, "spoke with him", NOON)
    told = overview.follow_up(connection, asked, days(1))
    assert (told[PUPIL].state, told[PUPIL].followed_up, told[PUPIL].last_contact) == ("noted", True, MONDAY)
    assert not told["A7A01"].followed_up
    assert overview.follow_up(connection, asked, days(60))[PUPIL].followed_up
    assert not overview.follow_up(connection, asked, days(61))[PUPIL].followed_up


def test_the_state_of_care_goes_with_the_case(connection):
    case = opened(connection)

    def state(at: datetime) -> tuple[str, bool]:
        told = overview.follow_up(connection, [PUPIL], at)[PUPIL]
        return told.state, told.overdue

    assert state(days(7)) == ("assigned", False)
    assert state(days(8)) == ("assigned", True)
    steps.contact(connection, TEACHER, case.id, 1, date(2026, 3, 10), "talk", "pupil", "will come", days(8))
    assert state(days(38)) == ("in_care", False)
    assert state(days(39)) == ("in_care", True)
    steps.review(connection, TEACHER, case.id, 2, "agree", "", days(39))
    steps.close(connection, TEACHER, case.id, 3, "attends", "", days(39))
    assert state(days(40)) == ("closed", False)
    assert state(days(120)) == ("none", False)


def test_a_unit_sees_the_cases_of_its_pupils_and_the_load_of_its_staff(connection):
    ours, other = opened(connection), opened(connection, "C8B00")
    steps.open_case(connection, TEACHER, "A8B01", "T-wang", NOON)

    def ids(unit: str) -> set[str]:
        return {case.student_id for case in overview.cases_of_unit(connection, parse_unit(unit), NOON)}

    assert ids("class:A:7A:2025") == {PUPIL}
    assert ids("school:A") == ids("township:T1") == {PUPIL, "A8B01"}
    assert ids("county:K") == {PUPIL, "A8B01", "C8B00"}
    assert ids("county:elsewhere") == set()
    cases = overview.cases_of_unit(connection, parse_unit("county:K"), NOON)
    assert Counter(case.assigned_to for case in cases) == {"T-lin": 2, "T-wang": 1}
    assert [case.id for case in overview.cases_of_staff(connection, "T-lin")] == [ours.id, other.id]


def test_a_pupil_who_is_in_no_list_any_more_keeps_his_place(office, engine):
    with engine.begin() as connection:
        opened(connection)
    office.frame = office.frame[office.frame["student_id"] != PUPIL]
    office.score(MONDAY + timedelta(days=1))
    with engine.begin() as connection:
        [case] = overview.cases_of_unit(connection, parse_unit("class:A:7A:2025"), NOON)
    assert case.student_id == PUPIL


def test_what_is_overdue_goes_up_level_by_level(connection):
    opened(connection)
    rules = CareSettings()

    def shown(unit: str, day: int) -> bool:
        return bool(overview.overdue_of(connection, parse_unit(unit), days(day), rules))

    due = rules.first_contact_days
    for unit, since in (("class:A:7A:2025", 1), ("school:A", 1), ("township:T1", 8), ("county:K", 15)):
        assert not shown(unit, due + since - 1), unit
        assert shown(unit, due + since), unit


def test_a_nomination_stands_beside_the_model_and_can_be_taken_back_by_who_made_it(office, connection):
    from serving.lists import Asked, published_page

    before = published_page(connection, parse_unit("class:A:7A:2025"), Asked(everybody=True)).rows
    number = voices.nominate(connection, TEACHER, PUPIL, "she has stopped talking", NOON)
    assert published_page(connection, parse_unit("class:A:7A:2025"), Asked(everybody=True)).rows == before
    [told] = voices.nominations_of(connection, [PUPIL, "A7A01"])[PUPIL]
    assert (told.text, told.staff_id) == ("she has stopped talking", "T-lin")
    with pytest.raises(MissingError):
        voices.withdraw_nomination(connection, COLLEAGUE, PUPIL, number, "not so", NOON)
    with pytest.raises(MissingError):
        voices.withdraw_nomination(connection, TEACHER, "A7A01", number, "not of this pupil", NOON)
    with pytest.raises(UsageError):
        voices.withdraw_nomination(connection, TEACHER, PUPIL, number, "  ", NOON)
    voices.withdraw_nomination(connection, TEACHER, PUPIL, number, "she talks again", NOON)
    assert voices.nominations_of(connection, [PUPIL]) == {}
    [kept] = voices.nominations_of(connection, [PUPIL], withdrawn=True)[PUPIL]
    assert (kept.text, kept.withdrawn_why) == ("she has stopped talking", "she talks again")
    assert kept.withdrawn_by == TEACHER.account_id


def test_the_class_teacher_takes_back_what_a_colleague_said_and_nobody_else_does(connection):
    """A principal, who stands above, leaves it to who said it and to who knows the class."""
    number = voices.nominate(connection, COLLEAGUE, PUPIL, "she has stopped talking", NOON)
    for reason in (None, "principal", "county", "care"):
        with pytest.raises(MissingError):
            voices.withdraw_nomination(connection, TEACHER, PUPIL, number, "settled", NOON, reason=reason)
    voices.withdraw_nomination(connection, TEACHER, PUPIL, number, "settled", NOON, reason="class_teacher")
    with pytest.raises(MissingError):
        voices.withdraw_nomination(connection, COLLEAGUE, PUPIL, number, "twice", NOON)


def test_an_objection_is_answered_once_and_shows_the_risk_before_and_after(office, engine):
    with engine.begin() as connection:
        made = voices.object_to(connection, TEACHER, PUPIL, "travel_km", "he moved: 2 km", NOON)
        assert (made.state, made.version, made.risk_now) == ("open", 1, None)
        assert made.risk_before is not None
        assert voices.pupil_of_objection(connection, made.id) == PUPIL
    with engine.begin() as connection:
        voices.answer_objection(connection, PRINCIPAL, made.id, 1, "corrected", "register corrected", days(1))
    with pytest.raises(voices.AnsweredMeanwhileError) as refused, engine.begin() as connection:
        voices.answer_objection(connection, COLLEAGUE, made.id, 1, "refused", "no", days(1))
    assert (refused.value.theirs.state, refused.value.theirs.answer) == ("corrected", "register corrected")
    office.frame.loc[office.frame["student_id"] == PUPIL, "travel_km"] = 60.0
    office.score(MONDAY + timedelta(days=1))
    with engine.begin() as connection:
        [told] = voices.objections_of(connection, PUPIL)
    assert told.risk_now is not None
    assert told.risk_now != told.risk_before


def test_every_word_and_template_is_there_in_both_languages():
    from typing import get_args

    from risk_model.features.feature import Family

    assert set(texts.PLANS) == set(get_args(Family))
    everything = [texts.CONTACT_KINDS, texts.JUDGEMENTS, texts.OUTCOMES, texts.STEP_KINDS]
    pairs = [pair for words in everything for pair in words.values()]
    pairs += [step for family in texts.PLANS.values() for step in family]
    for english, chinese in pairs:
        assert english.isascii()
        assert any("\u4e00" <= letter <= "\u9fff" for letter in chinese), english


def test_care_is_exported_as_a_register_the_lake_takes_and_takes_once(tmp_path):
    from risk_model.home import Home
    from risk_model.lake.reading import open_lake
    from risk_model.settings import Settings

    registers = TestOffice(tmp_path)
    registers.deliver(
        "first",
        schools="school_id,name,county_id,stage\nA,First,C1,primary\n",
        students=f"student_id,name,sex,birth_date\n{PUPIL},张三,M,2012-03-04\n",
    )
    with open_database(Home(tmp_path / "service"), Settings()) as engine:
        writing = engine.execution_options(writes=True)
        at = datetime(2025, 10, 6, 4, 0, tzinfo=UTC)
        with writing.begin() as connection:
            case = opened(connection, at=at)
            steps.contact(connection, TEACHER, case.id, 1, at.date(), "talk", "pupil", "secret", at)
            day = at + timedelta(days=3)
            steps.contact(connection, TEACHER, case.id, 2, day.date(), "phone", "aunt", "secret", day)
            steps.review(connection, TEACHER, case.id, 3, "agree", "", day + timedelta(days=9))
            steps.close(connection, TEACHER, case.id, 4, "returned", "", day + timedelta(days=9))
        with engine.connect() as connection:
            assert export_care(connection, tmp_path / "care") == 3
    written = (tmp_path / "care" / "care.csv").read_text()
    assert written.splitlines()[0] == ",".join(COLUMNS)
    assert "secret" not in written
    assert (tmp_path / "care" / "_DONE").exists()
    taken = registers.take(tmp_path / "care").document()["tables"]["care"]
    assert (taken["read"], taken["accepted"], taken["rejected"]) == (3, 3, 0)
    again = registers.take(tmp_path / "care").document()["tables"]["care"]
    assert (again["accepted"], again["unchanged"]) == (0, 3)
    with open_lake(registers.home, Settings()) as lake:
        lake.known_on(date(2025, 12, 1))
        rows = lake.con.execute("select day, kind, staff_id, outcome from known.care order by day").fetchall()
    assert rows == [
        (date(2025, 10, 6), "opened", "T-lin", None),
        (date(2025, 10, 9), "contact", "T-lin", None),
        (date(2025, 10, 18), "closed", "T-lin", "returned"),
    ]
