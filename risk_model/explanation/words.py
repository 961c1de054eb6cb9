"""Numbers in words: a risk as "about 1 in 4", a value with its unit. No colours, no verdicts."""

from __future__ import annotations

from fractions import Fraction
from math import log
from typing import Literal

Language = Literal["en", "zh"]

ONE_IN = (2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 25, 30, 40, 50, 60, 80, 100, 150, 200, 300, 500, 1000)
SPOKEN = [Fraction(1, n) for n in ONE_IN] + [
    *(Fraction(2, 5), Fraction(3, 5), Fraction(2, 3), Fraction(3, 4), Fraction(4, 5), Fraction(9, 10))
]
PER_SHARE = 100.0
WHOLE_FROM = 10
"""From so many percent on, tenths of a percent tell nothing."""
UNITS_EN = {
    "km": ("km", "km"),
    "days": ("day", "days"),
    "minutes": ("minute", "minutes"),
    "weeks": ("week", "weeks"),
    "months": ("month", "months"),
    "years": ("year", "years"),
}
UNITS_ZH = {"km": "公里", "days": "天", "minutes": "分钟", "weeks": "周", "months": "个月", "years": "年"}
LEAST, MOST = 0.00075, 0.95
"""Beyond these no simple fraction is nearer than the words."""


def risk_in_words(risk: float, language: Language = "en") -> str:
    """A calibrated risk (0–1) as people say it.

    >>> risk_in_words(0.24), risk_in_words(0.7), risk_in_words(0.0004)
    ('about 1 in 4', 'about 2 in 3', 'less than 1 in 1,000')
    >>> risk_in_words(0.24, "zh")
    '约每4人中有1人'
    """
    if risk < LEAST:
        return "less than 1 in 1,000" if language == "en" else "不到每1000人中有1人"
    if risk > MOST:
        return "almost certain" if language == "en" else "几乎可以肯定"
    nearest = min(SPOKEN, key=lambda spoken: abs(_odds_log(float(spoken)) - _odds_log(risk)))
    if language == "zh":
        return f"约每{nearest.denominator}人中有{nearest.numerator}人"
    return f"about {nearest.numerator} in {nearest.denominator:,}"


def percent(share: float) -> str:
    """A share (0–1) with the digits it deserves.

    >>> percent(0.234), percent(0.0234), percent(0.0), percent(1.0)
    ('23 %', '2.3 %', '0 %', '100 %')
    """
    value = share * PER_SHARE
    whole = abs(value) >= WHOLE_FROM or value == 0
    return f"{_trimmed(float(round(value))) if whole else _trimmed(value)} %"


def amount(value: float, unit: str) -> str:
    """A value as it stands in a sentence; the sentence names the unit, a share brings its sign.

    >>> amount(0.18, "percent"), amount(12.0, "days"), amount(3.27, "km")
    ('18 %', '12', '3.3')
    """
    return percent(value) if unit == "percent" else _trimmed(value)


def with_unit(value: float, unit: str, language: Language) -> str:
    """A value that stands alone, with its unit.

    >>> with_unit(1.0, "days", "en"), with_unit(2.8, "km", "en"), with_unit(0.0, "days", "zh")
    ('1 day', '2.8 km', '0天')
    """
    told = amount(value, unit)
    if language == "zh":
        return told + UNITS_ZH.get(unit, "")
    one, several = UNITS_EN.get(unit, ("", ""))
    return f"{told} {one if told == '1' else several}".rstrip()


def _trimmed(value: float) -> str:
    text = f"{value:,.1f}"
    text = text.removesuffix(".0")
    return "0" if text == "-0" else text.replace("-", "−")


def _odds_log(risk: float) -> float:
    bounded = min(max(risk, 1e-9), 1 - 1e-9)
    return log(bounded / (1 - bounded))
