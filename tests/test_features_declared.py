"""Declarations of features: complete, in both languages, and never over a forbidden column."""

from __future__ import annotations

import re
from dataclasses import astuple

import pytest

from risk_model.features.declared import BY_NAME, FEATURES, RELATIONS
from risk_model.features.documentation import DOCUMENT, feature_document
from risk_model.features.feature import COMPARED, Feature
from risk_model.features.groundwork import SCORED
from risk_model.registers.declared import REGISTERS

FAMILIES = {"attendance", "learning", "family", "distance", "time"}
RELATION_SQL = {relation.name: relation.sql for relation in RELATIONS}
GROUNDWORK = SCORED
every_feature = pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)

# Columns that only say whose row it is, or when a school stood open; they are no fact about a pupil.
LINKS = {"student_id", "school_id", "county_id", "township_id", "class_id", "recorded_on"}


def _words(sql: str) -> set[str]:
    return set(re.findall(r"[a-z_]+", sql.lower()))


def _sql(feature: Feature) -> str:
    return RELATION_SQL.get(feature.relation, "") + " " + feature.sql


def test_names_are_unique_and_stand_unquoted_in_sql():
    assert len(BY_NAME) == len(FEATURES)
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", name) for name in BY_NAME)


def test_the_families_of_the_contract_are_all_there():
    assert {feature.family for feature in FEATURES} == FAMILIES


def test_every_relation_is_read_by_a_feature_and_every_feature_reads_a_relation():
    assert {feature.relation for feature in FEATURES} == {*RELATION_SQL, COMPARED}


@every_feature
def test_a_feature_is_told_in_both_languages(feature):
    chinese = re.compile(r"[\u4e00-\u9fff]")
    for english, other in zip(
        (feature.text_en, feature.null_en, feature.low_en, feature.none_en),
        (feature.text_zh, feature.null_zh, feature.low_zh, feature.none_zh),
        strict=True,
    ):
        assert bool(english) == bool(other)
        assert not chinese.search(english)
        assert not other or chinese.search(other)
    assert feature.text_en
    assert feature.null_en
    assert not chinese.search(feature.one_en)


@every_feature
def test_a_number_is_told_and_a_flag_says_what_false_means(feature):
    told = "{value}" in feature.text_en, "{value}" in feature.text_zh
    assert told == ((False, False) if feature.unit == "flag" else (True, True))
    assert feature.unit != "flag" or feature.low_en
    words = (*astuple(feature.en), *astuple(feature.zh))
    assert set(re.findall(r"{.*?}", "".join(words))) <= {"{value}"}


@every_feature
def test_a_feature_needs_declared_registers(feature):
    assert feature.needs
    assert set(feature.needs) <= set(REGISTERS)


@every_feature
def test_a_feature_reads_no_column_that_is_not_declared_a_predictor(feature):
    words = _words(_sql(feature))
    registers = set(re.findall(r"known\.([a-z_]+)", _sql(feature))) | set(feature.needs)
    for register in registers & set(REGISTERS):
        forbidden = {c.name for c in REGISTERS[register].columns if not c.predictor} - LINKS
        assert not words & forbidden, f"{feature.name} reads {words & forbidden} of {register}"


@every_feature
def test_a_mark_that_may_not_predict_is_named_by_no_feature(feature):
    never = REGISTERS["attendance"].column("mark").values_never_predictors
    assert never
    assert not _words(_sql(feature) + GROUNDWORK) & set(never)


@pytest.mark.parametrize("column", ["sex", "ethnicity", "disability", "placement"])
def test_the_audit_s_columns_are_declared_no_predictors_and_named_nowhere(column):
    assert not REGISTERS["students"].column(column).predictor
    assert all(column not in _words(_sql(feature) + GROUNDWORK) for feature in FEATURES)


@every_feature
def test_a_feature_over_a_restricted_fact_of_the_family_is_restricted(feature):
    restricted = {c.name for c in REGISTERS["families"].columns if c.sensitivity == "restricted"}
    told = {"entitled", "sibling_left"}
    if feature.family == "family" and _words(feature.sql) & (restricted | told):
        assert feature.sensitivity == "restricted"


def test_excused_absence_may_not_raise_the_risk_by_constraint():
    assert {BY_NAME[name].direction for name in ("sick_30", "leave_30", "sick_term", "leave_7")} == {0}
    assert BY_NAME["unexcused_30"].direction == 1
    assert BY_NAME["z_all_latest"].direction == -1


def test_the_document_of_features_is_current():
    said = DOCUMENT.read_text(encoding="utf-8")
    assert said == feature_document(), "Run python -m risk_model.features.documentation"
