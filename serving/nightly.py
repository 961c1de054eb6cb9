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
from risk_model.errors import MissingError, UsageError
from risk_model.home import Home
from risk_model.quality import HeldBack, enrolment_kept, judge_churn, judge_enrolment, judge_size
from risk_model.registry import Champion, Registry
from risk_model.settings import Settings
from serving import pruning, publication
from serving.archive import remove_evidence
from serving.database import open_database
from serving.parts import ROWS, SHADOW, Task, Told, hand_over, score_part
from serving.publication import Row, RunKey
from serving.run_files import RunFiles, open_runs
from serving.scoring import features_of, rows_of
from serving.shadow import shadow
from serving.sharing import COORDINATOR, shared_out
from serving.tables import PUBLISHED, REFUSED, STORED
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
            document = _scored(
                home, settings, order, lake, engine, champion, key, say, accounts or Accounts()
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
    deciding = settings.model_dump(mode="json", include=DECIDING_SECTIONS)
    return blake2b(json.dumps(deciding, sort_keys=True).encode(), digest_size=16).hexdigest()


def _answered(
    engine: Engine, lake: Lake, settings: Settings, key: RunKey, order: Order
) -> dict[str, Any] | None:
    """The document of this run if it is complete, published now if that is asked for; else none."""
    with engine.begin() as connection:
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
        return _decide(connection, settings, run.id, key, order, document)


def _scored(
    home: Home,
    settings: Settings,
    order: Order,
    lake: Lake,
    engine: Engine,
    champion: Champion,
    key: RunKey,
    say: Callable[[str], None],
    accounts: Accounts,
) -> dict[str, Any]:
    from risk_model.state import bring_forward

    bundle = champion.load()
    features_of(bundle.features)  # a model that cannot be served is told before anything is computed
    challenger = Registry(home, settings).challenger()
    with accounts.stage("features", "what is kept of earlier marks"):
        state = bring_forward(home, settings, lake)
    shares = shared_out(settings, order, lake, key.as_of)
    before = _listed_before(engine, settings)
    tasks = [
        Task(
            home,
            shares.settings,
            key.digest,
            key.as_of,
            lake.snapshot,
            lake.filled,
            part,
            champion,
            challenger,
            shares.threads,
            _of_part(before, part),
            number,
        )
        for number, part in enumerate(shares.parts)
    ]
    files = RunFiles.of(home, key.digest)
    files.open(_plan(tasks, challenger))
    _deal(lake, key.as_of, [part for part in shares.parts if part is not None], files, accounts)
    run = publication.begin(engine, key, bundle.base, bundle.features)
    tally = Tally()
    with hired(shares.processes, order.scheduler) as workers:
        givers = [task for task in tasks if task.part in shares.givers]
        if givers:
            with accounts.stage("features", "what is told of pupils who moved", len(givers)) as stage:
                for _ in workers.each(hand_over, givers):
                    stage.count(1)
        with accounts.stage("parts", f"risk and reasons of {key.as_of}", len(tasks)) as parts:
            for told in workers.each(score_part, tasks):
                with accounts.stage("publish") as published:
                    published.rows = told.students
                    publication.stage(engine, run, _rows(lake, files, told), told.schools)
                tally.add(told)
                accounts.add(told.spent)
                parts.count(1)
                parts.rows = tally.students
    with accounts.stage("publish", "publishing"), engine.begin() as connection:
        publication.check(connection, run, tally.students)
        if not order.force:
            publication.hold_back(connection, run, _doubted(connection, lake, settings, run, key.as_of))
        document = _document(key, tally) | accounts.document(SECONDS)
        document["model_origin"] = _origin(home, settings, champion, bundle)
        document["model_ground"] = _ground(bundle)
        document["capacity"] = settings.list.model_dump(include=CAPACITY)
        document["state"] = state.document()
        document["shadow"] = None
        decided = _decide(connection, settings, run, key, order, document)
    if challenger is not None:
        rows = _shadow_rows(lake, files, tasks)
        decided["shadow"] = shadow(home, settings, key, challenger, rows, tally.shadow_failed, say)
    files.close()
    decided |= accounts.document(SECONDS)
    publication.amend(engine, run, decided)
    return decided


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


def _deal(lake: Lake, day: date, parts: Sequence[Part], files: RunFiles, accounts: Accounts) -> None:
    """Deal the registers out to the parts, and leave the memory to those who work on them."""
    if not parts:
        return
    with accounts.stage("features", "registers dealt out to the parts"):
        lake.known_on(day)
        files.deal(lake.con, partial(deal_out, lake.con, day, parts))
    lake.con.execute(f"SET memory_limit = '{COORDINATOR}'")


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


def _document(key: RunKey, tally: Tally) -> dict[str, Any]:
    """The keys of contract §3, before anything is published."""
    return {
        "run_id": key.digest,
        "as_of": key.as_of.isoformat(),
        "model_version": key.model_version,
        "students": tally.students,
        "listed": tally.listed,
        "published": False,
        "held_back": [],
        "reason": None,
        "status": dict(sorted(tally.status.items())),
        "findings": [tally.findings[student] for student in sorted(tally.findings)],
    }


def _decide(
    connection: Connection, settings: Settings, run: int, key: RunKey, order: Order, document: dict[str, Any]
) -> dict[str, Any]:
    """Publish the run, or say why not; the caller's transaction makes it happen at once or not at all."""
    live = publication.newest(connection)
    pupils = publication.pupils_by_county(connection, run)
    before = publication.pupils_by_county(connection, live.id) if live else {}
    refusals = () if order.force else judge_size(pupils, before, settings.quality)
    if refusals:
        held = [HeldBack(unit, refusals[0], live.as_of if live else None) for unit in _units(pupils, before)]
        return _finished(connection, run, REFUSED, document, held, refusals[0])
    if live is not None and key.as_of < live.as_of and not order.republish:
        older = f"A newer list, of {live.as_of}, is published; --republish publishes this one all the same."
        return _finished(connection, run, STORED, document, [], older)
    document["published"] = publication.publish(connection, run) > 0
    return _finished(connection, run, PUBLISHED, document, publication.held_back(connection, run), None)


def _finished(
    connection: Connection,
    run: int,
    state: str,
    document: dict[str, Any],
    held: list[HeldBack],
    reason: str | None,
) -> dict[str, Any]:
    entries = [{**unit.as_document(), "as_of": unit.as_of and unit.as_of.isoformat()} for unit in held]
    document.update(held_back=entries, reason=reason)
    publication.finish(connection, run, state, document)
    return document


def _units(pupils: dict[str, int], before: dict[str, int]) -> list[str]:
    """The counties a refused run is about; ``all`` where not even a county is known."""
    return [f"county:{county}" for county in sorted({*pupils, *before}) if county] or ["all"]
