"""``score``: everybody of a day scored, ranked, explained and published – once, whole, or not at all."""

from __future__ import annotations

import json
import resource
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from time import perf_counter
from typing import TYPE_CHECKING, Any

from risk_model.errors import BundleError, MissingError, UsageError
from risk_model.home import Home
from risk_model.quality import HeldBack, judge_registers, judge_size, registers_kept, two_open_spells
from risk_model.registry import Champion, Registry
from risk_model.settings import Settings
from serving import pruning, publication
from serving.archive import remove_evidence, write_evidence
from serving.database import open_database
from serving.publication import COLUMNS, RunKey
from serving.scoring import Scores, rows_of, schools_of, score
from serving.shadow import shadow
from serving.tables import PUBLISHED, REFUSED, STORED

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

    from risk_model.features.feature import Feature
    from risk_model.lake.reading import Lake
    from risk_model.model.bundle import Bundle

DECIDING_SECTIONS = {"list", "labels", "quality", "aid"}
"""Sections of the settings that change a list."""
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
    """Threads of DuckDB; none = all."""


class Stopwatch:
    """Seconds spent in each named part of a run."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._begun = self._last = perf_counter()

    def lap(self, part: str) -> None:
        """Book the time since the last lap to ``part``."""
        now = perf_counter()
        self.seconds[part] = now - self._last
        self._last = now

    def so_far(self) -> dict[str, float]:
        """The parts, and the total."""
        return {**self.seconds, "total": perf_counter() - self._begun}


def score_night(home: Home, settings: Settings, order: Order, say: Callable[[str], None]) -> dict[str, Any]:
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
        _sweep(home, settings, engine)
        document = _answered(engine, settings, key, order)
        if document is None:
            document = _scored(home, settings, order, lake, engine, champion, key, say)
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


def _sweep(home: Home, settings: Settings, engine: Engine) -> None:
    """Clear what killed runs have left: contributions first, for the rows name what to clear."""
    left = publication.abandoned(engine)
    if left:
        remove_evidence(home, settings, left)
        publication.sweep(engine)


def _key(lake: Lake, champion: Champion, settings: Settings, as_of: date | None) -> RunKey:
    day = as_of or lake.latest_recorded_on()
    if day is None:
        raise MissingError("The lake holds no rows yet. Run 'dropout-risk import DIR' first.")
    return RunKey(day, champion.version, champion.digest, lake.snapshot, settings_digest(settings))


def settings_digest(settings: Settings) -> str:
    """Digest of the settings that decide a list."""
    deciding = settings.model_dump(mode="json", include=DECIDING_SECTIONS)
    return blake2b(json.dumps(deciding, sort_keys=True).encode(), digest_size=16).hexdigest()


def _answered(engine: Engine, settings: Settings, key: RunKey, order: Order) -> dict[str, Any] | None:
    """The document of this run if it is complete, published now if that is asked for; else none."""
    with engine.begin() as connection:
        run = publication.find(connection, key.digest)
        if run is None:
            return None
        document: dict[str, Any] = json.loads(run.document)
        live = publication.newest(connection)
        as_it_is = not order.republish and (run.state == PUBLISHED or not order.force)
        if as_it_is or (live is not None and live.id == run.id):
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
) -> dict[str, Any]:
    from risk_model.features.snapshot import snapshot_frame

    watch = Stopwatch()
    if order.workers is not None:
        lake.con.execute(f"set threads = {order.workers:d}")
    bundle = champion.load()
    features = declared(bundle.features)
    say(f"Features of {key.as_of} …")
    frame = snapshot_frame(lake, key.as_of, settings)
    suspicious = judge_registers(registers_kept(lake.con, key.as_of, settings.quality), settings.quality)
    findings = [finding.as_document() for finding in two_open_spells(lake.con, key.as_of)]
    watch.lap("features")
    say(f"Risk, rank and reasons of {len(frame):,} pupils …")
    scores = score(frame, bundle, features, settings.list)
    watch.lap("explain")
    say("Publishing …")
    schools = schools_of(lake.con, scores.frame, suspicious)
    rows = rows_of(scores.frame, COLUMNS)
    names = tuple(feature.name for feature in features)
    run = publication.begin(engine, key, scores.base, names)
    publication.stage(engine, run, rows, schools)
    write_evidence(home, settings, key.digest, scores.evidence)
    with engine.connect() as connection:
        publication.check(connection, run, len(rows))
    with engine.begin() as connection:
        watch.lap("publish")
        document = _document(key, scores, watch)
        document["findings"] = findings
        document["model_origin"] = _origin(home, settings, champion, bundle)
        document["model_ground"] = _ground(bundle)
        document["capacity"] = settings.list.model_dump(include=CAPACITY)
        document["shadow"] = None
        decided = _decide(connection, settings, run, key, order, document)
    decided["shadow"] = shadow(home, settings, key, frame, scores.frame, say)
    publication.amend(engine, run, decided)
    return decided


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


def declared(names: tuple[str, ...]) -> tuple[Feature, ...]:
    """The declarations of a model's features, in the model's order.

    Raises
    ------
    BundleError
        The model needs a feature this version does not know.
    """
    from risk_model.features.declared import FEATURES

    known = {feature.name: feature for feature in FEATURES}
    unknown = [name for name in names if name not in known]
    if unknown:
        raise BundleError(
            f"The model needs the feature {unknown[0]!r}, which this version does not declare. "
            "Score with the version that trained it, or train again."
        )
    return tuple(known[name] for name in names)


def _document(key: RunKey, scores: Scores, watch: Stopwatch) -> dict[str, Any]:
    """The keys of contract §3, before anything is published."""
    return {
        "run_id": key.digest,
        "as_of": key.as_of.isoformat(),
        "model_version": key.model_version,
        "students": len(scores.frame),
        "listed": int(scores.frame["listed"].sum()),
        "published": False,
        "held_back": [],
        "reason": None,
        "status": {str(name): int(count) for name, count in scores.frame["status"].value_counts().items()},
        "seconds": watch.so_far(),
        "peak_memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
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
