"""Sections of the model: whom it lists, what it learns, how it is judged."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from risk_model.settings.kinds import Component, Range, Section, Share


class ListSettings(Section):
    """Who is on tonight's list: what the staff of a school can look at."""

    capacity_share: Share = 0.05
    """Share of a school's scored pupils that may be listed."""
    capacity_per_class: Annotated[int, Field(ge=0)] = 5
    """At most so many of one class."""
    minimum_risk: Share = 0.01
    """Nobody below this calibrated risk is listed."""
    stay_margin: Share = 0.0
    """Who was on the last published list stays until ranked so much beyond the capacity of the school, so
    that nobody comes and goes from night to night; lists may be longer by that share. 0: as ranked."""
    salt: str = "dropout-risk"
    """Salt of the hash that breaks ties in rank."""
    language: Literal["en", "zh"] = "en"
    """Language of the reasons."""
    reasons: Annotated[int, Field(ge=1, le=20)] = 4
    """How many reasons a row of the list carries."""


class LabelSettings(Section):
    """What counts as leaving, and when it is known."""

    horizon_days: Annotated[int, Field(ge=14, le=730)] = 90
    reporting_lag_days: Annotated[int, Field(ge=0, le=365)] = 28
    components: tuple[Component, ...] = ("dropped_out", "long_absence", "non_return")
    long_absence_school_days: Annotated[int, Field(ge=5, le=120)] = 20
    between_spells_days: Annotated[int, Field(ge=0, le=365)] = 100
    transfer_grace_days: Annotated[int, Field(ge=0, le=365)] = 30
    minimum_coverage: Share = 0.5
    """A school's register must cover this share of the window's school days for a label."""
    grades: tuple[int, ...] = tuple(range(1, 13))


class TrainingSettings(Section):
    """How the model is fitted and judged."""

    snapshot_every_days: Annotated[int, Field(ge=7, le=365)] = 30
    minimum_history_days: Annotated[int, Field(ge=1)] = 312
    """With less history than this the school's rule is served as a logistic bundle."""
    test_snapshots: Annotated[int, Field(ge=1, le=60)] = 6
    negatives_per_positive: Annotated[int, Field(ge=1)] = 20
    """Negatives are sampled to this ratio and re-weighted exactly."""
    most_negatives: Annotated[int, Field(ge=1000)] = 4_000_000
    """…and to at most so many of a slice, so that memory does not grow with a province's rows."""
    care_weight: Share = 1.0
    """What a care-affected row counts for in fit and calibration: 1 = as any other, 0 = left out. With 1 a
    risk says what happens with the help pupils get today; docs/decisions.md says why that is the default."""
    seed: int = 20260901
    bootstrap_samples: Annotated[int, Field(ge=20, le=10000)] = 200
    threads: Annotated[int, Field(ge=1, le=256)] = 1
    """Of LightGBM. On a county's rows one thread is as fast as two, and five times faster where another
    process wants the second core: small trees wait for each other at every split."""
    max_roc_auc: Share = 0.97
    """An AUC at or above this is a leak until explained."""
    least_recall_change: Annotated[float, Field(ge=-1, le=0)] = -0.01
    """A challenger's recall at capacity above the champion's: the lower end of its interval must reach this.
    With few leavers it seldom does, and the champion stays; --promote force overrules, on record."""
    max_churn: Share = 0.6
    """…and at most this share of the champion's listed pupils may fall off at once."""
    minimum_test_positives: Annotated[int, Field(ge=1)] = 30
    """Leavers in the backtest below which its figures carry no decision."""
    expected_over_observed: Range = (0.8, 1.25)
    """Expected over observed leavers, of everybody and of the top 5 %: the interval over schools must reach
    into it. With few leavers it is wide and says little, with many it is narrow and the bounds bind."""
    calibration_slope: Range = (0.9, 1.1)
    """…and so must the interval of the slope of outcome on risk, in log-odds."""
    max_feature_auc: Share = 0.93
    """…and so is a single feature at or above this. The strongest honest ones, recent absence, reach 0.8."""
    max_missing_auc: Share = 0.75
    """…and a feature of which it tells so much whether it is known at all; new pupils have gaps, too."""
    max_shuffled_gap: Share = 0.06
    """…and a model fitted on shuffled labels whose mean AUC lies so far from 0.5: in a small county that mean
    has a spread of about 0.015."""
    max_twin_share: Share = 0.02
    """…and more than this share of leavers with the very values of another pupil of their day."""


class FairnessSettings(Section):
    """The audit of the list by group."""

    minimum_group: Annotated[int, Field(ge=10)] = 100
    """Rows of pupils a group needs before its figures are told…"""
    minimum_positives: Annotated[int, Field(ge=1)] = 10
    """…and leavers among them."""
    least_recall_ratio: Share = 0.8
    """A group whose leavers are found less often than this share of the largest group's is named, if the
    interval over schools leaves no doubt that they are found less often."""
    most_missing_more: Share = 0.1
    """…and one of whose feature values so many more are unknown."""
    least_recall_ratio_change: Annotated[float, Field(ge=-10, le=0)] = -0.05
    """A challenger's ratio of a group's recall to the largest group's, above the champion's: the lower end of
    its interval must reach this in every group large enough to tell."""
