"""Months of an office's life, step by step, against a plain set of who sees whom.

The oracle knows nothing of units, joins or days in SQL: it keeps dictionaries and loops over them.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import insert

from risk_model.home import Home
from risk_model.settings import Settings
from serving.access.deciding import Viewer, visible, visible_of, why
from serving.access.granting import end_care, grant_care, open_break_glass
from serving.access.tree import SchoolPlace
from serving.accounts import sessions
from serving.accounts.keeping import account_of, assign, create_account, revoke, seal, take_away, unseal
from serving.accounts.secret import digest_of
from serving.accounts.tables import SignedIn
from serving.database import open_database
from serving.directory.writing import Employed, Held, Placed, Told, write

BEGIN = datetime.fromisoformat("2026-03-02T04:00:00+00:00")
WHERE = {"A": ("K", "T1"), "B": ("K", "T2"), "C": ("M", None)}
CLASSES = [f"class:{school}:{name}:2025" for school in WHERE for name in ("7A", "7B")]
SCHOOLS = [SchoolPlace(school, county, town, "P") for school, (county, town) in WHERE.items()]
PUPILS = [f"S{number}" for number in range(4)]
STAFF = [f"T{number}" for number in range(3)]
POSTS = (
    [("class_teacher", unit) for unit in CLASSES]
    + [("principal", f"school:{school}") for school in WHERE]
    + [
        ("township", "township:T1"),
        ("township", "township:T2"),
        ("county", "county:K"),
        ("county", "county:M"),
    ]
    + [("province", "province:P"), ("data_scientist", "county:K")]
)


def above(unit: str) -> set[str]:
    """A class and all it lies in."""
    school = unit.split(":")[1]
    county, town = WHERE[school]
    return {unit, f"school:{school}", f"county:{county}", "province:P"} | (
        {f"township:{town}"} if town else set()
    )


@dataclass
class Oracle:
    """What should be so."""

    spells: dict[str, list[list]] = field(default_factory=lambda: {pupil: [] for pupil in PUPILS})
    """Of each pupil ``[class, from, to or None]``."""
    posts: dict[str, list[list]] = field(default_factory=lambda: {staff: [] for staff in STAFF})
    """Of each member of staff ``[role, unit, from, to or None, taken away]``."""
    from_register: set[tuple] = field(default_factory=set)
    gone: set[str] = field(default_factory=set)
    closed: set[str] = field(default_factory=set)
    sealed: set[str] = field(default_factory=set)
    care: set[tuple[str, str]] = field(default_factory=set)
    glass: dict[tuple[str, str], datetime] = field(default_factory=dict)

    def sees(self, staff: str, at: datetime) -> set[str]:
        if staff in self.gone | self.closed | self.sealed:
            return set()
        today = at.astimezone().date()
        units = {
            unit
            for role, unit, first, last, taken in self.posts[staff]
            if role != "data_scientist" and not taken and first <= today and (last is None or today <= last)
        }
        found = {pupil for pupil in PUPILS if any(above(at_) & units for at_ in self.classes(pupil, today))}
        found |= {pupil for who, pupil in self.care if who == staff}
        return found | {pupil for (who, pupil), until in self.glass.items() if who == staff and at < until}

    def classes(self, pupil: str, today: date) -> list[str]:
        return [
            unit
            for unit, first, last in self.spells[pupil]
            if first <= today and (last is None or today <= last)
        ]

    def told(self) -> Told:
        placements = [
            Placed(pupil, unit.split(":")[1], unit, first, last)
            for pupil, spells in self.spells.items()
            for unit, first, last in spells
        ]
        posts = [
            Held(staff, unit, role, first, last)
            for staff, held in self.posts.items()
            for role, unit, first, last, _ in held
            if (staff, role, unit, first) in self.from_register
        ]
        staff = [Employed(one, one) for one in STAFF if one not in self.gone]
        return Told(SCHOOLS, {}, placements, dict.fromkeys(PUPILS, "名"), staff, posts)


class Office(RuleBasedStateMachine):
    """Registers come, people are assigned, promoted, revoked; after every step everybody is asked."""

    def __init__(self) -> None:
        super().__init__()
        self.stack = ExitStack()
        folder = Path(self.stack.enter_context(tempfile.TemporaryDirectory()))
        self.engine = self.stack.enter_context(open_database(Home(folder), Settings()))
        self.at = BEGIN
        self.oracle = Oracle()

    def teardown(self) -> None:
        self.stack.close()

    @property
    def today(self) -> date:
        return self.at.astimezone().date()

    def register(self) -> None:
        with self.engine.begin() as connection:
            write(connection, self.oracle.told())

    @initialize(
        places=st.lists(st.sampled_from(CLASSES), min_size=len(PUPILS), max_size=len(PUPILS)),
        posts=st.lists(st.sampled_from(POSTS), min_size=len(STAFF), max_size=len(STAFF)),
    )
    def everybody_comes(self, places: list[str], posts: list[tuple[str, str]]) -> None:
        for pupil, unit in zip(PUPILS, places, strict=True):
            self.oracle.spells[pupil].append([unit, self.today, None])
        for staff, (role, unit) in zip(STAFF, posts, strict=True):
            self.oracle.posts[staff].append([role, unit, self.today, None, False])
            self.oracle.from_register.add((staff, role, unit, self.today))
        self.register()
        with self.engine.begin() as connection:
            for staff in STAFF:
                account = create_account(connection, staff, self.at, staff_id=staff)
                # A session that outlives every step: what a request may see is asked anew each time.
                self.session(connection, staff, account)

    def session(self, connection, staff: str, account: int) -> None:
        entry = {"digest": digest_of(f"cookie of {staff}"), "account": account, "client": "test"}
        connection.execute(insert(SignedIn), {**entry, "began_at": self.at, "used_at": self.at})

    @rule(pupil=st.sampled_from(PUPILS), unit=st.sampled_from(CLASSES), overlapping=st.booleans())
    def a_pupil_moves(self, pupil: str, unit: str, overlapping: bool) -> None:
        """A transfer or another class; the old spell ends yesterday, or stays open: two count."""
        spells = self.oracle.spells[pupil]
        if any(place == unit and first == self.today for place, first, _ in spells):
            return
        for spell in spells:
            if spell[2] is None and not overlapping:
                spell[2] = self.today - timedelta(days=1)
        spells.append([unit, self.today, None])
        self.register()

    @rule(pupil=st.sampled_from(PUPILS))
    def a_pupil_leaves(self, pupil: str) -> None:
        for spell in self.oracle.spells[pupil]:
            spell[2] = self.today - timedelta(days=1) if spell[2] is None else spell[2]
        self.register()

    @rule(
        staff=st.sampled_from(STAFF),
        post=st.sampled_from(POSTS),
        starts=st.integers(-3, 3),
        lasts=st.none() | st.integers(0, 6),
        registered=st.booleans(),
    )
    def a_post_is_given(
        self, staff: str, post: tuple[str, str], starts: int, lasts: int | None, registered: bool
    ) -> None:
        """By a register or by the office; a promotion is one more, or another taken away besides."""
        role, unit = post
        first = self.today + timedelta(days=starts)
        if staff in self.oracle.gone or any(
            held[:3] == [role, unit, first] for held in self.oracle.posts[staff]
        ):
            return
        last = None if lasts is None else first + timedelta(days=lasts)
        self.oracle.posts[staff].append([role, unit, first, last, False])
        if registered:
            self.oracle.from_register.add((staff, role, unit, first))
            self.register()
        else:
            with self.engine.begin() as connection:
                assign(connection, staff, unit, role, first, last)

    @rule(staff=st.sampled_from(STAFF), which=st.integers(0, 20))
    def a_post_is_taken_away(self, staff: str, which: int) -> None:
        held = self.oracle.posts[staff]
        if not held:
            return
        role, unit = held[which % len(held)][:2]
        for post in held:
            post[4] = post[4] or post[:2] == [role, unit]
        with self.engine.begin() as connection:
            take_away(connection, staff, unit, role, self.at)
        self.register()

    @rule(staff=st.sampled_from(STAFF))
    def a_class_teacher_is_promoted(self, staff: str) -> None:
        """To principal of the school; the class goes."""
        held = self.oracle.posts[staff]
        classes = [post for post in held if post[0] == "class_teacher" and not post[4]]
        school = f"school:{classes[0][1].split(':')[1]}" if classes else None
        if school is None or any(
            post[:3] == ["principal", school, self.today] for post in self.oracle.posts[staff]
        ):
            return
        with self.engine.begin() as connection:
            for post in classes:
                post[4] = True
                take_away(connection, staff, post[1], "class_teacher", self.at)
            assign(connection, staff, school, "principal", self.today)
        self.oracle.posts[staff].append(["principal", school, self.today, None, False])

    @rule(staff=st.sampled_from(STAFF))
    def the_register_no_longer_names_somebody(self, staff: str) -> None:
        self.oracle.gone.add(staff)
        self.register()

    @rule(staff=st.sampled_from(STAFF))
    def somebody_comes_back(self, staff: str) -> None:
        self.oracle.gone.discard(staff)
        self.register()

    @rule(
        staff=st.sampled_from(STAFF), what=st.sampled_from(["seal", "unseal", "unseal", "unseal", "revoke"])
    )
    def an_account_is_sealed_opened_or_closed(self, staff: str, what: str) -> None:
        if staff in self.oracle.closed:
            return
        with self.engine.begin() as connection:
            account = account_of(connection, staff).id
            {"seal": seal, "unseal": unseal, "revoke": revoke}[what](connection, account, self.at)
        {
            "seal": self.oracle.sealed.add,
            "unseal": self.oracle.sealed.discard,
            "revoke": self.oracle.closed.add,
        }[what](staff)
        if what == "unseal":  # the owner signs in again
            with self.engine.begin() as connection:
                connection.execute(SignedIn.__table__.delete().where(SignedIn.account == account))
                self.session(connection, staff, account)

    @rule(staff=st.sampled_from(STAFF), pupil=st.sampled_from(PUPILS))
    def a_care_case_is_opened_or_closed(self, staff: str, pupil: str) -> None:
        with self.engine.begin() as connection:
            if (staff, pupil) in self.oracle.care:
                end_care(connection, staff, pupil, self.at)
                self.oracle.care.discard((staff, pupil))
            else:
                grant_care(connection, staff, pupil, self.at)
                self.oracle.care.add((staff, pupil))

    @rule(staff=st.sampled_from(STAFF), pupil=st.sampled_from(PUPILS))
    def the_glass_is_broken(self, staff: str, pupil: str) -> None:
        """By somebody who sees somebody by a post; else it holds."""
        with self.engine.begin() as connection:
            viewer = self.asks(connection, staff)
            units = [
                post
                for post in self.oracle.posts[staff]
                if post[0] != "data_scientist" and not post[4] and post[2] <= self.today
                and (post[3] is None or self.today <= post[3])
            ]  # fmt: skip
            if viewer is None or not units:
                return
            self.oracle.glass[(staff, pupil)] = open_break_glass(
                connection, viewer, pupil, "somebody must know tonight", self.at
            )

    @rule(hours=st.integers(1, 60))
    def time_goes_by(self, hours: int) -> None:
        self.at += timedelta(hours=hours)
        with self.engine.begin() as connection:  # nobody's session runs out of itself in this story
            connection.execute(SignedIn.__table__.update().values(began_at=self.at, used_at=self.at))

    def asks(self, connection, staff: str) -> Viewer | None:
        return sessions.session_viewer(connection, f"cookie of {staff}", self.at)

    @invariant()
    def everybody_sees_what_he_should_and_no_more(self) -> None:
        with self.engine.begin() as connection:
            for staff in STAFF:
                found, asked = self.answers(connection, staff)
                assert found == asked == self.oracle.sees(staff, self.at), staff

    def answers(self, connection, staff: str) -> tuple[set[str], set[str]]:
        """Whom a request of the session may see, asked in all three ways."""
        viewer = self.asks(connection, staff)
        if viewer is None:
            return set(), set()
        found = set(connection.execute(visible(viewer, self.at)).scalars())
        assert found == visible_of(connection, viewer, PUPILS, self.at), staff
        return found, {pupil for pupil in PUPILS if why(connection, viewer, pupil, self.at)}


def steps(examples: int, each: int) -> settings:
    """So many lives of an office of so many steps; the same ones each time."""
    return settings(
        max_examples=examples,
        stateful_step_count=each,
        deadline=None,
        derandomize=True,
        phases=[Phase.generate],  # a life that fails is told as it was: shortening it takes minutes
        suppress_health_check=[HealthCheck.too_slow],
    )


TestOffice = Office.TestCase
TestOffice.settings = steps(15, 30)


@pytest.mark.soak
def test_ten_thousand_steps():
    run_state_machine_as_test(Office, settings=steps(400, 25))
