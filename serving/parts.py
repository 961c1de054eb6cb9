"""One part of a night: what a worker does with some counties. It reads the lake and writes one folder."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from datetime import date
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

from risk_model.accounts import Accounts
from risk_model.dealing import dealt_to
from risk_model.draw_record import DRAWN, drawn_table
from risk_model.near_equals import draws
from risk_model.parts import Part, take_over
from risk_model.quality import judge_registers, registers_kept, two_open_spells
from serving.archive import evidence_tables
from serving.figures import figures_of
from serving.run_files import RunFiles
from serving.scoring import features_of, schools_of, score, table_of
from serving.shadow import would_be_list

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from risk_model.home import Home
    from risk_model.lake.reading import Lake
    from risk_model.roles import Champion
    from risk_model.settings import Settings

ROWS, SHADOW, KEPT, NORMS = "rows.parquet", "shadow.parquet", "kept.parquet", "norms.parquet"
HANDED = "told-"
"""Before the name of a part: what it hands over to the others."""


@dataclass(frozen=True)
class Task:
    """Some counties of a night, and all a worker anywhere needs to score them."""

    home: Home
    settings: Settings
    run_id: str
    as_of: date
    snapshot: int
    """Of the lake: every worker sees the same."""
    filled: frozenset[str]
    """Tables of the lake that have rows."""
    part: Part | None
    """None: all counties at once."""
    champion: Champion
    challenger: Champion | None
    threads: int
    before: frozenset[str] = frozenset()
    """Pupils of the part on the last published lists, where they stay a little longer."""
    number: int = 0
    """Of the part among those of the night: under it registers were dealt out to it."""

    @property
    def name(self) -> str:
        """The same for the same counties, however the night is cut."""
        counties = "\n".join(self.part.counties) if self.part else ""
        return blake2b(counties.encode(), digest_size=8).hexdigest()

    @property
    def files(self) -> RunFiles:
        return RunFiles.of(self.home, self.run_id)


@dataclass(frozen=True)
class Told:
    """What a worker tells of a part it has done."""

    name: str
    students: int
    listed: int
    base: float
    status: dict[str, int]
    schools: list[dict[str, Any]]
    """As :func:`serving.publication.stage` takes them."""
    findings: list[dict[str, Any]]
    shadow_failed: str | None
    """Why the challenger has no list of these pupils, if it has none."""
    spent: list[dict[str, Any]]
    """What the worker's :class:`~risk_model.accounts.Accounts` told."""
    figures: list[dict[str, Any]] = field(default_factory=list)
    """Of the classes; none in a part of an earlier version, gone on with."""


def hand_over(task: Task) -> str:
    """Write what other parts take over of this one; answers its name."""
    from risk_model.features.snapshot import told_to_others
    from risk_model.state import sources_on

    assert task.part is not None
    name = HANDED + task.name
    if task.files.told(name) is None:
        with _open(task) as lake:
            part = _dealt(task, lake)
            assert part is not None
            sources = sources_on(task.home, lake, task.as_of, part)
            kept, norms = told_to_others(lake, task.as_of, task.settings, part, sources)
            task.files.keep(lake.con, name, {KEPT: kept, NORMS: norms}, {})
    return name


def score_part(task: Task) -> Told:
    """Score, rank and explain the pupils of a part and write them down; what is there already stays."""
    there = task.files.told(task.name)
    if there is not None:
        there["spent"] = []  # by an earlier attempt
    else:
        with _open(task) as lake:
            there = _done(task, lake)
    return Told(name=task.name, **there)


def _open(task: Task) -> Lake:
    from risk_model.lake.reading import open_lake

    lake = open_lake(task.home, task.settings, snapshot=task.snapshot, filled=task.filled)
    lake.con.execute(f"SET threads = {task.threads:d}")
    return lake


def _done(task: Task, lake: Lake) -> dict[str, Any]:
    accounts = Accounts()
    with accounts.stage("features") as stage:
        frame, suspicious, findings = _counted(task, lake)
        stage.rows = len(frame)
    with accounts.stage("explain") as stage:
        stage.rows = len(frame)
        bundle = task.champion.load()
        names = features_of(bundle.features)
        comparison = task.settings.comparison if draws(task.settings.comparison, task.as_of) else None
        scores = score(frame, bundle, names, task.settings.list, task.threads, task.before, comparison)
    with accounts.stage("write") as stage:
        stage.rows = len(frame)
        tables = {ROWS: table_of(scores.frame), **evidence_tables(scores.evidence)}
        shadow, failed = _shadow(task, frame, scores.frame)
        if shadow is not None:
            tables[SHADOW] = shadow
        if scores.drawn is not None:
            tables[DRAWN] = drawn_table(scores.drawn)
    told = Told(
        name="",
        students=len(frame),
        listed=int(scores.frame["listed"].sum()),
        base=scores.base,
        status={str(name): int(n) for name, n in scores.frame["status"].value_counts().items()},
        schools=schools_of(lake.con, scores.frame, suspicious),
        findings=findings,
        shadow_failed=failed,
        spent=accounts.told(),
        figures=figures_of(frame),
    )
    document = asdict(told)
    del document["name"]
    task.files.keep(lake.con, task.name, tables, document)
    return document


def _counted(task: Task, lake: Lake) -> tuple[pd.DataFrame, dict[str, str], list[dict[str, Any]]]:
    """The snapshot of the part's pupils, the schools not to be trusted, and what cannot be."""
    from risk_model.features.snapshot import snapshot_frame
    from risk_model.state import sources_on

    if task.part is not None:
        files = task.files
        take_over(lake.con, files.files(KEPT), files.files(NORMS), files.unlocked(lake.con))
    part = _dealt(task, lake)
    sources = sources_on(task.home, lake, task.as_of, part)
    frame = snapshot_frame(lake, task.as_of, task.settings, part, sources)
    rules = task.settings.quality
    suspicious = judge_registers(registers_kept(lake.con, task.as_of, rules), rules)
    findings = [finding.as_document() for finding in two_open_spells(lake.con, task.as_of)]
    return frame, suspicious, findings


def _dealt(task: Task, lake: Lake) -> Part | None:
    """The part with the rows that were dealt out to it."""
    if task.part is None:
        return None
    sources = dealt_to(task.files.dealt, task.number, task.files.unlocked(lake.con))
    return replace(task.part, sources=sources)


def _shadow(task: Task, frame: pd.DataFrame, champions: pd.DataFrame) -> tuple[pa.Table | None, str | None]:
    """What the challenger would say of these pupils, or why it cannot."""
    import pyarrow as pa

    if task.challenger is None:
        return None, None
    try:
        rows = would_be_list(frame, champions, task.challenger, task.settings.list)
        return pa.Table.from_pandas(rows, preserve_index=False), None
    except Exception as error:  # whatever it is, the night must not fail because of it
        return None, f"{type(error).__name__}: {error}"
