"""Invented names and identifiers; no real person, school or number."""

from __future__ import annotations

import numpy as np

from training.simulator.layout import Township

_SURNAMES = np.array(
    list(
        "王李张刘陈杨黄赵吴周徐孙马朱胡郭何高林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘于蒋蔡余杜叶程苏魏吕丁任沈龙韦岑莫"
    )
)
_GIVEN = np.array(
    list(
        "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰梅春建国文斌宇浩然子涵欣怡佳琪梓轩雨思远晨曦月红小龙凤鹏飞翔云海山川"
    )
)
_VILLAGES = np.array(list("石龙马水坪河沟山田坝塘桥岩湾岭洞泉林竹松花"))
_SPREAD = 387_420_489
"""9⁹ shares no factor with 10¹², so multiplying by it shuffles twelve digits one to one."""


def person_names(random: np.random.Generator, count: int) -> np.ndarray:
    """Names of two or three characters."""
    surname = _SURNAMES[random.integers(0, len(_SURNAMES), count)]
    first, second = _GIVEN[random.integers(0, len(_GIVEN), (2, count))]
    return np.char.add(np.char.add(surname, first), np.where(random.random(count) < 0.75, second, ""))


def village_names(random: np.random.Generator, count: int) -> list[str]:
    """Names of village schools."""
    return [f"{a}{b}村小学" for a, b in _VILLAGES[random.integers(0, len(_VILLAGES), (count, 2))]]


def pupil_ids(town: Township, count: int, kind: int = 0) -> np.ndarray:
    """``count`` identifiers of 19 characters as long as a 学籍号; ``kind`` 1 and 2 never meet kind 0.

    >>> from training.simulator.presets import COUNTY
    >>> pupil_ids(Township(0, 0, 0, 10, COUNTY), 2).tolist()
    ['G520121000387420489', 'G520121000774840978']
    """
    number = ((town.index * 3 + kind) * 100_000 + np.arange(1, count + 1)) * _SPREAD % 10**12
    return np.array([f"G{town.county_id}{value:012d}" for value in number.tolist()], dtype="U19")
