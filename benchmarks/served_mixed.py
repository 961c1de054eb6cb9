"""Mixed load for minutes: lists, pupils, scores and sign-ins, a publication now and then; does memory grow?

Of a copy of a home that was scored. Resident memory of each process is told after a tenth of the time, when
everything was asked for, and at the end. Signing in and pages go by way of forms, as a browser's would.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
from sqlalchemy import Connection, func, select, update

from benchmarks.loaded import COMMANDS, Running, log_of, served
from risk_model.home import Home
from risk_model.roles import Roles
from risk_model.settings import Settings
from serving.access.tables import Post, Staff
from serving.accounts.keeping import create_account
from serving.accounts.tables import Account
from serving.accounts.tokens import create_token
from serving.database import open_database
from serving.publication import newest
from serving.tables import Score

LOGIN, PASSWORD = "load-principal", "river-stone-lamp-7"  # a home may have a principal of its own
FORM_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')
SIGN_IN_EVERY = 10.0
PUBLISH_EVERY = 150.0
"""Seconds."""
ASKING = 4
"""Callers at a time."""
PUBLISHED = (0, 6)
"""Exit codes of ``score``: done, or done with a school held back."""


@dataclass
class Load:
    """What is asked for, by whom, until when, and how it was answered."""

    home: Home
    service: Running
    school: str
    pupils: list[str]
    classes: list[str]
    features: tuple[str, ...]
    as_of: date
    secret: str
    ending: float
    answers: Counter[str]

    def at_once(self) -> list[threading.Thread]:
        """The callers, at work."""
        work = [threading.Thread(target=self.ask, args=(seed,)) for seed in range(ASKING)]
        work += [threading.Thread(target=self.sign_in), threading.Thread(target=self.publish)]
        for thread in work:
            thread.start()
        return work

    def ask(self, seed: int) -> None:
        """A machine that asks for lists, pupils, scores and counts in turn."""
        headers = {"authorization": f"Bearer {self.secret}"}
        with httpx.Client(base_url=self.service.address, headers=headers, timeout=60) as client:
            for name, path, body in self.questions(random.Random(seed)):
                if time.monotonic() > self.ending:
                    return
                answer = client.get(path) if body is None else client.post(path, json=body)
                self.answers[f"{name} {answer.status_code}"] += 1

    def questions(self, dice: random.Random) -> Iterator[tuple[str, str, Any]]:
        """What a machine asks: name, path and body."""
        while True:
            yield "list", f"/api/v1/lists?unit=class:{dice.choice(self.classes)}", None
            yield "pupil", f"/api/v1/students/{dice.choice(self.pupils)}", None
            yield "score", "/api/v1/score", {"rows": [{name: dice.random() for name in self.features}]}
            yield "summary", f"/api/v1/units/school:{self.school}/summary", None

    def sign_in(self) -> None:
        """A principal signs in and reads home, the list and a pupil, again and again."""
        address, dice = self.service.address, random.Random(0)
        while time.monotonic() < self.ending:
            with httpx.Client(base_url=address, timeout=60, headers={"origin": address}) as client:
                form = FORM_TOKEN.search(client.get("/sign-in").text)
                sent = {"csrf": form.group(1) if form else "", "login": LOGIN, "password": PASSWORD}
                self.answers[f"sign-in {client.post('/sign-in', data=sent).status_code}"] += 1
                pupil = f"/pupils/{dice.choice(self.pupils)}"
                for path in ("/", f"/units/school:{self.school}/list", pupil):
                    answer = client.get(path)
                    self.answers[f"page {answer.status_code}"] += 1
            time.sleep(SIGN_IN_EVERY)

    def publish(self) -> None:
        """A list of the next day, now and then."""
        day = self.as_of
        while time.monotonic() + PUBLISH_EVERY < self.ending:
            time.sleep(PUBLISH_EVERY)
            day += timedelta(days=1)
            command = [str(COMMANDS / "dropout-risk"), "--home", str(self.home.folder), "score"]
            done = subprocess.run(
                [*command, "--as-of", day.isoformat(), "--workers", "1"], capture_output=True
            )
            said = "published" if done.returncode in PUBLISHED else done.stderr.decode().strip()[-300:]
            self.answers[said] += 1


def measure_mixed(folder: Path, scored: Home, minutes: float, workers: int) -> dict[str, Any]:
    """The document: answers by kind and status, and how far the memory of each process grew."""
    home = Home(folder / "mixed")
    shutil.copytree(scored.folder, home.folder)
    with open_database(home, Settings()) as engine, engine.begin() as connection:
        run = newest(connection)
        champion = Roles(home).champion()
        if run is None or champion is None:
            raise SystemExit(f"{scored.folder} has no list. Run 'dropout-risk demo' or 'score' there first.")
        school, pupils, classes = _largest_school(connection, run.id)
        secret = _settle(connection, school)
    with served(home, workers) as service:
        load = Load(
            home, service, school, pupils, classes, champion.load().features, run.as_of, secret,
            time.monotonic() + 60 * minutes, Counter(),
        )  # fmt: skip
        work = load.at_once()
        time.sleep(6 * minutes)
        early = service.processes()
        for thread in work:
            thread.join()
        late = service.processes()
    return {
        "minutes": minutes, "pupils": len(pupils), "workers": workers,
        "answers": dict(sorted(load.answers.items())),
        "log": log_of(home).read_text().splitlines()[-20:],
        "processes": [
            {"name": late[pid].name, "mb_early": early[pid].resident_mb, "mb_late": late[pid].resident_mb}
            for pid in late if pid in early
        ],
        "growth": round(_resident(late) / _resident(early) - 1, 4),
    }  # fmt: skip


def _resident(processes: dict[int, Any]) -> float:
    return sum(process.resident_mb for process in processes.values())


def _largest_school(connection: Connection, run: int) -> tuple[str, list[str], list[str]]:
    """A school of the run with its pupils and classes."""
    of_run = select(Score.school_id).where(Score.run == run).group_by(Score.school_id)
    school: str = connection.execute(of_run.order_by(func.count().desc()).limit(1)).scalar_one()
    rows = connection.execute(
        select(Score.student_id, Score.class_key).where(Score.run == run, Score.school_id == school)
    ).all()
    return school, [row.student_id for row in rows], sorted({row.class_key for row in rows})


def _settle(connection: Connection, school: str) -> str:
    """A principal who signs in, and a machine that may all in the school; the machine's token."""
    now, unit = datetime.now(UTC), f"school:{school}"
    person = {"staff_id": "L-P", "name": "P", "source": "office", "has_left": False}
    connection.execute(Staff.__table__.insert(), person)
    post = {"staff_id": "L-P", "unit": unit, "role": "principal", "from_day": now.date() - timedelta(days=1)}
    connection.execute(Post.__table__.insert(), {**post, "sees": True, "source": "office"})
    create_account(connection, LOGIN, now, staff_id="L-P", password=PASSWORD)
    own = update(Account).where(Account.login == LOGIN).values(must_change=False)  # pages are open to it
    connection.execute(own)
    scopes = frozenset({"lists:read", "students:read", "score"})
    return create_token(connection, "mixed", scopes, unit, now + timedelta(days=1), now)
