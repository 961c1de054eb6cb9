"""Sections of the registers: which may be trusted, and how they are kept."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from risk_model.settings.kinds import Section, Share


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
