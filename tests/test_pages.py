"""The pages over the real app: who sees what, nothing blank, heavy or from elsewhere, care end to end."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from sqlalchemy import delete, insert, select, update

from serving.access.tables import Placement
from serving.care.tables import CaseRow
from serving.pages import rendering
from serving.tables import Score
from tests.pages_rig import name_of

pytestmark = pytest.mark.slow
MOST_BYTES = 60 * 1024
ELSEWHERE = re.compile(
    r"""(?:src|href|action|url)\s*[=(]\s*["']?\s*(?:https?:)?//|@import|<script|\son\w+=|\sstyle="""
)


@pytest.fixture(scope="module")
def pupil(service):
    """The listed pupil of the teacher's own school with the highest risk."""
    return service.listed(service.places.school)[0]


def unit(name: str, more: str = "") -> str:
    return f"/units/{quote(name, safe='')}{more}"


def all_pages(service, pupil):
    places = service.places
    return {
        "chen": ["/", unit(places.own_class), unit(places.own_class, "/list"), "/password",
            "/break-glass"],
        "principal": [
            "/", unit(places.school), unit(places.school, "/list?family=attendance&care=none"),
            unit(places.school, "/pack"), f"/pupils/{pupil}", f"/pupils/{pupil}/print",
            f"/pupils/{pupil}/what-if?feature=absence_30&value=0",
        ],
        "officer": ["/", unit(places.county), unit(places.county, "/list"), f"/pupils/{pupil}"],
        "scientist": ["/models", unit(places.county, "/figures")],
        "keeper": ["/accounts"],
    }  # fmt: skip


@pytest.mark.parametrize("language", ["en", "zh"])
def test_pages_are_light_and_fetch_and_run_nothing(service, pupil, language):
    style = len(rendering.STYLE.read_bytes())
    for login, paths in all_pages(service, pupil).items():
        reader = service.reader(login)
        for path in paths:
            answer = reader.get(path, language)
            assert answer.status_code == 200, (login, path)
            assert len(answer.content) + style <= MOST_BYTES, (path, len(answer.content))
            assert not ELSEWHERE.search(answer.text), path
            assert "None" not in answer.text
            assert f'lang="{"zh-CN" if language == "zh" else "en"}"' in answer.text
            assert answer.headers["cache-control"] == "no-store"


def test_a_foreign_page_and_an_absent_one_are_the_same(service, pupil):
    absent, school = "G000000000000000000", service.places.school
    for who in ("neighbour", "scientist", "chen"):
        reader = service.reader(who)
        for path in ("/pupils/{}", "/pupils/{}/print", "/pupils/{}/what-if?feature=absence_30&value=0"):
            foreign = service.listed(service.places.other_school)[0] if who == "chen" else pupil
            told = [reader.get(path.format(one)) for one in (foreign, absent)]
            assert [one.status_code for one in told] == [404, 404], (who, path)
            assert told[0].content == told[1].content
        for more in ("", "/list", "/list.csv", "/list.xlsx", "/pack"):
            told = [reader.get(unit(one, more)) for one in (school, "school:none")]
            assert [one.status_code for one in told] == [404, 404], (who, more)
            assert told[0].content == told[1].content


def test_who_is_not_signed_in_is_asked_to_and_comes_back(service, pupil):
    answer = service.reader(None).get(f"/pupils/{pupil}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/sign-in?next=%2Fpupils%2F{pupil}")
    assert answer.content == b""


def test_names_are_shown_to_the_school_and_not_on_the_lists_of_offices_above(service, pupil):
    assert name_of(pupil) in service.reader("principal").get(unit(service.places.school, "/list")).text
    above = service.reader("officer").get(unit(service.places.county, "/list")).text
    assert name_of(pupil) not in above
    assert pupil in above
    assert name_of(pupil) in service.reader("officer").get(f"/pupils/{pupil}").text


def test_a_pupil_who_left_since_the_list_was_made_is_on_no_page_of_the_school(service, pupil):
    pages, name = ("/list", "/pack"), name_of(pupil)
    reader = service.reader("principal")
    shown = [name in reader.get(unit(service.places.school, more)).text for more in pages]
    assert shown == [True, True]
    stays = select(Placement.__table__).where(Placement.student_id == pupil)
    with service.engine.begin() as connection:
        kept = [dict(row._mapping) for row in connection.execute(stays)]
        connection.execute(delete(Placement).where(Placement.student_id == pupil))
    try:
        for more in pages:
            assert name not in reader.get(unit(service.places.school, more)).text, more
    finally:
        with service.engine.begin() as connection:
            connection.execute(insert(Placement), kept)


def test_details_of_the_family_stay_at_the_school(service, pupil):
    assert "Show (confidential)" in service.reader("principal").get(f"/pupils/{pupil}").text
    above = service.reader("officer").get(f"/pupils/{pupil}").text
    assert "Details of the family stay at the school" in above
    assert "looked after by" not in above


def test_home_names_those_who_need_the_teacher_and_what_it_rests_on(service):
    page = service.reader("principal").get("/").text
    listed = service.listed(service.places.school)
    waiting = int(re.search(r"<h1>(\d+) pupils? of yours needs? you", page).group(1))
    assert 0 < waiting <= len(listed) + 5
    assert "What changed since 15 May 2026" in page
    assert "Registers as of 12 Jun 2026" in page
    assert re.search(
        r"Of the \d+ pupils with a score listed here about [\d.]+ would leave within 90 days", page
    )


def test_filters_leave_out_and_say_so(service):
    reader, place = service.reader("principal"), service.places.school
    everybody = reader.get(unit(place, "/list")).text.count('<li><span class="rank">')
    attendance = reader.get(unit(place, "/list?family=attendance")).text.count('<li><span class="rank">')
    assert 0 < attendance <= everybody
    assert "Nobody on this list fits the filter" in reader.get(unit(place, "/list?grade=12")).text
    assert "Nobody on this list fits the filter" in reader.get(unit(place, "/list?care=overdue")).text


def test_when_more_than_half_of_a_class_is_listed_the_class_comes_first(service):
    place = service.places.own_class
    with service.by_hand() as connection:
        key = place.partition(":")[2]
        before = list(
            connection.execute(
                select(Score.run, Score.student_id).where(Score.class_key == key, Score.listed)
            )
        )
        connection.execute(update(Score).where(Score.class_key == key).values(listed=True))
    page = service.reader("chen").get(unit(place, "/list")).text
    assert page.index("Look at the class before the pupils") < page.index('<ol class="rows">')
    with service.by_hand() as connection:
        connection.execute(update(Score).where(Score.class_key == key).values(listed=False))
        for run, student in before:
            connection.execute(
                update(Score).where(Score.run == run, Score.student_id == student).values(listed=True)
            )
    assert "Look at the class before the pupils" not in service.reader("chen").get(unit(place, "/list")).text


@pytest.mark.parametrize("view", ["/pupils/{}/print", "/pupils/{}"])
def test_a_restricted_reason_is_told_as_its_family(service, view):
    school = service.places.school
    pupil = service.listed(school)[-1]
    with service.by_hand() as connection:
        of_pupil = Score.student_id == pupil
        kept = connection.execute(select(Score.run, Score.reasons).where(of_pupil)).all()
        connection.execute(
            update(Score)
            .where(of_pupil)
            .values(reasons='[["parent_illness",0.9,1,0],["absence_30",0.4,0.2,0.1]]')
        )
    page = service.reader("principal").get(view.format(pupil)).text
    csv = service.reader("principal").get(unit(school, "/list.csv")).text
    with service.by_hand() as connection:
        for run, reasons in kept:
            connection.execute(update(Score).where(Score.run == run, of_pupil).values(reasons=reasons))
    for told in (page.split('id="attendance"')[0], csv):
        assert "A family circumstance (details are restricted)" in told
        assert "seriously ill" not in told


def test_lists_are_taken_along_as_files(service):
    reader = service.reader("principal")
    sheet = reader.get(unit(service.places.school, "/list.xlsx"))
    assert sheet.content[:2] == b"PK"
    assert reader.get(unit(service.places.school, "/list.csv")).text.startswith('"student_id"')
    assert reader.get(unit(service.places.school, "/list.exe")).status_code == 404


def test_what_if_is_answered_in_place_and_nonsense_is_refused_in_words(service, pupil):
    reader = service.reader("principal")
    ask = f"/pupils/{pupil}/what-if?feature={{}}&value={{}}"
    assert re.search(r"The risk would be [\d.]+ % instead of", reader.get(ask.format("absence_30", "0")).text)
    assert "no promise" in reader.get(ask.format("absence_30", "0")).text
    assert "This is no question" in reader.get(ask.format("absence_30", "far")).text
    assert "This is no question" in reader.get(ask.format("parent_illness", "1")).text
    assert "within the range" in reader.get(ask.format("absence_30", "99%25")).text


def case_and_version(service, pupil):
    with service.engine.connect() as connection:
        return connection.execute(
            select(CaseRow.id, CaseRow.version).where(CaseRow.student_id == pupil).order_by(CaseRow.id.desc())
        ).first()


def test_care_from_assignment_to_closing_and_nothing_is_lost_when_two_write(service):
    pupil = service.listed(service.places.school)[1]
    reader, other = service.reader("principal"), service.reader("principal")
    path = f"/pupils/{pupil}/"

    def send(who, form, version=None, **fields):
        case, now = case_and_version(service, pupil)
        return who.post(path + form, case=case, version=version or now, **fields)

    assert reader.post(path + "care/open", assigned_to="wu").status_code == 303
    assert send(reader, "care/plan", family="attendance", text="Greet every morning").status_code == 303
    contact = {
        "day": "2026-06-14",
        "how": "home_visit",
        "with_whom": "Grandmother",
        "text": "She will wake her",
    }
    assert send(reader, "care/contact", restricted="true", **contact).status_code == 303
    seen = case_and_version(service, pupil).version
    assert send(other, "care/review", judgement="agree", text="The reasons fit").status_code == 303
    late = send(reader, "care/contact", version=seen, **{**contact, "text": "My own long text"})
    assert late.status_code == 409
    assert all(
        told in late.text
        for told in ("Somebody else changed this case", "My own long text", "The reasons fit")
    )
    above = service.reader("officer").get(path[:-1]).text
    assert "She will wake her" in above
    assert send(reader, "care/close", outcome="attends", text="Comes every day").status_code == 303
    page = reader.get(path[:-1]).text
    assert all(
        told in page for told in ("The last case was closed", "Comes every day", "Greet every morning")
    )
    assert "Care began on" in page


def test_a_restricted_note_is_not_for_everybody_with_access(service):
    with service.engine.connect() as connection:
        key = service.places.own_class.partition(":")[2]
        pupil = connection.execute(
            select(Score.student_id).where(Score.class_key == key, Score.listed)
        ).scalar()
    service.reader("principal").post(f"/pupils/{pupil}/note", text="The father drinks", restricted="true")
    service.reader("principal").post(f"/pupils/{pupil}/note", text="Likes football")
    teacher = service.reader("chen").get(f"/pupils/{pupil}").text
    assert "Likes football" in teacher
    assert "The father drinks" not in teacher
    assert "Not for your eyes" in teacher
    assert "The father drinks" in service.reader("principal").get(f"/pupils/{pupil}").text
    assert "Likes football" not in service.reader("chen").get(f"/pupils/{pupil}/print").text


def test_a_worry_and_an_objection_are_shown(service):
    pupil = service.listed(service.places.school)[2]
    reader = service.reader("principal")
    reader.post(f"/pupils/{pupil}/nomination", why="She has grown <silent>")
    reader.post(f"/pupils/{pupil}/objection", fact="absence_30", text="She was at a contest")
    page = reader.get(f"/pupils/{pupil}").text
    assert "李校长 is worried: She has grown &lt;silent&gt;" in page
    assert "She was at a contest" in page
    assert "She has grown &lt;silent&gt;" in reader.get(unit(service.places.school, "/list")).text


def number_in(page, name):
    """The hidden number of a form."""
    return re.findall(rf'name="{name}" value="(\d+)"', page)


def test_an_objection_is_answered_by_the_principal_once_and_told_beside_the_fact(service):
    pupil = service.listed(service.places.school)[1]
    page, officer, principal = f"/pupils/{pupil}", service.reader("officer"), service.reader("principal")
    officer.post(f"{page}/objection", fact="absence_30", text="He was at a contest")
    told = principal.get(page).text
    assert "objection: open" in told
    [number], form = number_in(told, "objection"), {"version": 1, "text": "Five days were a contest"}
    assert (
        principal.post(f"{page}/objection/answer", objection=number, state="maybe", **form).status_code == 422
    )
    assert (
        principal.post(f"{page}/objection/answer", objection=9999, state="corrected", **form).status_code
        == 404
    )
    answered = principal.post(f"{page}/objection/answer", objection=number, state="corrected", **form)
    assert (answered.status_code, answered.headers["location"]) == (303, f"{page}#voices")
    late = officer.post(
        f"{page}/objection/answer", objection=number, state="refused", version=1, text="No <b>"
    )
    assert late.status_code == 409
    assert "Yours was: No &lt;b&gt;" in late.text
    told = officer.get(page).text
    assert "objection: upheld and put right" in told
    assert "Answer: Five days were a contest" in told
    assert number_in(told, "objection") == []
    assert "异议：成立，已更正" in officer.get(page, "zh").text


def test_who_has_no_duty_answers_no_objection(service):
    """The class teacher may object, sees the state, and gets neither form nor way to answer."""
    teacher, pupil = service.reader("chen"), of_own_class(service)
    page = f"/pupils/{pupil}"
    teacher.post(f"{page}/objection", fact="absence_30", text="She was ill")
    told = teacher.get(page).text
    assert "objection: open" in told
    assert number_in(told, "objection") == []
    [number] = number_in(service.reader("principal").get(page).text, "objection")
    answer = {"objection": number, "version": 1, "state": "refused", "text": "no"}
    assert teacher.post(f"{page}/objection/answer", **answer).status_code == 403
    foreign = service.listed(service.places.school)[1]
    assert (
        service.reader("principal").post(f"/pupils/{foreign}/objection/answer", **answer).status_code == 404
    )


def test_a_worry_is_taken_back_with_its_reason(service):
    """By the class teacher, though the principal said it; not by the colleague of the county."""
    teacher, pupil = service.reader("chen"), of_own_class(service)
    page, principal, officer = f"/pupils/{pupil}", service.reader("principal"), service.reader("officer")
    principal.post(f"{page}/nomination", why="He sits alone at noon")
    told = teacher.get(page).text
    assert "He sits alone at noon" in told
    number = number_in(told, "nomination")[-1]
    assert number_in(officer.get(page).text, "nomination") == []
    assert officer.post(f"{page}/nomination/withdraw", nomination=number, why="no").status_code == 404
    done = teacher.post(f"{page}/nomination/withdraw", nomination=number, why="He has friends again")
    assert done.status_code == 303
    told = principal.get(page).text
    assert "Taken back by 陈老师: He has friends again" in told
    assert number not in number_in(told, "nomination")
    assert teacher.post(f"{page}/nomination/withdraw", nomination=number, why="again").status_code == 404
    listed = principal.get(unit(service.places.school, "/list")).text
    assert "He sits alone at noon" not in listed


def of_own_class(service):
    """A listed pupil of the teacher's class."""
    key = service.places.own_class.partition(":")[2]
    with service.engine.connect() as connection:
        query = select(Score.student_id).where(Score.class_key == key, Score.listed, Score.risk.is_not(None))
        return connection.execute(query.order_by(Score.student_id)).scalars().first()


def test_the_api_tells_in_short_what_the_registers_say(service, pupil):
    """The same as the page: family and aid for the school alone, results beside the class, marks by month."""
    way = f"/api/v1/students/{pupil}"
    told = {who: service.reader(who).get(way).json()["register_summary"] for who in ("principal", "officer")}
    school, office = told["principal"], told["officer"]
    assert school["as_of"] == "2026-06-12"
    assert len(school["attendance"]) == 12
    assert sum(school["attendance"][-1]["days"].values()) > 0
    assert {"term", "share", "class_share", "missed"} == set(school["results"][0])
    assert isinstance(school["family"], dict)
    assert "student_id" not in school["family"]
    assert isinstance(school["aid"], list)
    assert (office["family"], office["aid"]) == (None, None)
    assert {**office, "family": school["family"], "aid": school["aid"]} == school


def test_home_shows_the_cases_that_are_the_readers_own(service):
    """With the day of the next contact; a case is gone from home when it is given to somebody else."""
    pupil = service.listed(service.places.school)[5]
    principal, wu = service.reader("principal"), service.reader("wu")
    principal.post(f"/pupils/{pupil}/care/open", assigned_to="wu")
    link = f'<a href="/pupils/{pupil}#care">{name_of(pupil)}</a>: next contact by 22 Jun 2026'
    assert link in wu.get("/").text
    assert link not in service.reader("chen").get("/").text
    case, version = case_and_version(service, pupil)
    principal.post(f"/pupils/{pupil}/care/assign", case=case, version=version, assigned_to="chen")
    assert link not in wu.get("/").text
    assert link in service.reader("chen").get("/").text


def test_a_refusal_of_care_is_told_in_chinese_on_a_chinese_page(service):
    """A contact of tomorrow: the browser refuses it, and so does the service, in the reader's words."""
    principal, pupil = service.reader("principal"), service.listed(service.places.school)[2]
    principal.post(f"/pupils/{pupil}/care/open", assigned_to="chen")
    form = {"case": number_in(principal.get(f"/pupils/{pupil}").text, "case")[0], "version": 1}
    contact = {"day": "2026-07-01", "how": "phone", "with_whom": "mother", "text": "calls back"}
    refused = principal.post(f"/pupils/{pupil}/care/contact", language="zh", **form, **contact)
    assert refused.status_code == 422
    assert "联系日期应在帮扶期间之内，且不晚于今天。" in refused.text
    assert "The day of a contact" not in refused.text


def test_another_pupils_case_cannot_be_changed_through_this_pupils_page(service):
    first, second = service.listed(service.places.school)[3:5]
    reader = service.reader("principal")
    reader.post(f"/pupils/{first}/care/open", assigned_to="chen")
    case, version = case_and_version(service, first)
    refused = reader.post(f"/pupils/{second}/care/review", case=case, version=version, judgement="agree")
    assert refused.status_code == 404
    assert case_and_version(service, first).version == version


def test_a_form_without_its_token_changes_nothing(service, pupil):
    refused = service.reader("principal").post(f"/pupils/{pupil}/note", text="forged", csrf="wrong")
    assert refused.status_code == 403
    assert "forged" not in service.reader("principal").get(f"/pupils/{pupil}").text


def test_looks_are_shown_with_their_reason(service, pupil):
    service.reader("officer").get(f"/pupils/{pupil}")
    page = service.reader("principal").get(f"/pupils/{pupil}").text
    assert re.search(r"周干事 <span class=\"soft\">\(county officer\)", page)


def test_who_works_with_a_pupil_sees_that_the_glass_was_broken(service, pupil):
    """The neighbour's principal, until when for her, and the reason for everybody who may see the page."""
    service.mend_glass()
    neighbour, page = service.reader("neighbour"), f"/pupils/{pupil}"
    assert neighbour.get(page).status_code == 404
    why = "She asked me for help at the bus stop."
    assert neighbour.post("/break-glass", student_id=pupil, why=why).headers["location"] == page
    assert "紧急查看：仅对您开放，至2026" in neighbour.get(page, "zh").text
    seen = service.reader("principal").get(page).text
    assert f"马校长: {why}" in seen
    assert re.search(r"马校长 <span class=\"soft\">\(asked to see the pupil in an emergency\)", seen)
    assert re.search(r"马校长 <span class=\"soft\">\(opened in an emergency, with a reason on record\)", seen)


def test_where_the_registers_are_not_kept_the_page_says_so(service, pupil, monkeypatch):
    from risk_model.errors import MissingError

    def gone(home, settings, **more):
        raise MissingError("no registers")

    service.app.state.service.registers.close()
    monkeypatch.setattr("risk_model.lake.reading.open_lake", gone)
    page = service.reader("principal").get(f"/pupils/{pupil}")
    assert page.status_code == 200
    assert "The registers are not kept on this machine" in page.text
