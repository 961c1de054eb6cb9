"""One sentence per feature and pupil, from the templates of the feature's declaration."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from risk_model.explanation.words import Language, amount, with_unit

RESTRICTED = {
    "en": {
        "attendance": "A circumstance of attendance (details are restricted)",
        "learning": "A circumstance of learning (details are restricted)",
        "family": "A family circumstance (details are restricted)",
        "distance": "A circumstance of the way to school (details are restricted)",
    },
    "zh": {
        "attendance": "出勤方面的情况（详情受限）",
        "learning": "学习方面的情况（详情受限）",
        "family": "家庭方面的情况（详情受限）",
        "distance": "上学路途方面的情况（详情受限）",
    },
}
STATUS = {
    "en": {
        "absent_long": "Absent without excuse for 20 school days or more; find out where the pupil is",
        "home_teaching": "Taught at home; not scored, check that the teaching takes place",
        "no_register": "The class kept no register in the last 30 school days, so nothing can be said",
        "between_spells": "Promoted or graduated, and enrolled nowhere since",
    },
    "zh": {
        "absent_long": "连续旷课20个教学日及以上，请核实去向",
        "home_teaching": "送教上门，不评分，请核实送教情况",
        "no_register": "班级最近30个教学日没有考勤记录，无法评估",
        "between_spells": "已升级或毕业，尚未在任何学校注册",
    },
}
STATUS_FAMILY = {
    "absent_long": "attendance",
    "no_register": "attendance",
    "home_teaching": "family",
    "between_spells": "learning",
}
OF_CLASS = {"en": " (class: {})", "zh": "（班级：{}）"}
DIGITS = {"percent": 3}
"""Values that are equal to what is shown (one digit unless given here) make the same sentence."""

NOTHING = ("0", "0 %")
"""How a value of nothing is shown."""


class Told(Protocol):
    """What a sentence needs of a feature's declaration."""

    @property
    def name(self) -> str: ...
    @property
    def family(self) -> str: ...
    @property
    def unit(self) -> str: ...
    @property
    def group(self) -> str: ...
    @property
    def direction(self) -> int: ...
    @property
    def comparison(self) -> bool: ...
    @property
    def sensitivity(self) -> str: ...
    @property
    def text_en(self) -> str: ...
    @property
    def text_zh(self) -> str: ...
    @property
    def low_en(self) -> str: ...
    @property
    def low_zh(self) -> str: ...
    @property
    def none_en(self) -> str: ...
    @property
    def none_zh(self) -> str: ...
    @property
    def one_en(self) -> str: ...
    @property
    def null_en(self) -> str: ...
    @property
    def null_zh(self) -> str: ...


def is_restricted(feature: Told) -> bool:
    """Whether lists and exports may show only the family of this feature."""
    return feature.sensitivity == "restricted"


def sentences(
    feature: Told,
    values: NDArray[np.float64],
    of_class: NDArray[np.float64],
    language: Language,
    *,
    protective: bool = False,
) -> NDArray[np.object_]:
    """The sentence of each pupil; ``values`` and ``of_class`` have shape (pupils,), NaN = null.

    ``protective``: told as what lowers the risk. Equal values make equal sentences, so each distinct pair is
    rendered once.
    """
    if is_restricted(feature):
        return np.full(len(values), restricted_sentence(feature.family, language), dtype=object)
    digits = DIGITS.get(feature.unit, 1)
    pairs = zip(np.round(values, digits).tolist(), np.round(of_class, digits).tolist(), strict=True)
    rendered: dict[tuple[str, str], str] = {}
    texts = np.empty(len(values), dtype=object)
    for place, pair in enumerate(pairs):
        key = str(pair[0]), str(pair[1])  # no number is equal to itself where it is none
        if key not in rendered:
            rendered[key] = sentence(feature, *pair, language, protective=protective)
        texts[place] = rendered[key]
    return texts


def sentence(
    feature: Told, value: float, of_class: float, language: Language, *, protective: bool = False
) -> str:
    """One pupil's sentence: the declared text with value and class, or what null means."""
    if np.isnan(value):
        return _text(feature, "null", language)
    kind = _kind(feature, value)
    low = _text(feature, "low", language) if kind == "low" else ""
    shown = amount(abs(value) if low else value, feature.unit)
    text = (_text(feature, kind, language) or _text(feature, "text", language)).replace("{value}", shown)
    if _compared(feature, value, of_class, protective):
        text += OF_CLASS[language].format(with_unit(of_class, feature.unit, language))
    return text


def _kind(feature: Told, value: float) -> str:
    """Which of the declared texts tells the value."""
    if feature.unit == "flag":
        return "low" if value == 0 else "text"
    shown = amount(value, feature.unit)
    if shown in NOTHING:
        return "none"
    if value < 0:
        return "low"
    return "one" if shown == "1" else "text"


def _compared(feature: Told, value: float, of_class: float, protective: bool) -> bool:
    """Whether the class's value tells something: not where the value is itself a comparison (one with a
    text for less), a yes or no, or the same for everybody; nor where a reason for risk would read as
    praise, because the pupil stands better than the class, or a protective one as blame."""
    told_alone = feature.comparison or bool(feature.low_en) or feature.unit == "flag"
    worse = feature.direction * (value - of_class) * (-1 if protective else 1)
    return not (np.isnan(of_class) or told_alone or worse < 0 or feature.family == "time")


def restricted_sentence(family: str, language: Language) -> str:
    """All that a list says of a restricted feature."""
    texts = RESTRICTED[language]
    return texts.get(family, texts["family"])


def status_sentence(status: str, language: Language) -> str:
    """Why a pupil has no score."""
    return STATUS[language][status]


def _text(feature: Told, kind: str, language: Language) -> str:
    return str(getattr(feature, f"{kind}_{language}", None) or "")
