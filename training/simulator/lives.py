"""Week after week in a township: who comes, who is promoted, who moves, who leaves and who returns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from training.simulator import spells
from training.simulator.classes import boards, class_letters
from training.simulator.layout import Plan, Township, generator
from training.simulator.learning import Learning
from training.simulator.people import People
from training.simulator.places import Schools
from training.simulator.records import DROPPED_OUT, HIDDEN, NON_RETURN, TruthRecord, YearRecord
from training.simulator.school_year import SchoolYear
from training.simulator.spells import SpellBook, class_code, days_until_recorded
from training.simulator.truth import (
    ABSENCE_RAMP,
    CAUSES,
    Circumstances,
    WeeklyChance,
    contributions,
    next_week_disengaged,
    sibling_left,
    standing_rate,
    weekly_chance,
)

AWAY_UNEXCUSED, AWAY_UNMARKED = 1, 2
NOWHERE, ENROLLED, STAYS_AWAY, OUT = range(4)
"""Not (or no longer) here; at school or awaited after a summer; gone, spell open; gone, spell closed."""

AIDED_SHARE = 0.85
RETURNS, RETURNS_NEXT_YEAR = 0.12, 0.04
REPEATS = 0.01
_NEVER = -1
_LONG_ABSENCE = 20
_MOVES = ((0.006, spells.TRANSFERRED), (0.004, spells.TRANSFERRED), (0.0005, spells.SUSPENDED),
          (0.0001, spells.DECEASED), (0.0002, spells.MOVED_ABROAD))  # fmt: skip
"""Yearly chances of moving: within the township first, then out of sight."""


@dataclass
class Lives:
    """State of all pupils of a township; advance it with :meth:`years`."""

    plan: Plan
    town: Township
    schools: Schools
    people: People
    book: SpellBook = field(default_factory=SpellBook)
    truth: TruthRecord = field(default_factory=TruthRecord)

    def __post_init__(self) -> None:
        count = len(self.people)
        self.random = generator(self.plan.seed, self.town.index, 3)
        self.learning = Learning(self.random, self.people, self.schools)
        self.status = np.zeros(count, np.int8)
        self.grade = np.array(self.people.first_grade)
        self.primary = self.people.homes.village[self.people.household]
        self.over_age = np.array(self.people.late)
        self.spell = np.full(count, _NEVER)
        self.repeats = np.zeros(count, bool)
        self.disengaged = np.zeros(count, np.int8)
        self.severity = self.random.uniform(0.6, 1.4, count).astype(np.float32)
        self.returned = np.zeros(count, bool)
        self.left = np.zeros(count, bool)
        self.unaided = (self.people.homes.poverty[self.people.household] >= 2) & (
            self.people.unaided > AIDED_SHARE
        )

    def years(self) -> Iterator[YearRecord]:
        """Live through the school years up to the plan's last day; one record for each that began."""
        for year in self.plan.school_years:
            if year.mondays[0] > self.plan.last_day:
                return
            record = self._live(year)
            if (record.seat >= 0).any():
                yield record

    def _live(self, year: SchoolYear) -> YearRecord:
        self._prepare(year)
        for week in range(len(year.mondays)):
            if year.mondays[week] + 6 > self.plan.last_day:
                break
            self._week(week)
        else:
            self._close_year()
        return self.record

    def _prepare(self, year: SchoolYear) -> None:
        """Who is expected in September, in which class; drawn in summer, as the office plans."""
        count = len(self.people)
        self.year = year
        self.joins = self.people.joins == year.index
        back = (self.status == OUT) & self.left & (self.random.random(count) < RETURNS_NEXT_YEAR)
        self.comes_back = back & (self.grade <= 9)
        expected = (self.status == ENROLLED) | self.joins | self.comes_back
        self.school = np.where(
            self.grade > 6, self.schools.junior, self.schools.teaching_in(year.index, self.primary)
        )
        self.boards = boards(self.people, self.schools, self.school, self.grade)
        group = np.where(expected, self.school * 10 + self.grade, 0)
        letters = class_letters(group, self.people.ids)
        self.code = class_code(self.school, np.clip(self.grade, 1, 9), letters)
        self.record = YearRecord.blank(year, count, self.code, self.boards)
        self.return_week = np.full(count, _NEVER)
        self.end_week = np.full(count, _NEVER)
        self.gone_since = np.full(count, _NEVER)
        self.unmarked = np.zeros(count, bool)
        self._plan_moves()
        self.record.levels[:] = self.learning.next_year()
        self._weigh(0)

    def _plan_moves(self) -> None:
        draw = self.random.random(len(self.people))
        self.move = np.digitize(draw, np.cumsum([chance for chance, _ in _MOVES]))
        first = self.year.week_of_day[0]
        self.move_week = self.random.integers(first + 1, len(self.year.mondays) - 2, len(draw))

    def _weigh(self, term: int) -> None:
        """Weigh the causes anew: before the first term (0), and when the second starts (1)."""
        result, before = self.learning.seen(term, self.school)
        self.causes = contributions(
            self.people,
            self.schools,
            Circumstances(
                school=self.school, boards=self.boards, years_over_age=self.over_age,
                unaided=self.unaided, result=result, result_before=before, returned=self.returned,
            ),
        )  # fmt: skip

    def _week(self, week: int) -> None:
        first, past = self.year.bounds[week]
        starts = self.year.starts_term(week)
        if starts == 1:
            self.status[self.joins | self.comes_back] = ENROLLED
            self.returned |= self.comes_back
        if starts == 2:
            self._weigh(1)
        self._return(week)
        self.record.skips[week] = np.where(
            self.status == ENROLLED, ABSENCE_RAMP[self.disengaged] * self.severity, 0
        )
        sibling_left(self.causes, self.people.household, self.left & ~self.returned)
        rate = standing_rate(self.town.preset, self.grade, self.causes)
        chance = weekly_chance(rate, self.disengaged, bool(first < past), starts)
        leavers = self._draw(week, chance)
        if starts == 1:
            self._open(leavers)
        self._leave(week, leavers, chance)
        self._end_late(week)
        if first < past:
            self._move(week)
            stays = self.status == ENROLLED
            onset = np.where(stays, chance.onset, 0)
            self.disengaged = next_week_disengaged(np.where(stays, self.disengaged, 0), onset, self.random)

    def _draw(self, week: int, chance: WeeklyChance) -> np.ndarray:
        """Who leaves this week; writes the truth about everybody at risk.

        Who is gone, but not yet out by the registers (no 20 school days of unexcused marks so far, or
        an open spell and no marks at all), keeps a row with hazard 1.
        """
        hazard = chance.hazard
        at_risk = (self.status == ENROLLED) & ~self.people.home_taught
        leaves = at_risk & (self.random.random(len(hazard)) < hazard)
        away = self.year.bounds[week, 0] - self.gone_since
        fading = (self.status == STAYS_AWAY) & (self.unmarked | (away < _LONG_ABSENCE))
        rows = np.flatnonzero(at_risk | fading)
        self.truth.add_week(self.year.mondays[week], rows, np.where(fading, 1.0, hazard)[rows], leaves[rows])
        return np.flatnonzero(leaves)

    def _open(self, leavers: np.ndarray) -> None:
        """Spells of the new school year; some who do not come to the junior school are enrolled nowhere."""
        year, count = self.year, len(self.people)
        nowhere = np.zeros(count, bool)
        nowhere[leavers] = (self.grade[leavers] == 7) & (self.random.random(len(leavers)) < 0.15)
        over = np.flatnonzero(self.repeats & (self.spell >= 0) & (self.status == ENROLLED))
        self._close(over, year.first_day - 1, spells.OTHER, self.random.integers(1, 4, len(over)))
        self.repeats[:] = False
        who = np.flatnonzero((self.status == ENROLLED) & ~nowhere)
        self.spell[nowhere] = _NEVER
        recorded = year.first_day + self.random.integers(0, 4, len(who))
        started = np.full(len(who), year.first_day)
        self.spell[who] = self.book.open(who, self.code[who], self.boards[who], started, recorded)
        self.record.seat[:, who] = self.code[who]

    def _close(
        self, who: np.ndarray, ended: np.ndarray, reason: int | np.ndarray, lag: np.ndarray
    ) -> np.ndarray:
        days = np.broadcast_to(np.asarray(ended, "M8[D]"), who.shape)
        return self.book.close(self.spell[who], days, np.broadcast_to(reason, who.shape), days + lag)

    def _leave(self, week: int, who: np.ndarray, chance: WeeklyChance) -> None:
        if not len(who):
            return
        days, paths = self._when_and_how(week, who, chance)
        largest = np.argmax(self.causes[:, who], axis=0)
        self.truth.add_leavers(
            who,
            self.year.mondays[week],
            days,
            np.array(CAUSES)[largest],
            paths,
            self.disengaged[who],
            self.grade[who],
        )
        self.left[who] = True
        self.status[who] = np.where(paths == DROPPED_OUT, OUT, STAYS_AWAY)
        self.status[who[self.spell[who] == _NEVER]] = OUT
        since = np.searchsorted(self.year.days, days)
        self.gone_since[who] = since
        silent = np.array([0.3, 0.0, 0.4])[paths]
        marks = np.where(self.random.random(len(who)) < silent, AWAY_UNMARKED, AWAY_UNEXCUSED)
        self.unmarked[who] = marks == AWAY_UNMARKED
        for pupil, day, mark in zip(who.tolist(), since.tolist(), marks.tolist(), strict=True):
            self.record.away[day:, pupil] = mark
        self._write_off(who[paths == DROPPED_OUT], days[paths == DROPPED_OUT])
        self._plan_return_or_end(week, who, paths)

    def _when_and_how(
        self, week: int, who: np.ndarray, chance: WeeklyChance
    ) -> tuple[np.ndarray, np.ndarray]:
        first, past = self.year.bounds[week]
        count = len(who)
        explicit = self.random.random(count) < self.town.preset.explicit_share
        if first == past:
            return self.year.mondays[week] + self.random.integers(0, 7, count), np.full(count, DROPPED_OUT)
        ways = np.stack([chance.ramp[who], chance.not_returning[who], chance.sudden[who]]).cumsum(axis=0)
        draw = self.random.random(count) * ways[2]
        not_returning = (draw >= ways[0]) & (draw < ways[1])
        not_returning |= self.spell[who] == _NEVER
        paths = np.where(not_returning, NON_RETURN, np.where(explicit, DROPPED_OUT, HIDDEN))
        day = np.where(not_returning, first, self.random.integers(first, past, count))
        return self.year.days[day], paths

    def _write_off(self, who: np.ndarray, days: np.ndarray) -> None:
        """Close the spells as dropped out; the class keeps their names until the office has recorded it."""
        known = self._close(who, days, spells.DROPPED_OUT, days_until_recorded(self.random, len(who)))
        for pupil, day in zip(who.tolist(), np.searchsorted(self.year.days, known).tolist(), strict=True):
            self.record.seat[day:, pupil] = -1

    def _plan_return_or_end(self, week: int, who: np.ndarray, paths: np.ndarray) -> None:
        draw = self.random.random((2, len(who)))
        back = self._term_week(week + self.random.integers(6, 15, len(who)))
        end = self._term_week(week + self.random.integers(8, 15, len(who)))
        returns = (draw[0] < RETURNS) & (self.spell[who] >= 0)
        ends = ~returns & (draw[1] < np.array([0, 0.3, 0.5])[paths])
        self.return_week[who] = np.where(returns, back, _NEVER)
        self.end_week[who] = np.where(ends, end, _NEVER)

    def _term_week(self, weeks: np.ndarray) -> np.ndarray:
        """The weeks that have school days, _NEVER for the others."""
        inside = np.minimum(weeks, len(self.year.mondays) - 1)
        taught = self.year.bounds[inside, 0] < self.year.bounds[inside, 1]
        return np.where((inside == weeks) & taught, weeks, _NEVER)

    def _return(self, week: int) -> None:
        who = np.flatnonzero((self.return_week == week) & (self.status >= STAYS_AWAY))
        if not len(who):
            return
        first = self.year.bounds[week, 0]
        anew = who[self.status[who] == OUT]
        day = np.full(len(anew), self.year.days[first])
        known = day + self.random.integers(0, 4, len(anew))
        self.spell[anew] = self.book.open(anew, self.code[anew], self.boards[anew], day, known)
        self.record.seat[first:, anew] = self.code[anew]
        self.record.away[first:, who] = 0
        self.status[who], self.returned[who], self.disengaged[who] = ENROLLED, True, 0

    def _end_late(self, week: int) -> None:
        who = np.flatnonzero((self.end_week == week) & (self.status == STAYS_AWAY))
        self._write_off(
            who, np.full(len(who), self.year.days[min(self.year.bounds[week, 0], len(self.year.days) - 1)])
        )
        self.status[who] = OUT

    def _move(self, week: int) -> None:
        who = np.flatnonzero((self.move_week == week) & (self.move < len(_MOVES)) & (self.status == ENROLLED))
        past = self.year.bounds[week, 1]
        if not len(who) or past >= len(self.year.days):
            return
        reason = np.array([reason for _, reason in _MOVES])[self.move[who]]
        self._close(who, self.year.days[past - 1], reason, self.random.integers(1, 8, len(who)))
        self.record.seat[past:, who] = -1
        other = self._other_school(who)
        stays = who[other >= 0]
        self._follow(stays, other[other >= 0], past)
        self.status[np.setdiff1d(who, stays)] = NOWHERE

    def _other_school(self, who: np.ndarray) -> np.ndarray:
        """The primary school a transferred pupil goes to within the township, or none."""
        open_ = self.schools.primaries[self.schools.closes[: self.schools.junior] > self.year.index]
        step = np.searchsorted(open_, self.school[who])
        near = open_[(step + 1) % len(open_)]
        follows = (self.move[who] == 0) & (self.grade[who] <= 6) & (len(open_) > 1)
        return np.where(follows, near, _NEVER)

    def _follow(self, who: np.ndarray, school: np.ndarray, day: int) -> None:
        self.primary[who] = self.school[who] = school
        self.code[who] = class_code(school, self.grade[who], np.zeros(len(who), int))
        started = np.full(len(who), self.year.days[day])
        known = started + self.random.integers(0, 6, len(who))
        self.spell[who] = self.book.open(who, self.code[who], self.boards[who], started, known)
        self.record.seat[day:, who] = self.code[who]

    def _close_year(self) -> None:
        last = self.year.last_day
        here = self.status == ENROLLED
        self.repeats = here & (self.grade < 9) & (self.random.random(len(here)) < REPEATS)
        graduates = here & (self.grade == 9)
        done = np.flatnonzero(here & ~self.repeats)
        reason = np.where(graduates[done], spells.GRADUATED, spells.PROMOTED)
        self._close(done, last, reason, self.random.integers(1, 9, len(done)))
        self._clear(np.flatnonzero(self.status == STAYS_AWAY))
        self.over_age += self.repeats
        self.grade[done] += 1
        self.status[graduates] = NOWHERE

    def _clear(self, who: np.ndarray) -> None:
        """In July the office closes the spells of those who stayed away."""
        reason = np.where(self.random.random(len(who)) < 0.7, spells.DROPPED_OUT, spells.OTHER)
        self._close(who, self.year.last_day, reason, days_until_recorded(self.random, len(who)))
        self.status[who] = OUT
