"""Seconds and memory of a night of a province, beside its bare parts and beside the direct way.

``python -m benchmarks.nightly FOLDER --students 1000000 --json``: makes the province of
:mod:`benchmarks.province` in FOLDER once, imports it, lets a model of a small county score it – the first
night, and after one more day of marks the second – and measures in the same run

- the *bare parts*: a scan of the marks in DuckDB with eight sums a pupil, LightGBM's ``predict``, the exact
  SHAP values from the model's tables and a bulk insert of the same rows, with nothing around them;
- the *direct way*, on a sample of pupils and extrapolated linearly: features in pandas, ``predict``,
  ``shap.TreeExplainer``, ``to_sql``. It is flattered: of the features only those of :func:`direct_features`
  are made, and no ranks, no sentences, no checks.

Needs Linux: memory is that of the whole tree of processes, looked at every 50 ms.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sqlite3
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any

import click
import numpy as np
import pandas as pd

from benchmarks.province import YEARS, Deliveries, make_province
from benchmarks.whole_way import Stage, run_stage
from risk_model.home import Home
from risk_model.lake.reading import open_lake
from risk_model.settings import load_settings
from serving.run_files import RunFiles

EVERY = 0.05
PAGE = os.sysconf("SC_PAGE_SIZE")
MARKS = ("absent_sick", "absent_leave", "absent_unexcused", "late")
SPANS = (7, 14, 30, 60, 90)
LEFT_OUT = "family, distance, season, streaks, patterns, comparisons with class and school, ranks, sentences"


def _tree(process: int) -> list[int]:
    """A process and all that came of it."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        children.setdefault(parent, []).append(int(folder.name))
    found = [process]
    for one in found:
        found += children.get(one, [])
    return found


def _held(processes: list[int]) -> int:
    held = 0
    for process in processes:
        try:
            held += int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE
        except OSError:
            continue
    return held


@contextmanager
def peak_memory() -> Iterator[list[float]]:
    """The most that all processes begun inside held together, in MB; there when it is over."""
    peak, over = [0.0], threading.Event()

    def watch() -> None:
        while not over.wait(EVERY):
            peak[0] = max(peak[0], _held(_tree(os.getpid())[1:]) / 1e6)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        over.set()
        watcher.join()


def prepared(folder: Path, students: int, years: int = YEARS) -> tuple[Path, Deliveries]:
    """A home with the province's registers up to yesterday and a champion, made once."""
    home, small = folder / "home", folder / "small"
    made = make_province(folder, students, years)
    if not (folder / "imported").exists():
        shutil.rmtree(home, ignore_errors=True)
        for delivery in (made.term, made.corrections):
            run_stage(home, "import", str(delivery), "--max-rejected", "0.2")
        size = ["--students", "8000", "--years", "3", "--seed", "5", "--format", "parquet"]
        run_stage(small, "simulate", str(small / "registers"), *size)
        run_stage(small, "import", str(small / "registers"))
        run_stage(small, "train", "--promote", "force")
        shutil.copytree(small / "mlruns", home / "mlruns")
        (folder / "imported").touch()
    return home, made


def night(home: Path, *options: str) -> dict[str, Any]:
    """One ``score``: its own accounts, and those of the machine."""
    with peak_memory() as peak:
        stage = run_stage(home, "score", *options)
    told = stage.document
    return {
        "students": told["students"], "listed": told["listed"], "held_back": len(told["held_back"]),
        "state": told["state"]["done"], "run_id": told["run_id"], "as_of": told["as_of"],
        "seconds": {**told["seconds"], "process": stage.seconds}, "cpu_seconds": stage.cpu_seconds,
        "peak_memory_mb": peak[0],
    }  # fmt: skip


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = perf_counter()
    found = work()
    return perf_counter() - begun, found


def values_of(home: Home, run_id: str) -> np.ndarray:
    """The feature values (pupils, features) of a run, out of its evidence."""
    settings = load_settings(home.config)
    run = RunFiles.of(home, run_id)
    with open_lake(home, settings) as lake:
        found = lake.con.execute(f'SELECT "values" FROM {run.source(lake.con, run.files("facts.parquet"))}')
        return np.frombuffer(b"".join(row for (row,) in found.fetchall()), "<f8").reshape(-1, _features(home))


def _features(home: Home) -> int:
    return len(_champion(home).features)


def _champion(home: Home) -> Any:
    from risk_model.registry import Registry

    champion = Registry(home, load_settings(home.config)).champion()
    assert champion is not None
    return champion.load()


def bare_parts(home: Home, values: np.ndarray, folder: Path) -> dict[str, float]:
    """Seconds of what a night cannot do without, each alone."""
    kinds = [(mark, span) for mark in MARKS for span in (30, 90)]
    sums = ", ".join(f"count(*) FILTER (mark = '{mark}' AND day > d - {span})" for mark, span in kinds)
    with open_lake(home, load_settings(home.config)) as lake:
        day = lake.latest_recorded_on()
        query = f"""
            CREATE TEMP TABLE bare AS SELECT student_id, {sums}
            FROM lake.attendance, (SELECT DATE '{day}' AS d) GROUP BY student_id"""
        scan, _ = _timed(lambda: lake.con.execute(query).fetchall())
    bundle = _champion(home)
    bundle.explain(values[:1000])
    booster = _booster(bundle)
    booster.predict(values[:1000])
    predict, risk = _timed(lambda: booster.predict(values))
    explain, _ = _timed(lambda: [None for _ in bundle.explain_chunks(values)])
    rows = [(f"{n}", float(one), "x" * 200) for n, one in enumerate(risk)]
    insert, _ = _timed(lambda: _insert(folder / "bare.db", rows))
    return {"scan": scan, "predict": predict, "explain": explain, "insert": insert}


def _booster(bundle: Any) -> Any:
    import lightgbm as lgb

    return lgb.Booster(model_file=bundle.path / "model.txt")


def _insert(file: Path, rows: list[tuple[Any, ...]]) -> None:
    file.unlink(missing_ok=True)
    con = sqlite3.connect(file)
    con.execute("CREATE TABLE scores (student_id TEXT PRIMARY KEY, risk REAL, reasons TEXT) WITHOUT ROWID")
    con.executemany("INSERT INTO scores VALUES (?, ?, ?)", sorted(rows))
    con.commit()
    con.close()
    file.unlink()


def direct_features(marks: pd.DataFrame, results: pd.DataFrame, day: Any) -> pd.DataFrame:
    """Marks counted by kind and span of days, and how the exams of each half-year went, in pandas."""
    marks = marks.assign(back=(pd.Timestamp(day) - pd.to_datetime(marks["day"])).dt.days)
    asked = {"index": "student_id", "columns": "mark", "values": "back", "aggfunc": "count"}
    counted = [marks[marks["back"] < span].pivot_table(**asked).add_suffix(f"_{span}") for span in SPANS]
    results = results.assign(
        share=results["score"] / results["max_score"],
        half=pd.to_datetime(results["assessed_on"]).dt.to_period("2Q"),
    )
    of_half = results.groupby(["subject", "half"])["share"]
    results["z"] = (results["share"] - of_half.transform("mean")) / of_half.transform("std")
    exams = results.groupby(["student_id", "half"])[["share", "z"]].mean().unstack()
    exams.columns = [f"{name}_{half}" for name, half in exams.columns]
    failed = results[results["share"] < 0.6].groupby("student_id")["share"].count().rename("failed")
    return pd.concat([*counted, exams, failed], axis=1)


def direct(home: Home, values: np.ndarray, sample: int, folder: Path) -> dict[str, float]:
    """Seconds of the direct way for ``sample`` pupils."""
    import shap

    with open_lake(home, load_settings(home.config)) as lake:
        day = lake.latest_recorded_on()
        assert day is not None
        some = (
            f"SEMI JOIN (SELECT student_id FROM lake.students ORDER BY 1 LIMIT {sample}) USING (student_id)"
        )
        term, two_years = day - timedelta(days=130), day - timedelta(days=730)
        of_term = f"SELECT student_id, day, mark FROM lake.attendance {some} WHERE day > '{term}'"
        exams = f"FROM lake.results {some} WHERE assessed_on > '{two_years}'"
        read_marks, marks = _timed(lambda: lake.con.execute(of_term).df())
        read_exams, results = _timed(lambda: lake.con.execute(exams).df())
    features, _ = _timed(lambda: direct_features(marks, results, day))
    rows, booster = values[:sample], _booster(_champion(home))
    predict, risk = _timed(lambda: booster.predict(rows))
    explain, told = _timed(lambda: shap.TreeExplainer(booster).shap_values(rows))
    frame = pd.DataFrame({"risk": risk, "reason": np.abs(np.asarray(told)).argmax(axis=1)})
    file = folder / "direct.db"
    con = sqlite3.connect(file)
    publish, _ = _timed(lambda: frame.to_sql("scores", con))
    con.close()
    file.unlink()
    read = read_marks + read_exams
    return {"read": read, "features": features, "predict": predict, "explain": explain, "publish": publish}


def measure(folder: Path, students: int, sample: int, options: list[str]) -> dict[str, Any]:
    """The document: first and second night, bare parts, direct way, and their ratios."""
    kept, made = prepared(folder, students)
    home = folder / "tonight"
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(kept, home)
    first = night(home, *options)
    news: Stage = run_stage(home, "import", str(made.news), "--max-rejected", "0.2")
    second = night(home, *options)
    values = values_of(Home(home), second["run_id"])
    sample = min(sample, len(values))
    bare = bare_parts(Home(home), values, folder)
    plain = direct(Home(home), values, sample, folder)
    whole = sum(plain.values()) * len(values) / sample
    total = second["seconds"]["total"]
    return {
        "machine": {"processors": os.cpu_count(), "python": platform.python_version()},
        "ours": first, "news": {"seconds": news.seconds}, "second_night": second,
        "second_features_over_first": second["seconds"]["features"] / first["seconds"]["features"],
        "bare_parts": {"seconds": bare, "total": sum(bare.values())},
        "times_bare_parts": total / sum(bare.values()),
        "direct": {"sample": sample, "seconds": plain, "left_out": LEFT_OUT, "extrapolated": whole},
        "times_faster_than_direct": whole / total,
    }  # fmt: skip


@click.command()
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option("--students", default=1_000_000, show_default=True)
@click.option("--sample", default=50_000, show_default=True, help="Pupils of the direct way.")
@click.option("--workers", type=int, help="Passed on to score.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def main(folder: Path | None, students: int, sample: int, workers: int | None, as_json: bool) -> None:
    """Measure the night of a province, made in FOLDER and kept there; without one, made for once."""
    options = ["--workers", str(workers)] if workers else []
    with tempfile.TemporaryDirectory(prefix="province-") as once:
        place = folder or Path(once)
        place.mkdir(parents=True, exist_ok=True)
        found = measure(place, students, sample, options)
    if as_json:
        print(json.dumps(found))
        return
    for name in ("ours", "second_night"):
        print(f"{name:<13} {found[name]['seconds']['total']:7.1f} s {found[name]['peak_memory_mb']:7.0f} MB")
    print(f"{found['times_bare_parts']:.1f} times the bare parts, "
          f"{found['times_faster_than_direct']:.0f} times faster than the direct way")  # fmt: skip


if __name__ == "__main__":
    main()
