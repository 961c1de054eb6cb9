"""All features and relations of the project, in the order of the model's columns."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from risk_model.features import attendance, distance, exams, family, learning, season, streaks
from risk_model.features.feature import COMPARED, Feature, Relation

FEATURES: tuple[Feature, ...] = (
    *attendance.FEATURES,
    *streaks.FEATURES,
    *learning.FEATURES,
    *family.FEATURES,
    *distance.FEATURES,
    *season.FEATURES,
)
RELATIONS: tuple[Relation, ...] = (
    *attendance.RELATIONS,
    *exams.RELATIONS,
    *family.RELATIONS,
    *distance.RELATIONS,
    *season.RELATIONS,
)
"""Relations over the registers; :data:`~risk_model.features.feature.COMPARED` comes after them."""

FEATURE_NAMES: tuple[str, ...] = tuple(feature.name for feature in FEATURES)
BY_NAME: Mapping[str, Feature] = MappingProxyType({feature.name: feature for feature in FEATURES})


def features_of(relation: str) -> tuple[Feature, ...]:
    """The features read from ``relation``, in declared order.

    >>> [feature.name for feature in features_of("closures")]
    ['school_closed']
    """
    return tuple(feature for feature in FEATURES if feature.relation == relation)


FIRST_LEVEL: tuple[Feature, ...] = tuple(feature for feature in FEATURES if feature.relation != COMPARED)
