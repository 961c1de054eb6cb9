"""One score with its reasons on demand, beside ``mlflow models serve`` of the same model.

Both answer on this machine with as many workers, asked by ``wrk`` in turn in the same run. Ours is asked for
risk, contributions and reasons, counts the call against its limit and writes it down; the other answers the
risk alone.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.loaded import COMMANDS, Running, asked, free_port, running, served
from risk_model.home import Home
from risk_model.model.bundle import Bundle
from risk_model.roles import Champion, Roles
from risk_model.settings import Settings
from serving.accounts.tokens import create_token
from serving.database import open_database

MACHINES = 8
"""Callers in turn, so that no caller's limit ends the load."""
WARM_SECONDS = 8


def measure_scores(
    folder: Path, champion_of: Home, seconds: int, connections: int, workers: int
) -> dict[str, Any]:
    """The document: ours and MLflow's over one connection and over many, and how often faster ours is."""
    home = Home(folder / "scores")
    shutil.copytree(champion_of.mlruns, home.mlruns)  # accounts of the load are nothing for a real home
    champion = Roles(home).champion()
    if champion is None:
        raise SystemExit(f"{champion_of.folder} has no champion. Train one, or run 'dropout-risk demo'.")
    bundle, secrets = champion.load(), _secrets(home)
    row = _row(bundle)
    with served(home, workers) as ours:
        found = {"dropout_risk": _both(ours, _ours(row, secrets), folder, seconds, connections)}
    with _mlflow(_model_folder(home, champion), workers) as theirs:
        found["mlflow"] = _both(theirs, _theirs(row), folder, seconds, connections)
    rates = [found[name]["many"]["requests_per_second"] for name in ("dropout_risk", "mlflow")]
    return {
        **found,
        "features": len(bundle.features),
        "workers": workers,
        "times_mlflow": round(rates[0] / rates[1], 1),
    }


def _both(service: Running, script: str, folder: Path, seconds: int, connections: int) -> dict[str, Any]:
    asked(service, script, folder, WARM_SECONDS, connections)  # each worker loads the model when first asked
    return {
        "one": asked(service, script, folder, seconds, 1),
        "many": asked(service, script, folder, seconds, connections),
    }


def _secrets(home: Home) -> list[str]:
    now = datetime.now(UTC)
    with open_database(home, Settings()) as engine, engine.begin() as connection:
        return [
            create_token(
                connection, f"load{number}", frozenset({"score"}), None, now + timedelta(days=1), now
            )
            for number in range(MACHINES)
        ]


def _row(bundle: Bundle) -> dict[str, float]:
    dice = random.Random(7)
    return {name: round(dice.random(), 3) for name in bundle.features}


def _ours(row: dict[str, float], secrets: list[str]) -> str:
    named = ", ".join(f'"{secret}"' for secret in secrets)
    return f"""
        local secrets, n = {{{named}}}, 0
        local body = [==[{json.dumps({"rows": [row]})}]==]
        request = function()
          n = n % #secrets + 1
          local headers = {{["Content-Type"] = "application/json"}}
          headers["Authorization"] = "Bearer " .. secrets[n]
          return wrk.format("POST", "/api/v1/score", headers, body)
        end"""


def _theirs(row: dict[str, float]) -> str:
    table = {"dataframe_records": [row]}
    return f"""
        wrk.method, wrk.path = "POST", "/invocations"
        wrk.body = [==[{json.dumps(table)}]==]
        wrk.headers["Content-Type"] = "application/json" """


@contextmanager
def _mlflow(model: Path, workers: int) -> Iterator[Running]:
    """``mlflow models serve`` of a model folder in this environment, for this machine alone."""
    port = free_port()
    command = [str(COMMANDS / "mlflow"), "models", "serve", "-m", str(model), "--env-manager", "local"]
    env = {**os.environ, "DO_NOT_TRACK": "true", "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false"}
    env["PATH"] = f"{COMMANDS}{os.pathsep}{env['PATH']}"  # it starts uvicorn by name
    where = ["-h", "127.0.0.1", "-p", str(port), "-w", str(workers)]
    with running([*command, *where], port, "/ping", env) as service:
        yield service


def _model_folder(home: Home, champion: Champion) -> Path:
    """Where MLflow keeps its copy of the champion."""
    for found in (home.mlruns / "artifacts").rglob("MLmodel"):
        if champion.digest in found.read_text():
            return found.parent
    raise SystemExit(f"MLflow's copy of version {champion.version} is not in {home.mlruns / 'artifacts'}.")
