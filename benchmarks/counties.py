"""Many simulated counties: is the model calibrated, near the truth, and above its baselines, over seeds?

``python -m benchmarks.counties FOLDER [--seeds 1-10] [--kinds typical,poor,dirty] [--students N] [--json]``
simulates, imports and trains each county and keeps its judged backtest in FOLDER, so that a stopped run
goes on where it was; then it judges each county alone and all counties of a kind together. One county has
too few leavers to tell a difference of a point; ten together have enough.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import click
import pandas as pd

from benchmarks.oracle import LISTS, compare, with_hazard
from benchmarks.whole_way import run_stage
from risk_model.evaluation.paired import paired_difference
from risk_model.evaluation.pooled import pooled
from training.backtest import BASELINES, MODEL, SCORERS
from training.listing import as_judged

KINDS = {
    "typical": ["--preset", "county"],
    "poor": ["--preset", "poor-county"],
    "dirty": ["--preset", "county", "--dirty"],
}
SAMPLES = 200
CALIBRATION = (
    "expected_over_observed",
    "expected_over_observed_top5",
    "calibration_slope",
    "calibration_intercept",
)
DELIVERY = ["--max-rejected", "0.2"]
"""A dirty delivery is meant to hold more rejected rows than an office would let pass."""


def county(folder: Path, kind: str, seed: int, students: int, years: int) -> pd.DataFrame:
    """The judged rows of one county with the truth's hazard, made once and kept."""
    kept = folder / f"{kind}-{students}x{years}-{seed}.parquet"
    if not kept.exists():
        home, registers, told = folder / "home", folder / "home" / "registers", folder / "told.parquet"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        size = ["--students", str(students), "--years", str(years), "--seed", str(seed)]
        run_stage(home, "simulate", str(registers), *size, *KINDS[kind], "--format", "parquet")
        run_stage(home, "import", str(registers), *DELIVERY)
        run_stage(home, "train", "--promote", "never", "--keep-predictions", str(told))
        _write(with_hazard(pd.read_parquet(told), registers / "truth"), kept)
        told.unlink()
        shutil.rmtree(home)
    return pd.read_parquet(kept)


def _write(rows: pd.DataFrame, kept: Path) -> None:
    listed = [name for name in rows.columns if name.startswith("listed_")]
    half = kept.with_suffix(".half")
    rows[["snapshot", "school_id", "label", "hazard", *SCORERS, *listed]].to_parquet(half, index=False)
    half.rename(kept)


def judged_alone(rows: pd.DataFrame) -> dict[str, Any]:
    """One county's share of the way to the oracle and its calibration."""
    figures = pooled(as_judged(rows, MODEL), samples=0)
    return {
        "positives": int(rows["label"].sum()),
        "share_of_oracle": compare(rows)["share_of_oracle"],
        "roc_auc": figures["roc_auc"],
        **{name: figures[name] for name in CALIBRATION},
    }


def judged_together(counties: list[pd.DataFrame]) -> dict[str, Any]:
    """All counties of a kind: gains over each baseline with intervals over schools, calibration."""
    rows = pd.concat(
        frame.assign(school_id=f"{n}:" + frame["school_id"], snapshot=f"{n}:" + frame["snapshot"].astype(str))
        for n, frame in enumerate(counties)
    )
    model = as_judged(rows, MODEL)
    figures = pooled(model, samples=SAMPLES)
    return {
        "counties": len(counties),
        "positives": int(rows["label"].sum()),
        "share_of_oracle": compare(rows)["share_of_oracle"],
        "recall_at": figures["recall_at"],
        **{name: [figures[name], *(figures["intervals"][name] or [])] for name in CALIBRATION},
        "gains": {
            name: paired_difference(model, as_judged(rows, name), samples=SAMPLES) for name in BASELINES
        },
    }


def _seeds(text: str) -> list[int]:
    first, _, last = text.partition("-")
    return list(range(int(first), int(last or first) + 1))


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--seeds", default="1-10", show_default=True)
@click.option("--kinds", default=",".join(KINDS), show_default=True)
@click.option("--students", default=20_000, show_default=True)
@click.option("--years", default=3, show_default=True)
@click.option("--json", "as_json", is_flag=True)
def main(folder: Path, seeds: str, kinds: str, students: int, years: int, as_json: bool) -> None:
    """Judge the default model over many simulated counties."""
    folder.mkdir(parents=True, exist_ok=True)
    document: dict[str, Any] = {"students": students, "years": years, "kinds": {}}
    frames: dict[str, list[pd.DataFrame]] = {kind: [] for kind in kinds.split(",")}
    for seed in _seeds(seeds):
        for kind, made in frames.items():
            made.append(county(folder, kind, seed, students, years))
    for kind, made in frames.items():
        alone = [judged_alone(rows) for rows in made]
        document["kinds"][kind] = {"alone": alone, "together": judged_together(made)}
    print(json.dumps(document) if as_json else _text(document))


def _text(document: dict[str, Any]) -> str:
    lines = []
    for kind, told in document["kinds"].items():
        together = told["together"]
        lines.append(
            f"{kind}: {together['counties']} counties, {together['positives']:,} leavers, "
            f"{together['share_of_oracle']:.3f} of the way to the oracle "
            f"(each: {', '.join(format(one['share_of_oracle'], '.2f') for one in told['alone'])})"
        )
        lines += [f"  {name}: {_numbers(together[name])}" for name in CALIBRATION]
        for name, gains in together["gains"].items():
            shown = "  ".join(
                f"{length} {gain['difference']:+.3f} ({gain['lower']:+.3f}…{gain['upper']:+.3f})"
                for length, gain in gains.items()
                if length in (*LISTS, "capacity")
            )
            lines.append(f"  recall above {name}: {shown}")
    return "\n".join(lines)


def _numbers(values: list[float]) -> str:
    return " … ".join(f"{value:.3f}" for value in values)


if __name__ == "__main__":
    main()
