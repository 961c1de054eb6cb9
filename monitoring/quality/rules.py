"""Rules over what the registers say of themselves: told at once, before drift could be seen in a feature.

What holds a school back is decided with the score, by :mod:`risk_model.quality`; these inform.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pandas as pd

from monitoring.findings import Finding
from monitoring.quality.registers import WEEKS, RegisterFacts
from risk_model.settings import LabelSettings, MonitoringSettings

KINDS = ("absent_sick", "absent_leave", "absent_unexcused", "late")
NAMED = 5
FEWEST_CHANGED = 0.005
"""Of all marks, so many must have changed their kind."""
FEWEST_GONE = 30
GONE = 0.1
"""A kind of which so many were due and hardly a tenth came is gone: no week does that to sickness, however
frequent the kind already is that takes its place."""
FEWEST_EXITS = 20
FEWEST_WEEKS = 3
"""With a mark on a weekday before anything is usual."""


def judge_register_facts(
    facts: RegisterFacts, labels: LabelSettings, rules: MonitoringSettings
) -> list[Finding]:
    """All findings about the registers themselves."""
    return [
        *_late_register(facts, rules),
        *_few_marks(facts, rules),
        *_silent_schools(facts, rules),
        *_recoded(facts, rules),
        *_marks_scale(facts, rules),
        *_new_categories(facts),
        *_late_exits(facts, labels, rules),
    ]


def _late_register(facts: RegisterFacts, rules: MonitoringSettings) -> Iterator[Finding]:
    days = facts.school_days_since
    if days is None or days < rules.late_registers_days or facts.marks.empty:
        return
    last = facts.marks["day"].max()
    yield Finding(
        "late_register", "registers", "investigate", "data_office", window=f"up to {facts.as_of}",
        n=days, figures={"days": days, "last": f"{last:%Y-%m-%d}"},
    )  # fmt: skip


def _latest(facts: RegisterFacts) -> pd.DataFrame:
    """Marks of each school on its best of the latest two school days, as a share of that weekday's usual.

    Two days, for some classes write their register a day late. Columns ``school_id, usual, share, day``.
    """
    marks = facts.marks
    if marks.empty:
        return marks
    schools = marks.groupby("day")["school_id"].nunique()
    days = schools[schools >= schools.median() / 2].index.sort_values()[-2:]
    told = pd.concat([_beside_weekday(marks, day) for day in days])
    best = told.sort_values("share").groupby("school_id").tail(1)
    return best.assign(day=days.max())


def _beside_weekday(marks: pd.DataFrame, day: pd.Timestamp) -> pd.DataFrame:
    back = (day - marks["day"]).dt.days
    same = marks[(back > 0) & (back % 7 == 0) & (back <= 7 * WEEKS)]
    usual = same.groupby("school_id")["rows"].agg(usual="median", weeks="size")
    now = marks[marks["day"] == day].groupby("school_id")["rows"].sum()
    found = usual[usual["weeks"] >= FEWEST_WEEKS].join(now.rename("now"), how="left").reset_index()
    return found.assign(share=found["now"].fillna(0) / found["usual"])


def _few_marks(facts: RegisterFacts, rules: MonitoringSettings) -> Iterator[Finding]:
    latest = _latest(facts)
    if latest.empty:
        return
    few = latest[
        (latest["usual"] >= rules.fewest_marks)
        & (latest["share"] < rules.weekday_share)
        & (latest["share"] > 0)
    ]
    if len(few):
        yield Finding(
            "few_marks", "registers", "investigate", "data_office", window=_on(few), n=len(few),
            figures={"share": rules.weekday_share, "names": names_of(few["school_id"])},
        )  # fmt: skip


def _silent_schools(facts: RegisterFacts, rules: MonitoringSettings) -> Iterator[Finding]:
    latest = _latest(facts)
    if latest.empty:
        return
    silent = latest[(latest["share"] == 0) & (latest["usual"] >= rules.fewest_marks)]
    if len(silent):
        yield Finding(
            "silent_schools", "registers", "investigate", "data_office", window=_on(silent), n=len(silent),
            figures={"names": names_of(silent["school_id"])},
        )  # fmt: skip


def _recoded(facts: RegisterFacts, rules: MonitoringSettings) -> Iterator[Finding]:
    """One kind of mark falls while another rises by as many: a code was changed, not the pupils."""
    days = sorted(facts.marks["day"].unique()) if len(facts.marks) else []
    if len(days) < 15:
        return
    recent = facts.marks["day"].isin(days[-5:])
    shares = {
        when: part[list(KINDS)].sum() / max(part["rows"].sum(), 1)
        for when, part in (("now", facts.marks[recent]), ("before", facts.marks[~recent]))
    }
    change = shares["now"] - shares["before"]
    fell, rose = str(change.idxmin()), str(change.idxmax())
    lost, gained = -change[fell], change[rose]
    due = shares["before"][fell] * facts.marks.loc[recent, "rows"].sum()
    gone = due >= FEWEST_GONE and shares["now"][fell] <= GONE * shares["before"][fell]
    if (
        lost >= rules.recoded_share * shares["before"][fell]
        and lost >= FEWEST_CHANGED
        and gained >= lost / 2
        and (gone or gained >= shares["before"][rose] / 2)  # a kind that is frequent already need not double
    ):
        yield Finding(
            "recoded", "recoded", "investigate", "data_office", window="last 5 school days",
            n=int(facts.marks.loc[recent, "rows"].sum()),
            figures={
                "fell": fell, "fell_from": shares["before"][fell], "fell_to": shares["now"][fell],
                "rose": rose, "rose_from": shares["before"][rose], "rose_to": shares["now"][rose],
            },
        )  # fmt: skip


def _marks_scale(facts: RegisterFacts, rules: MonitoringSettings) -> Iterator[Finding]:
    scales = facts.scales
    if scales.empty or not scales["before"].sum():
        return
    total = scales["recent"].sum()
    for scale in scales[scales["before"] == 0].itertuples(index=False):
        if scale.recent >= rules.marks_scale_share * total and scale.recent:
            yield Finding(
                "marks_scale", "scale", "investigate", "data_office", unit=f"points:{scale.points:g}",
                window="last 45 days", n=int(total),
                figures={"share": scale.recent / total, "points": f"{scale.points:g}"},
            )  # fmt: skip


def _new_categories(facts: RegisterFacts) -> Iterator[Finding]:
    told = facts.categories
    if told.empty:
        return
    known = told.groupby(["register", "column"])["before"].transform("sum") > 0
    for row in told[known & (told["before"] == 0) & (told["recent"] > 0)].itertuples(index=False):
        _, column, value, recent, _ = row
        yield Finding(
            "new_category", "categories", "investigate", "data_office",
            unit=f"value:{row[0]}.{column}={value}", window="last 14 days", n=int(recent),
            figures={"register": row[0], "column": column, "value": value},
        )  # fmt: skip


def _late_exits(facts: RegisterFacts, labels: LabelSettings, rules: MonitoringSettings) -> Iterator[Finding]:
    """Exits long enough ago to have been told in time, and when they were; nothing if that is assumed."""
    lag = timedelta(days=labels.reporting_lag_days)
    if facts.assumed or facts.exits.empty:
        return
    ended, recorded = pd.to_datetime(facts.exits["ended_on"]), pd.to_datetime(facts.exits["recorded_on"])
    old = ended <= pd.Timestamp(facts.as_of) - 2 * lag
    late = (recorded - ended > lag)[old]
    if len(late) >= FEWEST_EXITS and late.mean() >= rules.late_exits_share:
        yield Finding(
            "labels_late", "labels", "investigate", "data_office", window="exits of the last 150 days",
            n=len(late), figures={"share": float(late.mean()), "lag": labels.reporting_lag_days},
        )  # fmt: skip


def _on(schools: pd.DataFrame) -> str:
    return f"{schools['day'].iloc[0]:%Y-%m-%d}"


def names_of(schools: pd.Series) -> str:
    """The first few identifiers, and how many more."""
    names = sorted(str(name) for name in schools)
    more = f" +{len(names) - NAMED}" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
