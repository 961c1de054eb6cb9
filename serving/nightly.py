"""``score``: everybody of a day scored, ranked, explained and published – once, whole, or not at all."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from risk_model.accounts import Accounts
from risk_model.dealing import deal_out
from risk_model.draw_record import DRAWN, keep_draw
from risk_model.errors import MissingError, UsageError
from risk_model.features.sources import LAKE
from risk_model.home import Home
from risk_model.near_equals import draws
from risk_model.quality import enrolment_kept, judge_churn, judge_enrolment
from risk_model.registry import Champion, Registry
from risk_model.settings import Settings
from serving import pruning, publication
from serving.archive import remove_evidence
from serving.database import open_database, writing
from serving.decision import decide, document_of
from serving.lots import keep_lots
from serving.parts import ROWS, SHADOW, Task, Told, hand_over, score_part
from serving.publication import Row, RunKey
from serving.run_files import RunFiles, open_runs
from serving.scoring import features_of, rows_of
from serving.shadow import shadow
from serving.sharing import COORDINATOR, Shares, shared_out
from serving.tables import PUBLISHED
from serving.tally import Tally
from serving.workers import hired

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Connection, Engine

    from risk_model.lake.reading import Lake
    from risk_model.model.bundle import Bundle
    from risk_model.parts import Part

DECIDING_SECTIONS = {"list", "labels", "quality", "aid"}
"""Sections of the settings that change a list."""
SECONDS = ("features", "explain", "publish")
"""Parts of a night whose seconds the contract names."""
CAPACITY = {"capacity_share", "capacity_per_class", "minimum_risk"}
"""Settings of the list that a page tells beside it: kept with the run, for they may change."""


@dataclass(frozen=True)
class Order:
    """What was asked: the day (none = the latest the lake knows of) and what may be overridden."""

    as_of: date | None = None
    force: bool = False
    """Publish although the cohort is empty or much smaller than the last."""
    republish: bool = False
    """Publish although a newer run is published."""
    workers: int | None = None
    """Processors to work with; none = all of this machine."""
    scheduler: str | None = None
    """Address of a Dask cluster that does the work instead."""
    memory_limit: str | None = None
    """What all processes together may use, as ``4GB``; none = the setting."""


def score_night(
    home: Home,
    settings: Settings,
    order: Order,
    say: Callable[[str], None],
    accounts: Accounts | None = None,
) -> dict[str, Any]:
    """Score a day and publish it; answers the document of ``score --json``.

    The same day, model, registers and settings are the same run: asked again, the same document is
    answered and nothing is computed.

    Raises
    ------
    UsageError
        The day has not come yet: its list would stand in the way of every true one until then.
    MissingError
        There are no registers or no champion yet.
    LockHeldError
        Another run is publishing.
    """
    from risk_model.lake.reading import open_lake

    if order.as_of is not None and order.as_of > date.today():
        raise UsageError(f"--as-of {order.as_of} lies after today. Ask for today or a day before.")
    accounts = accounts or Accounts()
    registry = Registry(home, settings)
    champion = registry.champion()
    if champion is None:
        raise MissingError(_no_champion(registry))
    with (
        home.lock("publication"),
        open_lake(home, settings) as lake,
        open_database(home, settings) as engine,
    ):
        key = _key(lake, champion, settings, order.as_of)
        _sweep(home, settings, engine, key.digest)
        document = _answered(engine, lake, settings, key, order)
        if document is None:
            challenger = registry.challenger()
            document = _scored(
                _Night(
                    home,
                    settings,
                    order,
                    lake,
                    engine,
                    champion,
                    challenger,
                    key,
                    say,
                    accounts or Accounts(),
                )
            )
        pruning.tidy(home, settings, engine, say, keep=key.digest)
        return document


def _no_champion(registry: Registry) -> str:
    """What is missing: a trained model, or the promotion of one."""
    versions = registry.versions()
    if not versions:
        return "There is no champion model yet. Run 'dropout-risk train' first."
    failed = versions[-1].tags.get("failed_checks")
    why = f" (it failed: {failed})" if failed else ""
    return (
        f"There is no champion model yet. Version {versions[-1].version} was trained but not promoted{why}. "
        "Run 'dropout-risk train' again with more history, or with '--promote force' to use it all the same."
    )


def _sweep(home: Home, settings: Settings, engine: Engine, run_id: str) -> None:
    """Clear what killed runs have left, but for the parts of this one, which goes on with them.

    Contributions first, for the rows name what to clear.
    """
    left = [run for run in publication.abandoned(engine) if run != run_id]
    if left:
        remove_evidence(home, settings, left)
    publication.sweep(engine)
    for run in open_runs(home):
        with engine.connect() as connection:
            complete = publication.find(connection, run.folder.name) is not None
        if complete:
            run.close()
        elif run.folder.name != run_id:
            run.remove()


def _key(lake: Lake, champion: Champion, settings: Settings, as_of: date | None) -> RunKey:
    day = as_of or lake.latest_recorded_on()
    if day is None:
        raise MissingError("The lake holds no rows yet. Run 'dropout-risk import DIR' first.")
    return RunKey(day, champion.version, champion.digest, lake.snapshot, settings_digest(settings))


def settings_digest(settings: Settings) -> str:
    """Digest of the settings that decide a list."""
    drawn = {"comparison"} if settings.comparison.share else set()
    deciding = settings.model_dump(mode="json", include=DECIDING_SECTIONS | drawn)
    return blake2b(json.dumps(deciding, sort_keys=True).encode(), digest_size=16).hexdigest()


def _answered(
    engine: Engine, lake: Lake, settings: Settings, key: RunKey, order: Order
) -> dict[str, Any] | None:
    """The document of this run if it is complete, published now if that is asked for; else none."""
    with writing(engine) as connection:
        run = publication.find(connection, key.digest)
        if run is None:
            return None
        document: dict[str, Any] = json.loads(run.document)
        live = publication.newest(connection)
        freed = 0
        if order.force:
            lake.known_on(key.as_of)
            doubted = _doubted(connection, lake, settings, run.id, key.as_of)
            freed = publication.let_go(connection, run.id, doubted)
        as_it_is = not order.republish and (run.state == PUBLISHED or not order.force)
        if not freed and (as_it_is or (live is not None and live.id == run.id)):
            return document
        return decide(connection, settings, run.id, key, order, document)


@dataclass(frozen=True)
class _Night:
    """What all steps of a night need."""

    home: Home
    settings: Settings
    order: Order
    lake: Lake
    engine: Engine
    champion: Champion
    challenger: Champion | None
    key: RunKey
    say: Callable[[str], None]
    accounts: Accounts

    @property
    def files(self) -> RunFiles:
        return RunFiles.of(self.home, self.key.digest)


def _scored(night: _Night) -> dict[str, Any]:
    from risk_model.state import bring_forward

    bundle = night.champion.load()
    features_of(bundle.features)  # a model that cannot be served is told before anything is computed
    with night.accounts.stage("features", "what is kept of earlier marks"):
        state = bring_forward(night.home, night.settings, night.lake)
    shares = shared_out(night.settings, night.order, night.lake, night.key.as_of)
    tasks = _tasks(night, shares)
    night.files.open(_plan(tasks, night.challenger))
    _deal(night, [part for part in shares.parts if part is not None])
    run = publication.begin(night.engine, night.key, bundle.base, bundle.features)
    tally = _worked_off(night, shares, tasks, run)
    more = {"model_ground": _ground(bundle), "state": state.document()}
    more["model_origin"] = _origin(night.home, night.settings, night.champion, bundle)
    more |= _drawn(night, run, tasks)
    decided = _published(night, run, tally, more)
    if night.challenger is not None:
        rows = _shadow_rows(night.lake, night.files, tasks)
        failed = tally.shadow_failed
        decided["shadow"] = shadow(
            night.home, night.settings, night.key, night.challenger, rows, failed, night.say
        )
    night.files.close()
    decided |= night.accounts.document(SECONDS)
    publication.amend(night.engine, run, decided)
    return decided


def _tasks(night: _Night, shares: Shares) -> list[Task]:
    """A task for each part, with all that a worker anywhere needs."""
    before = _listed_before(night.engine, night.settings)
    return [
        Task(
            home=night.home,
            settings=shares.settings,
            run_id=night.key.digest,
            as_of=night.key.as_of,
            snapshot=night.lake.snapshot,
            filled=night.lake.filled,
            part=part,
            champion=night.champion,
            challenger=night.challenger,
            threads=shares.threads,
            before=_of_part(before, part),
            number=number,
        )
        for number, part in enumerate(shares.parts)
    ]


def _worked_off(night: _Night, shares: Shares, tasks: Sequence[Task], run: int) -> Tally:
    """All parts done and their rows staged; what they add up to."""
    tally, accounts = Tally(), night.accounts
    with hired(shares.processes, night.order.scheduler) as workers:
        givers = [task for task in tasks if task.part in shares.givers]
        if givers:
            with accounts.stage("features", "what is told of pupils who moved", len(givers)) as stage:
                for _ in workers.each(hand_over, givers):
                    stage.count(1)
        with accounts.stage("parts", f"risk and reasons of {night.key.as_of}", len(tasks)) as parts:
            for told in workers.each(score_part, tasks):
                with accounts.stage("publish") as published:
                    published.rows = told.students
                    rows = _rows(night.lake, night.files, told)
                    publication.stage(night.engine, run, rows, told.schools, told.figures)
                tally.add(told)
                accounts.add(told.spent)
                parts.count(1)
                parts.rows = tally.students
    return tally


def _published(night: _Night, run: int, tally: Tally, more: Mapping[str, Any]) -> dict[str, Any]:
    """The staged run checked, then decided in one transaction; its document with ``more`` in it."""
    with night.accounts.stage("publish", "publishing"):
        publication.check(night.engine, run, tally.students)
        doubted = {} if night.order.force else _doubts(night, run)
        with writing(night.engine) as connection:
            publication.hold_back(connection, run, doubted)
            document = document_of(night.key, tally) | night.accounts.document(SECONDS) | more
            document["capacity"] = night.settings.list.model_dump(include=CAPACITY)
            document["shadow"] = None
            return decide(connection, night.settings, run, night.key, night.order, document)


def _doubts(night: _Night, run: int) -> dict[str, str]:
    """As :func:`_doubted`, read before anything is locked."""
    with night.engine.connect() as connection:
        return _doubted(connection, night.lake, night.settings, run, night.key.as_of)


def _drawn(night: _Night, run: int, tasks: Sequence[Task]) -> dict[str, Any]:
    """The record of the random comparison, kept before the lists are seen; empty where none was asked for."""
    rules = night.settings.comparison
    if not draws(rules, night.key.as_of):
        return {}
    parts = [task.name for task in tasks]
    source = night.files.source(night.lake.con, night.files.files(DRAWN, parts))
    drawn = night.lake.con.execute(f"select school_id, student_id, arm from {source}").fetchall()
    keep_lots(night.engine, run, drawn)
    return {"comparison": keep_draw(night.lake.con, night.home, night.key.digest, source, rules)}


def _listed_before(engine: Engine, settings: Settings) -> dict[str | None, frozenset[str]]:
    """Pupils of the published lists by county, where that decides tonight's."""
    if not settings.list.stay_margin:
        return {}
    with engine.connect() as connection:
        return publication.pupils_listed(connection)


def _of_part(before: Mapping[str | None, frozenset[str]], part: Part | None) -> frozenset[str]:
    counties = before if part is None else part.counties
    return frozenset().union(*(before.get(county, ()) for county in counties))


def _plan(tasks: Sequence[Task], challenger: Champion | None) -> dict[str, Any]:
    """All that decides what the parts hold beside the run itself."""
    listed = "\n".join(sorted(student for task in tasks for student in task.before))
    return {
        "parts": sorted(task.name for task in tasks),
        "challenger": challenger and challenger.digest,
        "listed_before": blake2b(listed.encode(), digest_size=16).hexdigest(),
    }


def _deal(night: _Night, parts: Sequence[Part]) -> None:
    """Deal the registers out to the parts, and leave the memory to those who work on them."""
    if not parts:
        return
    from risk_model.state import sources_on

    con, day = night.lake.con, night.key.as_of
    with night.accounts.stage("features", "registers dealt out to the parts"):
        kept = sources_on(night.home, night.lake, day) != LAKE
        night.lake.known_on(day)
        night.files.deal(con, partial(deal_out, con, day, parts, exams_kept=kept))
    con.execute(f"SET memory_limit = '{COORDINATOR}'")


def _doubted(connection: Connection, lake: Lake, settings: Settings, run: int, day: date) -> dict[str, str]:
    """Schools that differ too much from their published lists, with the reason to hold them back.

    They lost pupils of whom nobody says that they left, or most of their county's list is another.
    """
    pupils = publication.pupils_by_school(connection, run)
    kept = enrolment_kept(lake.con, day, pupils, publication.listed_now(connection))
    changed = judge_churn(publication.turnovers(connection, run), day, settings.quality)
    return changed | judge_enrolment(kept, settings.quality)


def _rows(lake: Lake, files: RunFiles, told: Told) -> list[Row]:
    """The rows of a part as the service database takes them."""
    source = files.source(lake.con, files.files(ROWS, [told.name]))
    return rows_of(lake.con.execute(f"from {source}").to_arrow_table())


def _shadow_rows(lake: Lake, files: RunFiles, tasks: Sequence[Task]) -> Iterator[pd.DataFrame]:
    """The challenger's rows, a part at a time."""
    for task in tasks:
        yield lake.con.execute(f"from {files.source(lake.con, files.files(SHADOW, [task.name]))}").df()


def _origin(home: Home, settings: Settings, champion: Champion, bundle: Bundle) -> str:
    """``imported`` from another county, the ``rule`` of the school, or ``trained`` on own leavers."""
    if Registry(home, settings).origin(champion.version) is not None:
        return "imported"
    return "rule" if bundle.manifest.kind == "logistic" else "trained"


def _ground(bundle: Bundle) -> dict[str, int] | None:
    """How many pupils had a label when the model was made, and how many of them had left; none: not told."""
    notes = bundle.manifest.notes
    told = {name: notes[name] for name in ("labelled", "left") if name in notes}
    if len(told) < 2 or not all(count.isdecimal() for count in told.values()):
        return None
    return {name: int(count) for name, count in told.items()}
