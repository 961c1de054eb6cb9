"""Reasons are kept as facts and said when read: nothing is lost on the way, and nothing restricted kept."""

from __future__ import annotations

import json

import numpy as np
import pytest

from risk_model.explanation.packing import pack, pack_status, unpack
from risk_model.explanation.reasons import reasons, status_reasons
from risk_model.explanation.sentences import is_restricted
from risk_model.features.declared import BY_NAME, FEATURES
from risk_model.settings import ListSettings

PUPILS = 400


def matrices(seed: int):
    """Values with nulls and zeros, values of the class, contributions of either sign."""
    dice = np.random.default_rng(seed)
    shape = (PUPILS, len(FEATURES))
    values = np.where(dice.random(shape) < 0.2, np.nan, dice.normal(0.4, 0.6, shape))
    flags = np.array([feature.unit == "flag" for feature in FEATURES])
    values[:, flags] = dice.integers(0, 2, (PUPILS, flags.sum()))
    of_class = np.where(dice.random(shape) < 0.3, np.nan, dice.random(shape))
    return values, of_class, dice.normal(0, 0.5, shape)


@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("seed", range(3))
def test_what_is_read_is_what_would_have_been_said_at_once(seed, language):
    settings = ListSettings(language=language, reasons=5)
    facts = matrices(seed)
    kept = pack(FEATURES, *facts, settings)
    at_once = reasons(FEATURES, *facts, settings)
    assert [unpack(text, BY_NAME, language) for text in kept] == at_once


def test_of_a_restricted_reason_neither_name_nor_value_is_kept():
    values, of_class, contributions = matrices(1)
    hidden = np.array([is_restricted(feature) for feature in FEATURES])
    contributions[:, hidden] += 10
    kept = pack(FEATURES, values, of_class, contributions, ListSettings())
    assert all(json.loads(text)[0][0] == "restricted" for text in kept)
    named = {entry[0] for text in kept for entry in json.loads(text)}
    assert not named & {feature.name for feature in FEATURES if is_restricted(feature)}
    assert {len(entry) for text in kept for entry in json.loads(text) if entry[0] == "restricted"} == {3}


def test_a_pupil_without_a_reason_and_a_table_without_pupils_keep_empty_lists():
    values, of_class, contributions = matrices(2)
    kept = pack(FEATURES, values, of_class, -np.abs(contributions), ListSettings())
    assert set(kept) == {"[]"}
    nobody = np.empty((0, len(FEATURES)))
    assert len(pack(FEATURES, nobody, nobody, nobody, ListSettings())) == 0


def test_a_pupil_without_a_score_keeps_the_status():
    assert unpack(pack_status("absent_long"), BY_NAME, "zh") == status_reasons("absent_long", "zh")


def test_a_feature_no_longer_declared_is_told_by_its_name():
    [told] = unpack('[["gone",0.5,1.0,null]]', BY_NAME, "en")
    assert (told.feature, told.text, told.contribution) == ("gone", "gone", 0.5)


def test_rows_kept_with_their_sentences_are_read_as_they_are():
    old = '[{"feature": "boarding", "family": "distance", "text": "Boards", "contribution": 0.1}]'
    assert unpack(old, BY_NAME, "en")[0].text == "Boards"
