"""The real command in processes forked from one that has imported everything: a start saves 1–3 seconds."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

context = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["tests.preloaded"])


def run(home: Path, arguments: list[str], answers: Path, barrier: Any = None) -> None:
    """Run the command, all starts at a ``barrier`` at once; answer and code become a file of ``answers``."""
    from risk_model.command.main import main

    os.setsid()
    if barrier is not None:
        barrier.wait(240)
    answer = answers / f"{os.getpid()}.json"
    with (
        open(answer, "w") as out,
        open(answers / f"{os.getpid()}.err", "w") as said,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(said),
    ):
        try:
            code = main(["--home", str(home), "--json", *arguments], standalone_mode=False)
        except SystemExit as ended:
            code = ended.code
    answer.rename(answers / f"{os.getpid()}-{code or 0}.json")


@dataclass(frozen=True)
class Ended:
    """How a start ended by itself."""

    code: int
    document: Any
    stderr: str
    seconds: float


def start(home: Path, arguments: list[str], answers: Path, kill_after: float | None = None) -> Ended | None:
    """Run the command to its end, or kill it and its children after so many seconds: then nothing is told."""
    answers.mkdir(exist_ok=True)
    process = context.Process(target=run, args=(home, arguments, answers))
    begun = perf_counter()
    process.start()
    process.join(kill_after)
    if process.is_alive():
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.join()
        return None
    return _ended(answers, process.pid, perf_counter() - begun)


def _ended(answers: Path, process: int, seconds: float) -> Ended:
    [answer] = answers.glob(f"{process}-*.json")
    text, said = answer.read_text(), (answers / f"{process}.err").read_text()
    return Ended(int(answer.stem.split("-")[1]), json.loads(text) if text.strip() else None, said, seconds)
