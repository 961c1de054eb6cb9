"""The section of monitoring: every bound with its reason."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from risk_model.settings.kinds import Range, Section, Share


class MonitoringSettings(Section):
    """What is told of a night, what is looked into, and whom it is told."""

    nights: Annotated[int, Field(ge=1, le=30)] = 3
    """A column must have drifted on so many nights in a row: a wet Tuesday is over on Thursday."""
    psi: Annotated[float, Field(gt=0)] = 0.2
    """Population stability index: below 0.1 nothing, above 0.25 a new population (Siddiqi 2006); between
    seasons of the same school year simulated counties stay below 0.1. It misses a shift of 0.4 of a
    standard deviation, which…"""
    wasserstein: Annotated[float, Field(gt=0)] = 0.3
    """…the distance the mass must be moved, in standard deviations of the reference, tells."""
    jensen_shannon: Annotated[float, Field(gt=0, le=1)] = 0.2
    """Distance of two mixes, 0–1 (base 2), for what has no order: counties, grades, status."""
    least_importance: Share = 0.02
    """A column that makes up less of the mean |SHAP| than this, twice an even share of 88, is told in the
    table and alarms nobody."""
    weighted_drift: Annotated[float, Field(gt=0)] = 0.1
    """Mean PSI over columns weighted by importance, from which the whole input counts as drifted: half of the
    bound of one column, for many must move together to reach it."""
    false_discovery_rate: Annotated[float, Field(gt=0, le=0.5)] = 0.01
    """Of the columns called drifted by chance alone (Benjamini & Hochberg 1995); 88 are asked each night."""
    design_effect: Annotated[float, Field(ge=1)] = 4.0
    """Pupils of a school share its weather and its teachers: so many of them tell as much as one alone."""
    score_psi: Annotated[float, Field(gt=0)] = 0.2
    """PSI of the risks themselves, in twenty bands of the reference."""
    reason_shift: Annotated[float, Field(gt=0, le=1)] = 0.15
    """Share of the mean |SHAP| that has moved from some families of reasons to others."""
    reference_days_off: Annotated[int, Field(ge=0, le=60)] = 10
    """A night of last school year so many days off counts as the same week; the same school day of a term is
    that day and no other."""
    reference_from_registers: bool = True
    """Where no such night was scored, the features of that day are made from the registers, each night;
    those of the weeks about it once a week."""
    most_pupils_from_registers: Annotated[int, Field(ge=0)] = 200_000
    """…up to so many pupils: for a province it takes as long as the night."""
    events: tuple[str, ...] = ()
    """Days on which attendance is not as usual, "2026-02-10..2026-02-24 Spring Festival": drift of
    attendance and of the season is told and alarms nobody, and for as long after as…"""
    event_tail_days: Annotated[int, Field(ge=0, le=120)] = 14
    """…features of the last fortnight still hold such days."""
    null_rise: Share = 0.1
    """A column of which so many more pupils have no value than usual."""
    outside_share: Share = 0.02
    """A column of which so many values lie where hardly any lay before (0.1 % beyond each end)."""
    weekday_share: Share = 0.5
    """A school that sent fewer than this share of the marks usual on that weekday…"""
    fewest_marks: Annotated[int, Field(ge=1)] = 20
    """…where so many are usual: the classes of a hamlet school may be on a trip together."""
    late_registers_days: Annotated[int, Field(ge=1, le=60)] = 3
    """School days without a single mark before the register of attendance counts as late."""
    vanished_share: Share = 0.02
    """Pupils of the last run who are in no school tonight and of whom nobody says that they left."""
    contradicted_share: Share = 0.005
    """Pupils whom the registers hold at two places at once."""
    recoded_share: Share = 0.5
    """A kind of absence that falls by this share within a week while another rises by as many marks."""
    marks_scale_share: Share = 0.2
    """Exams of the latest weeks out of so many points, this share of them, that were not used before."""
    late_exits_share: Share = 0.35
    """Exits of the last season that became known later than the reporting lag: simulated counties 10–25 %."""
    unknown_labels_share: Share = 0.2
    """Pupils of a mature cohort of whom still nobody knows: schools whose register has gaps."""
    cohort_every_days: Annotated[int, Field(ge=7, le=366)] = 28
    """Runs so far apart are judged by labels; those between them share nearly all their leavers."""
    most_cohorts: Annotated[int, Field(ge=1, le=60)] = 12
    """…and at most so many of them."""
    least_precision_ratio: Share = 0.7
    """Real over expected precision of the list: the interval must reach this, or precision has dropped."""
    expected_over_observed: Range = (0.8, 1.25)
    """Expected over observed leavers; the interval over schools must reach into it."""
    minimum_positives: Annotated[int, Field(ge=1)] = 30
    """Leavers of a cohort below which its figures carry no decision."""
    smallest_cell: Annotated[int, Field(ge=2)] = 10
    """A group of fewer pupils, or a figure of fewer leavers, is not shown."""
    retrain_after_days: Annotated[int, Field(ge=30)] = 220
    """A model older than this has not seen the last term: the term schedule."""
    care_bandwidth: Annotated[float, Field(gt=0, le=5)] = 1.0
    """Pupils so near the end of their school's list, in log-odds of risk, are compared."""
    care_slope_spread: Annotated[float, Field(gt=0, le=5)] = 0.1
    """How far the slope of outcome on risk may lie from 1 near the line, as a standard deviation: the gate
    lets a model pass whose interval reaches 0.9–1.1."""
    most_churn: Share = 0.5
    """A list of which so many fall off within a week is looked at before it is used."""
    keep_days: Annotated[int, Field(ge=400)] = 800
    """Documents and histograms of nights are kept so long: last year's night is this year's reference."""
    evidently: bool = True
    """Whether Evidently's report is made beside ours, in a process of its own."""
    evidently_rows: Annotated[int, Field(ge=100, le=200_000)] = 5_000
    """…over a sample of so many pupils."""
    evidently_seconds: Annotated[int, Field(ge=5, le=3600)] = 120
    """…which is ended after so long."""
    webhook: str = ""
    """Address new alerts are posted to as JSON; counts and names of schools, never a pupil."""
    smtp: str = ""
    """Mail server, ``host:port``; one digest a night for each owner that has an address."""
    smtp_from: str = "dropout-risk@localhost"
    owners: dict[Literal["data_office", "data_scientist", "responsible"], str] = Field(default_factory=dict)
    """E-mail addresses by owner of an alert."""
    remind_days: Annotated[int, Field(ge=1, le=365)] = 7
    """An alert that lasts is sent again after so many days, not every night."""


class ComparisonSettings(Section):
    """The random comparison among near-equal pupils: off. docs/monitoring.md says who may begin one."""

    share: Annotated[float, Field(ge=0, le=0.3)] = 0.0
    """At most so many of a school's places are drawn by lot, the last ones. 0: none, lists are as ranked."""
    band: Annotated[float, Field(gt=0, le=0.5)] = 0.2
    """Two pupils no further apart than this, in log-odds of risk, are near-equal: the gate lets a model pass
    whose slope is off by a tenth, which at a risk of one in ten is as much."""
    seed: str = ""
    """Names the round, and salts its lots: the same name, the same lots."""
    decided_by: str = ""
    """Who answers for it: stands in the record of every night."""
    until: date | None = None
    """The last day on which places are drawn."""
    left_out: tuple[str, ...] = ()
    """Identifiers of pupils who are not drawn: who objected, or whom a teacher will not have drawn."""

    @model_validator(mode="after")
    def _is_answered_for(self) -> Self:
        missing = [name for name in ("seed", "decided_by", "until") if not getattr(self, name)]
        if self.share and missing:
            raise ValueError(
                f"a random comparison needs {' and '.join(missing)}: a name for its round, who decided it, "
                "and its last day"
            )
        return self
