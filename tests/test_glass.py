"""The page on which the glass is broken: who may, what is told of pupils there are not, and its end."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import delete, select

from serving.access.tables import Grant
from tests.service_rig import Caller, Rig, each_rig, rig_on_sqlite  # noqa: F401

WHY = "The child stands at our gate without anybody."
PAGE = {"accept": "text/html"}


@pytest.fixture(autouse=True)
def unbroken(request: pytest.FixtureRequest) -> None:
    """Each test begins without a broken glass, in a minute of its own."""
    for name in ("rig", "sqlite_rig"):
        if name in request.fixturenames:
            rig = request.getfixturevalue(name)
            rig.clock.at += timedelta(minutes=2)
            with rig.app.state.service.engine.begin() as connection:
                connection.execute(delete(Grant).where(Grant.kind == "break_glass"))


def ask(caller: Caller, pupil: str, why: str = WHY, **headers: str):
    return caller.post("/break-glass", data={"student_id": pupil, "why": why}, headers=PAGE | headers)


def granted(rig: Rig) -> list[tuple[str, str]]:
    with rig.app.state.service.engine.connect() as connection:
        query = select(Grant.staff_id, Grant.student_id).where(Grant.kind == "break_glass")
        return [tuple(row) for row in connection.execute(query)]


def test_a_teacher_sees_another_schools_pupil_for_three_hours(rig: Rig) -> None:
    """Written down first, shown with its end, and over after it; the pupil's own staff read the reason."""
    chen = rig.signed_in("T-CHEN")
    assert chen.get("/pupils/S-LAN", headers=PAGE).status_code == 404
    assert 'name="student_id"' in chen.get("/break-glass", headers=PAGE).text
    got = ask(chen, " S-LAN ")
    assert (got.status_code, got.headers["location"]) == (303, "/pupils/S-LAN")
    entry = rig.audit.entries[-1]
    assert (entry.action, entry.student_id, entry.detail) == ("break_glass", "S-LAN", "POST /break-glass")
    page = chen.get("/pupils/S-LAN", headers=PAGE)
    assert page.status_code == 200
    assert "Opened in an emergency, for you alone, until" in page.text
    of_school = rig.signed_in("O-K").get("/pupils/S-LAN", headers=PAGE).text
    assert f"陈老师: {WHY}" in of_school
    assert "for you alone" not in of_school
    rig.clock.at += timedelta(hours=3)
    again = rig.signed_in("T-CHEN")
    assert again.get("/pupils/S-LAN", headers=PAGE).status_code == 404


@pytest.mark.parametrize("who", ["D-K", "keeper", "T-OLD"])
def test_who_sees_no_pupil_by_a_post_breaks_no_glass(sqlite_rig: Rig, who: str) -> None:
    """A data scientist, an administrator, a teacher until yesterday: one refusal, whatever pupil is named."""
    caller = sqlite_rig.signed_in(who)
    assert caller.get("/break-glass", headers=PAGE).status_code == 403
    answers = [ask(caller, pupil) for pupil in ("S-LAN", "S-NOBODY", "a\x00")]
    assert [got.status_code for got in answers] == [403] * 3
    assert len({got.content for got in answers}) == 1
    assert granted(sqlite_rig) == []
    assert sqlite_rig.audit.entries[-3].student_id == "S-LAN", "the attempt is written down all the same"


def test_a_machine_breaks_no_glass(sqlite_rig: Rig) -> None:
    """However far its token reaches."""
    assert ask(sqlite_rig.machine("province:P"), "S-LAN").status_code == 403


def test_a_pupil_that_does_not_exist_is_not_told_from_one_that_cannot(sqlite_rig: Rig) -> None:
    """Absent, malformed, empty: the same page, which repeats the reason and not the number."""
    chen = sqlite_rig.by_role("T-CHEN")
    told = [ask(chen, pupil) for pupil in ("S-NOBODY", "a b", "'\"é ", "S-LAN\x00")]
    assert [got.status_code for got in told] == [404] * 4
    assert len({got.content for got in told}) == 1
    assert WHY in told[0].text
    assert "There is no pupil of this number" in told[0].text
    assert granted(sqlite_rig) == []


def test_a_reason_is_one_before_anything_is_told(sqlite_rig: Rig) -> None:
    """A short reason is refused alike for a pupil there is and one there is not, in the reader's language."""
    chen = sqlite_rig.by_role("T-CHEN")
    told = [ask(chen, pupil, "x", **{"accept-language": "zh"}) for pupil in ("S-LAN", "S-NOBODY")]
    assert [got.status_code for got in told] == [422, 422]
    assert told[0].content == told[1].content
    assert "请写明理由（10至2,000字）" in told[0].text
    assert granted(sqlite_rig) == []


def test_who_sees_the_pupil_anyway_is_led_there_and_nothing_is_broken(sqlite_rig: Rig) -> None:
    """The teacher's own pupil."""
    got = ask(sqlite_rig.by_role("T-CHEN"), "S-MEI")
    assert (got.status_code, got.headers["location"]) == (303, "/pupils/S-MEI")
    assert granted(sqlite_rig) == []


def test_glasses_are_few_a_minute(sqlite_rig: Rig) -> None:
    """Nobody tries numbers."""
    chen = sqlite_rig.signed_in("T-CHEN")
    sqlite_rig.clock.at = sqlite_rig.clock.at.replace(second=0)
    tries = [ask(chen, f"S-{number}").status_code for number in range(6)]
    assert tries == [404] * 5 + [429]


def test_home_leads_there_for_whom_it_may_lead_anywhere(sqlite_rig: Rig) -> None:
    """A teacher's home has the link."""
    assert 'href="/break-glass"' in sqlite_rig.by_role("T-CHEN").get("/", headers=PAGE).text
