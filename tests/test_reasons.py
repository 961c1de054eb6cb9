"""Reasons: sentences with the pupil's value and the class's, strongest first, nothing restricted told."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from risk_model.explanation.reasons import (
    class_values,
    protective_reasons,
    reasons,
    status_reasons,
    strongest,
)
from risk_model.explanation.sentences import STATUS, sentence
from risk_model.explanation.words import risk_in_words
from risk_model.features.declared import BY_NAME, FEATURES
from risk_model.settings import ListSettings

ABSENCE, FAILED, ILL, KM = (
    BY_NAME[name] for name in ("absence_30", "failed_core_latest", "parent_illness", "travel_km")
)
NAN = float("nan")


def told(features, contributions, values=None, of_class=None, **rules):
    shape = np.shape(contributions)
    values = np.ones(shape) if values is None else np.array(values, dtype=float)
    of_class = np.full(shape, NAN) if of_class is None else np.array(of_class, dtype=float)
    return reasons(features, values, of_class, np.array(contributions, dtype=float), ListSettings(**rules))


def test_a_reason_gives_the_pupils_value_and_the_classs():
    [[reason]] = told([ABSENCE], [[0.8]], [[0.18]], [[0.04]])
    assert reason.text == "Missed 18 % of the last 30 school days (class: 4 %)"
    assert (reason.feature, reason.family, reason.contribution) == ("absence_30", "attendance", 0.8)


def test_a_reason_is_told_in_chinese_where_that_is_the_language():
    [[reason]] = told([ABSENCE], [[0.8]], [[0.18]], [[0.04]], language="zh")
    assert reason.text == "最近30个教学日缺勤18 %（班级：4 %）"


def test_reasons_stand_by_contribution_and_what_lowers_the_risk_is_none():
    [found] = told([ABSENCE, FAILED, KM], [[0.2, 0.9, -0.4]])
    assert [reason.feature for reason in found] == ["failed_core_latest", "absence_30"]


def test_no_more_reasons_than_the_list_carries():
    [found] = told([ABSENCE, FAILED, KM], [[0.2, 0.9, 0.4]], reasons=2)
    assert [reason.feature for reason in found] == ["failed_core_latest", "travel_km"]


def test_features_that_say_the_same_are_told_once():
    windows = [BY_NAME[f"absence_{days}"] for days in (7, 14, 30, 90)]
    [found] = told([*windows, FAILED], [[0.5, 0.6, 0.9, 0.4, 0.1]])
    assert [reason.feature for reason in found] == ["absence_30", "failed_core_latest"]


def test_a_family_has_at_most_two_reasons():
    names = ("absence_30", "absence_longest", "late_30", "travel_km")
    [found] = told([BY_NAME[name] for name in names], [[0.9, 0.8, 0.7, 0.1]])
    assert [reason.feature for reason in found] == ["absence_30", "absence_longest", "travel_km"]


def test_what_is_the_same_for_a_whole_grade_is_a_reason_only_for_want_of_another():
    grade = BY_NAME["grade_level"]
    first, second = told([grade, KM], [[2.0, 0.1], [2.0, -0.1]], [[8, 3], [8, 3]])
    assert [reason.feature for reason in first] == ["travel_km"]
    assert [reason.feature for reason in second] == ["grade_level"]


def test_of_restricted_features_only_the_family_is_told_and_only_once():
    restricted = [feature for feature in FEATURES if feature.sensitivity == "restricted"]
    [found] = told(restricted, [np.linspace(0.1, 1, len(restricted))])
    assert [reason.text for reason in found] == ["A family circumstance (details are restricted)"]
    assert found[0].feature == "restricted"


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("value", [NAN, 0.0, 1.0, 3.0, -2.0])
def test_no_sentence_about_a_restricted_feature_holds_its_own_words(language, value):
    for feature in (f for f in FEATURES if f.sensitivity == "restricted"):
        [[reason]] = told([feature], [[1.0]], [[value]], language=language)
        own = [getattr(feature, f"{kind}_{language}") for kind in ("text", "low", "null")]
        assert not any(words and words.split("{")[0] in reason.text for words in own if words.split("{")[0])


def test_null_is_told_as_not_known_and_never_as_zero():
    [[reason]] = told([KM], [[0.3]], [[NAN]])
    assert reason.text == KM.null_en


def test_what_is_not_known_is_told_once():
    unknown = [BY_NAME["absence_30"], BY_NAME["unexcused_30"], KM]
    [found] = told(unknown, [[0.9, 0.8, 0.1]], [[NAN, NAN, 4.0]])
    assert [reason.feature for reason in found] == ["absence_30", "travel_km"]


def test_no_mark_is_told_once_whatever_the_window_and_leaves_room_for_other_reasons():
    names = ("absence_7", "sick_30", "leave_term", "absence_90", "travel_km")
    values = [[NAN, NAN, NAN, 0.3, 4.0]]
    [found] = told([BY_NAME[name] for name in names], [[0.9, 0.8, 0.7, 0.6, 0.1]], values)
    assert [reason.feature for reason in found] == ["absence_7", "absence_90", "travel_km"]


def test_a_value_below_the_classs_is_told_in_the_words_for_it():
    boarding = BY_NAME["boarding"]
    assert sentence(boarding, 0.0, NAN, "en") == boarding.low_en
    change = BY_NAME["absence_change_30"]
    assert sentence(change, -0.1, NAN, "en") == change.low_en.replace("{value}", "10 %")


SAID = [
    ("travel_km_over_school", -2.6, 0.0, "The way to school is 2.6 km shorter than the middle of the school",
     "上学距离比学校中位数近2.6公里"),
    ("travel_km_over_school", 2.6, 3.0, "The way to school is 2.6 km longer than the middle of the school",
     "上学距离比学校中位数远2.6公里"),
    ("detour_km", -0.4, 1.0, "The school is no further away than the nearest one of the stage",
     "所在学校不比本学段最近的学校远"),
    ("months_over_age", -8.0, -4.0, "Is of the regular age for the grade", "年龄与本年级相符"),
    ("months_over_age", 0.0, -4.0, "Is of the regular age for the grade", "年龄与本年级相符"),
    ("months_over_age", 1.0, -4.0, "Is 1 month over the regular age for the grade",
     "超过本年级正常年龄1个月"),
    ("months_over_age", 14.0, -4.0, "Is 14 months over the regular age for the grade",
     "超过本年级正常年龄14个月"),
    ("z_trend", -0.5, -0.8, "Exam results fell by 0.5 a term, on the county's scale for the grade",
     "标准分平均每学期下降0.5"),
    ("z_trend", 0.5, 0.8, "Exam results rose by 0.5 a term, on the county's scale for the grade",
     "标准分平均每学期上升0.5"),
    ("z_change", -1.2, NAN,
     "Exam results fell by 1.2 from one term to the next, on the county's scale for the grade",
     "相邻两个学期的标准分下降了1.2"),
    ("z_change", 0.0, NAN, "Exam results stayed the same from one term to the next",
     "相邻两个学期的标准分没有变化"),
    ("absence_change_30", 0.02, 0.05,
     "The share of school days missed rose by 2 % against the 30 school days before",
     "最近30个教学日的缺勤率比此前30个教学日上升2 %"),
    ("absence_change_30", -0.1, NAN,
     "The share of school days missed fell by 10 % against the 30 school days before",
     "最近30个教学日的缺勤率比此前30个教学日下降10 %"),
    ("absence_30_over_class", -0.02, 0.0,
     "Absence over the last 30 school days, 2 % below the middle of the class",
     "最近30个教学日缺勤率，比班级中位数低2 %"),
    ("absence_30_over_class", 0.02, 0.04,
     "Absence over the last 30 school days, 2 % above the middle of the class",
     "最近30个教学日缺勤率，比班级中位数高2 %"),
    ("z_all_latest", -1.2, 0.1,
     "Exam results stand at −1.2 in the latest term with exams, on the county's scale for the grade "
     "(0 is average, −1 clearly below) (class: 0.1)",
     "最近一个有考试的学期各科成绩为−1.2（全县同年级标准分，0为平均，−1为明显偏低）（班级：0.1）"),
    ("failed_latest", 1.0, 0.0, "Failed 1 exam in the latest term (below 60 %) (class: 0)",
     "最近一个学期有1门考试不及格（低于60%）（班级：0）"),
    ("failed_latest", 2.0, 2.0, "Failed 2 exams in the latest term (below 60 %) (class: 2)",
     "最近一个学期有2门考试不及格（低于60%）（班级：2）"),
    ("failed_latest", 1.0, 2.0, "Failed 1 exam in the latest term (below 60 %)",
     "最近一个学期有1门考试不及格（低于60%）"),
    ("failed_latest", 0.0, 2.0, "Failed no exam in the latest term (below 60 %)",
     "最近一个学期没有考试不及格（低于60%）"),
    ("absence_current", 1.0, 0.0, "Has been away 1 school day running (class: 0 days)",
     "至今连续缺勤1天（班级：0天）"),
    ("absence_current", 3.0, 1.0, "Has been away 3 school days running (class: 1 day)",
     "至今连续缺勤3天（班级：1天）"),
    ("days_since_present", 81.0, 0.0,
     "Was last seen at school 81 school days ago (days with a register) (class: 0 days)",
     "最近一次到校是81个教学日之前（只计有考勤的日子）（班级：0天）"),
    ("days_since_present", 1.0, NAN, "Was last seen at school 1 school day ago (days with a register)",
     "最近一次到校是1个教学日之前（只计有考勤的日子）"),
    ("absence_episodes", 1.0, 2.0, "Stayed away and came back 1 time in the last 90 school days (class: 2)",
     "最近90个教学日中断断续续缺勤1次（班级：2）"),
    ("siblings", 0.0, 1.0, "Has no brothers or sisters (class: 1)", "没有兄弟姐妹（班级：1）"),
    ("siblings", 1.0, 1.0, "Has 1 brother or sister (class: 1)", "有1个兄弟姐妹（班级：1）"),
    ("school_moves", 1.0, 0.0, "Changed school 1 time in the last 3 years (class: 0)",
     "最近3年转学1次（班级：0）"),
    ("score_latest", 0.54, 0.64, "Reached 54 % of the points in the exams of the latest term (class: 64 %)",
     "最近一个学期考试平均得分率为54 %（班级：64 %）"),
    ("score_latest", 0.74, 0.64, "Reached 74 % of the points in the exams of the latest term",
     "最近一个学期考试平均得分率为74 %"),
    ("absence_30", 0.02, 0.05, "Missed 2 % of the last 30 school days", "最近30个教学日缺勤2 %"),
    ("day_pupil_km", 4.0, 0.0, "Goes 4 km to school every day (class: 0 km)",
     "每天上学走4公里（班级：0公里）"),
    ("travel_km", 2.0, 2.8, "Lives 2 km from school (class: 2.8 km)", "家离学校2公里（班级：2.8公里）"),
    ("travel_minutes", 40.0, 15.0, "Needs 40 minutes for the way to school (class: 15 minutes)",
     "上学路上需要40分钟（班级：15分钟）"),
    ("absence_14", NAN, 0.1, "There is no mark of this pupil on the last 14 school days",
     "最近14个教学日没有该生的考勤记录"),
    ("leave_term", NAN, NAN,
     "There is no mark of this pupil on the school days of this term", "本学期没有该生的考勤记录"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value", "of_class", "english", "chinese"), SAID)
def test_what_a_teacher_reads(name, value, of_class, english, chinese):
    assert sentence(BY_NAME[name], value, of_class, "en") == english
    assert sentence(BY_NAME[name], value, of_class, "zh") == chinese


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_one_of_a_thing_is_told_in_the_singular_and_no_text_for_less_holds_a_minus(feature):
    text = sentence(feature, 1.0, NAN, "en")
    assert feature.unit in {"percent", "score", "flag", "km"} or not re.search(
        r"\b1 (school )?(?!school\b)\w+s\b", text
    )
    assert not feature.low_en or "−2" not in sentence(feature, -2.0, NAN, "en")


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_every_declared_feature_makes_a_whole_sentence(feature, language):
    for value in (NAN, -1.0, 0.0, 0.25, 3.0):
        text = sentence(feature, value, 0.5, language)
        assert text
        assert "{" not in text
        assert "nan" not in text


def test_the_classs_value_is_the_median_and_null_with_fewer_than_ten_classmates():
    frame = pd.DataFrame(
        {
            "school_id": ["A"] * 11 + ["B"] * 10,
            "class_key": ["7A"] * 21,
            "travel_km": [float(km) for km in range(11)] + [1.0] * 10,
        }
    )
    found = class_values(frame, ["travel_km"])[:, 0]
    assert found[:11].tolist() == [5.0] * 11
    assert np.isnan(found[11:]).all()


def test_classmates_without_a_value_do_not_count_as_classmates():
    frame = pd.DataFrame({"school_id": "A", "class_key": "7A", "travel_km": [2.0] * 10 + [NAN] * 10})
    assert np.isnan(class_values(frame, ["travel_km"])).all()


def test_the_strongest_are_found_among_many_features():
    dice = np.random.default_rng(3)
    features = [replace(KM, name=f"km_{n}", group="", family=f"f{n % 30}") for n in range(60)]
    contributions = dice.normal(size=(200, 60))
    chosen = strongest(contributions, features, 4, np.ones((200, 60)))
    assert (chosen[:, 0] == contributions.argmax(axis=1)).all()
    picked = np.take_along_axis(contributions, chosen, axis=1)
    assert (np.diff(picked, axis=1) <= 0).all()


def chosen_by_hand(contributions, features, count, values):
    """The rules of a pupil's reasons, one after another, as they are told in words."""
    picked, said, families = [], set(), []
    falling = sorted(range(len(features)), key=lambda n: (-contributions[n], n))
    for n in falling[: 6 * count]:
        saying = features[n].group or features[n].name
        if features[n].family == "attendance" and np.isnan(values[n]):
            saying = "no marks"
        if contributions[n] > 0 and saying not in said and families.count(features[n].family) < 2:
            picked.append(n)
            said.add(saying)
            families.append(features[n].family)
    return (picked + [-1] * count)[:count]


@pytest.mark.parametrize("count", [1, 3, 5])
def test_reasons_are_chosen_by_their_rules_among_many_that_weigh_the_same(count):
    dice = np.random.default_rng(count)
    open_ones = [f for f in FEATURES if f.sensitivity == "personal" and f.family != "time"]
    contributions = dice.normal(size=(300, len(open_ones))).round(1)
    contributions[:20] -= 3  # hardly anything raises their risk
    values = np.where(dice.random(contributions.shape) < 0.3, np.nan, 1.0)
    by_hand = [
        chosen_by_hand(*of, count, known)
        for *of, known in zip(contributions, [open_ones] * 300, values, strict=True)
    ]
    assert strongest(contributions, open_ones, count, values).tolist() == by_hand


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("status", ["absent_long", "home_teaching", "no_register", "between_spells"])
def test_a_pupil_without_a_score_is_told_why(status, language):
    [reason] = status_reasons(status, language)
    assert reason.text == STATUS[language][status]
    assert reason.contribution is None


@pytest.mark.parametrize(
    ("risk", "words"),
    [(0.0, "less than 1 in 1,000"), (0.001, "about 1 in 1,000"), (0.013, "about 1 in 80"),
     (0.25, "about 1 in 4"), (0.5, "about 1 in 2"), (0.74, "about 3 in 4"), (0.99, "almost certain")],
)  # fmt: skip
def test_a_risk_in_words(risk, words):
    assert risk_in_words(risk) == words


def test_nobody_scored_needs_no_reasons():
    assert told([ABSENCE], np.empty((0, 1))) == []


def protecting(features, contributions, values, of_class):
    rows = (np.array([row], dtype=float) for row in (values, of_class, contributions))
    [found] = protective_reasons(features, *rows, ListSettings())
    return found


def test_what_lowers_the_risk_is_told_beside_a_class_that_stands_worse():
    [better, alone] = protecting([FAILED, KM], [-0.9, -0.4], [0.0, 3.0], [1.0, NAN])
    assert better.text.endswith("(below 60 %) (class: 1)")
    assert (better.contribution, alone.contribution) == (-0.9, -0.4)
    [worse] = protecting([FAILED], [-0.1], [1.0], [0.0])
    assert "class" not in worse.text


def test_what_is_not_known_protects_nobody():
    assert protecting([KM, ILL], [-0.4, -0.3], [NAN, NAN], [2.0, NAN]) == []


def test_features_that_say_the_same_protect_only_if_together_they_lower_the_risk():
    week, month = BY_NAME["absence_7"], ABSENCE
    assert protecting([week, month], [-0.2, 0.5], [0.0, 0.1], [NAN, NAN]) == []
    [told] = protecting([week, month], [-0.6, 0.5], [0.0, 0.1], [NAN, NAN])
    assert told.feature == "absence_7"
