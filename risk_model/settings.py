"""Every setting of the project, in one place: ``dropout-risk.toml`` and ``DROPOUT_RISK_…``.

A setting ``capacity_share`` of the section ``[list]`` is also the environment variable
``DROPOUT_RISK_LIST__CAPACITY_SHARE``; the environment wins over the file. Several values are written
``DROPOUT_RISK_LABELS__COMPONENTS=dropped_out,long_absence`` or as JSON.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal, get_origin

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from risk_model.errors import UsageError


def _ascending(bounds: tuple[float, float]) -> tuple[float, float]:
    if bounds[0] > bounds[1]:
        raise ValueError(f"the lower bound {bounds[0]:g} lies above the upper one, {bounds[1]:g}")
    return bounds


Share = Annotated[float, Field(ge=0, le=1)]
Range = Annotated[tuple[float, float], AfterValidator(_ascending)]
"""A lower and an upper bound."""
Component = Literal["dropped_out", "long_absence", "non_return", "transferred_nowhere"]


def _size(text: str) -> str:
    if re.fullmatch(r"[1-9]\d*(\.\d+)? ?[KMGT]i?B", text, re.IGNORECASE) is None:
        raise ValueError(f"{text!r} is no size; write it as 4GB or 512MiB")
    return text


def size_in_bytes(text: str) -> int:
    """How many bytes a size is.

    >>> size_in_bytes("4GB"), size_in_bytes("1.5 KiB")
    (4000000000, 1536)
    """
    size = re.fullmatch(r"([\d.]+) ?([KMGT])(i?)B", _size(text), re.IGNORECASE)
    assert size is not None
    number, unit, binary = size.groups()
    return int(float(number) * (1024 if binary else 1000) ** (1 + "KMGT".index(unit.upper())))


Memory = Annotated[str, AfterValidator(_size)]
"""A size as DuckDB understands it."""

PREFIX = "DROPOUT_RISK_"
NO_SETTINGS = frozenset({"DROPOUT_RISK_HOME", "DROPOUT_RISK_CONFIG", "DROPOUT_RISK_PROVINCE_KEY_FILE"})
"""Variables with our prefix that are options of the command, not settings."""


class Section(BaseModel):
    """A section of the configuration file; an unknown key is an error, not a silent nothing."""

    model_config = ConfigDict(extra="forbid", frozen=True)


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


class QualitySettings(Section):
    """May tonight's list of a school be trusted?"""

    silent_school_days: Annotated[int, Field(ge=1, le=60)] = 5
    """A school that kept no register on the county's last so many school days is held back."""
    stale_register_days: Annotated[int, Field(ge=1, le=366)] = 75
    """…and one whose last register is more than so many calendar days old, where no calendar says what came
    since: without one a silent county may be on holiday, and no holiday is longer than a summer."""
    minimum_rows_share: Share = 0.5
    """…and one whose last so many school days hold less than this share of its usual marks."""
    half_delivered_share: Share = 0.65
    """…and one of whose pupils, on the same days, fewer have a mark than this share of what is usual. The
    leaving grade of a school of three, away for its exams, is a third."""
    missing_class_days: Annotated[int, Field(ge=2, le=60)] = 6
    """…and one of which classes kept no register on so many school days while others did: more than a week,
    so long a class may be away, on a trip or at its exams…"""
    missing_classes_share: Share = 0.1
    """…if several classes are missing, with this share of the pupils: a grade of a nine-year school…"""
    missing_class_share: Share = 0.25
    """…or a single one with this share: a teacher's gap in a small school is no half delivery."""
    results_grace_days: Annotated[int, Field(ge=0, le=60)] = 14
    """Results of a round of exams may take so many days to come; after that…"""
    half_results_share: Share = 0.5
    """…a school is held back that sent them for fewer than this share of the pupils who had some, grade by
    grade, at the county's schools. One that sent none is not: it may not send any…"""
    fewest_results_due: Annotated[int, Field(ge=1)] = 20
    """…nor is one of which so few were to be expected."""
    implausible_days: Annotated[int, Field(ge=1, le=20)] = 3
    """Days with a register on which…"""
    nearly_all_share: Share = 0.8
    """…so many pupils are said to be absent, or all to have one mark but present, before that is not
    believed: a wave of sickness empties half of a school, and a day of flood is over on the fourth…"""
    unexcused_share: Share = 0.3
    """…or so many absent without excuse…"""
    unexcused_times: Annotated[float, Field(ge=1)] = 5.0
    """…and so many times what is usual: after a holiday or at harvest it is two or three times…"""
    unexcused_pupils: Annotated[int, Field(ge=1)] = 5
    """…and so many pupils more: in a school of twelve, two families away are a quarter."""
    flawless_days: Annotated[int, Field(ge=2, le=40)] = 10
    """Days with a register without one absence…"""
    flawless_expected: Annotated[float, Field(ge=1)] = 30.0
    """…where so many were to be expected: three a day, more than one or two long absent pupils, whose return
    would explain it. Schools too small for that are never held back for it."""
    fewest_equal_scores: Annotated[int, Field(ge=2)] = 20
    """So many pupils of a grade with the same score in a core subject are not believed: a class of six may
    all have full marks…"""
    equal_scores_share: Share = 0.5
    """…nor are they in other subjects, where one may only pass or fail, if that is this share of all."""
    most_pupils_vanished: Share = 0.2
    """A school that lost more pupils since its last list, those who left as told apart, is held back…"""
    fewest_pupils_vanished: Annotated[int, Field(ge=1)] = 10
    """…if it lost so many: in a school of twelve, two families that moved are a quarter."""
    minimum_pupils_share: Share = 0.9
    """A run over fewer than this share of the last run's pupils is not published without --force."""
    most_churn: Share = 0.6
    """A county is held back of whose listed pupils more than this share are not on the new lists, without
    --force: as much as a promotion may change…"""
    churn_days: Annotated[int, Field(ge=0, le=366)] = 7
    """…within so many days: over weeks lists change for good reasons…"""
    fewest_listed_for_churn: Annotated[int, Field(ge=1)] = 50
    """…and if so many were listed: in a small county a few pupils are most of the list."""


class AidSettings(Section):
    """Who is entitled to aid: pupils of households in one of these poverty categories."""

    entitled_poverty: tuple[str, ...] = ("monitored", "minimum_living")


class RegisterSettings(Section):
    """On what terms a delivery is taken."""

    max_rejected: Share = 0.02
    """Above this share of rejected rows of a register nothing of a delivery is taken."""


class LakeSettings(Section):
    """Upkeep of the lake, a part of every import."""

    merge_files: Annotated[int, Field(ge=2)] = 30
    """So many small files of one table are merged into one…"""
    small_file_mb: Annotated[int, Field(ge=1, le=512)] = 32
    """…small being less than this."""
    keep_snapshots_days: Annotated[int, Field(ge=1)] = 400
    """Snapshots stay readable so long; those a model on the shelf names or a reader holds, for longer."""
    keep_files_days: Annotated[int, Field(ge=1)] = 2
    """Files that no snapshot needs any more are deleted after so many days; no read takes longer."""


class PublicationSettings(Section):
    """How long the lists of the past are kept."""

    keep_runs_days: Annotated[int, Field(ge=7)] = 60
    """Every run of the last so many days is kept; of weeks before them what was published at their end."""


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
    """A night of last school year so many days off counts as the same point of the year."""
    reference_from_registers: bool = True
    """Where no such night was scored, the features of that day are made from the registers, once a week."""
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
    owners: dict[Literal["data_office", "data_scientist", "responsible"], str] = {}
    """E-mail addresses by owner of an alert."""
    remind_days: Annotated[int, Field(ge=1, le=365)] = 7
    """An alert that lasts is sent again after so many days, not every night."""


class LogSettings(Section):
    """What is told on stderr while a command works."""

    format: Literal["auto", "text", "json"] = "auto"
    """``auto``: bars and sentences on a terminal, else lines of JSON from the commands a scheduler calls
    (import, train, score, nightly) and sentences from the others; ``text`` or ``json`` always."""


class MetricsSettings(Section):
    """Figures of the last run for Prometheus' node exporter (its textfile collector)."""

    textfile: str = "data/metrics/score.prom"
    """Written after each ``score``, within the home if it is no absolute path; ``import`` and ``train`` write
    ``import.prom`` and ``train.prom`` beside it. Empty: nothing is written."""


class ServiceSettings(Section):
    """The web service that ``serve`` starts."""

    plain_http: bool = False
    """Cookies without ``__Host-`` and ``Secure``, for trying out on one machine; refused but on loopback."""
    max_body_kb: Annotated[int, Field(ge=16, le=65536)] = 1024
    """No request may be larger."""
    sign_ins_per_minute: Annotated[int, Field(ge=1)] = 10
    """Attempts for one login; from one address three times as many, for a school shares one."""
    smallest_cell: Annotated[int, Field(ge=2)] = 10
    """Fewer pupils than this are counted in no published table."""
    oidc_issuer: str | None = None
    """The OpenID Connect provider people may sign in with; none: passwords only."""
    oidc_client_id: str | None = None
    oidc_client_secret_file: str | None = None
    """A file that holds the client's secret, so that it stands in no configuration."""
    public_url: str | None = None
    """Where people reach the service, as ``https://risk.example.org``; the provider sends them back there."""


class Environment(EnvSettingsSource):
    """The variables ``DROPOUT_RISK_…``; several values are JSON or separated by commas."""

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        try:
            decoded = json.loads(value)
        except ValueError:
            decoded = None
        if isinstance(decoded, list | dict) or field is None or get_origin(field.annotation) is not tuple:
            return super().decode_complex_value(field_name, field, value)
        return [part.strip() for part in value.split(",")]


class CareSettings(Section):
    """When one-to-one care is due, and who is told that it is not done."""

    first_contact_days: Annotated[int, Field(ge=1, le=90)] = 7
    """A pupil given into somebody's care is spoken to within so many days…"""
    contact_every_days: Annotated[int, Field(ge=1, le=366)] = 30
    """…and again so many days after, where no other day was agreed."""
    township_after_days: Annotated[int, Field(ge=0, le=366)] = 7
    """What is overdue is shown to the school at once, after so many days to the township…"""
    county_after_days: Annotated[int, Field(ge=0, le=366)] = 14
    """…and after so many to the county."""
    follow_up_days: Annotated[int, Field(ge=1, le=366)] = 60
    """A note, or care that was closed, counts as follow-up for so many days."""


class Settings(BaseSettings):
    """All sections; build it with :func:`load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_nested_delimiter="__", extra="forbid", frozen=True
    )

    list: ListSettings = ListSettings()
    labels: LabelSettings = LabelSettings()
    training: TrainingSettings = TrainingSettings()
    fairness: FairnessSettings = FairnessSettings()
    quality: QualitySettings = QualitySettings()
    aid: AidSettings = AidSettings()
    registers: RegisterSettings = RegisterSettings()
    lake: LakeSettings = LakeSettings()
    publication: PublicationSettings = PublicationSettings()
    monitoring: MonitoringSettings = MonitoringSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    service: ServiceSettings = ServiceSettings()
    care: CareSettings = CareSettings()
    database_url: str | None = None
    """Service database; none = SQLite in the home's ``data/service.db``."""
    tracking_uri: str | None = None
    """MLflow tracking; none = SQLite in the home's ``mlruns/mlflow.db``."""
    memory_limit: Memory = "4GB"
    """What DuckDB may use before it spills to disk."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order of precedence: call, environment, file."""
        return init_settings, Environment(settings_cls), TomlConfigSettingsSource(settings_cls)


def load_settings(config: Path) -> Settings:
    """Read ``config`` (it may be absent: the defaults hold) and the environment.

    Raises
    ------
    UsageError
        A key or a variable is unknown, or a value out of its range; the message names the variable, or
        the file's section and key.
    """
    _demand_known_variables()

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=config)

    try:
        # Plain settings, for they are sent to other processes.
        return Settings.model_validate(FromFile().model_dump())
    except ValidationError as error:
        first = error.errors()[0]
        where = _variable(first["loc"]) or f"{config.name}: {'.'.join(str(part) for part in first['loc'])}"
        raise UsageError(
            f"{where}: {first['msg'].removeprefix('Value error, ')}. Correct it and run again."
        ) from None
    except SettingsError:  # only the environment is parsed value by value
        raise UsageError(f"{_unreadable_variable()} cannot be read. Correct it and run again.") from None
    except ValueError as error:
        raise UsageError(f"{config.name} cannot be read: {error}. Correct it and run again.") from None


def _variables() -> dict[str, str]:
    """Our variables as they are written, by their names in capitals: their case does not matter."""
    return {
        name.upper(): name
        for name in os.environ
        if name.upper().startswith(PREFIX) and name.upper() not in NO_SETTINGS
    }


def _demand_known_variables() -> None:
    for capitals, written in sorted(_variables().items()):
        name, nested, key = capitals.removeprefix(PREFIX).lower().partition("__")
        field = Settings.model_fields.get(name)
        section = None if field is None else field.annotation
        keys = section.model_fields if isinstance(section, type) and issubclass(section, Section) else {}
        if field is None or (nested and key not in keys):
            raise UsageError(
                f"The environment variable {written} is no setting. Correct its name or unset it."
            )


def _variable(place: tuple[int | str, ...]) -> str | None:
    """The environment variable that set the value at ``place``; null: it came from the file."""
    names = [str(part).upper() for part in place[:2]]
    variables = _variables()
    return variables.get(PREFIX + "__".join(names)) or variables.get(PREFIX + names[0]) if names else None


def _unreadable_variable() -> str:
    """Of the variables that are no JSON though their setting needs it, the first."""
    for capitals, written in sorted(_variables().items()):
        name, nested, _ = capitals.removeprefix(PREFIX).lower().partition("__")
        section = Settings.model_fields[name].annotation
        if not nested and isinstance(section, type) and issubclass(section, Section):
            return f"{written} (the whole section {name}, as JSON)"
    return "An environment variable"
