"""``kill -9`` at random points of import → score → publish → prune, and of train.

Each round copies a home, starts the real command, kills its whole process group after a random part of
the time an undisturbed run takes, looks at what a reader finds, and runs the command again: that must leave
what an undisturbed run leaves, nothing partial, doubled or lost.
"""

from __future__ import annotations

import contextlib
import json
import operator
import random
import shutil
import sqlite3
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from risk_model.home import Home
from risk_model.lake.reading import open_lake
from risk_model.registers.declared import REGISTERS
from risk_model.settings import Settings
from serving.archive import read_evidence
from serving.database import open_database
from serving.lists import Asked, published_page
from serving.units import parse_unit
from tests.county import part_of, simulate
from tests.forked import Ended, context, run, start

pytestmark = pytest.mark.slow

FIRST_DAY_OF_NEWS = date(2026, 5, 20)
LAST_DAY = date(2026, 5, 27)
TRAINED_ON = date(2026, 4, 20)
"""The champion of the home; the killed training is of a later day and makes another bundle."""


OLD_DAYS = ("2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05")
"""Lists of one old week, of which the night keeps the last."""


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with registers, a champion, lists of old days and of late, and tonight's delivery waiting."""
    folder = tmp_path_factory.mktemp("county")
    registers = simulate(folder / "registers", students=400, years=2)
    past = part_of(registers, folder / "past", until=FIRST_DAY_OF_NEWS)
    home = folder / "home"
    home.mkdir()
    news = part_of(registers, home / "inbox" / "news", after=FIRST_DAY_OF_NEWS, until=LAST_DAY)
    (news / "_DONE").touch()
    # Evidently's report is made in a process of its own and changes nothing that could be torn.
    (home / "dropout-risk.toml").write_text(
        "[publication]\nkeep_runs_days = 7\n[monitoring]\nevidently = false\n"
    )
    trained = ["train", "--promote", "force", "--as-of", TRAINED_ON.isoformat()]
    nights = [["score", "--as-of", day] for day in OLD_DAYS]
    for arguments in (["import", str(past)], trained, *nights, ["score"]):
        answer = start(home, arguments, folder / "answers")
        assert answer.code in (0, 6), answer.stderr
    return home


KEPT = "select r.as_of, r.state, count(s.run) from runs r left join scores s on s.run = r.id group by r.id"


def registers_of(home: Path) -> dict[str, Any]:
    """Rows and a hash of the content of every register, now and as of an earlier day."""
    state = {}
    with open_lake(Home(home), Settings()) as lake:
        for day in (LAST_DAY + timedelta(days=400), FIRST_DAY_OF_NEWS - timedelta(days=90)):
            lake.known_on(day)
            for name in REGISTERS:
                query = (
                    f"select count(*), sum(hash(columns(* exclude (imported_on)))::hugeint) from known.{name}"
                )
                state[f"{name} {day}"] = lake.con.execute(query).fetchall()
    return state


def lists_of(home: Path) -> list[dict[str, Any]]:
    with open_database(Home(home), Settings()) as engine, engine.connect() as connection:
        return published_page(connection, parse_unit(None), Asked(everybody=True)).rows


def left_of(home: Path) -> dict[str, Any]:
    """What lies in the service database and beside it: nothing doubled, nothing left over, all explained."""
    with open_database(Home(home), Settings()) as engine, engine.connect() as connection:
        runs = sorted(tuple(row) for row in connection.execute(text(KEPT)))
        keys = sorted(connection.execute(text("select key from runs where state = 'published'")).scalars())
        pupil = connection.execute(text("select min(student_id) from scores where risk is not null")).scalar()
    read = read_evidence(Home(home), Settings(), keys, pupil)
    files = sorted(file.name for file in home.glob("data/runs/nights/*/*") if file.suffix)
    return {"runs": runs, "files": files, "read": sorted(read) == keys}


def champion_of(home: Path) -> Any:
    answer = start(home, ["models", "list"], home.parent / "answers")
    assert answer is not None
    assert answer.code == 0, answer.stderr
    return [model["digest"] for model in answer.document if "champion" in model["aliases"]]


def tonight(home: Path) -> list[str]:
    return ["nightly", "--as-of", LAST_DAY.isoformat(), "--inbox", str(home / "inbox")]


def training(_: Path) -> list[str]:
    return ["train", "--promote", "force"]


def check_rounds(
    home: Path,
    command: Callable[[Path], list[str]],
    state_of: Callable[[Path], Any],
    rounds: int,
    folder: Path,
) -> None:
    """Kill the command so many times, each time on a fresh copy of ``home``, and run it again."""
    before, (undisturbed, ended) = state_of(home), _copy_and_run(home, command, folder)
    after, left = state_of(undisturbed), left_of(undisturbed)
    assert before != after, "the command changes nothing: no round could tell a torn state"
    points = random.Random(f"{command.__name__} {rounds} {folder.name}")
    seconds, struck = ended.seconds, 0
    for number in range(3 * rounds):
        copy = folder / f"round{number}"
        shutil.copytree(home, copy)
        ended = start(copy, command(copy), folder / "answers", points.uniform(0.02, 1.0) * seconds)
        if ended is not None:
            seconds = min(seconds, ended.seconds)  # a busy machine has become a free one
        struck += ended is None
        torn = f"round {number}: neither the old state nor the new one"
        assert _whole(state_of(copy), before, after), torn
        rerun = start(copy, command(copy), folder / "answers")
        assert rerun.code in (0, 6), rerun.stderr
        assert (state_of(copy), left_of(copy)) == (after, left), f"round {number}: the rerun differs"
        shutil.rmtree(copy)
        if struck == rounds:
            return
    pytest.fail("the kills came too late to test anything")


def _copy_and_run(home: Path, command: Callable[[Path], list[str]], folder: Path) -> tuple[Path, Ended]:
    copy = folder / "undisturbed"
    shutil.copytree(home, copy)
    ended = start(copy, command(copy), folder / "answers")
    assert ended is not None
    assert ended.code in (0, 6), ended.stderr
    return copy, ended


def _whole(found: list[Any], before: list[Any], after: list[Any]) -> bool:
    """Every part is the old one or the new one, and none is new behind an old one."""
    new = [now == then for now, then in zip(found, after, strict=True)]
    old = [now == then for now, then in zip(found, before, strict=True)]
    return all(map(operator.or_, new, old)) and new == sorted(new, reverse=True)


def registers_then_lists(home: Path) -> list[Any]:
    return [registers_of(home), lists_of(home)]


@pytest.mark.parametrize("half", [1, 2])
def test_thirty_nights_killed_leave_old_or_new_and_the_rerun_the_same_as_undisturbed(county, tmp_path, half):
    """Import, score, publish, prune: fifteen kills in each half, so that two processes share them."""
    (folder := tmp_path / f"half{half}").mkdir()
    check_rounds(county, tonight, registers_then_lists, 15, folder)


def test_a_killed_training_leaves_the_champion_and_the_rerun_gives_the_same(county, tmp_path):
    check_rounds(county, training, lambda home: [champion_of(home)], 3, tmp_path)


@pytest.mark.soak
def test_a_thousand_nights_killed(county, tmp_path):
    check_rounds(county, tonight, registers_then_lists, 1000, tmp_path)


STARTS = 50
RUN_HELD = 5


def test_fifty_simultaneous_starts_publish_one_run(county, tmp_path):
    """One scores, the others are turned away or, come late, answer what it answered."""
    home = tmp_path / "home"
    shutil.copytree(county, home)
    before = publications(home)
    arguments = ["score", "--as-of", "2026-05-15", "--republish"]
    barrier = context.Barrier(STARTS)
    processes = [
        context.Process(target=run, args=(home, arguments, tmp_path, barrier)) for _ in range(STARTS)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    answers = [
        (json.loads(path.read_text()), int(path.stem.split("-")[1])) for path in tmp_path.glob("*-*.json")
    ]
    assert len(answers) == STARTS
    runs = {answer["run_id"] for answer, code in answers if code in (0, 6)}
    assert len(runs) == 1
    assert {code for _, code in answers} <= {0, 6, RUN_HELD}
    assert RUN_HELD in {code for _, code in answers}, "nobody came while another was at work"
    assert publications(home) == before + 1
    assert lists_of(home) != lists_of(county)


def publications(home: Path) -> int:
    with contextlib.closing(sqlite3.connect(home / "data" / "service.db")) as con:
        return con.execute("select count(*) from publications").fetchone()[0]
