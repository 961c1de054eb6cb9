"""The API of contract §4, on both databases: what it answers, to whom, and how it pages."""

from __future__ import annotations

import json
import math

import pytest

from serving.care.cases import case_of
from tests import cast
from tests.service_rig import Rig, each_rig, rig_on_sqlite  # noqa: F401

PUPIL = "/api/v1/students/S-MEI"


def read(caller, unit: str, **query):
    return caller.get("/api/v1/lists", params={"unit": unit, **query})


def test_a_list_says_what_must_stand_beside_it(rig: Rig) -> None:
    """Date, model, capacity, how often such lists are right; open cases first, then by rank, with reasons."""
    told = read(rig.by_role("T-CHEN"), cast.A7A).json()
    assert told["as_of"] == "2026-03-02"
    assert (told["model_version"], told["stale"], told["capacity"]) == ("3", False, 3)
    assert 0 < told["expected_precision"] < 1
    assert [row["student_id"] for row in told["students"]][:3] == ["S-YAN", "S-MEI", "S-LEI"]
    assert told["students"][0]["risk"] is None
    assert all(row["reasons"] for row in told["students"])


@pytest.mark.parametrize("sort", ["rank", "class", "grade", "student"])
def test_parts_of_a_list_are_the_list(rig: Rig, sort: str) -> None:
    """Read part by part, nobody is missing and nobody comes twice."""
    caller = rig.by_role("O-K")
    whole = read(caller, "county:K", sort=sort, all=True, limit=500).json()
    parts, cursor = [], None
    while True:
        more = {} if cursor is None else {"cursor": cursor}
        part = read(caller, "county:K", sort=sort, all=True, limit=7, **more).json()
        parts += part["students"]
        assert part["listed"] == whole["listed"]
        cursor = part["next_cursor"]
        if cursor is None:
            break
    assert parts == whole["students"]
    assert len(parts) == 8 + 3 * 30


def test_a_cursor_is_its_callers_own(rig: Rig) -> None:
    """Another caller's, another list's or a made-up one is refused and tells nothing."""
    caller = rig.by_role("O-K")
    cursor = read(caller, "county:K", limit=2).json()["next_cursor"]
    assert read(caller, "county:K", cursor=cursor, limit=2).status_code == 200
    assert read(caller, "school:A", cursor=cursor).status_code == 422
    assert read(caller, "county:K", cursor=cursor, sort="class").status_code == 422
    assert read(rig.by_role("P-A"), "school:A", cursor=cursor).status_code == 422
    assert read(caller, "county:K", cursor="AAAA").status_code == 422


def test_an_etag_spares_the_answer_and_is_nobody_elses(rig: Rig) -> None:
    """The same content has another tag for another caller, and a tag opens nothing."""
    one, other = rig.by_role("P-A"), rig.by_role("O-T1")
    first = read(one, cast.A7A)
    tag = first.headers["etag"]
    again = read(one, cast.A7A)
    assert again.headers["etag"] == tag
    headers = {"if-none-match": tag}
    spared = one.get("/api/v1/lists", params={"unit": cast.A7A}, headers=headers)
    assert (spared.status_code, spared.content) == (304, b"")
    assert read(other, cast.A7A).json() == first.json()
    assert read(other, cast.A7A).headers["etag"] != tag
    refused = rig.by_role("keeper").get("/api/v1/lists", params={"unit": cast.A7A}, headers=headers)
    assert refused.status_code == 404


def test_a_pupil_who_moved_away_is_in_the_list_of_nobody_who_stayed(rig: Rig) -> None:
    """Fang is listed at C since a week; whoever lost sight of a pupil does not see him in a list either."""
    told = read(rig.by_role("O-K"), "county:K", all=True, limit=500).json()
    assert "S-FANG" not in [row["student_id"] for row in told["students"]]
    assert rig.by_role("T-CHEN").get("/api/v1/students/S-FANG").status_code == 404


def test_all_about_one_pupil(rig: Rig) -> None:
    """Identity, score, history, reasons, registers, care, who has access and why I do."""
    told = rig.by_role("T-CHEN").get(PUPIL).json()
    assert told["identity"]["name"] == "王美"
    assert told["score"]["risk"] == told["history"][0]["risk"]
    assert told["reasons"][0]["family"] == "attendance"
    assert told["registers"]["attendance"][0]["value"] == pytest.approx(0.35)
    assert told["care"]["case"]["assigned_to"] == "T-CHEN"
    assert told["because"] == "class teacher of class A:7A:2025"
    assert {one["staff_id"] for one in told["access"]} == {"T-CHEN", "P-A", "O-T1", "O-K", "O-P", "T-TWO"}


def test_an_answer_is_in_the_language_asked_for(sqlite_rig: Rig) -> None:
    """Reasons, and the reason of access, in Chinese."""
    told = sqlite_rig.by_role("T-CHEN").get(PUPIL, headers={"accept-language": "zh-CN,en;q=0.5"}).json()
    assert told["because"] == "A:7A:2025的班主任"
    assert "缺勤" in told["reasons"][0]["text"]


def test_contributions_add_up_to_the_risk(rig: Rig) -> None:
    """As in ``explain --json``; restricted features are one entry for each family."""
    told = rig.by_role("T-CHEN").get(f"{PUPIL}/explanation").json()
    total = told["base"] + math.fsum(part["contribution"] for part in told["contributions"])
    assert 1 / (1 + math.exp(-total)) == pytest.approx(told["risk"], abs=1e-9)
    assert "parent_illness" not in json.dumps(told)


def test_what_if_lowers_the_risk_and_promises_nothing(rig: Rig) -> None:
    """Less absence, less risk; what cannot be changed or is restricted cannot be asked."""
    teacher = rig.by_role("T-CHEN")
    told = teacher.post(f"{PUPIL}/what-if", json={"changes": {"absence_30": 0.05}}).json()
    assert told["risk_then"] < told["risk"]
    assert "no promise" in told["says"]
    for changes in ({"parent_illness": 0}, {"grade_level": 8}, {"absence_30": 5}, {"nonsense": 1}, {}):
        assert teacher.post(f"{PUPIL}/what-if", json={"changes": changes}).status_code == 422


def test_rows_of_values_are_scored_as_the_night_scores(rig: Rig) -> None:
    """A pupil's own values give his own risk; an unknown feature is a mistake, a missing one not known."""
    scientist = rig.by_role("D-K")
    told = rig.by_role("T-CHEN").get(f"{PUPIL}/explanation").json()
    values = {
        part["feature"]: part["value"] for part in told["contributions"] if part["feature"] != "restricted"
    }
    row = {**values, "parent_illness": 0}
    got = scientist.post("/api/v1/score", json={"rows": [row, {}]}).json()
    one, unknown = got["rows"]
    total = got["base"] + math.fsum(one["contributions"].values())
    assert 1 / (1 + math.exp(-total)) == pytest.approx(one["risk"], abs=1e-9)
    assert one["risk"] > 0.8 > unknown["risk"]
    assert scientist.post("/api/v1/score", json={"rows": [{"absence": 1}]}).status_code == 422
    machine = rig.machine(None, "score")
    assert machine.post("/api/v1/score", json={"rows": [row]}).json()["rows"][0]["risk"] == one["risk"]


def test_care_from_assignment_to_closing(rig: Rig) -> None:
    """Whoever has the case sees the pupil until it closes; each step is written down before it is done."""
    principal = rig.by_role("P-A")
    made = principal.post("/api/v1/students/S-JUN/care", json={"assigned_to": "T-SUN", "text": "talk to him"})
    assert made.status_code == 201
    case = made.json()["id"]
    engine = rig.app.state.service.engine
    with engine.connect() as connection:
        assert case_of(connection, "S-JUN").assigned_to == "T-SUN"
    assert principal.post("/api/v1/students/S-JUN/care", json={"assigned_to": "T-SUN"}).status_code == 409
    steps = (
        {"step": "plan", "family": "attendance", "text": "call home early"},
        {"step": "contact", "day": "2026-03-02", "kind": "phone", "with_whom": "mother", "text": "agreed"},
        {"step": "assign", "assigned_to": "T-CHEN"},
        {"step": "review", "judgement": "agree", "text": "so it is"},
        {"step": "close", "outcome": "attends", "text": "comes every day"},
    )
    for version, step in enumerate(steps, start=1):
        got = principal.ask("PATCH", f"/api/v1/care/{case}", json={**step, "version": version})
        assert got.status_code == 200, got.text
        seen = rig.by_role("T-CHEN").get("/api/v1/students/S-JUN").status_code
        assert seen == (200 if step["step"] in ("assign", "review") else 404)
    assert [entry.student_id for entry in rig.audit.entries if entry.action == "care"][-1] == "S-JUN"


def test_of_two_who_change_a_case_at_once_one_is_shown_the_others(rig: Rig) -> None:
    """409 with the case as it stands and the step that was made; nothing of either is lost."""
    case = rig.cases["S-HAO"]
    step = {"step": "plan", "family": "learning", "version": 1, "text": "mine"}
    principal = rig.by_role("P-A")
    assert principal.ask("PATCH", f"/api/v1/care/{case}", json=step).status_code == 200
    late = rig.by_role("O-K").ask("PATCH", f"/api/v1/care/{case}", json=step | {"text": "theirs"})
    assert late.status_code == 409
    assert late.json()["case"]["version"] == 2
    assert [one["text"] for one in late.json()["theirs"]] == ["mine"]


def test_nobody_is_given_a_pupil_who_does_not_work_here(rig: Rig) -> None:
    """A case, and with it the sight of a pupil, goes to a member of staff and to nobody else."""
    got = rig.by_role("P-A").post("/api/v1/students/S-KAI/care", json={"assigned_to": "T-NOBODY"})
    assert got.status_code == 422


def test_the_glass_is_broken_for_three_hours_with_a_reason(rig: Rig) -> None:
    """Written down before it is tried; over after three hours; absent pupils answer as foreign ones do."""
    teacher, path = rig.signed_in("T-CHEN"), "/api/v1/students/S-BO"
    assert teacher.get(path).status_code == 404
    assert teacher.post(f"{path}/break-glass", json={"why": "x"}).status_code == 422
    got = teacher.post(f"{path}/break-glass", json={"why": "His mother called me, he is missing."})
    assert got.status_code == 201
    assert rig.audit.entries[-1].action == "break_glass"
    assert teacher.get(path).json()["because"].startswith("opened in an emergency")
    absent = teacher.post("/api/v1/students/S-NO/break-glass", json={"why": "His mother called me today."})
    assert absent.status_code == 404
    before = rig.clock.at
    rig.clock.at = before.replace(hour=before.hour + 1)
    assert teacher.get(path).status_code == 200
    rig.clock.at = before.replace(hour=before.hour + 2)
    assert teacher.get("/api/v1/students/S-MEI").status_code == 200
    rig.clock.at = before.replace(hour=before.hour + 3, minute=before.minute + 1)
    assert teacher.get(path).status_code == 404
    rig.clock.at = before


def test_counts_of_a_unit_are_for_its_officers_and_scientists(rig: Rig) -> None:
    """Counts without names; the administrator and whoever is of another unit get what absent units get."""
    path = "/api/v1/units/county:K/summary"
    told = rig.by_role("D-K").get(path).json()
    assert told["pupils"] == 98
    assert told["smallest_cell"] == 10
    assert rig.by_role("O-K").get(path).json() == told
    assert {rig.by_role(who).get(path).status_code for who in ("T-CHEN", "P-A", "keeper")} == {404}


def test_who_answers_for_the_model_sees_registry_and_report(rig: Rig) -> None:
    """Promotions with who and why, what serves, and the latest report once there is one."""
    scientist = rig.by_role("D-K")
    told = scientist.get("/api/v1/models").json()
    assert told["champion"]["version"] == told["serving"]["version"] == "3"
    assert scientist.get("/api/v1/monitoring").status_code == 404
    folder = rig.home.data / "monitoring"
    folder.mkdir()
    (folder / "latest.json").write_text('{"decision": "keep", "alerts": []}')
    assert scientist.get("/api/v1/monitoring").json()["decision"] == "keep"
    (folder / "latest.json").unlink()
    folder.rmdir()
    assert rig.by_role("T-CHEN").get("/api/v1/models").status_code == 403


def test_a_token_sees_its_unit_and_does_what_its_scope_says(rig: Rig) -> None:
    """A machine of school A reads lists of A and nothing else."""
    machine = rig.machine("school:A", "lists:read")
    assert read(machine, cast.A7A).status_code == 200
    assert read(machine, cast.B8A).status_code == 404
    assert machine.get(PUPIL).status_code == 403
    assert rig.machine("school:A", "students:read").get(PUPIL).status_code == 200


def test_every_look_is_written_down_before_the_answer(rig: Rig) -> None:
    """With whom, why and where; who is refused looked at nobody, and is not written down."""
    rig.by_role("T-CHEN").get(PUPIL)
    entry = rig.audit.entries[-1]
    assert (entry.action, entry.student_id, entry.reason) == ("look", "S-MEI", "class_teacher")
    assert entry.detail == "GET /api/v1/students/{student_id}"
    count = len(rig.audit.entries)
    rig.by_role("T-CHEN").get("/api/v1/students/S-LAN")
    assert len(rig.audit.entries) == count


def test_no_record_no_answer(sqlite_rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the audit cannot write, the pupil is not shown, nor is anything changed."""
    from serving.audit.tables import AuditError

    def fails(entries):
        raise AuditError("The disk is full.")

    monkeypatch.setattr(sqlite_rig.audit, "record", fails)
    got = sqlite_rig.by_role("T-CHEN").get(PUPIL)
    assert got.status_code == 503
    assert "S-MEI" not in got.text
