"""Who boards, and how a school's pupils are spread over its classes."""

from __future__ import annotations

import numpy as np

from training.simulator.people import People
from training.simulator.places import Schools
from training.simulator.spells import LETTERS

LARGEST_CLASS = 45
_ODDS = np.array([-5.4, -3.1, -2.15])
"""Log-odds of boarding at 1 km from school in grades 1–3, 4–6 and 7–9."""
_PER_LOG_KM = 1.3


def boards(people: People, schools: Schools, school: np.ndarray, grade: np.ndarray) -> np.ndarray:
    """Who boards; logistic in the way to ``school``, and the same pupils as long as it is the same way."""
    stage = np.clip((grade - 1) // 3, 0, 2)
    odds = _ODDS[stage] + _PER_LOG_KM * np.log(np.maximum(people.road(schools, school), 0.3))
    return people.boarder < 1 / (1 + np.exp(-odds))


def class_letters(group: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Index into LETTERS for each pupil, spreading every ``group`` evenly by ``order``.

    >>> class_letters(np.zeros(46, int), np.arange(46)).tolist() == [0] * 23 + [1] * 23
    True
    """
    size = np.bincount(group)
    sequence = np.lexsort((order, group))
    rank = np.empty(len(group), int)
    rank[sequence] = np.arange(len(group)) - (np.cumsum(size) - size)[group[sequence]]
    classes = np.clip(np.ceil(size / LARGEST_CLASS), 1, len(LETTERS)).astype(int)
    return rank * classes[group] // size[group]
